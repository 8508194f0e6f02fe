"""Robust losses of a fit, as a change of each residual.

A loss `½ f² Σ ρ((r/f)²)` is the sum of squares `½ Σ s²` of `s = r √(ρ(z)/z)`, z = (r/f)². So every
least-squares method fits it, with exact derivatives of s. The forms of ρ(z)/z below are smooth at
z = 0, where they are 1. Names and scales are those of `scipy.optimize.least_squares`; Tukey's
biweight is added, scaled alike: ρ(z) = (1 - (1 - z)³)/3 up to z = 1, and constant beyond.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

LOSSES = ("linear", "huber", "soft_l1", "cauchy", "tukey")
SMALL = 1e-4  # z below which log1p(z)/z is taken by its series


def transformed(loss: str, r: jax.Array, f_scale: jax.Array) -> jax.Array:
    """The residuals s, of which the robust loss is the sum of squares; shape and sign of `r`.

    Args:
        loss: One of `LOSSES`.
        r: Residuals, real.
        f_scale: The size of a residual from which it counts as an outlier. Positive.
    """
    if loss == "linear":
        return r
    z = jnp.square(r / f_scale)
    return r * jnp.sqrt(_weight(loss, z))


def _weight(loss: str, z: jax.Array) -> jax.Array:
    """ρ(z)/z."""
    if loss == "soft_l1":
        return 2 / (jnp.sqrt(1 + z) + 1)
    if loss == "huber":
        far = jnp.where(z > 1, z, 1.0)  # so that no derivative of √z at 0 is taken
        return jnp.where(z > 1, (2 * jnp.sqrt(far) - 1) / far, 1.0)
    if loss == "cauchy":
        far = jnp.where(z > SMALL, z, 1.0)
        near = 1 - z / 2 + z**2 / 3 - z**3 / 4
        return jnp.where(z > SMALL, jnp.log1p(far) / far, near)
    far = jnp.where(z > 1, z, 1.0)
    return jnp.where(z > 1, 1 / (3 * far), 1 - z + z**2 / 3)
