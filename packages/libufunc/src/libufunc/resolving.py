"""Which loop a ufunc takes for arrays that no loop takes as they are.

NumPy itself casts only to wider types: a ufunc whose one loop is of `float` refuses a list of
Python numbers. A ufunc of a C function knows no other type, so here the first loop is taken to
which the arrays can be cast within their kind, as C converts them. NumPy asks once for each
combination of types, and remembers; exact and wider types are decided by NumPy's own rule, as for
any ufunc.

Source: NumPy reference, "UFunc API" (`PyUFuncObject`, `PyUFunc_TypeResolutionFunc`).
"""

import ctypes
from collections.abc import Sequence

import numpy as np

from libufunc.capsule import api_table

_DEFAULT_RESOLVER = 39  # position of PyUFunc_DefaultTypeResolver
_NUMBERS = "biufc"
_RESOLVER = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, *[ctypes.c_void_p] * 3)


class _UFunc(ctypes.Structure):
    """The head of `PyUFuncObject`."""

    _fields_ = (
        ("head", ctypes.c_byte * object.__basicsize__),
        ("counts", ctypes.c_int * 4),
        ("functions", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("ntypes", ctypes.c_int * 2),
        ("texts", ctypes.c_void_p * 6),
        ("core", ctypes.c_int * 2),
        ("core_arrays", ctypes.c_void_p * 4),
        ("type_resolver", ctypes.c_void_p),
    )


_loops: dict[int, Sequence[str]] = {}  # by address of the ufunc; ufuncs stay for ever


def set_resolver(ufunc: np.ufunc, loops: Sequence[str]) -> None:
    """Let a ufunc take arrays that its loops do not fit.

    Args:
        ufunc: One that stays for the rest of the process.
        loops: The types of its loops, such as `f->f`, in their order.
    """
    _loops[id(ufunc)] = loops
    place = ctypes.cast(_resolve, ctypes.c_void_p).value
    _UFunc.from_address(id(ufunc)).type_resolver = place


def _chosen(loops: Sequence[str], inputs: Sequence[np.dtype], *, is_free: bool) -> str:
    """The types of the loop to take.

    Where none fits, the first one's: NumPy then says which array cannot be cast to which type. For
    what is no number, or where the caller has asked for certain types, objects: NumPy then says
    that there is no such loop.

    Args:
        loops: The types of all loops.
        inputs: Types of the arrays.
        is_free: Whether the caller has left the types open.
    """
    for types in loops:
        casts = zip(inputs, types.partition("->")[0], strict=False)
        if is_free and all(_fits(x, np.dtype(c)) for x, c in casts):
            return types
    kinds = zip(inputs, loops[0], strict=False)
    if is_free and all(x.kind in _NUMBERS and not _narrows(x, np.dtype(c)) for x, c in kinds):
        return loops[0]
    return "O" * len(loops[0])


def _narrows(given: np.dtype, taken: np.dtype) -> bool:
    """Whether NumPy would cast an integer to one that may not hold it."""
    return given.kind in "iub" and taken.kind in "iub" and not _fits(given, taken)


def _fits(given: np.dtype, taken: np.dtype) -> bool:
    """Whether an array becomes the type by rounding at most; integers never wrap around."""
    return np.can_cast(given, taken, "safe" if taken.kind in "iub" else "same_kind")


@_RESOLVER
def _resolve(ufunc: int, casting: int, operands: int, asked: int, out: int) -> int:
    """NumPy's own answer, or what stands in for it where NumPy has none."""
    default = _RESOLVER(api_table()[_DEFAULT_RESOLVER])
    try:
        return default(ufunc, casting, operands, asked, out)
    except TypeError:
        loops = _loops[ufunc]
    count = len(loops[0].partition("->")[0])
    arrays = (ctypes.c_void_p * count).from_address(operands)
    inputs = [ctypes.cast(x, ctypes.py_object).value.dtype for x in arrays if x]
    chosen = _chosen(loops, inputs, is_free=not asked).replace("->", "")
    places = (ctypes.c_void_p * len(chosen)).from_address(out)
    for k, char in enumerate(chosen):
        dtype = np.dtype(char)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))  # NumPy gets a reference of its own
        places[k] = id(dtype)
    return 0
