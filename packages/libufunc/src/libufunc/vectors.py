"""Functions of libmvec, which work on 2 to 16 numbers at once.

glibc's libmvec has them under names that the vector function ABI fixes: `_ZGVdN4v_sin` takes a
vector (`v`) of 4 doubles in AVX2's registers (`d`), all lanes in use (`N`). The widest set that the
processor has is taken. They trade accuracy for speed: glibc bounds their error by 4 ULP where the
scalar functions stay below 1, and they need not raise floating-point flags.

Source: Intel, *Vector Function Application Binary Interface*, 2015; the GNU C Library's NEWS for
2.22 and 2.35.
"""

import platform
import sys
from functools import cache

from libufunc.errors import LibraryNotFoundError
from libufunc.plans import Vector
from libufunc.prototypes import Prototype
from libufunc.scalars import SCALARS
from libufunc.symbols import SharedLibrary, open_library

ACCURACY = "up to 4 ULP by glibc's own bound"
_SETS = (("e", "AVX512F", 64), ("d", "AVX2", 32), ("c", "AVX", 32), ("b", "SSE2", 16))


def find_vector(prototype: Prototype) -> tuple[SharedLibrary, str, Vector] | None:
    """The vector function for a scalar one.

    Args:
        prototype: Of the scalar function.

    Returns:
        The library, the symbol and its shape; `None` where this machine has none.
    """
    kinds = prototype.inputs + prototype.outputs
    library = _libmvec()
    if library is None or len(prototype.outputs) != 1 or set(kinds) not in ({"d"}, {"f"}):
        return None
    for vector in vectors_of_this_processor(prototype.inputs[0]):
        symbol = vector_symbol(prototype, vector)
        if library.has(symbol):
            return library, symbol, vector
    return None


def vector_symbol(prototype: Prototype, vector: Vector) -> str:
    """What the ABI calls the vector function: `_ZGVdN4v_sin`."""
    operands = "v" * len(prototype.inputs)
    return f"_ZGV{vector.isa}N{vector.lanes}{operands}_{prototype.name}"


def vectors_of_this_processor(char: str) -> list[Vector]:
    """The shapes that this processor can run, widest first."""
    has = _processor_features()
    size = SCALARS[char].bits // 8
    return [Vector(width // size, isa) for isa, feature, width in _SETS if has.get(feature)]


def _processor_features() -> dict[str, bool]:
    """What NumPy has found out about the processor when it was imported."""
    core = "numpy._core" if "numpy._core" in sys.modules else "numpy.core"
    return sys.modules[f"{core}._multiarray_umath"].__cpu_features__


@cache
def _libmvec(machine: str = platform.machine()) -> SharedLibrary | None:
    """The library; `None` where there is none, or its functions are called in another way."""
    if machine != "x86_64":
        return None
    try:
        return open_library("mvec")
    except LibraryNotFoundError:
        return None
