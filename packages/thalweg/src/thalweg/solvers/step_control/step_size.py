"""The step size after an attempt, by its gain or by its error.

The gain ρ of an attempt is the actual decrease of the loss over the decrease that the local model
predicted. By the gain, h is doubled, kept or halved. Steeper rules were tried (x3 and ÷4, x5, and
aiming at a fixed ratio of the corrections); they waste more attempts and take no fewer steps.

By the error, a proportional-integral rule sets h.

Source: Kelley & Keyes 1998, "Convergence analysis of pseudo-transient continuation" (descent);
Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.2 (PI control).
Decision: docs/decisions/0010-step-control-by-descent.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    import jax

ACCEPT = 1e-4  # gain above which an attempt is taken
POOR = 0.25  # gain below which the next step is shorter
GOOD = 0.75  # gain above which the next step is longer
FACTOR = 2.0
LENGTHEN = 2.0**10  # factor for a step too short to change the loss visibly
H_MAX = 1e20  # beyond it the step is Newton's in any arithmetic

SAFETY = 0.9  # share of the step that the error estimate allows
SHORTEST, LONGEST = 0.2, 5.0  # factors from one step to the next
INTEGRAL, PROPORTIONAL = 0.7, 0.4  # exponents of the PI rule, times the order


def next_h(h: jax.Array, gain: jax.Array) -> jax.Array:
    """The step size for the next attempt or step, by the gain.

    Args:
        h: The step size that was tried. Positive.
        gain: Actual over predicted decrease; NaN where the attempt gave no number.
    """
    longer = jnp.minimum(FACTOR * h, H_MAX)
    return jnp.where(gain > GOOD, longer, jnp.where(gain > POOR, h, h / FACTOR))


def next_h_by_error(
    h: jax.Array, error: jax.Array, last_error: jax.Array, *, order: int, longest: float
) -> jax.Array:
    """The step size for the next attempt or step, by the error of this one and of the last step.

    Args:
        h: The step size that was tried. Positive.
        error: Its error in units of the tolerances; above 1 or NaN where it is rejected.
        last_error: The error of the last step.
        order: The power of h that the error estimate is proportional to.
        longest: The largest factor of growth.
    """
    least = (SAFETY / longest) ** order  # where the factor is at its upper bound anyway
    now, before = jnp.maximum(error, least), jnp.maximum(last_error, least)
    after_taken = SAFETY * now ** (-INTEGRAL / order) * before ** (PROPORTIONAL / order)
    after_rejected = jnp.minimum(SAFETY * now ** (-1 / order), 0.5)
    factor = jnp.where(error <= 1, jnp.minimum(after_taken, longest), after_rejected)
    factor = jnp.where(jnp.isnan(factor), 0, factor)
    return jnp.minimum(h * jnp.maximum(factor, SHORTEST), H_MAX)
