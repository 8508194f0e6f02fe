"""Step control that asks for descent: how far to go is judged by the loss.

The gain ρ of an attempt is the actual decrease of the loss over the decrease that the local model
predicted. An attempt is taken where it lowers the loss by a meaningful share of the prediction.
|∇L| plays no part: on the way to a minimum it often has to rise.

Doubling and halving beat the steeper rules that were tried (x3 and ÷4, x5, and aiming at a fixed
ratio of the corrections): they waste fewer attempts and take no more steps.

Source: Kelley & Keyes 1998, "Convergence analysis of pseudo-transient continuation".
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
VISIBLE = 100  # roundings below which a change of the loss is noise
LENGTHEN = 2.0**10  # what a step is stretched by where it is too short to be seen
H_MAX = 1e20  # beyond it the step is Newton's in any arithmetic


def is_descent(gain: jax.Array) -> jax.Array:
    """Whether an attempt is taken; a NaN is not."""
    return gain > ACCEPT


def next_h(h: jax.Array, gain: jax.Array) -> jax.Array:
    """The step size for the next attempt or step.

    Args:
        h: The step size that was tried. Positive.
        gain: Actual over predicted decrease; NaN where the attempt gave no number.
    """
    longer = jnp.minimum(FACTOR * h, H_MAX)
    return jnp.where(gain > GOOD, longer, jnp.where(gain > POOR, h, h / FACTOR))


def is_flat(
    *,
    loss: jax.Array,
    start_loss: jax.Array,
    grad_norm: jax.Array,
    largest: jax.Array,
) -> jax.Array:
    """Whether rounding hides what descent is left: then a run that is stuck has converged.

    So it is where steepest descent, which can gain at most |∇L|² / 2λ, could not change the loss
    visibly, or where next to nothing is left of a loss that began positive.

    Args:
        loss: The loss now.
        start_loss: The loss at the start of the run.
        grad_norm: |∇L| now.
        largest: The largest curvature λ known.
    """
    eps = jnp.finfo(loss.dtype).eps
    best = grad_norm**2 / (2 * jnp.maximum(largest, jnp.finfo(loss.dtype).tiny))
    is_spent = (loss >= 0) & (loss <= (VISIBLE * eps) ** 2 * start_loss)
    return (grad_norm == 0) | (best <= VISIBLE * eps * jnp.abs(loss)) | is_spent
