"""The spectral radius ρ of the Hessian, by a power iteration that is taken up again now and then.

What explicit methods need to know: it bounds their step, and tells how stiff the flow is. The
iteration begins where it last stood, so that after the first time a few products do.

Source: Sommeijer, Shampine & Verwer 1998, "RKC", J. Comput. Appl. Math. 88, section 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

MOST_PRODUCTS = 50  # of one power iteration
SETTLED = 0.01  # relative change of ρ at which it ends
REFRESH = 25  # steps after which ρ is taken anew, as in RKC


class Spectrum(NamedTuple):
    """What is known of the largest eigenvalue.

    Attributes:
        radius: The estimate of ρ, without margin.
        vector: Where its power iteration stood, shape `(n,)`; zeros before the first.
        age: Steps since.
    """

    radius: jax.Array
    vector: jax.Array
    age: jax.Array


def unknown_spectrum(theta: jax.Array) -> Spectrum:
    """Before anything is known; due to be refreshed."""
    zero = jnp.zeros((), theta.dtype)
    return Spectrum(zero, jnp.zeros_like(theta), jnp.asarray(REFRESH, jnp.int32))


def refreshed(
    flow: Any, data: Any, theta: jax.Array, spectrum: Spectrum
) -> tuple[Spectrum, jax.Array]:
    """The spectrum, taken anew where it is old; and the Hessian products that were spent."""
    return jax.lax.cond(
        spectrum.age >= REFRESH,
        lambda: power_iteration(flow, data, theta, spectrum.vector),
        lambda: (spectrum, jnp.zeros((), jnp.int32)),
    )


def aged(spectrum: Spectrum, *, is_doubtful: jax.Array) -> Spectrum:
    """The spectrum after a step; due where the step gave rise to doubt, as a rejection does."""
    age = jnp.where(is_doubtful, REFRESH, spectrum.age + 1)
    return spectrum._replace(age=age.astype(jnp.int32))


def power_iteration(
    flow: Any, data: Any, theta: jax.Array, vector: jax.Array
) -> tuple[Spectrum, jax.Array]:
    """The largest |eigenvalue| of ∇²L, from a vector or, where it is 0, from ∇L and its jitter.

    Returns:
        The spectrum, and the Hessian products spent.
    """
    slope = flow.hessian(data, theta)
    # ∇L may lack the leading eigenvector altogether; alternating signs of growing size do not.
    waves = jnp.cos(jnp.arange(theta.size, dtype=theta.dtype) ** 2)
    size = jnp.maximum(jnp.linalg.norm(slope.grad), 1e-30) / jnp.sqrt(theta.size)
    start = jnp.where(jnp.any(vector != 0), vector, slope.grad + size * waves)

    def goes_on(carry: Any) -> jax.Array:
        _, radius, before, count = carry
        is_settled = jnp.abs(radius - before) <= SETTLED * radius
        return (count < MOST_PRODUCTS) & ~is_settled

    def multiply(carry: Any) -> Any:
        vector, radius, _, count = carry
        image = slope.product(vector)
        norm = jnp.linalg.norm(image)
        return jnp.where(norm > 0, image / norm, vector), norm, radius, count + 1

    unit = start / jnp.linalg.norm(start)
    zero = jnp.zeros((), jnp.int32)
    first = (unit, jnp.zeros((), theta.dtype), jnp.asarray(jnp.inf, theta.dtype), zero)
    vector, radius, _, count = jax.lax.while_loop(goes_on, multiply, first)
    return Spectrum(radius, vector, zero), count
