"""What a compiled loop has to do, in no compiler's language.

A plan is the C function's signature beside the arrays' types. They differ where an array is wider:
NumPy casts no `int64` array to C's `int` by itself, so an `int` gets a second loop that takes
`int64` and a third that takes `uint64`; they refuse what the C type cannot hold.

A loop gets the address of a block of slots: the C function, the exception class for refusals, what
makes an exception of a message, the address of the flag of GSL's errors, and fixed values.
"""

from dataclasses import dataclass, replace

import numpy as np

from libufunc.prototypes import Prototype
from libufunc.scalars import Scalar

WIDE = (np.dtype(np.int64).char, np.dtype(np.uint64).char)
SLOT_BYTES = 16  # the widest value is a `long double`
FUNCTION, REFUSAL, CALLED_ERROR, FLAG = 0, 1, 2, 3  # slots; fixed values follow
ERRORS = ("", "nan", "raise")  # what becomes of an error in the function


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
        errors: What becomes of a C++ exception or GSL's error, one of `ERRORS`.
    """

    prototype: Prototype
    arrays: str
    vector: Vector | None = None
    errors: str = ""

    @property
    def types(self) -> str:
        """What arrays the loop takes and gives, such as `ld->d`."""
        return f"{self.arrays}->{self.prototype.outputs}"

    @property
    def key(self) -> str:
        """A name that is equal for plans with equal loops."""
        result = (self.prototype.returns_structure, _chars(self.prototype.results))
        parameters = [replace(p, scalars=()) for p in self.prototype.parameters]
        chars = [_chars(p.scalars) for p in self.prototype.parameters]
        return str((result, parameters, chars, self.arrays, self.vector, self.errors))


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


def plans_for(prototype: Prototype, errors: str = "") -> list[Plan]:
    """The loops of one C function: for its own types, and for wide integers in place of its own."""
    inputs = prototype.inputs
    is_number = [not p.core and p.way != "string" for p in prototype.parameters if p.is_input]
    pairs = list(zip(inputs, is_number, strict=True))
    wide = ["".join(w if n and np.dtype(c).kind in "iu" else c for c, n in pairs) for w in WIDE]
    return [Plan(prototype, arrays, errors=errors) for arrays in dict.fromkeys([inputs, *wide])]
