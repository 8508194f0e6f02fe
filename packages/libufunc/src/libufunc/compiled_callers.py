"""The C function of a ufunc, for compilers that call it for one number, such as numba's `njit`."""

import ctypes
from typing import Any

import numpy as np

from libufunc.building import recipe_of
from libufunc.errors import PrototypeError
from libufunc.prototypes import parse_prototype
from libufunc.symbols import open_library


def c_function(ufunc: Any) -> Any:
    """The C function that a ufunc calls, with its types, as ctypes has it.

    numba compiles a call of it into `njit` functions, where it costs what the C function does.

    Args:
        ufunc: Of `ccall`, or a variant of a function of a `Library`, such as `m.erf[np.float64]`;
            of several variants the first is taken.

    Raises:
        PrototypeError: It is no ufunc of this package, or passes more than real numbers, integers
            and booleans by value.
    """
    recipe = recipe_of(getattr(ufunc, "ufunc", ufunc))
    if recipe is None:
        raise PrototypeError(f"`{ufunc!r}` is no ufunc of libufunc; give one made by `ccall`.")
    prototype = parse_prototype(recipe.prototypes[0], recipe.arrays)
    chars = prototype.outputs + prototype.inputs
    if not prototype.is_plain or any(np.dtype(char).kind == "c" or char == "g" for char in chars):
        raise PrototypeError(
            f"`{prototype}` passes more than numbers by value; only those can be called by numba."
        )
    kinds = [np.ctypeslib.as_ctypes_type(np.dtype(char)) for char in chars]
    address = open_library(recipe.library).address(prototype.name)
    return ctypes.CFUNCTYPE(*kinds)(address)
