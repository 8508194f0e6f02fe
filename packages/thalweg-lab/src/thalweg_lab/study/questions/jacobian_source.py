"""Finite differences against the exact Hessian: the same solver, the same tolerances.

A Jacobian of the slope is the Hessian of the loss, n by n. By finite differences it takes n
gradients or n + 1, one call after the other; exactly n Hessian products, each worth two gradients,
in one compiled call. So the exact one is no fewer passes over the data; it is quicker where calls
cost more than arithmetic, and it is exact.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg_lab.study.answer import Answer, Table
from thalweg_lab.study.questions.reading import (
    TARGETS,
    by_setting,
    cell,
    ids,
    in_words,
    listed,
    median,
    of_problem,
    problems_of,
    ratio,
    reachable,
    reached,
    times,
    whole,
)
from thalweg_lab.study.questions.settings import DIFFERENCES, EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg_lab.study.questions.reading import Reached
    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

QUESTION = "What does the Jacobian cost by finite differences, and what by exact derivatives?"
COLUMNS = (
    "problem",
    "solver",
    "Jacobian",
    "runs",
    "arrived",
    "gradients",
    "Jacobians",
    "seconds",
    "final loss",
)
NOTICEABLE = 1.2  # factor from which a difference is worth a word


def answer(runs: Sequence[Run]) -> Answer:
    """What the source of the Jacobian changed."""
    rows, row_ids = [], []
    gradients: list[float] = []
    seconds: list[float] = []
    only_exact = only_differences = 0
    for problem in problems_of(runs):
        known = of_problem(runs, problem)
        target = TARGETS.get(problem, math.nan)
        starts = reachable(known, target)
        groups = by_setting(known)
        for exact, differences in _pairs(groups):
            pair = {
                setting.jacobian: [run for run in groups[setting] if run.spec.start in starts]
                for setting in (exact, differences)
            }
            for setting in (differences, exact):
                rows.append(_row(problem, setting, pair[setting.jacobian], target))
                row_ids.append(ids(pair[setting.jacobian]))
            for one, other in _matched(pair[EXACT], pair[DIFFERENCES], target):
                only_exact += math.isinf(other.seconds) and math.isfinite(one.seconds)
                only_differences += math.isinf(one.seconds) and math.isfinite(other.seconds)
                gradients.append(ratio(other.gradients, one.gradients))
                seconds.append(_factor(other.seconds, one.seconds))
    numbers = {
        "gradients_ratio": median(gradients),
        "seconds_ratio": median(seconds),
        "pairs": sum(math.isfinite(value) for value in gradients),
        "only_exact_arrived": only_exact,
        "only_differences_arrived": only_differences,
    }
    return Answer(
        question=QUESTION,
        verdict=_verdict(**numbers),
        numbers=numbers,
        tables=(
            Table(
                "The same solver at 1e-8, 1e-6 with both Jacobians: medians to "
                + listed(
                    [f"{name} {TARGETS[name]:g}" for name in problems_of(runs) if name in TARGETS]
                    or ["no target"]
                ),
                COLUMNS,
                tuple(rows),
                tuple(row_ids),
            ),
        ),
    )


def _factor(differences: float, exact: float) -> float:
    """How many times as quick the exact one is; infinite where it alone arrived, 0 for never."""
    if math.isinf(differences) and math.isinf(exact):
        return math.nan
    return 0.0 if math.isinf(exact) else differences / exact


def _pairs(groups: dict[Setting, list[Run]]) -> list[tuple[Setting, Setting]]:
    """Settings that differ in the Jacobian alone: exact, by differences."""
    import dataclasses

    pairs = []
    for setting in groups:
        other = dataclasses.replace(setting, jacobian=DIFFERENCES)
        if setting.jacobian == EXACT and other in groups:
            pairs.append((setting, other))
    return pairs


def _matched(
    exact: Sequence[Run], differences: Sequence[Run], target: float
) -> list[tuple[Reached, Reached]]:
    """What both spent from each start that both ran from."""
    others = {run.spec.start: run for run in differences}
    return [
        (reached(run, target), reached(others[run.spec.start], target))
        for run in exact
        if run.spec.start in others
    ]


def _row(
    problem: str, setting: Setting, runs: Sequence[Run], target: float
) -> tuple[str | int | float | None, ...]:
    spent = [reached(run, target) for run in runs]
    return (
        problem,
        setting.solver,
        setting.jacobian,
        len(runs),
        sum(math.isfinite(one.seconds) for one in spent),
        whole(median(one.gradients for one in spent)),
        whole(median(float(run.work["jacobians"]) for run in runs)),
        cell(median(one.seconds for one in spent)),
        cell(median(run.loss for run in runs)),
    )


def _verdict(
    *,
    gradients_ratio: float,
    seconds_ratio: float,
    pairs: int,
    only_exact_arrived: int,
    only_differences_arrived: int,
) -> str:
    if not pairs:
        return "The runs do not tell: no solver arrived with both Jacobians from one start."
    speed = (
        "is what lets the same solver arrive within its budget"
        if math.isinf(seconds_ratio)
        else "keeps the same solver from arriving within its budget"
        if seconds_ratio == 0
        else f"makes the same solver {times(seconds_ratio)} as quick"
        if seconds_ratio >= NOTICEABLE
        else f"makes the same solver slower, {times(1 / seconds_ratio)} as slow"
        if seconds_ratio <= 1 / NOTICEABLE
        else f"changes the time of the same solver little (factor {in_words(seconds_ratio)})"
    )
    saved = (
        f"and spares it {in_words(100 * (1 - 1 / gradients_ratio))} % of its gradients"
        if gradients_ratio >= NOTICEABLE
        else f"with {times(gradients_ratio)} the gradients by differences"
    )
    arrived = f"; {only_exact_arrived} more runs arrived with it" if only_exact_arrived else ""
    if only_differences_arrived:
        arrived += f"; {only_differences_arrived} arrived only with differences"
    return (
        f"An exact Jacobian {speed} {saved} (medians of {pairs} pairs of runs that both "
        f"arrived{arrived})."
    )
