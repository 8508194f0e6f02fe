"""Restart a device through its web interface, and prove that it really restarted.

This version holds the name only; it offers nothing to import yet.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("bootwatch")
