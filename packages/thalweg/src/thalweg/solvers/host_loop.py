"""What the loops of other libraries have in common: budgets between rows, and how a run ended.

A library calls back for values where it likes, several times between two rows of the history. So
budgets are also watched before every evaluation. A run that is cut there ends with one row more,
which repeats the last point and books what the unfinished step spent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.recorder import RunEnded
from thalweg.solution import Outcome

if TYPE_CHECKING:
    from thalweg.host import HostFunctions
    from thalweg.recorder import Recorder

ROUNDINGS = 100  # a relative change of the loss below this many roundings cannot be seen


def refuse_overrun(recorder: Recorder, *, gradients: int) -> None:
    """Allow one more evaluation, or end the run.

    Args:
        recorder: Knows the budgets and the clock.
        gradients: Gradients evaluated so far.

    Raises:
        RunEnded: The seconds or the gradients of the budget are spent.
    """
    limit = recorder.stop.gradients
    if recorder.seconds_left <= 0 or (limit is not None and gradients >= limit):
        raise RunEnded(Outcome.BUDGET_SPENT)


def judge(
    functions: HostFunctions, theta: np.ndarray, *, start_loss: float, eps: float
) -> tuple[Outcome, float]:
    """How a run ended that its library ended by itself, and |∇L| there.

    Steepest descent lowers the loss by at most |∇L|² / 2λ, with λ the curvature along ∇L, taken
    from one difference of gradients. Where that is below rounding, or next to nothing is left of
    the loss, the run has converged. Costs two gradients, which come after the run and are not
    booked.

    Args:
        functions: The functions of the flow.
        theta: The last point, shape `(n,)`.
        start_loss: The loss that the run began with.
        eps: Relative spacing of the dtype that the loss is computed in.
    """
    loss, grad = functions.value_and_grad(theta)
    norm = float(np.linalg.norm(grad))
    if not (np.isfinite(loss) and np.isfinite(norm)):
        return Outcome.DIVERGED, norm
    if norm == 0 or loss <= (ROUNDINGS * eps) ** 2 * start_loss:
        return Outcome.CONVERGED, norm
    away = np.sqrt(eps) * max(1.0, float(np.linalg.norm(theta)))
    _, other = functions.value_and_grad(theta - (away / norm) * grad)
    curvature = float(np.linalg.norm(grad - other)) / away
    is_flat = norm**2 <= 2 * ROUNDINGS * eps * abs(loss) * curvature
    return (Outcome.CONVERGED if is_flat else Outcome.STALLED), norm
