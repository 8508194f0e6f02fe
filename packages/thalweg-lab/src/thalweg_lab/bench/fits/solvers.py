"""The entrants: thalweg as it comes, and each peer at the best settings that were found for it.

Peers have exact Jacobians and tolerances as tight as they take. Parameters are scaled by the
columns of the Jacobian where more fits are solved with that: by `trf`; `lm` solves as many either
way, and `dogbox` fewer. "defaults" is a call without any setting.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import Outcome, Stop, minimize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from thalweg_lab.bench.fits.programs import Programs

    Solver = Callable[[Programs, np.ndarray, float], "Found"]

TIGHT = 1e-15  # the least tolerance that SciPy passes on to MINPACK
EVALUATIONS = 20_000
OPTIMISTIX_RTOL, OPTIMISTIX_ATOL = 1e-13, 1e-30
OPTIMISTIX_STEPS = 20_000


@dataclasses.dataclass(frozen=True)
class Found:
    """What a solver returned.

    Attributes:
        theta: The parameters, shape `(n,)`.
        says_success: Whether it called that a success.
        message: In its own words.
        evaluations: Evaluations of the residuals.
        jacobians: Evaluations of the Jacobian.
        seconds: Processor time without compilation; other load on the machine hardly matters.
        compile_seconds: Processor time of compilation; 0 where it was done for another start.
    """

    theta: np.ndarray
    says_success: bool
    message: str
    evaluations: int
    jacobians: int
    seconds: float
    compile_seconds: float


class _OutOfTimeError(Exception):
    """The seconds of a run are spent."""


def _thalweg(programs: Programs, start: np.ndarray, seconds: float) -> Found:
    task, stop = programs.task.problem, Stop(seconds=seconds)
    began = time.process_time()
    solution = minimize(task, jnp.asarray(start), stop=stop)
    spent, compiling = time.process_time() - began, 0.0
    if solution.compile_seconds > 0.0 and solution.seconds < seconds:
        began = time.process_time()
        solution = minimize(task, jnp.asarray(start), stop=stop)  # the same with all compiled
        spent, compiling = (again := time.process_time() - began), spent - again
    if solution.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    work = solution.work
    return Found(
        theta=np.asarray(solution.params),
        says_success=solution.outcome.is_success,
        message=solution.outcome.value,
        evaluations=int(work.losses + work.gradients),
        jacobians=int(work.jacobians),
        seconds=spent,
        compile_seconds=compiling,
    )


class _Watched:
    """Residuals and Jacobian that count their calls, remember the best point, and end in time."""

    def __init__(self, programs: Programs, start: np.ndarray, seconds: float) -> None:
        self._programs = programs
        self.best = start
        self.lowest = np.inf
        self.evaluations = self.jacobians = 0
        self.compile_seconds = programs.compile_seconds
        self._began = time.process_time()
        self._ends = self._began + seconds

    @property
    def seconds(self) -> float:
        return time.process_time() - self._began

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        if time.process_time() > self._ends:
            raise _OutOfTimeError
        self.evaluations += 1
        values = self._programs.residuals(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(values @ values)
        if squares < self.lowest:
            self.lowest, self.best = squares, np.array(theta)
        return values

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        self.jacobians += 1
        return self._programs.jacobian(theta)

    def found(self, theta: np.ndarray, *, says_success: bool, message: str) -> Found:
        return Found(
            theta=theta,
            says_success=says_success,
            message=message,
            evaluations=self.evaluations,
            jacobians=self.jacobians,
            seconds=self.seconds,
            compile_seconds=self.compile_seconds,
        )

    def out_of_time(self) -> Found:
        return self.found(self.best, says_success=False, message="out of time")


def _scipy(
    programs: Programs,
    start: np.ndarray,
    seconds: float,
    *,
    method: str,
    x_scale: float | str = 1.0,
    has_defaults: bool = False,
) -> Found:
    from scipy.optimize import least_squares

    watched = _Watched(programs, start, seconds)
    settings: dict[str, Any] = {}
    if not has_defaults:
        settings = {
            "jac": watched.jacobian,
            "x_scale": x_scale,
            "ftol": TIGHT,
            "xtol": TIGHT,
            "gtol": TIGHT,
            "max_nfev": EVALUATIONS,
        }
    try:
        result = least_squares(watched.residuals, start, method=method, **settings)
    except _OutOfTimeError:
        return watched.out_of_time()
    return watched.found(result.x, says_success=bool(result.success), message=result.message)


def _lmfit(programs: Programs, start: np.ndarray, seconds: float) -> Found:
    import lmfit

    watched = _Watched(programs, start, seconds)
    parameters = lmfit.create_params(**{f"b{k}": float(value) for k, value in enumerate(start)})

    def vector(values: Any) -> np.ndarray:
        return np.array([values[f"b{k}"].value for k in range(start.size)])

    fit = lmfit.Minimizer(
        lambda values: watched.residuals(vector(values)),
        parameters,
        nan_policy="propagate",  # MINPACK steps back; the default raises
        max_nfev=EVALUATIONS,
    )
    try:
        result: Any = fit.leastsq(
            Dfun=lambda values: watched.jacobian(vector(values)), ftol=TIGHT, xtol=TIGHT
        )
    except _OutOfTimeError:
        return watched.out_of_time()
    end = vector(result.params)
    return watched.found(end, says_success=bool(result.success), message=str(result.message))


def _optimistix_program(programs: Programs, name: str) -> tuple[Any, float]:
    """Its compiled loop, and the processor time of the compilation."""
    import optimistix

    if name in programs.kept:
        return programs.kept[name]

    solver = getattr(optimistix, name)(rtol=OPTIMISTIX_RTOL, atol=OPTIMISTIX_ATOL)

    def solve(theta: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        end = optimistix.least_squares(
            lambda x, _: programs.task.residuals(x),
            solver,
            theta,
            max_steps=OPTIMISTIX_STEPS,
            throw=False,
        )
        return end.value, end.result == optimistix.RESULTS.successful, end.stats["num_steps"]

    began = time.process_time()
    compiled = jax.jit(solve).lower(jnp.zeros(programs.task.size)).compile()
    programs.kept[name] = compiled, time.process_time() - began
    return programs.kept[name]


def _optimistix(programs: Programs, start: np.ndarray, _: float, *, name: str) -> Found:
    """Optimistix's loop cannot be ended from outside: its steps are bounded, not its time."""
    compiled, compile_seconds = _optimistix_program(programs, name)
    began = time.process_time()
    theta, is_success, steps = jax.block_until_ready(compiled(jnp.asarray(start)))
    return Found(
        theta=np.asarray(theta),
        says_success=bool(is_success),
        message="successful" if is_success else "not successful",
        evaluations=int(steps),
        jacobians=int(steps),  # it linearises at each trial point
        seconds=time.process_time() - began,
        compile_seconds=compile_seconds,
    )


OURS = "thalweg"
SOLVERS: Mapping[str, Solver] = {
    OURS: _thalweg,
    "SciPy lm": functools.partial(_scipy, method="lm", x_scale="jac"),
    "SciPy trf": functools.partial(_scipy, method="trf", x_scale="jac"),
    "SciPy dogbox": functools.partial(_scipy, method="dogbox"),
    "SciPy lm, defaults": functools.partial(_scipy, method="lm", has_defaults=True),
    "Optimistix LM": functools.partial(_optimistix, name="LevenbergMarquardt"),
    "Optimistix Dogleg": functools.partial(_optimistix, name="Dogleg"),
    "lmfit": _lmfit,
}
NEEDS = {"Optimistix LM": "optimistix", "Optimistix Dogleg": "optimistix", "lmfit": "lmfit"}
NIST_ONLY = ("lmfit",)  # its algorithm is SciPy's lm, so the collections would show that twice


def available() -> dict[str, Solver]:
    """The entrants whose libraries are installed."""
    return {
        label: solver
        for label, solver in SOLVERS.items()
        if label not in NEEDS or importlib.util.find_spec(NEEDS[label]) is not None
    }
