"""Restart a device through its web interface, and prove that it really restarted.

The command `bootwatch` is the front end; `bootwatch.reboot.reboot` is what it calls.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: reading it takes as long as a short command."""
    if name == "__version__":
        from importlib.metadata import version

        return version("bootwatch")
    raise AttributeError(f"module `bootwatch` has no attribute `{name}`")
