"""Derivatives of residuals along a curve, from the residuals at a few of its points.

For the curve `p(s) = θ + c₁s + … + c_k sᵏ`, ρ(s) = r(p(s)) and a distance δ,

    ρ⁽²⁾(0) ≈ (ρ(δ) - 2ρ(0) + ρ(-δ)) / δ²
    ρ⁽³⁾(0) ≈ 3 (ρ(δ) - ρ(-δ) - 2δ Jc₁) / δ³
    ρ⁽⁴⁾(0) ≈ (ρ(2δ) - 4ρ(δ) + 6ρ(0) - 4ρ(-δ) + ρ(-2δ)) / δ⁴

each with an error of order δ². A step takes these derivatives as terms of a series in s at s = 1
that shrinks, so δ is in units of the step: at a quarter of it the error is about a hundredth of a
term, of the fourth one a twentieth, and rounding is a few hundred times that of r. Nested forward
derivatives, which are exact, take 2ᵏ passes' worth of values where an evaluation takes one: on a
network whose residual holds second derivatives they took three to twelve times as long.

Source: Transtrum & Sethna 2012, arXiv:1201.5885, section 3 (the second derivative by differences).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from thalweg.flow.curve import displaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow.least_squares import LeastSquaresFlow

DISTANCE = 0.25  # δ, in units of the step
NEAR, WIDE = (1.0, -1.0), (1.0, -1.0, 2.0, -2.0)  # points, in units of δ
SECOND, THIRD = 2, 3  # orders that the nearest points tell


def along_by_points(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    coefficients: tuple[jax.Array, ...],
    *,
    r: jax.Array,
    push: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """The derivative of order k+1 at s=0 of r(θ + c₁s + … + c_k sᵏ), shape `(m,)`.

    In float32, where differences leave too few digits, it is `flow.along`.

    Args:
        flow: Least squares.
        data: `flow.data`.
        theta: The point, `(n,)`.
        coefficients: c₁…c_k, each `(n,)`; one to three of them.
        r: The residuals at θ, `(m,)`.
        push: v -> Jv.

    Cost: two passes for the second and third derivative, and one `push` for the third; four
    passes for the fourth.
    """
    if theta.dtype == jnp.float32:
        return flow.along(data, theta, coefficients)
    order = len(coefficients) + 1
    points = jnp.asarray(NEAR if order <= THIRD else WIDE, theta.dtype) * DISTANCE

    def at(s: jax.Array) -> jax.Array:
        return flow.residuals(data, theta + displaced(coefficients, s))

    ahead, behind, *wide = jax.lax.map(at, points)
    if order == SECOND:
        return (ahead - 2 * r + behind) / DISTANCE**2
    if order == THIRD:
        return 3 * ((ahead - behind) / DISTANCE - 2 * push(coefficients[0])) / DISTANCE**2
    return (wide[0] + wide[1] - 4 * (ahead + behind) + 6 * r) / DISTANCE**4
