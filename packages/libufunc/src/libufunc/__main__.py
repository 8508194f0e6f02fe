"""Lets `python -m libufunc` do what the command `libufunc` does."""

from libufunc.cli import main

main()
