"""Prototypes: what a C declaration says about a function, and how a ufunc can obey it.

`double remquo(double, double, int *)` becomes a ufunc of two inputs and two outputs.

    double x            an input
    const double *x     an input, passed by its address
    double *x           an output of one value
    struct pair *x      an output for each member
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NoReturn

from libufunc.c_types import CFunction, CParameter, CType
from libufunc.errors import PrototypeError
from libufunc.scalars import Scalar, scalar_of_dtype

MAX_OPERANDS = 32  # NumPy's own bound on inputs and outputs together, in all its versions


Way = Literal["value", "address", "output"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as the loop passes it.

    Attributes:
        scalars: The number's type; for an output through a structure, those of its members.
        way: By value, by the address of a value, or by that of room for an output.
        is_structure: Whether the room is a structure.
    """

    scalars: tuple[Scalar, ...]
    way: Way = "value"
    is_structure: bool = False

    @property
    def scalar(self) -> Scalar:
        """The number's type, where it is one."""
        return self.scalars[0]

    @property
    def is_output(self) -> bool:
        """Whether something comes out through it."""
        return self.way == "output"


@dataclass(frozen=True, slots=True)
class Prototype:
    """A function that can become a ufunc.

    Attributes:
        name: The symbol.
        result: Types of what it returns: one, none for `void`, or those of a structure's members.
        parameters: In the order of C.
        function: The declaration that this is made of.
    """

    name: str
    results: tuple[Scalar, ...]
    parameters: tuple[Parameter, ...]
    function: CFunction = field(compare=False)

    def __post_init__(self) -> None:
        """Refuse what no ufunc can do."""
        if not self.inputs or not self.outputs:
            raise PrototypeError(
                f"`{self}` has {len(self.inputs)} input(s) and {len(self.outputs)} output(s); a "
                "ufunc needs at least one of each."
            )
        if len(self.inputs) + len(self.outputs) > MAX_OPERANDS:
            raise PrototypeError(
                f"`{self.name}` has more than {MAX_OPERANDS} operands, which NumPy cannot pass."
            )

    @property
    def inputs(self) -> str:
        """NumPy's characters of the inputs."""
        return "".join(p.scalar.char for p in self.parameters if not p.is_output)

    @property
    def result(self) -> Scalar | None:
        """What it returns, where that is one number."""
        return self.results[0] if self.results else None

    @property
    def outputs(self) -> str:
        """NumPy's characters of the outputs: the result first, then what pointers bring."""
        scalars = [*self.results, *(s for p in self.parameters if p.is_output for s in p.scalars)]
        return "".join(scalar.char for scalar in scalars)

    @property
    def is_plain(self) -> bool:
        """Whether numbers alone are passed and returned."""
        return all(p.way == "value" for p in self.parameters) and not self.returns_structure

    @property
    def returns_structure(self) -> bool:
        """Whether the result is a structure."""
        return self.function.result.kind == "structure"

    def __str__(self) -> str:
        """The declaration in C, without names of parameters."""
        return str(self.function)


def julia_prototype(name: str, result: Any, arguments: Any) -> Prototype:
    """The prototype of Julia's form, `ccall("erf", "m", float64, (float64,))`.

    Args:
        name: The symbol.
        result: Dtype of the result.
        arguments: Tuple of the arguments' dtypes.

    Raises:
        PrototypeError: `arguments` is no tuple, or a dtype has no C type.
    """
    if not isinstance(arguments, tuple):
        raise PrototypeError(
            f"the argument types are `{arguments!r}`, but a tuple was expected; a tuple of one has "
            "a comma, as in `(float64,)`."
        )
    kinds = [CType("scalar", scalar=scalar_of_dtype(one)) for one in (result, *arguments)]
    parameters = tuple(CParameter("", kind) for kind in kinds[1:])
    return prototype_of(CFunction(name, kinds[0], parameters))


@lru_cache(maxsize=1024)
def parse_prototype(text: str) -> Prototype:
    """Read one declaration.

    Args:
        text: Such as `double hypot(double x, double y)`; a final semicolon is optional.

    Raises:
        PrototypeError: It is no C, not one declaration of a function, or needs what a ufunc cannot
            do.
    """
    from libufunc.headers import Header

    header = Header(text.rstrip().rstrip(";") + ";")
    if len(header) == 1:
        return header[next(iter(header))]
    if not len(header) and (problems := header.skipped):
        raise PrototypeError(
            f"`{text}` is no C declaration ({problems[0].reason}); write it as in `double "
            "erf(double)`."
        )
    raise PrototypeError(
        f"`{text}` declares {len(header)} functions; expected one, as in `double erf(double)`."
    )


def prototype_of(function: CFunction) -> Prototype:
    """How a ufunc obeys a declaration.

    Raises:
        PrototypeError: No ufunc can.
    """
    name, result = function.name, function.result
    if function.is_variadic:
        raise PrototypeError(
            f"`{name}` takes a variable number of arguments, which a ufunc cannot."
        )
    if result.kind == "void":
        results: tuple[Scalar, ...] = ()
    elif result.kind == "structure":
        results = _members(result) or _refuse(name, f"`{result}`")
    else:
        results = (result.scalar or _refuse(name, f"`{result}`"),)
    has_size = any(p.type.scalar and p.type.scalar.kind in "iu" for p in function.parameters)
    parameters = tuple(_parameter(name, one, has_size=has_size) for one in function.parameters)
    return Prototype(name, results, parameters, function)


def _parameter(function: str, found: CParameter, *, has_size: bool) -> Parameter:
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
        _refuse(function, f"`{kind}`")
    is_array = kind.is_array or found.name.endswith(("array", "_arr", "vector"))
    if is_array or (target.scalar and target.is_const and has_size):
        raise PrototypeError(
            f"`{function}` passes `{kind}`, which looks like an array and not like one number; "
            "libufunc passes single numbers by their address."
        )
    if target.scalar and target.is_const:
        return Parameter((target.scalar,), "address")
    if target.scalar:
        return Parameter((target.scalar,), "output")
    members = _members(target) if not target.is_const else None
    if members is None:
        _refuse(function, f"`{kind}`")
    return Parameter(members, "output", is_structure=True)


def _members(found: CType) -> tuple[Scalar, ...] | None:
    """The types of a structure's members, where all are numbers."""
    scalars = tuple(kind.scalar for _, kind in found.fields or ())
    return scalars if scalars and all(scalars) else None  # pyright: ignore[reportReturnType] - `all`


def _refuse(function: str, found: str) -> NoReturn:
    raise PrototypeError(
        f"`{function}` passes {found}; libufunc passes real, complex, integer and boolean numbers, "
        "by value or by their address, and takes pointers to them, or to a structure of them, as "
        "outputs."
    )
