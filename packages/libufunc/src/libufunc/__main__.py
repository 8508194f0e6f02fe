"""Lets `python -m libufunc` do what the command `libufunc` does."""

import sys

from libufunc.cli import main

sys.exit(main())
