"""Prototypes: what a C declaration says about a function, and how a ufunc can obey it.

`double remquo(double, double, int *)` becomes a ufunc of two inputs and two outputs.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from libufunc.arrays import NO_ARRAYS, Arrays, with_arrays
from libufunc.c_types import CFunction, CParameter, CType
from libufunc.errors import PrototypeError
from libufunc.parameters import Parameter, members_of, parameter_of, refuse
from libufunc.scalars import Scalar, scalar_of_dtype

MAX_OPERANDS = 32  # NumPy's own bound on inputs and outputs together, in all its versions


@dataclass(frozen=True, slots=True)
class Prototype:
    """A function that can become a ufunc.

    Attributes:
        name: The symbol.
        result: Types of what it returns: one, none for `void`, or those of a structure's members.
        parameters: In the order of C.
        function: The declaration that this is made of.
        arrays: Which of its parameters are arrays or fixed.
    """

    name: str
    results: tuple[Scalar, ...]
    parameters: tuple[Parameter, ...]
    function: CFunction = field(compare=False)
    arrays: Arrays = NO_ARRAYS

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
        return "".join(p.scalar.char for p in self.parameters if p.is_input)

    @property
    def string_inputs(self) -> tuple[int, ...]:
        """Which inputs are strings, counted from 0."""
        ways = [p.way for p in self.parameters if p.is_input]
        return tuple(k for k, way in enumerate(ways) if way == "string")

    def core_offset(self, operand: int) -> int:
        """How many dimensions of arrays the operands before one have."""
        cores = [p.core for p in self.parameters if p.is_input]
        cores += [()] * len(self.results) + [p.core for p in self.parameters if p.is_output]
        return sum(map(len, cores[:operand]))

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
        """The declaration in C; with names of parameters where these have a meaning."""
        return self.function.text(with_names=self.arrays != NO_ARRAYS)


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
def parse_prototype(text: str, arrays: Arrays = NO_ARRAYS) -> Prototype:
    """Read one declaration.

    Args:
        text: Such as `double hypot(double x, double y)`; a final semicolon is optional.
        arrays: Which parameters are arrays or fixed.

    Raises:
        PrototypeError: It is no C, not one declaration of a function, or needs what a ufunc cannot
            do.
    """
    from libufunc.headers import Header

    if "::" in text:
        raise PrototypeError(
            f'`{text}` has a name of C++; declare the function `extern "C"` there, or give its '
            "symbol, as `nm -D` lists it."
        )
    header = Header(text.rstrip().rstrip(";") + ";")
    if len(header) == 1:
        return prototype_of(header.declared(next(iter(header))), arrays)
    if not len(header) and (problems := header.skipped):
        raise PrototypeError(
            f"`{text}` is no C declaration ({problems[0].reason}); write it as in `double "
            "erf(double)`."
        )
    raise PrototypeError(
        f"`{text}` declares {len(header)} functions; expected one, as in `double erf(double)`."
    )


def prototype_of(function: CFunction, arrays: Arrays = NO_ARRAYS) -> Prototype:
    """How a ufunc obeys a declaration.

    Args:
        function: The declaration.
        arrays: Which parameters are arrays or fixed.

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
        results = members_of(result) or refuse(name, f"`{result}`")
    else:
        results = (result.scalar or refuse(name, f"`{result}`"),)
    if arrays != NO_ARRAYS:
        parameters = with_arrays(function, arrays)
    else:
        numbers = [p.type.scalar for p in function.parameters]
        has_size = any(scalar and scalar.kind in "iu" for scalar in numbers)
        made = (parameter_of(name, one, has_size=has_size) for one in function.parameters)
        parameters = tuple(made)
    return Prototype(name, results, parameters, function, arrays)
