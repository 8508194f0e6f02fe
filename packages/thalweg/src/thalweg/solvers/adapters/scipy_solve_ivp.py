"""SciPy's `OdeSolver` classes on the gradient flow: Radau, BDF and DOP853, step by step.

    Radau    implicit Runge-Kutta of order 5 (Radau IIA, three stages)
    BDF      orders 1 to 5, with the fixed-leading-coefficient form of Shampine and Reichelt
    DOP853   explicit Runge-Kutta of order 8 by Dormand and Prince

SciPy counts evaluations, Jacobians and LU decompositions. It does not count attempts and Newton
iterations; they follow from the times at which it evaluates -∇L: BDF evaluates once in an
iteration, Radau three times, and once more after an accepted step, DOP853 twelve times in an
attempt.

Source: Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.8 (Radau);
Shampine & Reichelt 1997, "The MATLAB ODE suite" (BDF); Hairer, Nørsett & Wanner, *Solving Ordinary
Differential Equations I*, 2nd ed., II.5 (DOP853).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solvers.adapters.attempts import TimedField, failures_of
from thalweg.solvers.adapters.ode_run import (
    HORIZON,
    Schedule,
    end_inside_step,
    reached_horizon,
    with_extra,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.solution import Work
    from thalweg.solvers.adapters.negative_gradient import NegativeGradient, Point
    from thalweg.solvers.step_control import Accuracy

STEPPERS = {"radau": "Radau", "bdf": "BDF", "dop853": "DOP853"}
HALF = 0.5  # factor of h in Radau and BDF after a Newton failure
RADAU_STAGES = 3
DOP853_CALLS = 12  # of an attempt; the last is the first of the next step


def integrate_stepper(
    integrator: str,
    field: NegativeGradient,
    start: Point,
    recorder: Recorder,
    *,
    accuracy: Accuracy,
    is_exact: bool,
) -> tuple[Point, str]:
    """Integrate by Radau, BDF or DOP853.

    Args:
        integrator: A key of `STEPPERS`.
        field: The vector field.
        start: The start.
        recorder: Takes a row for each step.
        accuracy: The tolerances; a schedule changes them between steps.
        is_exact: Whether the Jacobian is the exact Hessian, or by finite differences. These are
            taken here, so that SciPy's calls are those of its formulas alone.

    Returns:
        The last point, and why the solver ended.
    """
    timed = TimedField(field)
    schedule = Schedule(accuracy, start.loss)
    point, t, work = start, 0.0, recorder.work
    solver = _solver(integrator, timed, field, start.theta, accuracy, is_exact=is_exact)
    timed.times.clear()  # the calls that found the first step
    while field.ended is None and solver.status == "running":
        if not schedule.is_constant:
            solver.rtol, solver.atol = schedule.at(point.loss)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # The loss may overflow at a distant trial point; the solver then shortens the step.
            warnings.simplefilter("ignore", RuntimeWarning)
            message = solver.step()
        if field.ended is not None:
            break
        is_taken = solver.status != "failed"
        before, work = work, _read(integrator, solver, timed, work, start=t, is_taken=is_taken)
        work = with_extra(work._replace(gradients=field.calls), field)
        if not is_taken:
            recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # counts the last attempts
            return point, f"`{integrator}` ended at t = {t:.3g}: {message}"
        timed.times.clear()
        point, h, t = field.at(solver.y), float(solver.t) - t, float(solver.t)
        work = with_extra(work._replace(gradients=field.calls), field)
        recorder.row(
            **point._asdict(),
            work=work,
            t=t,
            h=h,
            rejected=work.rejected_steps - before.rejected_steps,
        )
    if field.ended is not None:
        end_inside_step(field, field.ended, recorder, point, work, t=t)
    return point, reached_horizon(integrator)


def _solver(
    integrator: str,
    timed: TimedField,
    field: NegativeGradient,
    theta: np.ndarray,
    accuracy: Accuracy,
    *,
    is_exact: bool,
) -> Any:
    """SciPy's solver at t = 0, which has chosen its first step by evaluations of its own."""
    import scipy.integrate

    options: dict[str, Any] = {"rtol": accuracy.rtol, "atol": accuracy.atol}
    if integrator != "dop853":
        options["jac"] = _finite(field.jacobian if is_exact else field.differences)
    with warnings.catch_warnings():
        # SciPy raises an `rtol` that float64 cannot resolve, and warns of it.
        warnings.filterwarnings("ignore", message="At least one element of `rtol`")
        return getattr(scipy.integrate, STEPPERS[integrator])(timed, 0.0, theta, HORIZON, **options)


def _finite(
    jacobian: Callable[[float, np.ndarray], np.ndarray],
) -> Callable[[float, np.ndarray], np.ndarray]:
    """A Jacobian without NaN: SciPy can factorise it, Newton's method fails, and h is halved."""

    def evaluate(t: float, theta: np.ndarray) -> np.ndarray:
        return np.nan_to_num(jacobian(t, theta), nan=0.0, posinf=0.0, neginf=0.0)

    return evaluate


def _read(
    integrator: str, solver: Any, timed: TimedField, work: Work, *, start: float, is_taken: bool
) -> Work:
    """The work so far, with the attempts and iterations of the last step."""
    times = [t for t in timed.times if t != start]  # Radau's second error estimate is at the start
    iterations, factor = 0, HALF
    if integrator == "bdf":
        iterations = len(times)
    elif integrator == "radau":
        times = times[: len(times) - is_taken : RADAU_STAGES]  # without that of the new point
        iterations = len(times)
    else:
        times, factor = timed.times[DOP853_CALLS - 1 :: DOP853_CALLS], None
    failures = failures_of(times, start=start, newton_factor=factor, is_taken=is_taken)
    return failures.added_to(work)._replace(
        jacobians=solver.njev,
        factorizations=solver.nlu,
        newton_iterations=work.newton_iterations + iterations,
    )
