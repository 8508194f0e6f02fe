"""Prototypes with arrays or fixed values: what no declaration in C says, and the caller adds.

`double total(const double *x, int n)` with the signature `(n)->()` is a generalised ufunc: `x` is
an array, and `n`, by its name, the length of it. A fixed value, such as the address of a context,
is the same in every call and is no operand.

Source: NumPy reference, "Generalized universal function API".
"""

import re
from dataclasses import dataclass, replace

from libufunc.c_types import CFunction, CParameter
from libufunc.errors import PrototypeError
from libufunc.parameters import Parameter, parameter_of
from libufunc.scalars import SCALARS

FIRST_SLOT = 4  # of fixed values; `plans` says what those before are
_CORE = r"\(\s*(?:\w+(?:\s*,\s*\w+)*)?\s*\)"
_LIST = rf"{_CORE}(?:\s*,\s*{_CORE})*"
_SIGNATURE = re.compile(rf"\s*({_LIST})\s*->\s*({_LIST})\s*")

Cores = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Arrays:
    """What the caller adds to a prototype.

    Attributes:
        signature: Dimensions of the arrays, as NumPy writes them; empty for numbers alone.
        fixed: Parameters that have one value for all, by name or by position from 0; and whether
            that value is a number, where a pointer to one is passed.
    """

    signature: str = ""
    fixed: tuple[tuple[str, bool], ...] = ()


NO_ARRAYS = Arrays()


def read_signature(text: str) -> tuple[list[str], Cores, Cores]:
    """The names of the dimensions, and which of them each input and each output has.

    Raises:
        PrototypeError: It is no signature.
    """
    found = _SIGNATURE.fullmatch(text)
    if found is None:
        raise PrototypeError(
            f"`signature` is {text!r}, but dimensions were expected, as in `(n)->()`."
        )
    names = list(dict.fromkeys(re.findall(r"\w+", text)))
    inputs, outputs = (
        [tuple(map(names.index, re.findall(r"\w+", core))) for core in re.findall(_CORE, side)]
        for side in found.groups()
    )
    return names, inputs, outputs


def with_arrays(function: CFunction, arrays: Arrays) -> tuple[Parameter, ...]:
    """How the parameters are passed, those that are arrays or fixed among them.

    Raises:
        PrototypeError: A fixed parameter is not there, or the signature has other inputs and
            outputs than the function.
    """
    _check_names(function, arrays)
    dimensions, inputs, outputs = (
        read_signature(arrays.signature) if arrays.signature else ([], None, None)
    )
    found: list[Parameter | None] = []
    for position, one in enumerate(function.parameters):
        found.append(_constant(one, position, arrays, dimensions))
    free = [k for k, one in enumerate(found) if one is None]
    parameters = [function.parameters[k] for k in free]
    missing = _missing_inputs(parameters, inputs)
    scalars = [p.type.scalar for p in parameters]
    has_size = inputs is None and any(scalar and scalar.kind in "iu" for scalar in scalars)
    for k, one in zip(free, parameters, strict=True):
        target = one.type.target
        if inputs is not None and target and target.scalar:
            is_input = target.is_const or missing > 0
            missing -= is_input and not target.is_const
            way = "address" if is_input else "output"
            found[k] = Parameter((target.scalar,), way, is_copied=is_input and not target.is_const)
        else:
            found[k] = parameter_of(function.name, one, has_size=has_size)
    if inputs is None or outputs is None:
        return tuple(one for one in found if one)
    return _with_cores(function, [one for one in found if one], inputs, outputs)


def _check_names(function: CFunction, arrays: Arrays) -> None:
    names = [p.name for p in function.parameters]
    for name, _ in arrays.fixed:
        if name not in names and not (name.isdecimal() and int(name) < len(names)):
            raise PrototypeError(
                f"`{function.text(with_names=True)}` has no parameter `{name}` to be fixed; give "
                "its name in the prototype, or its position from 0."
            )


def _constant(
    one: CParameter, position: int, arrays: Arrays, dimensions: list[str]
) -> Parameter | None:
    """A parameter that is fixed, or the size of a dimension; `None` for an operand."""
    target = one.type.target
    for slot, (name, is_number) in enumerate(arrays.fixed, FIRST_SLOT):
        if name in {one.name, str(position)}:
            if one.type.scalar:
                return Parameter((one.type.scalar,), "fixed", index=slot)
            if is_number and target and target.scalar:
                return Parameter((target.scalar,), "fixed", index=slot, is_by_address=True)
            return Parameter((), "fixed", index=slot)
    if one.name in dimensions:
        scalar = one.type.scalar or (target.scalar if target else None)
        if scalar and scalar.kind in "iu":
            index = dimensions.index(one.name)
            return Parameter((scalar,), "size", index=index, is_by_address=target is not None)
    return None


def _missing_inputs(parameters: list[CParameter], inputs: Cores | None) -> int:
    """How many pointers that are not `const` are inputs all the same, as the signature has them."""
    kinds = [p.type for p in parameters]
    sure = [kind for kind in kinds if kind.scalar or (kind.target and kind.target.is_const)]
    return max(0, len(inputs or []) - len(sure))


def _with_cores(
    function: CFunction, found: list[Parameter], inputs: Cores, outputs: Cores
) -> tuple[Parameter, ...]:
    """The parameters with the dimensions of the signature."""
    results = 0 if function.result.kind == "void" else len(function.result.fields or (1,))
    takes = sum(one.is_input for one in found)
    gives = results + sum(len(one.scalars) for one in found if one.is_output)
    if (takes, gives) != (len(inputs), len(outputs)):
        raise PrototypeError(
            f"`signature` has {len(inputs)} input(s) and {len(outputs)} output(s), but "
            f"`{function.text(with_names=True)}` has {takes} and {gives}; a size must have the "
            "name of its dimension."
        )
    given, taken = iter(outputs), iter(inputs)
    bare = [next(given) for _ in range(results)]
    made = []
    for one in found:
        core: tuple[int, ...] = ()
        if one.is_input:
            core = next(taken)
            bare += [core] * (one.way == "value")
            if one.way == "string" and core:  # characters, and no string that ends by itself
                one = Parameter((SCALARS["B"],), "address")  # noqa: PLW2901 - what it is, in arrays
        elif one.is_output:
            cores = [next(given) for _ in one.scalars]
            core = () if one.is_structure else cores[0]
            bare += cores * one.is_structure
        made.append(replace(one, core=core, is_copied=one.is_copied and bool(core)))
    if any(bare):
        raise PrototypeError(
            f"`signature` gives dimensions to a number that `{function}` passes by value or "
            "returns; only what a pointer leads to is an array."
        )
    return tuple(made)
