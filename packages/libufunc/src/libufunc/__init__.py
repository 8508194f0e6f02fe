"""Turn any C function of a shared library into a true NumPy ufunc, in one line."""

from libufunc.calling import ccall
from libufunc.compiled_callers import c_function
from libufunc.errors import (
    CalledError,
    LibraryNotFoundError,
    LibufuncError,
    NoLoopError,
    OutOfRangeError,
    ProbeError,
    PrototypeError,
    StringError,
    SymbolError,
)
from libufunc.fpstate import flushes_subnormals
from libufunc.library import Library
from libufunc.threads import threaded

__all__ = [
    "CalledError",
    "Library",
    "LibraryNotFoundError",
    "LibufuncError",
    "NoLoopError",
    "OutOfRangeError",
    "ProbeError",
    "PrototypeError",
    "StringError",
    "SymbolError",
    "__version__",
    "c_function",
    "ccall",
    "flushes_subnormals",
    "threaded",
]

__version__: str


def __getattr__(name: str) -> str:
    """The version, looked up when asked for: that takes longer than all the rest."""
    if name == "__version__":
        from importlib.metadata import version

        return version("libufunc")
    raise AttributeError(f"module `libufunc` has no `{name}`.")
