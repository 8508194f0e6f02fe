"""Lets a class that inherits from `functools.partial` be called as quickly as that.

From Python 3.12 on it is. In 3.11 such a class inherits how it is called, and only the flag that
says so is left out, for fear that somebody replaces `__call__` later. Every call then packs its
arguments into a tuple, which takes half as long as a whole call of a ufunc. Here the flag is set.

Source: CPython 3.11, Objects/typeobject.c, `inherit_slots`; PEP 590.
"""

import ctypes
import functools
import sys

_HAS_VECTORCALL = 1 << 11
_AT_FLAGS = 168  # of `tp_flags` in `PyTypeObject` of CPython 3.11 on 64 bits


def pass_calls_on(kind: type[functools.partial]) -> None:
    """Set the flag, where it is missing and is where it is expected.

    Args:
        kind: A class that does not define `__call__`.
    """
    if sys.version_info[:2] != (3, 11) or sys.implementation.name != "cpython":
        return
    flags = ctypes.c_ulong.from_address(id(kind) + _AT_FLAGS)
    if flags.value == kind.__flags__:
        flags.value |= _HAS_VECTORCALL
