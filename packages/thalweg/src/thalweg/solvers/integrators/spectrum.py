"""The spectral radius ρ of the Hessian, by a power iteration that is repeated every 25 steps.

ρ bounds the step of an explicit method, and measures how stiff the flow is. The iteration starts
from its last vector, so that after the first time a few products suffice.

Source: Sommeijer, Shampine & Verwer 1998, "RKC", J. Comput. Appl. Math. 88, section 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

MAX_PRODUCTS = 50  # of one power iteration
TOLERANCE = 0.01  # relative change of ρ at which it ends
REFRESH = 25  # steps after which ρ is estimated again, as in RKC


class Spectrum(NamedTuple):
    """The estimate of the largest |eigenvalue|.

    Attributes:
        radius: The estimate of ρ, without margin.
        vector: The last vector of its power iteration, shape `(n,)`; zeros before the first.
        age: Steps since.
    """

    radius: jax.Array
    vector: jax.Array
    age: jax.Array


def unknown_spectrum(theta: jax.Array) -> Spectrum:
    """Before the first estimate, which is due."""
    zero = jnp.zeros((), theta.dtype)
    return Spectrum(zero, jnp.zeros_like(theta), jnp.asarray(REFRESH, jnp.int32))


def refreshed(
    flow: Any, data: Any, theta: jax.Array, spectrum: Spectrum
) -> tuple[Spectrum, jax.Array]:
    """The spectrum, estimated again where it is old; and the Hessian products spent."""
    return jax.lax.cond(
        spectrum.age >= REFRESH,
        lambda: power_iteration(flow, data, theta, spectrum.vector),
        lambda: (spectrum, jnp.zeros((), jnp.int32)),
    )


def aged(spectrum: Spectrum, *, is_doubtful: jax.Array) -> Spectrum:
    """The spectrum one step older; due where the step puts it in doubt, as a rejection does."""
    age = jnp.where(is_doubtful, REFRESH, spectrum.age + 1)
    return spectrum._replace(age=age.astype(jnp.int32))


def power_iteration(
    flow: Any, data: Any, theta: jax.Array, vector: jax.Array
) -> tuple[Spectrum, jax.Array]:
    """The largest |eigenvalue| of ∇²L, from a vector or, where that is 0, from a perturbed ∇L.

    Returns:
        The spectrum, and the Hessian products spent.
    """
    linearised = flow.hessian(data, theta)
    # ∇L may lack the leading eigenvector altogether; alternating signs of growing size do not.
    waves = jnp.cos(jnp.arange(theta.size, dtype=theta.dtype) ** 2)
    size = jnp.maximum(jnp.linalg.norm(linearised.grad), 1e-30) / jnp.sqrt(theta.size)
    start = jnp.where(jnp.any(vector != 0), vector, linearised.grad + size * waves)

    def goes_on(carry: Any) -> jax.Array:
        _, radius, before, count = carry
        has_converged = jnp.abs(radius - before) <= TOLERANCE * radius
        return (count < MAX_PRODUCTS) & ~has_converged

    def multiply(carry: Any) -> Any:
        vector, radius, _, count = carry
        image = linearised.product(vector)
        norm = jnp.linalg.norm(image)
        return jnp.where(norm > 0, image / norm, vector), norm, radius, count + 1

    unit = start / jnp.linalg.norm(start)
    zero = jnp.zeros((), jnp.int32)
    first = (unit, jnp.zeros((), theta.dtype), jnp.asarray(jnp.inf, theta.dtype), zero)
    vector, radius, _, count = jax.lax.while_loop(goes_on, multiply, first)
    return Spectrum(radius, vector, zero), count
