"""Turn any C function of a shared library into a true NumPy ufunc, in one line.

This version holds the name only; it offers nothing to import yet.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("libufunc")
