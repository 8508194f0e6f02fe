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
POINTS = (1.0, -1.0, 2.0, -2.0)  # in units of δ; the second and third derivative take two
SECOND, THIRD, FOURTH = 2, 3, 4
# By order, from the second on: the weights of the residuals at the points, of r, and of Jc₁.
WEIGHTS = (
    ((1, 1, 0, 0), -2, 0),
    ((3, -3, 0, 0), 0, -6 * DISTANCE),
    ((-4, -4, 1, 1), 6, 0),
)


def along_by_points(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    coefficients: jax.Array,
    order: jax.Array,
    *,
    r: jax.Array,
    push: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """The derivative of a given order at s=0 of r(θ + c₁s + c₂s² + …), shape `(m,)`.

    In float32, where differences leave too few digits, it is `flow.along`. Otherwise the program
    holds the residuals once, whatever the order.

    Args:
        flow: Least squares.
        data: `flow.data`.
        theta: The point, `(n,)`.
        coefficients: c₁, c₂, … as rows, `(K, n)`, K from 2 to 4; those from `order` on are 0.
        order: From 2 to K, a scalar.
        r: The residuals at θ, `(m,)`.
        push: v -> Jv.

    Cost: two passes for the second and third derivative, and one `push` for the third; four
    passes for the fourth.
    """
    most = len(coefficients)
    if theta.dtype == jnp.float32:
        return by_order(lambda known: flow.along(data, theta, known), coefficients, order)
    rows = tuple(coefficients)[: most - 1]
    points = jnp.asarray(POINTS if most == FOURTH else POINTS[:2], theta.dtype) * DISTANCE

    def fill(k: jax.Array, found: jax.Array) -> jax.Array:
        return found.at[k].set(flow.residuals(data, theta + displaced(rows, points[k])))

    count = jnp.where(order == FOURTH, 4, 2)
    blank = jnp.zeros((len(points), r.size), r.dtype)
    found = jax.lax.fori_loop(0, count, fill, blank)
    slope = jax.lax.cond(order == THIRD, lambda: push(coefficients[0]), lambda: jnp.zeros_like(r))
    at_points, at_start, of_slope = (
        jnp.asarray(each, r.dtype)[order - SECOND] for each in zip(*WEIGHTS, strict=True)
    )
    total = at_points[: len(points)] @ found + at_start * r + of_slope * slope
    return total / jnp.asarray(DISTANCE, r.dtype) ** order


def by_order(
    function: Callable[[tuple[jax.Array, ...]], jax.Array],
    coefficients: jax.Array,
    order: jax.Array,
) -> jax.Array:
    """`function(c₁…c_(order-1))` for an order that is known only as the program runs.

    Args:
        function: Of one or more coefficients.
        coefficients: As rows, `(K, n)`.
        order: From 2 to K.
    """
    branches = [
        lambda rows, count=count: function(tuple(rows[:count]))
        for count in range(1, len(coefficients))
    ]
    return jax.lax.switch(order - SECOND, branches, coefficients)
