"""What the loops of other libraries have in common: budgets between rows, and how a run ended.

A library evaluates where it likes, several times between two rows of the history. So budgets are
also checked before every evaluation. A run that is cut short there ends with one more row, which
repeats the last point and adds the work of the unfinished step.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

from thalweg._recorder import RunEnded
from thalweg._util.threads import one_blas_thread
from thalweg.solution import Outcome, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.flow.compiled import HostFunctions

THREADED_FROM = 800  # parameters
ROUNDINGS = 100  # a relative change of the loss below this many roundings cannot be seen


def blas_threads(size: int) -> contextlib.AbstractContextManager[None]:
    """One BLAS thread if the library multiplies small matrices, else the default number.

    On two busy cores, SciPy's `trf` and BFGS took 2 to 27 times as long with two threads as with
    one for 129 and 481 parameters, and 0.7 to 0.8 times as long for 921.

    Args:
        size: The number of parameters.
    """
    return one_blas_thread() if size < THREADED_FROM else contextlib.nullcontext()


def check_budget(recorder: Recorder, *, gradients: int) -> None:
    """End the run if its budget leaves no room for another evaluation.

    Args:
        recorder: Holds the budgets and the clock.
        gradients: Gradients evaluated so far.

    Raises:
        RunEnded: The seconds or the gradients of the budget are spent.
    """
    limit = recorder.stop.gradients
    if recorder.seconds_left <= 0 or (limit is not None and gradients >= limit):
        raise RunEnded(Outcome.BUDGET_SPENT)


def termination(
    functions: HostFunctions, theta: np.ndarray, *, start_loss: float, eps: float
) -> tuple[Outcome, float]:
    """Whether a run that its library ended has converged, stalled or diverged, and |∇L| there.

    Steepest descent lowers the loss by at most |∇L|² / 2λ, with λ the curvature along ∇L, taken
    from one difference of gradients. If that is below rounding, or almost nothing is left of the
    loss, the run has converged. Costs two gradients after the run, which are not counted.

    Args:
        functions: The functions of the flow.
        theta: The last point, shape `(n,)`.
        start_loss: The loss at the start of the run.
        eps: Relative spacing of the dtype in which the loss is computed.
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


def end_of_run(
    flow: Flow, functions: HostFunctions, recorder: Recorder, theta: np.ndarray
) -> tuple[Outcome, float]:
    """`termination` of a run from its first row to `theta`, in the dtype of its parameters."""
    return termination(
        functions,
        theta,
        start_loss=float(recorder.history()["loss"][0]),
        eps=float(np.finfo(flow.spec.dtype).eps),
    )


@contextlib.contextmanager
def unfinished_rows(evaluations: Unfinished) -> Iterator[None]:
    """Log the iteration in which the library ends, or in which the budget runs out."""
    try:
        yield
    except RunEnded as ended:
        if ended.outcome is Outcome.BUDGET_SPENT:
            evaluations.unfinished_row()
        raise
    evaluations.unfinished_row()


class Unfinished(Protocol):
    """What logs iterations, also one that was cut short."""

    def unfinished_row(self) -> None:
        """Log the iteration that was cut short, if there is one."""


class Evaluations:
    """L and ∇L for a line search: cached since the last row, and counted.

    Args:
        functions: The functions of the flow.
        recorder: Takes the rows.
        spent: Gradients that the run has already spent.
    """

    def __init__(self, functions: HostFunctions, recorder: Recorder, *, spent: int = 0) -> None:
        self._functions = functions
        self._recorder = recorder
        self._known: dict[bytes, tuple[float, np.ndarray]] = {}
        self._last = b""  # the point of the last row
        self._trials = 0
        self._gradients = spent
        self._rejected = 0

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """L and ∇L at a point of shape `(n,)`; only a new point is evaluated.

        Raises:
            RunEnded: The budget leaves no room for another evaluation.
        """
        key = theta.tobytes()
        if key not in self._known:
            check_budget(self._recorder, gradients=self._gradients)
            self._known[key] = self._functions.value_and_grad(theta)
            self._gradients += 1
            self._trials += 1
        loss, grad = self._known[key]
        return loss, grad.copy()  # SciPy may overwrite it

    def row(self, theta: np.ndarray) -> None:
        """Log an iteration that arrived at `theta`."""
        loss, grad = self(theta)
        rejected = max(self._trials - 1, 0)
        self._rejected += rejected
        self._last = theta.tobytes()
        self._known = {self._last: (loss, grad)}
        self._trials = 0
        self._log(theta, loss=loss, grad_norm=float(np.linalg.norm(grad)), rejected=rejected)

    def unfinished_row(self) -> None:
        """Log an iteration that was cut short, at its best trial point if that is better."""
        if self._trials == 0:
            return
        points = [(loss, key, grad) for key, (loss, grad) in self._known.items()]
        # Of equal losses the first wins, which is the last row's; a NaN never wins.
        loss, key, grad = min(points, key=lambda point: np.nan_to_num(point[0], nan=np.inf))
        rejected = self._trials - (0 if key == self._last else 1)
        self._rejected += rejected
        self._log(
            np.frombuffer(key), loss=loss, grad_norm=float(np.linalg.norm(grad)), rejected=rejected
        )

    def _log(self, theta: np.ndarray, *, loss: float, grad_norm: float, rejected: int) -> None:
        work = Work(gradients=self._gradients, rejected_steps=self._rejected)
        self._recorder.row(
            theta=theta, loss=loss, grad_norm=grad_norm, work=work, rejected=rejected
        )
