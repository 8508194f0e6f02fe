"""Split vCard files and keep address books from merging namesakes, without losing a byte.

This version holds the name only; it offers nothing to import yet.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("cardsplit")
