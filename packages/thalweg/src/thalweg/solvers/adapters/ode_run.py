"""What a run of another library's ODE solver has in common: first row, tolerances, termination.

Each solver takes its own steps; what comes before and after them is the same for all.

Meanwhile BLAS is held to one thread: on two cores a step of Radau with matrices of order 481 took 5
to 9 times as long with two, as they compete with the threads of XLA.

A run that is cut short inside a step ends with one row of h = 0, which repeats the last point and
adds the work of the unfinished step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

import numpy as np

from thalweg._recorder import RunEnded
from thalweg._util.threads import one_blas_thread
from thalweg.flow.compiled import HostFunctions
from thalweg.solution import Outcome, Work
from thalweg.solvers.adapters.host_loop import end_of_run
from thalweg.solvers.adapters.negative_gradient import NegativeGradient

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solvers.adapters.negative_gradient import Point
    from thalweg.solvers.step_control import Accuracy

# Beyond the horizon no flow moves visibly. Some solvers scale their first step by the first time
# they are asked to reach; so that time is one unit, a gradient-descent step at learning rate 1.
FIRST_TARGET = 1.0
HORIZON = 1e20


def run_solver(
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    integrate: Callable[[NegativeGradient, Point], tuple[Point, str]],
) -> tuple[Outcome, str]:
    """Log the start, integrate, and classify the end if the solver ended by itself.

    Args:
        flow: The flow.
        theta: The start, shape `(n,)`.
        recorder: Takes the rows; its criteria end the run.
        integrate: Called with the vector field and the start; logs a row for each step, and
            returns the last point and why the solver ended.

    Returns:
        The outcome, and the reason that `integrate` gave.

    Raises:
        RunEnded: A criterion is met.
    """
    functions = HostFunctions(flow, recorder)
    field = NegativeGradient(functions, recorder, dtype=flow.spec.dtype)
    try:
        first = field.at(np.asarray(theta, np.float64))
        recorder.row(**first._asdict(), work=Work(gradients=1), t=0.0)
        with one_blas_thread():
            last, detail = integrate(field, first)
    except RunEnded:
        _, grad = functions.value_and_grad(field.accepted)
        recorder.set_last_grad_norm(float(np.linalg.norm(grad)))
        raise
    outcome, grad_norm = end_of_run(flow, functions, recorder, last.theta)
    recorder.set_last_grad_norm(grad_norm)
    return outcome, detail


def end_inside_step(
    field: NegativeGradient,
    reason: BaseException,
    recorder: Recorder,
    point: Point,
    work: Work,
    *,
    t: float,
) -> NoReturn:
    """Count the work of an unfinished step, and raise what ended it."""
    spent = work._replace(
        gradients=field.calls,
        jacobians=max(work.jacobians, field.jacobians),  # a solver may take its own
        hessian_products=field.products,
        linear_iterations=field.products,
    )
    if (spent := with_extra(spent, field)) != recorder.work:
        recorder.row(**point._asdict(), work=spent, t=t, h=0.0)
    raise reason


def with_extra(work: Work, field: NegativeGradient) -> Work:
    """A solver's own count, plus the evaluations that it does not know of."""
    return work._replace(gradients=work.gradients + field.extra_gradients, losses=field.losses)


def reached_horizon(name: str) -> str:
    """Why a solver ended that reached the horizon."""
    return (
        f"`{name}` reached t = {HORIZON:.0e}: within its tolerances nothing moves any more; lower "
        "`rtol` and `atol` to reach a lower loss."
    )


@final
class Schedule:
    """The tolerances of the next step, for solvers that read them before each step.

    Args:
        accuracy: The tolerances, with `loosest` if they change.
        start_loss: The loss at the start of the run.
    """

    def __init__(self, accuracy: Accuracy, start_loss: float) -> None:
        self._accuracy = accuracy
        self._start_loss = start_loss

    @property
    def is_constant(self) -> bool:
        """Whether the tolerances never change."""
        return self._accuracy.loosest is None or not self._start_loss > 0

    def at(self, loss: float) -> tuple[float, float]:
        """The relative and the absolute tolerance at a loss."""
        factor = 1.0
        if not self.is_constant:
            factor = float(self._accuracy.factor(loss, self._start_loss))
        return factor * self._accuracy.rtol, factor * self._accuracy.atol
