"""A summary of the runs of a study: medians over the starts, by problem and method."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg._util.numbers import finite_median
from thalweg._util.record import json_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg_lab.study.run import Run


@dataclasses.dataclass(frozen=True)
class Summary:
    """A method on a problem: medians over the runs that did not fail; NaN without a finite value.

    Attributes:
        problem: The problem.
        method: The method's label.
        runs: How many runs there are.
        failed: How many of them raised.
        loss: The least loss.
        measure: The problem's measure.
        seconds: Wall time without compilation.
        steps: Accepted steps.
        gradients: Gradient evaluations.
        run_ids: The ids of all runs, including failed ones.
    """

    problem: str
    method: str
    runs: int
    failed: int
    loss: float
    measure: float
    seconds: float
    steps: float
    gradients: float
    run_ids: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For another program."""
        return json_values(dataclasses.asdict(self))


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """One summary for each problem and method, in order of first appearance."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.problem, run.spec.method), []).append(run)
    return [_summary(problem, method, group) for (problem, method), group in groups.items()]


def _summary(problem: str, method: str, runs: list[Run]) -> Summary:
    good = [run for run in runs if not run.is_failed]
    return Summary(
        problem=problem,
        method=method,
        runs=len(runs),
        failed=len(runs) - len(good),
        loss=finite_median(run.loss for run in good),
        measure=finite_median(run.measure for run in good),
        seconds=finite_median(run.seconds for run in good),
        steps=finite_median(float(run.steps) for run in good),
        gradients=finite_median(float(run.work["gradients"]) for run in good),
        run_ids=tuple(run.id for run in runs),
    )
