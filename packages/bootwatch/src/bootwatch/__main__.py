"""Lets `python -m bootwatch` do what the command `bootwatch` does."""

from bootwatch.cli import main

main()
