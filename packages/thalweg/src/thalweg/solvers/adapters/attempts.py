"""The attempts of a solver within a step, read from the times at which it evaluates -∇L.

SciPy's `OdeSolver` classes and CVODE's binding say where a step arrived, but not how many attempts
it took. Each attempt starts from the same point with another size h, and evaluates the vector field
at times start + c h with a fixed node c; so the times give the sizes that were tried. A solver that
shortens h by a fixed factor after a Newton failure, and by the estimated error after a failed error
test, thereby reveals which of the two it was.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.solution import Work
    from thalweg.solvers.adapters.negative_gradient import NegativeGradient

CLOSE = 1e-6  # relative; times are rounded, and no error estimate comes this close to the factor


class Failures(NamedTuple):
    """Rejected attempts of one step, by cause."""

    newton: int = 0
    error_test: int = 0

    def added_to(self, work: Work) -> Work:
        """`work` plus these failures."""
        return work._replace(
            rejected_steps=work.rejected_steps + sum(self),
            newton_failures=work.newton_failures + self.newton,
            error_test_failures=work.error_test_failures + self.error_test,
        )


@final
class TimedField:
    """f(t, θ) = -∇L(θ) as a solver calls it, with the times of its calls.

    At a trial point that is not finite the value is NaN: these solvers then take a smaller step.

    Attributes:
        times: The times t of the calls since the list was last emptied.
    """

    def __init__(self, field: NegativeGradient) -> None:
        self._field = field
        self.times: list[float] = []

    def __call__(self, t: float, theta: np.ndarray) -> np.ndarray:
        """-∇L of shape `(n,)`."""
        self.times.append(float(t))
        if not np.isfinite(theta).all():
            return np.full_like(theta, np.nan)
        return self._field(t, theta)


def failures_of(
    times: Sequence[float], *, start: float, newton_factor: float | None, is_taken: bool = True
) -> Failures:
    """The rejected attempts of one step.

    Args:
        times: Times of the evaluations at one node, one or more for each attempt, in order.
        start: Time at the start of the step.
        newton_factor: Factor of h after a Newton failure; None for an explicit solver.
        is_taken: Whether the last attempt was accepted. If not, the cause of its rejection is
            unknown, and it counts as a failed error test.
    """
    sizes = [t - start for t, _ in itertools.groupby(times)]
    factors = [b / a for a, b in itertools.pairwise(sizes)]
    newton = 0
    if newton_factor is not None:
        newton = sum(math.isclose(factor, newton_factor, rel_tol=CLOSE) for factor in factors)
    unfinished = 0 if is_taken or not sizes else 1
    return Failures(newton, len(factors) - newton + unfinished)
