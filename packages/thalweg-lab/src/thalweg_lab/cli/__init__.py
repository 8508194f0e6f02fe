"""The commands that `thalweg-lab` adds to `thalweg`: demo, bench, study and report."""
