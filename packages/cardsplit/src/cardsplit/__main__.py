"""Lets `python -m cardsplit` do what the command `cardsplit` does."""

from cardsplit.cli import main

main()
