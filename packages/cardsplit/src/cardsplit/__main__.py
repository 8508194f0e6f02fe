"""Lets `python -m cardsplit` do what the command `cardsplit` does."""

import sys

from cardsplit.cli import main

sys.exit(main())
