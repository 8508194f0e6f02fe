"""Lets `python -m thalweg` do what the command `thalweg` does."""

from thalweg.cli import app

app(prog_name="thalweg")
