"""What a model computes, as a key, without tracing it.

A compiled program may serve a later call only if the model computes the same then. A function is
the same if its code, its defaults, and all that it reads from closures and globals are the same.
Where some of that cannot be compared, such as an attribute of an object, the key is None, and the
model is traced at each call.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

ATOMS = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), np.generic)
FIXED_PACKAGES = ("jax", "jaxlib", "numpy", "math", "scipy", "builtins")  # whose names stay put
CONCRETE = (np.ndarray, type(jax.numpy.zeros(())))  # arrays with values, unlike tracers
MOST_BYTES = 10**6  # of an array that is compared by its values


class _UnknownError(Exception):
    """Something that cannot be compared."""


def identity_of(model: Any) -> Hashable | None:
    """A key that is equal for models that compute the same, or None where that is not known.

    Args:
        model: A function, a partial function, or a function under `jax.jit`.
    """
    try:
        return _identity(model, set())
    except (_UnknownError, RecursionError):
        return None


def _identity(value: Any, seen: set[int]) -> Hashable:  # noqa: PLR0911 - a return a kind
    if isinstance(value, ATOMS):
        return type(value), repr(value)
    if isinstance(value, (tuple, list)):
        return type(value), tuple(_identity(item, seen) for item in value)
    if isinstance(value, dict):
        pairs = [(_identity(k, seen), _identity(v, seen)) for k, v in value.items()]
        return dict, tuple(pairs)
    if isinstance(value, (np.ndarray, jax.Array)):
        return _array(value)
    if isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
        return functools.partial, tuple(_identity(part, seen) for part in parts)
    if _is_of_a_library(value):
        return id(value)
    inner = getattr(value, "__wrapped__", None)
    if inner is not None and not isinstance(value, types.FunctionType):
        return "jit", _identity(inner, seen)
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    raise _UnknownError


def _is_of_a_library(value: Any) -> bool:
    """Whether it is a module, function or class of a library that does not change it."""
    if isinstance(value, types.ModuleType):
        home = value.__name__
    elif isinstance(value, np.ufunc):
        home = "numpy"
    elif callable(value):
        home = getattr(value, "__module__", None) or ""
    else:
        return False
    return home.partition(".")[0] in FIXED_PACKAGES


def _array(value: Any) -> Hashable:
    if value.dtype == object or value.nbytes > MOST_BYTES or not isinstance(value, CONCRETE):
        raise _UnknownError
    array = np.asarray(value)
    return type(value), array.dtype.str, array.shape, array.tobytes()


def _function(function: types.FunctionType, seen: set[int]) -> Hashable:
    if id(function) in seen:  # it calls itself
        return "again", function.__code__
    seen.add(id(function))
    try:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError as error:  # a variable that is not set yet
        raise _UnknownError from error
    read = {
        name: function.__globals__[name]
        for name in sorted(_names(function.__code__))
        if name in function.__globals__
    }
    parts = (function.__defaults__, function.__kwdefaults__, cells, read)
    return function.__code__, tuple(_identity(part, seen) for part in parts)


def _names(code: types.CodeType) -> set[str]:
    """The names that code may read from its globals, with those of functions within it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names
