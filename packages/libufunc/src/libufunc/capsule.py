"""The table of pointers that NumPy keeps in the capsule `_UFUNC_API`, for extension modules.

The positions in it are part of NumPy's ABI and are the same from NumPy 1 to 2.

Source: NumPy reference, "UFunc API"; `numpy/__ufunc_api.h`.
"""

import ctypes
import sys
from functools import cache
from typing import Any


@cache
def api_table() -> Any:
    """The pointers in NumPy's capsule."""
    # NumPy 2 has put an underscore before `core`; np.sin's ufunc type comes from the right one.
    core = "numpy._core" if "numpy._core" in sys.modules else "numpy.core"
    capsule = sys.modules[f"{core}._multiarray_umath"]._UFUNC_API  # noqa: SLF001 - made for C code
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    return ctypes.cast(pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
