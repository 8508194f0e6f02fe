"""NumPy's C interface for ufuncs, reached by ctypes.

Entry 1 of NumPy's table is `PyUFunc_FromFuncAndData`, which makes a ufunc; others are generic
loops, which take the C function as their data: `PyUFunc_d_d` calls `double (*)(double)` for each
element.

Source: NumPy reference, "UFunc API"; `numpy/__ufunc_api.h`.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from libufunc.capsule import api_table
from libufunc.resolving import set_resolver

_FROM_FUNC_AND_DATA, _FROM_FUNC_AND_SIGNATURE = 1, 31
_NO_IDENTITY = -1  # PyUFunc_None

# By the characters of inputs and output, position of the loop and what the C function passes.
# The complex loops of NumPy pass pointers, unlike C99's functions, so they are of no use here.
_GENERIC = {
    ("d->d", "d->d"): 5,
    ("f->f", "f->f"): 6,
    ("g->g", "g->g"): 7,
    ("ff->f", "ff->f"): 14,
    ("dd->d", "dd->d"): 15,
    ("gg->g", "gg->g"): 16,
    ("e->e", "f->f"): 34,
    ("ee->e", "ff->f"): 37,
}


@dataclass(frozen=True, slots=True)
class Loop:
    """One inner loop of a ufunc.

    Attributes:
        types: What arrays it takes and gives, such as `id->d`.
        code: Address of the loop, a `PyUFuncGenericFunction`.
        data: Address passed to it: of the C function.
    """

    types: str
    code: int
    data: int


def generic_loop(types: str, passes: str) -> int | None:
    """Address of NumPy's own loop for arrays of `types` by a C function of type `passes`."""
    position = _GENERIC.get((types, passes))
    return None if position is None else api_table()[position]


def make_ufunc(
    name: str, doc: str, loops: Sequence[Loop], *, signature: str = ""
) -> tuple[np.ufunc, Any]:
    """Make a ufunc.

    Args:
        name: What it is called.
        doc: The docstring; NumPy puts the call's signature before it.
        loops: All of one number of inputs and outputs; NumPy takes the first to which all inputs
            can be cast safely, if none fits exactly.
        signature: Dimensions of a generalised ufunc, such as `(n)->()`; empty for a plain one.

    Returns:
        The ufunc, and what must live as long: NumPy copies none of it.
    """
    inputs, outputs = loops[0].types.split("->")
    numbers = bytes(np.dtype(c).num for loop in loops for c in loop.types.replace("->", ""))
    code = (ctypes.c_void_p * len(loops))(*(loop.code for loop in loops))
    data = (ctypes.c_void_p * len(loops))(*(loop.data for loop in loops))
    words = (numbers, name.encode(), doc.encode(), signature.encode())
    texts = [ctypes.create_string_buffer(text) for text in words]
    make = ctypes.PYFUNCTYPE(
        ctypes.py_object,
        *[ctypes.c_void_p] * 3,
        *[ctypes.c_int] * 4,
        *[ctypes.c_void_p] * 2,
        ctypes.c_int,
        *[ctypes.c_void_p] * bool(signature),
    )(api_table()[_FROM_FUNC_AND_SIGNATURE if signature else _FROM_FUNC_AND_DATA])
    ufunc = make(
        ctypes.cast(code, ctypes.c_void_p),
        ctypes.cast(data, ctypes.c_void_p),
        ctypes.cast(texts[0], ctypes.c_void_p),
        len(loops),
        len(inputs),
        len(outputs),
        _NO_IDENTITY,
        ctypes.cast(texts[1], ctypes.c_void_p),
        ctypes.cast(texts[2], ctypes.c_void_p),
        0,
        *[ctypes.cast(texts[3], ctypes.c_void_p)] * bool(signature),
    )
    set_resolver(ufunc, [loop.types for loop in loops])
    return ufunc, (code, data, texts)
