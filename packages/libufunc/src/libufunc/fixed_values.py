"""Values that stay the same in every call: numbers, and addresses of what a function is to see.

A number goes by value, or by its address where the parameter is a pointer to a number. Anything
else is an address: `None` is NULL, an integer for `void *` is one, and arrays, `bytes` and objects
of ctypes and cffi lend the address of what they hold; they are kept for the rest of the process.
"""

import ctypes
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from libufunc.addresses import FUNCTION_OF_CTYPES
from libufunc.errors import OutOfRangeError, PrototypeError
from libufunc.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Fixed:
    """One value, for the parameter of that name or position.

    Attributes:
        name: Of the parameter, or its position from 0.
        value: A number, or an address.
        is_number: Whether it was given as a number.
        owner: What holds what the address leads to; two of them are never the same value.
    """

    name: str
    value: complex
    is_number: bool
    owner: int = 0


_owners: list[Any] = []


def fixed_values(given: Mapping[str | int, Any] | None) -> tuple[Fixed, ...]:
    """What a caller has fixed.

    Raises:
        PrototypeError: A value is neither a number nor anything with an address.
    """
    return tuple(_fixed(str(name), value) for name, value in (given or {}).items())


def _fixed(name: str, value: Any) -> Fixed:
    if isinstance(value, numbers.Number):
        plain = value.item() if isinstance(value, np.generic) else value
        return Fixed(name, plain, is_number=True)  # pyright: ignore[reportArgumentType] - a number
    if value is None:
        return Fixed(name, 0, is_number=False)
    _owners.append(value)
    return Fixed(name, _address(name, value), is_number=False, owner=id(value))


def _address(name: str, value: Any) -> int:
    """Where what an object holds is."""
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    if isinstance(value, bytes):
        buffer = ctypes.create_string_buffer(value)
        _owners.append(buffer)
        return ctypes.addressof(buffer)
    if isinstance(value, ctypes.c_void_p):
        return value.value or 0
    try:
        if isinstance(value, ctypes._Pointer | FUNCTION_OF_CTYPES):  # noqa: SLF001 - its only name
            return ctypes.cast(value, ctypes.c_void_p).value or 0
        if type(value).__module__ == "_cffi_backend":
            import cffi

            return int(cffi.FFI().cast("uintptr_t", value))
        return ctypes.addressof(value)
    except TypeError:
        raise PrototypeError(
            f"`fixed` gives a {type(value).__name__} for `{name}`, but a number, an array, "
            "`bytes`, `None` or an object of ctypes or cffi was expected."
        ) from None


def slot_bytes(fixed: Fixed, parameter: Parameter) -> bytes:
    """What stands in the block of a loop for a value.

    Raises:
        OutOfRangeError: The C type of the parameter cannot hold it.
    """
    if not parameter.scalars:
        return np.array(int(fixed.value.real), np.uintp).tobytes()
    scalar = parameter.scalar
    if scalar.kind in "iub":
        info = np.iinfo(scalar.char) if scalar.kind != "b" else None
        least, greatest = (int(info.min), int(info.max)) if info else (0, 1)
        if not isinstance(fixed.value, int) or not least <= fixed.value <= greatest:
            raise OutOfRangeError(
                f"`fixed` gives {fixed.value} for `{fixed.name}`, which is `{scalar.c}`; an "
                f"integer from {least} to {greatest} was expected."
            )
    try:
        return np.array(fixed.value).astype(scalar.char, casting="same_kind").tobytes()
    except TypeError:
        raise PrototypeError(
            f"`fixed` gives {fixed.value} for `{fixed.name}`, which is `{scalar.c}`; a real number "
            "was expected."
        ) from None
