"""Operations of a function, counted in the program that JAX traces.

XLA's own count takes the body of a loop once and omits factorisations, so it is useless for sums
over chunks and for Cholesky. Here the body of a loop counts once per iteration where their number
is known, otherwise once; a branch counts as its most expensive side; and

    product of matrices     2 · rows · inner · columns
    Cholesky                n³ / 3
    triangular solve        n² per right-hand side
    elementwise functions   1 per element, including tanh

Bytes are those of the operands and results of matrix operations. Other operations are fused into
them or stay in the cache, so this is a lower bound on the memory traffic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# fmt: off
ELEMENTWISE = frozenset(
    (
        "abs", "add", "atan2", "cos", "div", "erf", "exp", "exp2", "expm1", "integer_pow", "log",
        "log1p", "logistic", "max", "min", "mul", "neg", "pow", "rsqrt", "select_n", "sign",
        "sin", "sqrt", "square", "sub", "tan", "tanh",
    )
)
# fmt: on
REDUCTIONS = frozenset(["reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "cumsum"])


class Operations(NamedTuple):
    """The operations of one call of a function.

    Attributes:
        flops: Floating-point operations.
        bytes: Bytes that matrix operations read and write.
    """

    flops: float = 0.0
    bytes: float = 0.0

    def times(self, count: float) -> Operations:
        """The operations of several calls."""
        return Operations(self.flops * count, self.bytes * count)

    def plus(self, other: Operations) -> Operations:
        """The operations of both."""
        return Operations(self.flops + other.flops, self.bytes + other.bytes)


def operations(function: Callable[..., Any], *arguments: Any) -> Operations:
    """Count one call of a function.

    Args:
        function: A function that JAX can trace.
        *arguments: Arrays or `jax.ShapeDtypeStruct`.
    """
    return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of(jaxpr: Any) -> Operations:
    total = Operations()
    for equation in jaxpr.eqns:
        total = total.plus(_of_equation(equation))
    return total


def _of_equation(equation: Any) -> Operations:
    name, parameters = equation.primitive.name, equation.params
    if name == "scan":
        return _of(parameters["jaxpr"].jaxpr).times(parameters["length"])
    if name == "while":
        return _of(parameters["body_jaxpr"].jaxpr).plus(_of(parameters["cond_jaxpr"].jaxpr))
    if name == "cond":
        return max((_of(branch.jaxpr) for branch in parameters["branches"]), key=_flops)
    inner = list(_inside(parameters))
    if inner:
        return max(map(_of, inner), key=_flops)  # a custom rule is smaller than its function
    shapes = [tuple(v.aval.shape) for v in equation.invars]
    result = tuple(equation.outvars[0].aval.shape)
    match name:
        case "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            flops = 2.0 * math.prod(result) * math.prod(shapes[0][axis] for axis in contracted)
        case "conv_general_dilated":
            channels = shapes[1][parameters["dimension_numbers"].rhs_spec[0]]
            flops = 2.0 * math.prod(result) * math.prod(shapes[1]) / channels
        case "cholesky":
            flops = math.prod(result) * result[-1] / 3
        case "triangular_solve":
            flops = float(math.prod(result)) * shapes[0][-1]
        case _:
            return Operations(_elementwise(name, shapes, result), 0.0)
    moved = sum(_bytes(v) for v in (*equation.invars, *equation.outvars))
    return Operations(flops, moved)


def _elementwise(name: str, shapes: list[tuple[int, ...]], result: tuple[int, ...]) -> float:
    if name in ELEMENTWISE:
        return float(math.prod(result))
    if name in REDUCTIONS:
        return float(math.prod(shapes[0]))
    return 0.0


def _inside(parameters: dict[str, Any]) -> Iterator[Any]:
    """The programs that an equation calls."""
    for value in parameters.values():
        if hasattr(value, "jaxpr"):
            yield value.jaxpr
        elif hasattr(value, "eqns"):
            yield value


def _bytes(variable: Any) -> float:
    return float(math.prod(variable.aval.shape)) * variable.aval.dtype.itemsize


def _flops(counted: Operations) -> float:
    return counted.flops
