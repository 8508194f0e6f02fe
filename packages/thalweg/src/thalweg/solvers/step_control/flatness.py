"""Whether rounding hides the descent that is left: this separates converged from stalled runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from thalweg.solution import VISIBLE

if TYPE_CHECKING:
    import jax

FALLEN = 0.25  # power of the unit of rounding to which ∇L falls near any smooth minimum


def is_flat(
    *,
    loss: jax.Array,
    start_loss: jax.Array,
    grad_norm: jax.Array,
    largest: jax.Array,
    steepest: jax.Array | None = None,
) -> jax.Array:
    """Whether rounding hides the descent that is left.

    Where no step can be taken, a run has converged at a flat point and has stalled elsewhere. A
    point is flat where steepest descent, which can gain at most |∇L|² / 2λ, could not change the
    loss visibly, or where next to nothing is left of a loss that began positive.

    Args:
        loss: The loss now.
        start_loss: The loss at the start of the run.
        grad_norm: |∇L| now.
        largest: The largest curvature λ known. A lower bound of it makes the test stricter.
        steepest: The largest |∇L| of the run, where λ is a quotient of differences. Across a kink
            that is as large as steps are short, and ∇L does not fall; so it has to have fallen.
            None where λ is exact.
    """
    eps = jnp.finfo(loss.dtype).eps
    best = grad_norm**2 / (2 * jnp.maximum(largest, jnp.finfo(loss.dtype).tiny))
    is_hidden = best <= VISIBLE * eps * jnp.abs(loss)
    if steepest is not None:
        is_hidden &= grad_norm <= eps**FALLEN * steepest
    return (grad_norm == 0) | is_hidden | is_spent(loss, start_loss)


def is_spent(loss: jax.Array, start_loss: jax.Array) -> jax.Array:
    """Whether next to nothing is left of a loss that began positive."""
    eps = jnp.finfo(loss.dtype).eps
    return (loss >= 0) & (loss <= (VISIBLE * eps) ** 2 * start_loss)


def has_vanished(squares: jax.Array, columns: jax.Array) -> jax.Array:
    """Which columns of a Jacobian have vanished, so that their parameters have no effect.

    Where residuals are left, a point with such columns is a plateau and not known to be a minimum.

    Args:
        squares: The squared norms of the columns, shape `(n,)`.
        columns: The largest that they have been, shape `(n,)`.
    """
    return squares <= jnp.finfo(squares.dtype).eps * columns


def has_no_effect(effects: Any, least: float) -> Any:
    """Which parameters hardly change the model's values beside the others.

    A column can shrink only because the values have, as all do where the data are of the order of
    1e-9 and the start is 1. So a small column alone does not tell that its parameter is lost.

    Args:
        effects: The norm of each column times its parameter, or its square, shape `(n,)`.
        least: Of the largest, up to which there is none.
    """
    return effects <= least * effects.max()
