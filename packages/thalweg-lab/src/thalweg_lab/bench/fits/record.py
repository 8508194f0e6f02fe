"""The record of one fit: a problem, a start, a solver, and where that ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING

from thalweg_lab.bench.fits.judge import Verdict, digits, verdict
from thalweg_lab.bench.fits.solvers import available

if TYPE_CHECKING:
    import numpy as np

    from thalweg_lab.bench.fits.programs import Programs

MINIMA = (Verdict.SOLVED, Verdict.LOCAL)


@dataclasses.dataclass(frozen=True)
class Fit:
    """One fit.

    Attributes:
        collection: The problem's collection.
        problem: Its name.
        start: The start's name: `1` or `2` of NIST, else the multiple of the standard start.
        solver: The entrant's label.
        says_success: Whether the solver called its end a success.
        message: What it said, in its own words; for a run that raised, the error.
        verdict: What the end is.
        squares: The sum of squares there; None where it is not finite.
        digits: Correct digits of the worst parameter, for NIST's problems.
        evaluations: Evaluations of the residuals.
        jacobians: Evaluations of the Jacobian.
        seconds: Wall time without compilation.
        compile_seconds: Compilation; shared by the starts of a problem.
        began: ISO 8601.
        commit: The commit of thalweg's checkout; None where it is installed.
    """

    collection: str
    problem: str
    start: str
    solver: str
    says_success: bool
    message: str
    verdict: Verdict
    squares: float | None
    digits: float | None
    evaluations: int
    jacobians: int
    seconds: float
    compile_seconds: float
    began: str
    commit: str | None

    @property
    def is_solved(self) -> bool:
        """Whether the squares are right to four digits."""
        return self.verdict is Verdict.SOLVED

    @property
    def is_false_success(self) -> bool:
        """Whether the solver called an end a success that is no minimum."""
        return self.says_success and self.verdict not in MINIMA


def fit(programs: Programs, start: str, solver: str, *, seconds: float, commit: str | None) -> Fit:
    """Make one fit. JAX's x64 flag must be on.

    Args:
        programs: The problem's.
        start: The name of a start.
        solver: The label of an entrant.
        seconds: The budget, without compilation.
        commit: For the record.
    """
    task = programs.task
    began = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    theta = task.starts[start]
    try:
        found = available()[solver](programs, theta, seconds)
    except Exception as error:  # noqa: BLE001 - an error is a result of the run
        return Fit(
            collection=task.collection,
            problem=task.name,
            start=start,
            solver=solver,
            says_success=False,
            message=f"{type(error).__name__}: {error}",
            verdict=verdict(programs, theta),
            squares=_finite(task.squares(theta)),
            digits=digits(task, theta),
            evaluations=0,
            jacobians=0,
            seconds=0.0,
            compile_seconds=0.0,
            began=began,
            commit=commit,
        )
    return Fit(
        collection=task.collection,
        problem=task.name,
        start=start,
        solver=solver,
        says_success=found.says_success,
        message=found.message,
        verdict=verdict(programs, found.theta),
        squares=_finite(task.squares(found.theta)),
        digits=digits(task, found.theta),
        evaluations=found.evaluations,
        jacobians=found.jacobians,
        seconds=found.seconds,
        compile_seconds=found.compile_seconds,
        began=began,
        commit=commit,
    )


def _finite(value: float | np.floating) -> float | None:
    return float(value) if math.isfinite(value) else None
