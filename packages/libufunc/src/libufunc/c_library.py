"""Refuses prototypes that the C library contradicts, as calling by them is no C.

What counts is the function, not the name of the library that it was reached through: a library that
links libm serves libm's `erf`. Its real prototype is that of the shipped mathematics, or, on Linux
with the GNU C Library, of the system's headers; `glibc_prototypes.h` has them, 2,600 lines that
scripts/libufunc_glibc_prototypes.py writes. Functions that no header declares are not known.

Decision: docs/decisions/0060-prototypes-of-the-c-library.md.
"""

import ctypes
import platform
import re
import sys
from functools import cache
from pathlib import Path

from libufunc.c_types import CFunction, same_call
from libufunc.declarations import standard_prototype
from libufunc.errors import LibraryNotFoundError, PrototypeError
from libufunc.symbols import SharedLibrary, open_library

TABLE = Path(__file__).with_name("glibc_prototypes.h")


def check_c_library(function: CFunction, address: int) -> None:
    """Refuse a prototype of a function of the C library that is not its own.

    Args:
        function: The prototype.
        address: Of what is to be called by it.

    Raises:
        PrototypeError: The function is of the C library, and its types are others.
    """
    if not _is_of_c_library(function.name, address):
        return
    known = c_library_function(function.name)
    if known is not None and not same_call(known, function):
        raise PrototypeError(
            f"`{function}` contradicts the C library, which has `{known}`; use that."
        )


@cache
def c_library_function(name: str) -> CFunction | None:
    """What is known of a function of the C library; `None` where nothing is."""
    if standard := standard_prototype(name):
        return standard.function
    line = _lines().get(name)
    if line is None:
        return None
    from libufunc.headers import Header

    return Header(line).declared(name)


@cache
def _lines() -> dict[str, str]:
    """The lines of the table by the name of their function; none on other systems."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return {}
    lines = TABLE.read_text("ascii").splitlines()[1:]
    return {_NAME.findall(line)[0]: line for line in lines}


# `int abs(int)`, and `void (*signal(int, void (*)()))()`.
_NAME = re.compile(r"(\w+)\((?!\*\))")


def _is_of_c_library(name: str, address: int) -> bool:
    """Whether libc or libm has this function at this place."""
    for library in _c_libraries():
        found = library.found(name)
        if found is not None and ctypes.cast(found, ctypes.c_void_p).value == address:
            return True
    return False


@cache
def _c_libraries() -> list[SharedLibrary]:
    found = []
    for name in ("m", "c"):
        try:
            found.append(open_library(name))
        except LibraryNotFoundError:  # one of them is the whole, on some systems
            continue
    return found
