"""The curve `θ + c₁s + … + c_k sᵏ`, and derivatives along it by nested forward differentiation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable


def displaced(coefficients: tuple[jax.Array, ...], s: jax.Array) -> jax.Array:
    """`c₁s + … + c_k sᵏ`, shape `(n,)`, for one or more coefficients."""
    displacement = coefficients[-1] * s
    for coefficient in reversed(coefficients[:-1]):
        displacement = (displacement + coefficient) * s
    return displacement


def derivative_along(
    function: Callable[[jax.Array], jax.Array],
    theta: jax.Array,
    coefficients: tuple[jax.Array, ...],
) -> jax.Array:
    """The derivative of order k+1 of `function(θ + c₁s + … + c_k sᵏ)` at s = 0."""

    def curve(s: jax.Array) -> jax.Array:
        return function(theta + displaced(coefficients, s))

    def differentiate(inner: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
        return lambda s: jax.jvp(inner, (s,), (jnp.ones_like(s),))[1]

    derivative = curve
    for _ in range(len(coefficients) + 1):
        derivative = differentiate(derivative)
    return derivative(jnp.zeros((), theta.dtype))
