"""Value, slopes and the sum of second derivatives along some lines, carried forward together.

Each operation of a function takes three things to three: the value v, the slopes v' along K lines,
and S, the sum over the lines of second derivatives. By the chain rule, for w = f(v),

    w' = f'(v) v',   S_w = f'(v) S_v + Σ f''(v)[v', v'],

where the last term is 0 for linear operations and 2 f(v', v') for products. So the second
derivatives cost one pass in all in place of one for each line.

Source: Li, Ye, Zhang, et al. 2024, "A computational framework for neural network-based variational
Monte Carlo with forward Laplacian"; Dangel et al. 2025, "Collapsing Taylor mode automatic
differentiation".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

# Linear in each operand that depends on the point, and not only in all of them together.
PRODUCTS = {"mul", "dot_general"}
LINEAR = {
    "add", "add_any", "sub", "neg", "reshape", "broadcast_in_dim", "concatenate", "slice",
    "squeeze", "transpose", "reduce_sum", "convert_element_type", "copy", "pad", "rev", "cumsum",
    "dynamic_slice", "expand_dims",
}  # fmt: skip


class Carried(NamedTuple):
    """What is carried of one array.

    Attributes:
        value: The array.
        slopes: Along each line, with a leading axis K.
        second: The sum of second derivatives, of the shape of the array.
    """

    value: Any
    slopes: Any
    second: Any


def carry(function: Callable[[Any], Any], x: Any, lines: Any) -> Carried:
    """A function at x with slopes and summed second derivatives along lines.

    Args:
        function: Of one array, returns one array.
        x: The point.
        lines: Directions of the shape of x, with a leading axis K.
    """
    closed = jax.make_jaxpr(function)(x)
    (out,) = _evaluate(closed, [Carried(x, lines, jnp.zeros_like(x))])
    if isinstance(out, Carried):
        return out
    return Carried(out, jnp.zeros((len(lines), *jnp.shape(out))), jnp.zeros_like(out))


def _evaluate(closed: ClosedJaxpr, arguments: list[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    known: dict[Any, Any] = {}

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else known[variable]

    known.update(zip(jaxpr.constvars, closed.consts, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        values = [read(variable) for variable in equation.invars]
        inner = equation.params.get("jaxpr")
        if not any(isinstance(value, Carried) for value in values):
            results = _bind(equation, values)
        elif equation.primitive.name in ("jit", "pjit") and isinstance(inner, ClosedJaxpr):
            results = _evaluate(inner, values)
        else:
            results = _through(equation, values)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _bind(equation: Any, operands: list[Any]) -> list[Any]:
    primitive = equation.primitive
    found = primitive.bind(*operands, **primitive.get_bind_params(equation.params))
    return list(found) if primitive.multiple_results else [found]


def _through(equation: Any, values: list[Any]) -> list[Any]:
    """One operation, by the chain rule."""
    name = equation.primitive.name
    moving = [k for k, value in enumerate(values) if isinstance(value, Carried)]

    def apply(*points: Any) -> list[Any]:
        operands = list(values)
        for k, point in zip(moving, points, strict=True):
            operands[k] = point
        return _bind(equation, operands)

    at, slopes, second = zip(*(values[k] for k in moving), strict=True)
    found = apply(*at)
    if not jnp.issubdtype(found[0].dtype, jnp.floating):
        return found  # comparisons have no slope
    _, push = jax.linearize(apply, *at)
    along = jax.vmap(push)(*slopes)
    straight = push(*second)
    if name in LINEAR or (name in PRODUCTS and len(moving) == 1):
        bent = [jnp.zeros(())] * len(found)
    elif name in PRODUCTS:
        bent = [2 * each.sum(axis=0) for each in jax.vmap(apply)(*slopes)]
    else:
        bent = _bent(apply, at, slopes)
    return [
        Carried(*parts) for parts in zip(found, along, map(jnp.add, straight, bent), strict=True)
    ]


def _bent(apply: Callable[..., list[Any]], at: Any, slopes: Any) -> list[Any]:
    """Σ f''(v)[v', v'] over the lines."""

    def along(*slope: Any) -> list[Any]:
        def first(*points: Any) -> list[Any]:
            return jax.jvp(apply, points, slope)[1]

        return jax.jvp(first, at, slope)[1]

    return [each.sum(axis=0) for each in jax.vmap(along)(*slopes)]
