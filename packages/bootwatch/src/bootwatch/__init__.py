"""Restart a device through its web interface, and prove that it really restarted.

The command `bootwatch` is the front end; `bootwatch.reboot.reboot` is what it calls.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("bootwatch")
