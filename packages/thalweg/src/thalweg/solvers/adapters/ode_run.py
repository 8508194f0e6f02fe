"""A walk along the flow by an ODE solver of another library: first row, tolerances, verdict.

A solver brings its own steps; what comes before and after them is the same for all, and is here.

BLAS is held to one thread meanwhile: on two cores a step of Radau with matrices of order 481 took 5
to 9 times as long with two, as they fight the threads of XLA.

A run that is cut inside a step ends with one row of h = 0, which repeats the last point and books
what the unfinished step spent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

import numpy as np

from thalweg._recorder import RunEnded
from thalweg._util.threads import one_blas_thread
from thalweg.flow.compiled import HostFunctions
from thalweg.solution import Outcome, Work
from thalweg.solvers.adapters.host_loop import judge
from thalweg.solvers.adapters.negative_gradient import Slope

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solvers.adapters.negative_gradient import Point
    from thalweg.solvers.step_control import Accuracy

# A horizon that no flow moves beyond visibly. Some solvers scale their first step by the first
# target, and a later one may be anything; so the first target is one gradient-descent step.
FIRST_TARGET = 1.0
HORIZON = 1e20


def follow(
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    walk: Callable[[Slope, Point], tuple[Point, str]],
) -> tuple[Outcome, str]:
    """Log the start, walk, and judge where the walk ended by itself.

    Args:
        flow: The flow.
        theta: The start, shape `(n,)`.
        recorder: Takes the rows; its criteria end the run.
        walk: Takes the slope and the start, logs a row a step, and returns the last point and
            why the solver ended.

    Returns:
        The outcome and the walk's reason.

    Raises:
        RunEnded: A criterion is met.
    """
    functions = HostFunctions(flow, recorder)
    slope = Slope(functions, recorder, dtype=flow.spec.dtype)
    try:
        first = slope.at(np.asarray(theta, np.float64))
        recorder.row(**first._asdict(), work=Work(gradients=1), t=0.0)
        with one_blas_thread():
            last, detail = walk(slope, first)
    except RunEnded:
        _, grad = functions.value_and_grad(slope.accepted)
        recorder.set_last_grad_norm(float(np.linalg.norm(grad)))
        raise
    start_loss = float(recorder.history()["loss"][0])
    eps = float(np.finfo(flow.spec.dtype).eps)
    outcome, grad_norm = judge(functions, last.theta, start_loss=start_loss, eps=eps)
    recorder.set_last_grad_norm(grad_norm)
    return outcome, detail


def end_unfinished(
    slope: Slope, reason: BaseException, recorder: Recorder, point: Point, work: Work, *, t: float
) -> NoReturn:
    """Book what an unfinished step spent, and raise what ended it."""
    spent = work._replace(
        gradients=slope.calls,
        jacobians=max(work.jacobians, slope.jacobians),  # or the solver takes its own
        hessian_products=slope.products,
        linear_iterations=slope.products,
    )
    if (spent := add_rows(spent, slope)) != recorder.work:
        recorder.row(**point._asdict(), work=spent, t=t, h=0.0)
    raise reason


def add_rows(work: Work, slope: Slope) -> Work:
    """Add to a solver's own count what was evaluated that it does not know of."""
    return work._replace(gradients=work.gradients + slope.gradients_besides, losses=slope.losses)


def at_rest(name: str) -> str:
    """Why a solver ended that came to the horizon."""
    return (
        f"`{name}` went on to t = {HORIZON:.0e}, as nothing moves any more within its "
        "tolerances; lower `rtol` and `atol` to go further down."
    )


@final
class Schedule:
    """The tolerances of the next step, for solvers that look at them anew in each step.

    Args:
        accuracy: The tolerances, with `loosest` where they change.
        start_loss: The loss at the start of the run.
    """

    def __init__(self, accuracy: Accuracy, start_loss: float) -> None:
        self._accuracy = accuracy
        self._start_loss = start_loss

    @property
    def is_constant(self) -> bool:
        """Whether the tolerances stay as they are."""
        return self._accuracy.loosest is None or not self._start_loss > 0

    def at(self, loss: float) -> tuple[float, float]:
        """The relative and the absolute tolerance at a loss."""
        factor = 1.0
        if not self.is_constant:
            factor = float(self._accuracy.factor(loss, self._start_loss))
        return factor * self._accuracy.rtol, factor * self._accuracy.atol
