"""C's types and functions, as far as a call depends on them; typedefs are resolved.

    Scalar | char | void | pointer to ... | structure | function | a name that nothing declares

Two spellings may mean one machine type: `long` and `int64_t` on 64-bit Linux. `same_call` compares
what the machine sees, so that neither is refused where the other is declared.
"""

from dataclasses import dataclass, replace
from typing import Literal

from libufunc.scalars import Scalar

Kind = Literal["scalar", "char", "void", "pointer", "structure", "function", "unknown"]


@dataclass(frozen=True, slots=True)
class CType:
    """One type.

    Attributes:
        kind: Which sort of type.
        scalar: The arithmetic type, for `scalar`.
        is_const: Whether it is qualified by `const`.
        target: What a pointer leads to.
        is_array: Whether a pointer was declared as an array, `double x[]`.
        name: Tag of a structure, or the word that nothing declares.
        fields: Names and types of a structure's members; `None` where they are not known.
    """

    kind: Kind
    scalar: Scalar | None = None
    is_const: bool = False
    target: "CType | None" = None
    is_array: bool = False
    name: str = ""
    fields: "tuple[tuple[str, CType], ...] | None" = None

    def __str__(self) -> str:
        """The type in C."""
        const = "const " * self.is_const
        if self.kind == "pointer":
            assert self.target  # noqa: S101 - every pointer has one
            if self.target.kind == "function":
                return f"{self.target.name} (*)()"
            star = "*" if str(self.target).endswith("*") else " *"
            return f"{self.target}{star}{' const' * self.is_const}"
        words = {
            "scalar": self.scalar.c if self.scalar else "",
            "structure": self._structure(),
            "unknown": self.name,
            "function": f"{self.name} ()",
        }
        return const + words.get(self.kind, self.kind)

    def _structure(self) -> str:
        """A structure with its members, so that the text can be read without its header."""
        members = " ".join(f"{kind} {name};" for name, kind in self.fields or ())
        return f"struct {{ {members} }}" if members else f"struct {self.name or '{ }'}"

    @property
    def machine(self) -> str:
        """What the machine sees: equal for types that are passed, read and written alike."""
        if self.kind == "scalar":
            assert self.scalar  # noqa: S101 - by its kind
            kind, bits = self.scalar.kind, self.scalar.bits
            return f"{kind}{bits}{'x' * (self.scalar.char in 'gG')}"
        if self.kind != "pointer":
            return self.kind
        assert self.target  # noqa: S101 - every pointer has one
        if self.target.kind in {"structure", "function", "unknown", "void", "pointer"}:
            return "pointer to something"
        return f"pointer to {'const ' * self.target.is_const}{self.target.machine}"


@dataclass(frozen=True, slots=True)
class CParameter:
    """One parameter; the name may be empty."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class CFunction:
    """What a header says of a function."""

    name: str
    result: CType
    parameters: tuple[CParameter, ...]
    is_variadic: bool = False

    def __str__(self) -> str:
        """The declaration in C, without names of parameters."""
        return self.text(with_names=False)

    def text(self, *, with_names: bool) -> str:
        """The declaration in C."""
        inside = [str(p.type) for p in self.parameters]
        if with_names:
            pairs = zip(inside, self.parameters, strict=True)
            inside = [f"{kind} {p.name}".rstrip().replace("* ", "*") for kind, p in pairs]
        inside += ["..."] * self.is_variadic
        called = f"{self.name}({', '.join(inside) or 'void'})"
        if self.result.target and self.result.target.kind == "function":
            return f"{self.result.target.name} (*{called})()"
        space = "" if str(self.result).endswith("*") else " "
        return f"{self.result}{space}{called}"


def same_call(one: CFunction, other: CFunction) -> bool:
    """Whether the machine calls both functions in the same way."""
    return (
        one.result.machine == other.result.machine
        and [p.type.machine for p in one.parameters] == [p.type.machine for p in other.parameters]
        and one.is_variadic == other.is_variadic
    )


def as_fortran(function: CFunction) -> CFunction:
    """The function as Fortran compiles it: an underscore more, and numbers by their address."""

    def by_address(one: CParameter) -> CParameter:
        if one.type.kind != "scalar":
            return one
        return replace(one, type=CType("pointer", target=replace(one.type, is_const=True)))

    name = function.name if function.name.endswith("_") else f"{function.name}_"
    return replace(function, name=name, parameters=tuple(map(by_address, function.parameters)))
