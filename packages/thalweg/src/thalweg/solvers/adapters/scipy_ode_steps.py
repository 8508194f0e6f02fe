"""SciPy's ODE integrators, step by step, with their work read from their work arrays.

zvode, vode   evaluations, Jacobians, LU decompositions, Newton iterations, convergence
              failures, error-test failures
lsoda         evaluations, and Jacobians, each with one LU decomposition; it does not report the
              rest, which stays 0
dopri5        evaluations, and attempts of six evaluations each. It fills its array only when it
              returns, so its calls are counted instead; a test compares them with the array
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solution import Work
from thalweg.solvers.adapters.ode_run import (
    FIRST_TARGET,
    HORIZON,
    Schedule,
    end_inside_step,
    reached_horizon,
    with_extra,
)

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.solvers.adapters.negative_gradient import NegativeGradient, Point
    from thalweg.solvers.step_control import Accuracy

# Indices into the work arrays, from 0.
STEP_TAKEN = 10  # in `rwork`: the size of the last step
COUNTERS = {  # in `iwork`
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
DOPRI5_FIRST = 2  # evaluations before its first attempt: the start, and one to choose the step
DOPRI5_STAGES = 6  # evaluations of an attempt; the seventh stage is the first of the next step
DOPRI5_STIFFNESS = 3  # in `iwork`: the number of steps after which it tests for stiffness


def integrate_multistep(
    integrator: str,
    solver: Any,
    field: NegativeGradient,
    start: Point,
    recorder: Recorder,
    *,
    accuracy: Accuracy,
) -> tuple[Point, str]:
    """Integrate by vode, zvode or lsoda. Returns the last point, and why the solver ended."""
    # SciPy's wrapper of LSODA can take single steps, but does not declare it; without this it
    # would silently integrate to the horizon.
    solver._integrator.supports_step = True  # noqa: SLF001 - as above
    schedule = Schedule(accuracy, start.loss)
    point, t, work = start, 0.0, recorder.work
    while t < HORIZON:
        if not schedule.is_constant:
            # VODE and LSODA read both in each call; SciPy passes on these values.
            solver._integrator.call_args[:2] = schedule.at(point.loss)  # noqa: SLF001 - as above
        solver.integrate(FIRST_TARGET if t == 0 else HORIZON, step=True)
        if field.ended is not None:
            end_inside_step(field, field.ended, recorder, point, work, t=t)
        before, work = work, _read(integrator, solver)
        if not solver.successful():
            work = with_extra(work, field)
            recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # counts the last attempt
            return point, _failure(integrator, solver)
        point, t = field.at(solver.y.real), float(solver.t)
        work = with_extra(work, field)
        recorder.row(
            **point._asdict(),
            work=work,
            t=t,
            h=float(solver._integrator.rwork[STEP_TAKEN]),  # noqa: SLF001 - VODE documents it
            rejected=work.rejected_steps - before.rejected_steps,
        )
    return point, reached_horizon(integrator)


def integrate_dopri5(
    integrator: str, solver: Any, field: NegativeGradient, start: Point, recorder: Recorder
) -> tuple[Point, str]:
    """Integrate by one call of DOPRI5. Returns what `integrate_multistep` returns."""
    last = [(0.0, start)]
    work = [recorder.work]

    def log(t: float, theta: np.ndarray) -> None:
        attempts = (field.calls - DOPRI5_FIRST) // DOPRI5_STAGES
        failures = attempts - recorder.rows
        point = field.at(theta)
        before = work[0]
        work[0] = with_extra(
            Work(gradients=field.calls, rejected_steps=failures, error_test_failures=failures),
            field,
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
        if field.ended is None and t > 0:  # it is called at the start, too
            try:
                log(float(t), np.array(theta))
            except BaseException as error:  # noqa: BLE001 - Ctrl-C too; raised below
                field.ended = error
        return 0 if field.ended is None else -1

    solver.set_solout(after_step)
    # Its test for stiffness would end the run after about 1,000 steps; here budgets end it.
    solver._integrator.iwork[DOPRI5_STIFFNESS] = -1  # noqa: SLF001 - documented in the solver
    solver.integrate(HORIZON)
    t, point = last[0]
    if field.ended is not None:
        end_inside_step(field, field.ended, recorder, point, work[0], t=t)
    return point, (
        reached_horizon(integrator) if solver.successful() else _failure(integrator, solver)
    )


def _read(integrator: str, solver: Any) -> Work:
    """The work so far, from the solver's work array."""
    iwork = solver._integrator.iwork  # noqa: SLF001 - SciPy has no other way to it
    counts = {name: int(iwork[index]) for name, index in COUNTERS[integrator].items()}
    work = Work(**counts)
    return work._replace(rejected_steps=work.newton_failures + work.error_test_failures)


def _failure(integrator: str, solver: Any) -> str:
    code = solver.get_return_code()
    message = solver._integrator.messages.get(code, "no message")  # noqa: SLF001 - as in `_read`
    return f"`{integrator}` ended at t = {solver.t:.3g} with code {code}: {message}"
