"""What a solver tried within a step, told from the times at which it asked for the slope.

SciPy's `OdeSolver` classes and CVODE's binding say where a step arrived, but not how many attempts
it took. Each attempt is a step of another size h from the same start, and asks for the slope at
times start + c h with a fixed node c; so the times tell the sizes that were tried. A solver that
shortens h by a fixed factor where Newton's iteration fails, and by the estimated error where its
error test fails, thereby tells the two apart.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.solution import Work
    from thalweg.solvers.adapters.negative_gradient import Slope

CLOSE = 1e-6  # relative; times are rounded, and no error estimate comes this near a fixed factor


class Failures(NamedTuple):
    """Attempts thrown away in one step, by why."""

    newton: int = 0
    error_test: int = 0

    def booked(self, work: Work) -> Work:
        """`work` with these added."""
        return work._replace(
            rejected_steps=work.rejected_steps + sum(self),
            newton_failures=work.newton_failures + self.newton,
            error_test_failures=work.error_test_failures + self.error_test,
        )


@final
class TimedSlope:
    """The slope as a solver calls it, with the times of its calls.

    Where a trial point is not finite its slope is NaN: these solvers then take a smaller step.

    Attributes:
        times: When it was asked, since the list was last emptied.
    """

    def __init__(self, slope: Slope) -> None:
        self._slope = slope
        self.times: list[float] = []

    def __call__(self, t: float, theta: np.ndarray) -> np.ndarray:
        """-∇L of shape `(n,)`."""
        self.times.append(float(t))
        if not np.isfinite(theta).all():
            return np.full_like(theta, np.nan)
        return self._slope(t, theta)


def failures_of(
    times: Sequence[float], *, start: float, newton_factor: float | None, is_taken: bool = True
) -> Failures:
    """The attempts of one step that were thrown away.

    Args:
        times: When the slope was asked for at one node, once or more an attempt, in order.
        start: When the step began.
        newton_factor: What h is multiplied by where Newton's iteration failed; None for an
            explicit solver.
        is_taken: Whether the last attempt was taken; else why it was thrown away cannot be told,
            and it is booked as a failed error test.
    """
    sizes = [t - start for t, _ in itertools.groupby(times)]
    factors = [b / a for a, b in itertools.pairwise(sizes)]
    newton = 0
    if newton_factor is not None:
        newton = sum(math.isclose(factor, newton_factor, rel_tol=CLOSE) for factor in factors)
    unfinished = 0 if is_taken or not sizes else 1
    return Failures(newton, len(factors) - newton + unfinished)
