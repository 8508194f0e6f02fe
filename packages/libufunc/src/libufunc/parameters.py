"""How one parameter of a C function is passed.

double x            an input
const double *x     an input, passed by its address
const char *x       a string, passed by the address where it begins
double *x           an output of one value
struct pair *x      an output for each member
"""

from dataclasses import dataclass
from typing import Literal, NoReturn

from libufunc.c_types import CParameter, CType
from libufunc.errors import PrototypeError
from libufunc.scalars import ADDRESS, WIDE_CHARACTERS, Scalar

Way = Literal["value", "address", "string", "output", "size", "fixed"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as the loop passes it.

    Attributes:
        scalars: The number's type; for an output through a structure, those of its members; none
            for a fixed address.
        way: By value, by the address of a value, as a string, whose address is the number, or by
            the address of room for an output; or how long a dimension is, or a fixed value.
        is_structure: Whether the room is a structure.
        core: Which dimensions of the signature an array has, counted from 0.
        index: Of the dimension that a size is of, or of the slot that holds a fixed value.
        is_by_address: Whether a size or fixed value goes by its address.
        is_copied: Whether an input array is always a copy, as the function may write to it.
    """

    scalars: tuple[Scalar, ...]
    way: Way = "value"
    is_structure: bool = False
    core: tuple[int, ...] = ()
    index: int = 0
    is_by_address: bool = False
    is_copied: bool = False

    @property
    def scalar(self) -> Scalar:
        """The number's type, where it is one."""
        return self.scalars[0]

    @property
    def is_output(self) -> bool:
        """Whether something comes out through it."""
        return self.way == "output"

    @property
    def is_input(self) -> bool:
        """Whether an array of the caller's goes in through it."""
        return self.way in {"value", "address", "string"}


def parameter_of(function: str, found: CParameter, *, has_size: bool) -> Parameter:
    """How one parameter is passed."""
    kind, target = found.type, found.type.target
    if kind.scalar:
        return Parameter((kind.scalar,))
    if kind.kind == "unknown":
        raise PrototypeError(
            f"`{function}` passes `{kind.name}`, which is no type that is known here; declare it "
            "in the header, or write the C type that it stands for."
        )
    if target is None or target.kind == "function":
        refuse(function, f"`{kind}`")
    if target.kind == "char" and target.is_const:
        return Parameter((ADDRESS,), "string")
    if target.name in WIDE_CHARACTERS and target.is_const:
        refuse(function, f"`{target.name}` strings")
    is_array = kind.is_array or found.name.endswith(("array", "_arr", "vector"))
    if is_array or (target.scalar and target.is_const and has_size):
        raise PrototypeError(
            f"`{function}` passes `{kind}`, which looks like an array and not like one number; say "
            "which parameters are arrays, as in `signature='(n)->()'`."
        )
    if target.scalar and target.is_const:
        return Parameter((target.scalar,), "address")
    if target.scalar:
        return Parameter((target.scalar,), "output")
    members = members_of(target) if not target.is_const else None
    if members is None:
        refuse(function, f"`{kind}`")
    return Parameter(members, "output", is_structure=True)


def members_of(found: CType) -> tuple[Scalar, ...] | None:
    """The types of a structure's members, where all are numbers."""
    scalars = tuple(kind.scalar for _, kind in found.fields or ())
    return scalars if scalars and all(scalars) else None  # pyright: ignore[reportReturnType] - `all`


def refuse(function: str, found: str) -> NoReturn:
    """Say that a type is none that a ufunc passes."""
    raise PrototypeError(
        f"`{function}` passes {found}; libufunc passes real, complex, integer and boolean numbers, "
        "by value or by their address, strings as `const char *`, and takes pointers to numbers, "
        "or to a structure of them, as outputs; a pointer of another kind is given one value by "
        "`fixed`, where `None` is NULL."
    )
