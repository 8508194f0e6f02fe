"""What the fits of all entrants come to."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING, Any

from thalweg._util.record import json_values
from thalweg_lab.bench.fits.judge import Verdict
from thalweg_lab.bench.fits.solvers import SOLVERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thalweg._util.machine import Machine
    from thalweg_lab.bench.fits.record import Fit

SCHEMA_VERSION = 1
NIST = "NIST"


@dataclasses.dataclass(frozen=True)
class Score:
    """An entrant on some problems.

    Attributes:
        solver: The entrant's label.
        fits: How many fits it made.
        solved: Start to the number of solved fits and the number of fits from there.
        other_minima: Fits that ended at a minimum that is not the least known.
        false_successes: Fits that were called a success and ended at no minimum.
        unsaid: Solved fits that were not called a success.
        digits: The median of the correct digits of the worst parameter, over solved fits; None
            where no parameters are certified.
        fewest_digits: The fewest of them.
        evaluations: The median number of evaluations of solved fits.
        seconds: The wall time of all fits, without compilation.
        compile_seconds: The compilation of all problems.
    """

    solver: str
    fits: int
    solved: Mapping[str, tuple[int, int]]
    other_minima: int
    false_successes: int
    unsaid: int
    digits: float | None
    fewest_digits: float | None
    evaluations: float | None
    seconds: float
    compile_seconds: float

    @property
    def all_solved(self) -> int:
        """Solved fits, from all starts."""
        return sum(solved for solved, _ in self.solved.values())


def scores(fits: Sequence[Fit]) -> list[Score]:
    """The scores of all entrants, in the order of `SOLVERS`."""
    by_solver = {solver: [f for f in fits if f.solver == solver] for solver in SOLVERS}
    return [_score(solver, own) for solver, own in by_solver.items() if own]


def of_collections(fits: Iterable[Fit], *, nist: bool) -> list[Fit]:
    """NIST's fits, or those of the other collections."""
    return [each for each in fits if (each.collection == NIST) == nist]


def _score(solver: str, fits: Sequence[Fit]) -> Score:
    solved = [each for each in fits if each.is_solved]
    starts = dict.fromkeys(each.start for each in fits)
    digits = [each.digits for each in solved if each.digits is not None]
    compiled = {(f.collection, f.problem): f.compile_seconds for f in reversed(fits)}
    return Score(
        solver=solver,
        fits=len(fits),
        solved={s: _of([each for each in fits if each.start == s]) for s in starts},
        other_minima=sum(each.verdict is Verdict.LOCAL for each in fits),
        false_successes=sum(each.is_false_success for each in fits),
        unsaid=sum(not each.says_success for each in solved),
        digits=statistics.median(digits) if digits else None,
        fewest_digits=min(digits, default=None),
        evaluations=statistics.median(f.evaluations for f in solved) if solved else None,
        seconds=sum(each.seconds for each in fits),
        compile_seconds=sum(compiled.values()),
    )


def _of(fits: Sequence[Fit]) -> tuple[int, int]:
    return sum(each.is_solved for each in fits), len(fits)


def as_json(fits: Sequence[Fit], machine: Machine, *, suite: str, seconds: float) -> dict[str, Any]:
    """All fits and scores for another program."""
    return json_values(
        {
            "schema_version": SCHEMA_VERSION,
            "suite": suite,
            "seconds": seconds,
            "machine": dataclasses.asdict(machine),
            "scores": {
                name: [
                    dataclasses.asdict(score)
                    for score in scores(of_collections(fits, nist=is_nist))
                ]
                for name, is_nist in (("nist", True), ("collections", False))
            },
            "fits": [
                {**dataclasses.asdict(each), "is_false_success": each.is_false_success}
                for each in fits
            ],
        }
    )
