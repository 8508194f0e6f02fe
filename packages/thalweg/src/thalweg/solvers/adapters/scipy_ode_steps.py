"""SciPy's ODE integrators driven step by step, with what they spent read from their work arrays.

zvode, vode   evaluations, Jacobians, LU decompositions, Newton iterations, convergence
              failures, error-test failures
lsoda         evaluations, and Jacobians, each with one LU decomposition; the rest it does not
              report, so it stays 0
dopri5        evaluations, and attempts, six evaluations each. It fills its array only when it
              returns, so rows go by the calls it made; a test holds them against the array
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solution import Work
from thalweg.solvers.adapters.ode_run import (
    FIRST_TARGET,
    HORIZON,
    Schedule,
    add_rows,
    at_rest,
    end_unfinished,
)

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.solvers.adapters.negative_gradient import Point, Slope
    from thalweg.solvers.step_control import Accuracy

# Where the work arrays hold what, counted from 0.
STEP_TAKEN = 10  # in rwork: the size of the last step
COUNTERS = {
    "vode": {
        "gradients": 11,
        "jacobians": 12,
        "factorizations": 18,
        "newton_iterations": 19,
        "newton_failures": 20,
        "error_test_failures": 21,
    },
    "zvode": {
        "gradients": 11,
        "jacobians": 12,
        "factorizations": 19,
        "newton_iterations": 20,
        "newton_failures": 21,
        "error_test_failures": 22,
    },
    "lsoda": {"gradients": 11, "jacobians": 12, "factorizations": 12},
}
DOPRI5_FIRST = 2  # evaluations before its first attempt: the start, and one to find a first step
DOPRI5_STAGES = 6  # evaluations an attempt; the seventh stage is the next step's first
DOPRI5_STIFFNESS = 3  # where its work array takes after how many steps to test for stiffness


def walk_multistep(
    integrator: str,
    solver: Any,
    slope: Slope,
    start: Point,
    recorder: Recorder,
    *,
    accuracy: Accuracy,
) -> tuple[Point, str]:
    """Steps of vode, zvode or lsoda. Returns the last point, and why the solver ended."""
    # SciPy's wrapper of LSODA can take single steps, but does not say so, and would go on to the
    # target without a word.
    solver._integrator.supports_step = True  # noqa: SLF001 - as above
    schedule = Schedule(accuracy, start.loss)
    point, t, work = start, 0.0, recorder.work
    while t < HORIZON:
        if not schedule.is_constant:
            # VODE and LSODA look at both in each call; SciPy hands on what it has here.
            solver._integrator.call_args[:2] = schedule.at(point.loss)  # noqa: SLF001 - as above
        solver.integrate(FIRST_TARGET if t == 0 else HORIZON, step=True)
        if slope.ended is not None:
            end_unfinished(slope, slope.ended, recorder, point, work, t=t)
        before, work = work, _read(integrator, solver)
        if not solver.successful():
            work = add_rows(work, slope)
            recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # books the last attempt
            return point, _failure(integrator, solver)
        point, t = slope.at(solver.y.real), float(solver.t)
        work = add_rows(work, slope)
        recorder.row(
            **point._asdict(),
            work=work,
            t=t,
            h=float(solver._integrator.rwork[STEP_TAKEN]),  # noqa: SLF001 - VODE documents it
            rejected=work.rejected_steps - before.rejected_steps,
        )
    return point, at_rest(integrator)


def walk_dopri5(
    integrator: str, solver: Any, slope: Slope, start: Point, recorder: Recorder
) -> tuple[Point, str]:
    """One call of DOPRI5, which comes back only at its end. Returns as `walk_multistep`."""
    last = [(0.0, start)]
    work = [recorder.work]

    def log(t: float, theta: np.ndarray) -> None:
        attempts = (slope.calls - DOPRI5_FIRST) // DOPRI5_STAGES
        failures = attempts - recorder.rows
        point = slope.at(theta)
        before = work[0]
        work[0] = add_rows(
            Work(gradients=slope.calls, rejected_steps=failures, error_test_failures=failures),
            slope,
        )
        h = t - last[0][0]
        last[0] = t, point
        recorder.row(
            **point._asdict(),
            work=work[0],
            t=t,
            h=h,
            rejected=failures - before.rejected_steps,
        )

    def after_step(t: float, theta: np.ndarray) -> int:
        if slope.ended is None and t > 0:  # it is called at the start, too
            try:
                log(float(t), np.array(theta))
            except BaseException as error:  # noqa: BLE001 - Ctrl-C too; raised below
                slope.ended = error
        return 0 if slope.ended is None else -1

    solver.set_solout(after_step)
    # Its own test for stiffness would end the run after some 1,000 steps; budgets do that here.
    solver._integrator.iwork[DOPRI5_STIFFNESS] = -1  # noqa: SLF001 - documented in the solver
    solver.integrate(HORIZON)
    t, point = last[0]
    if slope.ended is not None:
        end_unfinished(slope, slope.ended, recorder, point, work[0], t=t)
    return point, (at_rest(integrator) if solver.successful() else _failure(integrator, solver))


def _read(integrator: str, solver: Any) -> Work:
    """What the solver spent so far, from its work array."""
    iwork = solver._integrator.iwork  # noqa: SLF001 - SciPy has no other way to it
    counts = {name: int(iwork[index]) for name, index in COUNTERS[integrator].items()}
    work = Work(**counts)
    return work._replace(rejected_steps=work.newton_failures + work.error_test_failures)


def _failure(integrator: str, solver: Any) -> str:
    code = solver.get_return_code()
    message = solver._integrator.messages.get(code, "no message")  # noqa: SLF001 - as in `_read`
    return f"`{integrator}` ended at t = {solver.t:.3g} with code {code}: {message}"
