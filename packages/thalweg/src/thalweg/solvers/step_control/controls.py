"""The two step-size controls that a caller can ask for.

*Descent* asks for a lower loss, to reach a minimum: an attempt is taken where it lowers the loss by
a meaningful share of the decrease that its model predicted. |∇L| plays no part, since on the way to
a minimum it often has to rise.

*Accuracy* asks for a small error in θ(t), to follow the flow: an attempt is taken where the
method's own estimate of its error is within the tolerances.

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
