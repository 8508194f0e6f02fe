"""Sees whether a function writes beyond the one value that a pointer stands for.

The room of each output lies within a larger one of a known pattern; what is left of the pattern
after a call tells. The functions are called by ctypes, which passes no complex numbers: functions
of those are not looked at.
"""

import ctypes
from typing import Any

import numpy as np

from libufunc.parameters import Parameter
from libufunc.prototypes import Prototype
from libufunc.symbols import SharedLibrary

_MARGIN = 4096  # bytes on each side of an output
_PATTERN = b"\xa5"
_Room = tuple[ctypes.Array[ctypes.c_char], int]  # and how much of it is the output


def can_be_seen(prototype: Prototype) -> bool:
    """Whether a function has outputs through pointers, and only types that ctypes passes."""
    scalars = [*prototype.results, *(s for p in prototype.parameters for s in p.scalars)]
    has_outputs = any(p.is_output for p in prototype.parameters)
    return (
        has_outputs
        and not prototype.returns_structure
        and all(scalar.kind != "c" for scalar in scalars)
    )


def overrun(prototype: Prototype, library: SharedLibrary, values: list[Any]) -> str:
    """What is wrong, in a sentence; empty if nothing is.

    Args:
        prototype: One that can be seen.
        library: Where the function is.
        values: A number for each input, in its own type; `bytes` for a string.
    """
    kinds: list[Any] = []
    arguments: list[Any] = []
    rooms: list[_Room] = []
    given = iter(values)
    for parameter in prototype.parameters:
        kinds.append(_kind(parameter))
        if parameter.is_output:
            chars = [np.dtype(scalar.char) for scalar in parameter.scalars]
            names = [(f"m{k}", kind) for k, kind in enumerate(chars)]
            rooms.append(_room(np.dtype(names, align=True).itemsize))
            arguments.append(ctypes.addressof(rooms[-1][0]) + _MARGIN)
        elif parameter.way == "address":
            arguments.append(next(given).ctypes.data)
        elif parameter.way == "string":
            arguments.append(next(given))
        else:
            arguments.append(next(given).item())
    result = _type(prototype.results[0].char) if prototype.results else None
    address = library.address(prototype.name)
    ctypes.CFUNCTYPE(result, *kinds)(address)(*arguments)
    if all(_is_whole(*room) for room in rooms):
        return ""
    return (
        f"`{prototype}` writes beyond the one value that each pointer stands for; say which are "
        "arrays, as in `signature='(n)->(n)'`."
    )


def _kind(parameter: Parameter) -> Any:
    """How ctypes passes a parameter."""
    if parameter.way == "string":
        return ctypes.c_char_p
    return _type(parameter.scalar.char) if parameter.way == "value" else ctypes.c_void_p


def _type(char: str) -> Any:
    return ctypes.c_longdouble if char == "g" else np.ctypeslib.as_ctypes_type(np.dtype(char))


def _room(size: int) -> _Room:
    """Zeros amid the pattern."""
    held = _PATTERN * _MARGIN + bytes(size) + _PATTERN * _MARGIN
    return ctypes.create_string_buffer(held, len(held)), size


def _is_whole(room: ctypes.Array[ctypes.c_char], size: int) -> bool:
    """Whether the pattern is there on both sides."""
    side = _PATTERN * _MARGIN
    return room.raw[:_MARGIN] == side and room.raw[_MARGIN + size :] == side
