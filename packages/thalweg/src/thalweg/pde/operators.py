"""Differential operators: functions of one point in, functions of the same point out.

A function `u(x)` or `u(x, t)` takes one point: `x` is a number on an interval and an array `(d,)`
elsewhere, `t` a number. All operators but `dt` act in space alone. Derivatives of second order are
nested forward derivatives, which were measured to be the quickest. From order three on they are
taken in Taylor mode, which carries a truncated series through the function once; where JAX has no
rule for one of its operations, nested derivatives stand in.

Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 13; Bettencourt, Johnson &
Duvenaud 2019, "Taylor-mode automatic differentiation for higher-order derivatives in JAX".
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.experimental import jet

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES_FROM = 3  # the order from which Taylor mode is quicker than nested derivatives
Function = Any  # of one point: u(x) or u(x, t)


def taylor(u: Function, order: int, axis: int | str = 0) -> Function:
    """The value and all derivatives up to `order` along one coordinate, in one pass.

    Args:
        u: A function of one point.
        order: At least 1.
        axis: A coordinate of `x`, counted from 0, or "t".

    Returns:
        A function of the same point that returns `(u, u', ..., order-th derivative)`.

    Examples:
        >>> import jax.numpy as jnp
        >>> [float(d) for d in taylor(lambda x: x**3, 2)(2.0)]
        [8.0, 12.0, 12.0]
    """

    def derivatives(*point: Any) -> tuple[Any, ...]:
        line, _ = _line(u, point, axis)
        return (*_series(line, order),)

    return derivatives


def partial(u: Function, axis: int | str = 0, order: int = 1) -> Function:
    """The derivative of an order along one coordinate of `x`, or along "t"."""
    if order == 1:
        return lambda *point: _first(_line(u, point, axis)[0])
    return lambda *point: taylor(u, order, axis)(*point)[-1]


def dt(u: Function, order: int = 1) -> Function:
    """The derivative in time, ∂u/∂t or a higher one."""
    return partial(u, "t", order)


def gradient(u: Function) -> Function:
    """∇u in space, of the shape of `x`, for a scalar u."""
    return lambda x, *t: jax.jacfwd(lambda at: u(at, *t))(_real(x))


def jacobian(v: Function) -> Function:
    """∂vᵢ/∂xⱼ in space, shape `(k, d)`, or `(k,)` on an interval."""
    return gradient(v)


def divergence(v: Function) -> Function:
    """∇·v in space of a field with as many components as `x`."""

    def of(x: Any, *t: Any) -> Any:
        slopes = jacobian(v)(x, *t)
        return slopes.reshape(()) if slopes.size == 1 else jnp.trace(slopes)

    return of


def laplacian(u: Function) -> Function:
    """∇²u in space; of a vector field, that of each component."""

    def of(x: Any, *t: Any) -> Any:
        x = _real(x)
        return _along(u, x, t, [*_axes(x)], 2)

    return of


def bilaplacian(u: Function) -> Function:
    """∇⁴u = ∇²∇²u in space, from fourth derivatives along lines alone."""

    def of(x: Any, *t: Any) -> Any:
        x = _real(x)
        # 12 ∂ᵢ²∂ⱼ² = (∂ᵢ+∂ⱼ)⁴ + (∂ᵢ-∂ⱼ)⁴ - 2 ∂ᵢ⁴ - 2 ∂ⱼ⁴, twice for each pair i < j
        axes = [*_axes(x)]
        fourth = (1 - (len(axes) - 1) / 3) * _along(u, x, t, axes, 4)
        pairs = [*itertools.combinations(axes, 2)]
        if not pairs:
            return fourth
        both = [line for a, b in pairs for line in (a + b, a - b)]
        return fourth + _along(u, x, t, both, 4) / 6

    return of


def component(v: Function, k: int) -> Function:
    """The k-th output of a vector field, counted from 0, as a scalar function."""
    return lambda *point: v(*point)[k]


def normal_derivative(u: Function, normal: Any) -> Function:
    """∂u/∂n in space along a direction of the shape of `x`."""

    def of(x: Any, *t: Any) -> Any:
        return jax.jvp(lambda at: u(at, *t), (_real(x),), (normal,))[1]

    return of


def _real(x: Any) -> jax.Array:
    return jnp.asarray(x, jnp.result_type(x, float))


def _line(u: Function, point: tuple[Any, ...], axis: int | str) -> tuple[Callable[..., Any], Any]:
    """`s -> u` at a point moved by s along a coordinate, and the dtype of s."""
    x = _real(point[0])
    if axis == "t":
        if len(point) == 1:
            raise ConfigError(
                "a derivative in time was asked for, but the function takes a point in space only; "
                "give the problem a `time`, and pass `t` after `x`"
            )
        return lambda s: u(x, _real(point[1]) + s), x.dtype
    if x.ndim == 0:
        if axis != 0:
            raise ConfigError(f"`axis` is {axis!r}, but on an interval there is only 0, or 't'")
        return lambda s: u(x + s, *point[1:]), x.dtype
    if not (isinstance(axis, int) and 0 <= axis < x.size):
        raise ConfigError(
            f"`axis` is {axis!r}, but a coordinate from 0 to {x.size - 1} or 't' was expected"
        )
    direction = jnp.zeros_like(x).at[axis].set(1)
    return lambda s: u(x + s * direction, *point[1:]), x.dtype


def _axes(x: jax.Array) -> jax.Array:
    """The directions of the coordinates, each of the shape of x."""
    return jnp.eye(x.size, dtype=x.dtype).reshape(-1, *x.shape)


def _along(u: Function, x: jax.Array, t: Any, lines: list[Any], order: int) -> Any:
    """The sum of derivatives of an order along some lines.

    One after the other: under `vmap` the Jacobian of the sum by the weights of a network took six
    to twelve times as long.
    """
    return sum(_series(lambda s, e=line: u(x + s * e, *t), order)[-1] for line in lines)


def _first(line: Callable[..., Any]) -> Any:
    zero = jnp.zeros(())
    return jax.jvp(line, (zero,), (jnp.ones_like(zero),))[1]


def _series(line: Callable[..., Any], order: int) -> list[Any]:
    """Value and derivatives of `line` at 0."""
    zero, one = jnp.zeros(()), jnp.ones(())
    if order == 1:
        return [*jax.jvp(line, (zero,), (one,))]
    if order < SERIES_FROM:
        return _nested(line, order)
    try:
        value, series = jet.jet(line, (zero,), ((one, *[zero] * (order - 1)),))
    except (NotImplementedError, jax.errors.UnexpectedTracerError):  # no rule for an operation
        return _nested(line, order)
    return [value, *series]


def _nested(line: Callable[..., Any], order: int) -> list[Any]:
    """The same by forward derivatives of forward derivatives."""

    def slope(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda s: jax.jvp(function, (s,), (jnp.ones_like(s),))[1]

    functions = [line]
    for _ in range(order):
        functions.append(slope(functions[-1]))
    return [function(jnp.zeros(())) for function in functions]
