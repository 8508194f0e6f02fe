"""What a compiled loop has to do, in no compiler's language.

A plan is the C function's signature beside the arrays' types. They differ where an array is wider:
NumPy casts no `int64` array to C's `int` by itself, so an `int` gets a second loop that takes
`int64` and a third that takes `uint64`; they refuse what the C type cannot hold.

A loop gets the address of a block of slots: the C function, and the exception class for refusals.
"""

from dataclasses import dataclass

import numpy as np

from libufunc.prototypes import Prototype
from libufunc.scalars import Scalar

WIDE = (np.dtype(np.int64).char, np.dtype(np.uint64).char)
SLOT_BYTES = 16  # the widest value is a `long double`
FUNCTION, REFUSAL = 0, 1  # slots


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
        parts = [f"{p.way}{p.is_structure:d}{_chars(p.scalars)}" for p in self.prototype.parameters]
        result = f"{self.prototype.returns_structure:d}{_chars(self.prototype.results)}"
        # `?` is no part of an identifier.
        return "_".join([result, *parts, self.arrays]).replace("?", "t") + vector


def _chars(scalars: tuple[Scalar, ...]) -> str:
    return "".join(scalar.char for scalar in scalars)


def limits(array: str, scalar: Scalar) -> tuple[int | None, int | None]:
    """What values of an array's integer type must keep to, so that the C type holds them.

    Args:
        array: NumPy's character of the array.
        scalar: The integer type of the parameter.

    Returns:
        The least and the greatest; `None` where the array's type has none beyond.
    """
    own, wide = np.iinfo(scalar.char), np.iinfo(array)
    least, greatest = int(own.min), int(own.max)
    return least if least > wide.min else None, greatest if greatest < wide.max else None


def plans_for(prototype: Prototype) -> list[Plan]:
    """The loops of one C function: for its own types, and for wide integers in place of its own."""
    inputs = prototype.inputs
    wide = ["".join(w if np.dtype(c).kind in "iu" else c for c in inputs) for w in WIDE]
    return [Plan(prototype, arrays) for arrays in dict.fromkeys([inputs, *wide])]
