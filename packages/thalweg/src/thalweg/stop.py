"""When a run ends: the budget and the targets that a caller sets."""

from __future__ import annotations

import dataclasses
import math
import numbers

from thalweg.errors import ConfigError

DEFAULT_SECONDS = 60.0  # a call without any criterion still comes back


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stop:
    """Targets and budgets; whichever is met first ends the run.

    None and infinity mean no limit. A run also ends by itself where no further descent is possible
    in floating point. If nothing at all is set, it ends after 60 seconds at the latest;
    `Stop(seconds=math.inf)` lifts that.

    Attributes:
        loss: The run has reached its target once the loss is at or below this. Positive or 0.
        grad_norm: The run has converged once |∇L| is at or below this. Positive or 0.
        seconds: Wall time that may be spent, without compilation.
        steps: Accepted steps of the method.
        gradients: Gradient evaluations (for methods that take Jacobians, each counts as one).

    Raises:
        ConfigError: A value is negative, NaN, not a number, or a count that is not whole.
    """

    loss: float | None = None
    grad_norm: float | None = None
    seconds: float | None = None
    steps: int | None = None
    gradients: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            call = f"`Stop({field.name}=...)`"
            is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not is_number or math.isnan(value):
                raise ConfigError(f"{call} is {value!r}, but a number or None was expected")
            if value < 0:
                raise ConfigError(f"{call} is {value}, but a number of at least 0 was expected")
            if math.isinf(value) and field.name != "seconds":
                object.__setattr__(self, field.name, None)  # no limit
            elif field.name in ("steps", "gradients") and float(value) % 1:
                raise ConfigError(f"{call} is {value}, but a whole number was expected")

    @property
    def is_open(self) -> bool:
        """Whether no criterion at all is set."""
        return all(getattr(self, field.name) is None for field in dataclasses.fields(self))
