"""The command `bootwatch recipe`."""
