"""Lets `python -m bootwatch` do what the command `bootwatch` does."""

import sys

from bootwatch.cli import main

sys.exit(main())
