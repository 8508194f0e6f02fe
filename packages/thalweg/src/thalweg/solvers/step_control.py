"""Step control: how far to go, and whether a step is taken.

*Descent* asks for a lower loss, to reach a minimum. The gain ρ of an attempt is the actual
decrease of the loss over the decrease that the local model predicted; an attempt is taken where
it lowers the loss by a meaningful share of the prediction. |∇L| plays no part: on the way to a
minimum it often has to rise. Doubling and halving beat the steeper rules that were tried (x3 and
÷4, x5, and aiming at a fixed ratio of the corrections): they waste fewer attempts and take no
more steps.

*Accuracy* asks for a small error in θ(t), to follow the flow. A method's own estimate of the error
of an attempt is held against the tolerances; a proportional-integral rule sets the next step.

Source: Kelley & Keyes 1998, "Convergence analysis of pseudo-transient continuation" (descent);
Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.2 (PI control).
Decision: docs/decisions/0010-step-control-by-descent.md.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

import jax.numpy as jnp

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    import jax

ACCEPT = 1e-4  # gain above which an attempt is taken
POOR = 0.25  # gain below which the next step is shorter
GOOD = 0.75  # gain above which the next step is longer
FACTOR = 2.0
VISIBLE = 100  # roundings below which a change of the loss is noise
LENGTHEN = 2.0**10  # what a step is stretched by where it is too short to be seen
H_MAX = 1e20  # beyond it the step is Newton's in any arithmetic

SAFETY = 0.9  # share of the step that the error estimate allows
SHORTEST, LONGEST = 0.2, 5.0  # factors from one step to the next
INTEGRAL, PROPORTIONAL = 0.7, 0.4  # exponents of the PI rule, times the order


@final
@dataclasses.dataclass(frozen=True)
class Descent:
    """Take the steps that lower the loss: the quickest way to a minimum."""


DESCENT = Descent()


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Take the steps whose error is within tolerances: the way along the flow.

    The error of a step is its root mean square over the parameters, each in units of
    `atol + rtol |θᵢ|`.

    With `loosest`, the tolerances are a schedule. They begin at `rtol = loosest`, and both fall
    with the square root of the loss, as residuals do, until they are `rtol` and `atol`.

    Attributes:
        rtol: Relative tolerance of a step. Not negative.
        atol: Absolute tolerance of a step. Positive.
        loosest: The relative tolerance that a schedule begins with, at least `rtol`; None for
            tolerances that stay.

    Raises:
        ConfigError: A value is out of its range.
    """

    rtol: float = 1e-3
    atol: float = 1e-6
    loosest: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rtol) and self.rtol >= 0):
            raise ConfigError(f"`rtol` is {self.rtol!r}, but a number of at least 0 was expected")
        if not (math.isfinite(self.atol) and self.atol > 0):
            raise ConfigError(f"`atol` is {self.atol!r}, but a number above 0 was expected")
        if self.loosest is not None and not (self.rtol > 0 and self.loosest >= self.rtol):
            raise ConfigError(
                f"`loosest` is {self.loosest!r} and `rtol` {self.rtol!r}, but a schedule falls "
                "from `loosest` to an `rtol` above 0 and not above it"
            )

    def factor(self, loss: jax.Array | float, start_loss: jax.Array | float) -> jax.Array:
        """What both tolerances are multiplied by at a loss; 1 without a schedule.

        Args:
            loss: The loss now.
            start_loss: The loss at the start of the run.
        """
        if self.loosest is None:
            return jnp.ones_like(jnp.asarray(loss))
        most = self.loosest / self.rtol
        return jnp.clip(most * jnp.sqrt(jnp.maximum(loss / start_loss, 0)), 1, most)

    def size(self, error: jax.Array, theta: jax.Array, factor: jax.Array) -> jax.Array:
        """An error in units of the tolerances; at most 1 where a step is taken.

        Args:
            error: The error, shape `(n,)`.
            theta: The magnitudes |θᵢ| that `rtol` is relative to, shape `(n,)`.
            factor: From `factor`.
        """
        units = factor * (self.atol + self.rtol * theta)
        return jnp.sqrt(jnp.mean(jnp.square(error / units)))


def refuse_other_control(control: object) -> None:
    """Refuse what is neither of the two controls.

    Raises:
        ConfigError: `control` is something else.
    """
    if not isinstance(control, (Descent, Accuracy)):
        raise ConfigError(
            f"`control` is {control!r}, but `tw.Descent()` or `tw.Accuracy(...)` was expected"
        )


def next_h_by_error(
    h: jax.Array, error: jax.Array, last_error: jax.Array, *, order: int, longest: float
) -> jax.Array:
    """The step size after an attempt, by its error and that of the step before.

    Args:
        h: The step size that was tried. Positive.
        error: Its error in units of the tolerances; above 1 or NaN where it is not taken.
        last_error: The error of the last step that was taken.
        order: The power of h that the error estimate goes with.
        longest: The largest factor of growth.
    """
    least = (SAFETY / longest) ** order  # where the factor is at its upper bound anyway
    now, before = jnp.maximum(error, least), jnp.maximum(last_error, least)
    taken = SAFETY * now ** (-INTEGRAL / order) * before ** (PROPORTIONAL / order)
    refused = jnp.minimum(SAFETY * now ** (-1 / order), 0.5)
    factor = jnp.where(error <= 1, jnp.minimum(taken, longest), refused)
    factor = jnp.where(jnp.isnan(factor), 0, factor)
    return jnp.minimum(h * jnp.maximum(factor, SHORTEST), H_MAX)


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
