"""SciPy's `OdeSolver` classes on the gradient flow: Radau, BDF and DOP853, step by step.

    Radau    implicit Runge-Kutta of order 5 (Radau IIA, three stages)
    BDF      orders 1 to 5, with the fixed-leading-coefficient form of Shampine and Reichelt
    DOP853   explicit Runge-Kutta of order 8 by Dormand and Prince

Evaluations, Jacobians and LU decompositions are SciPy's own counts. Attempts and Newton iterations
it does not count; they follow from the times at which it asks for the slope: BDF asks once an
iteration, Radau three times, and once more where a step was taken, DOP853 twelve times an attempt.

Source: Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.8 (Radau);
Shampine & Reichelt 1997, "The MATLAB ODE suite" (BDF); Hairer, Nørsett & Wanner, *Solving Ordinary
Differential Equations I*, 2nd ed., II.5 (DOP853).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solvers.adapters.attempts import TimedSlope, failures_of
from thalweg.solvers.adapters.ode_run import HORIZON, Schedule, add_rows, at_rest, end_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.solution import Work
    from thalweg.solvers.adapters.negative_gradient import Point, Slope
    from thalweg.solvers.step_control import Accuracy

STEPPERS = {"radau": "Radau", "bdf": "BDF", "dop853": "DOP853"}
HALF = 0.5  # what Radau and BDF multiply h by where Newton's iteration failed
RADAU_STAGES = 3
DOP853_CALLS = 12  # an attempt; the last is the next step's first


def walk_stepper(
    integrator: str,
    slope: Slope,
    start: Point,
    recorder: Recorder,
    *,
    accuracy: Accuracy,
    is_exact: bool,
) -> tuple[Point, str]:
    """Steps of Radau, BDF or DOP853. Returns the last point, and why the solver ended.

    Args:
        integrator: A key of `STEPPERS`.
        slope: What is integrated.
        start: The start.
        recorder: Takes a row a step.
        accuracy: The tolerances, changed between steps where they are a schedule.
        is_exact: Whether the Jacobian is the exact Hessian and not by finite differences, which
            are taken here, so that the times of SciPy's calls are those of its formulas alone.
    """
    asked = TimedSlope(slope)
    schedule = Schedule(accuracy, start.loss)
    point, t, work = start, 0.0, recorder.work
    solver = _solver(integrator, asked, slope, start.theta, accuracy, is_exact=is_exact)
    asked.times.clear()  # the calls that found the first step
    while slope.ended is None and solver.status == "running":
        if not schedule.is_constant:
            solver.rtol, solver.atol = schedule.at(point.loss)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # A trial point may be so far off that the loss overflows; the step is then shortened.
            warnings.simplefilter("ignore", RuntimeWarning)
            message = solver.step()
        if slope.ended is not None:
            break
        is_taken = solver.status != "failed"
        before, work = work, _read(integrator, solver, asked, work, start=t, is_taken=is_taken)
        work = add_rows(work._replace(gradients=slope.calls), slope)
        if not is_taken:
            recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # books the last attempts
            return point, f"`{integrator}` ended at t = {t:.3g}: {message}"
        asked.times.clear()
        point, h, t = slope.at(solver.y), float(solver.t) - t, float(solver.t)
        work = add_rows(work._replace(gradients=slope.calls), slope)
        recorder.row(
            **point._asdict(),
            work=work,
            t=t,
            h=h,
            rejected=work.rejected_steps - before.rejected_steps,
        )
    if slope.ended is not None:
        end_unfinished(slope, slope.ended, recorder, point, work, t=t)
    return point, at_rest(integrator)


def _solver(
    integrator: str,
    asked: TimedSlope,
    slope: Slope,
    theta: np.ndarray,
    accuracy: Accuracy,
    *,
    is_exact: bool,
) -> Any:
    """SciPy's solver at t = 0; it finds its first step by evaluations of its own."""
    import scipy.integrate

    options: dict[str, Any] = {"rtol": accuracy.rtol, "atol": accuracy.atol}
    if integrator != "dop853":
        options["jac"] = _finite(slope.jacobian if is_exact else slope.differences)
    with warnings.catch_warnings():
        # Of an `rtol` below what float64 resolves, which SciPy then raises to that.
        warnings.filterwarnings("ignore", message="At least one element of `rtol`")
        return getattr(scipy.integrate, STEPPERS[integrator])(asked, 0.0, theta, HORIZON, **options)


def _finite(
    jacobian: Callable[[float, np.ndarray], np.ndarray],
) -> Callable[[float, np.ndarray], np.ndarray]:
    """A Jacobian that SciPy can factorise, also far off: there Newton fails, and h is halved."""

    def evaluate(t: float, theta: np.ndarray) -> np.ndarray:
        return np.nan_to_num(jacobian(t, theta), nan=0.0, posinf=0.0, neginf=0.0)

    return evaluate


def _read(
    integrator: str, solver: Any, asked: TimedSlope, work: Work, *, start: float, is_taken: bool
) -> Work:
    """What the solver spent so far, with the attempts and iterations of the last step."""
    times = [t for t in asked.times if t != start]  # Radau's second error estimate is at the start
    iterations, factor = 0, HALF
    if integrator == "bdf":
        iterations = len(times)
    elif integrator == "radau":
        times = times[: len(times) - is_taken : RADAU_STAGES]  # without the slope at the new point
        iterations = len(times)
    else:
        times, factor = asked.times[DOP853_CALLS - 1 :: DOP853_CALLS], None
    failures = failures_of(times, start=start, newton_factor=factor, is_taken=is_taken)
    return failures.booked(work)._replace(
        jacobians=solver.njev,
        factorizations=solver.nlu,
        newton_iterations=work.newton_iterations + iterations,
    )
