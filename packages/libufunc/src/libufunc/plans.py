"""What a compiled loop has to do, told without a compiler's language.

A plan is the C function's signature beside the arrays' types. They differ where an array is wider:
NumPy casts no `int64` array to C's `int` by itself, so an `int` gets a second loop that takes
`int64` and pulls it into the range of `int`, as NumPy's own `ldexp` does.
"""

import re
from dataclasses import dataclass

import numpy as np

from libufunc.prototypes import Prototype
from libufunc.scalars import Scalar

WIDE = np.dtype(np.int64).char


@dataclass(frozen=True, slots=True)
class Vector:
    """A function of a vector ABI: it takes and gives `lanes` numbers at once.

    Attributes:
        lanes: How many.
        isa: The instruction set as the symbol tells it: `b` SSE, `c` AVX, `d` AVX2, `e` AVX-512.
    """

    lanes: int
    isa: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A loop over arrays that calls a C function.

    Attributes:
        prototype: Of the C function; its name is of no account here.
        arrays: NumPy's characters of the input arrays.
        vector: The vector ABI, where the function has one.
    """

    prototype: Prototype
    arrays: str
    vector: Vector | None = None

    @property
    def types(self) -> str:
        """What arrays the loop takes and gives, such as `ld->d`."""
        return f"{self.arrays}->{self.prototype.outputs}"

    @property
    def key(self) -> str:
        """A name that is equal for plans with equal loops, and is an identifier."""
        vector = f"_{self.vector.isa}{self.vector.lanes}" if self.vector else ""
        order = str(Prototype("f", self.prototype.result, self.prototype.parameters))
        return re.sub(r"\W+", "_", order.replace("*", "out")) + f"_{self.arrays}{vector}"


def bounds(scalar: Scalar) -> tuple[int, int]:
    """Least and greatest value that both the integer type and `int64` hold."""
    info, wide = np.iinfo(scalar.char), np.iinfo(WIDE)
    return max(int(info.min), wide.min), min(int(info.max), wide.max)


def plans_for(prototype: Prototype) -> list[Plan]:
    """The loops of one C function: for its own types, and for `int64` in place of its integers."""
    inputs = prototype.inputs
    wide = "".join(WIDE if np.dtype(c).kind in "iu" else c for c in inputs)
    return [Plan(prototype, arrays) for arrays in dict.fromkeys([inputs, wide])]
