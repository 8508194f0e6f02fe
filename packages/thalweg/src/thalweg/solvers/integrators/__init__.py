"""The methods of our own, one a file."""
