"""Whether a method still pays: how far the loss falls within so many gradients."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError


class Period(NamedTuple):
    """The present period of `patience` gradients; both scalars.

    Attributes:
        reference_loss: The loss at its start; NaN before the first.
        gradients: Gradients since then.
    """

    reference_loss: jax.Array
    gradients: jax.Array


def refuse_patience(patience: int, share: float) -> None:
    """Refuse settings that are out of their range.

    Args:
        patience: Gradients in a period; at least 1 was expected.
        share: Of the loss, to which it has to fall; between 0 and 1 was expected.

    Raises:
        ConfigError: One of them is not.
    """
    if patience < 1:
        raise ConfigError(f"`patience` is {patience}, but at least 1 was expected")
    if not 0 < share < 1:
        raise ConfigError(f"`share` is {share}, but a number between 0 and 1 was expected")


def after_step(
    period: Period,
    *,
    start_loss: jax.Array,
    loss: jax.Array,
    spent: jax.Array,
    patience: int,
    share: jax.Array | float,
) -> tuple[Period, jax.Array]:
    """The period after a step, and whether one ended in which the loss fell too little.

    Args:
        period: The period so far.
        start_loss: The loss at the start of the step.
        loss: The loss at its end.
        spent: Gradients that the step took.
        patience: Gradients in a period.
        share: Of the loss at the start of a period, to which it has to fall by its end.
    """
    reference = jnp.where(jnp.isnan(period.reference_loss), start_loss, period.reference_loss)
    gradients = period.gradients + spent
    is_due = gradients >= patience
    is_slow = is_due & ~(loss <= share * reference)
    after = Period(
        reference_loss=jnp.where(is_due, loss, reference),
        gradients=jnp.where(is_due, 0, gradients).astype(period.gradients.dtype),
    )
    return after, is_slow
