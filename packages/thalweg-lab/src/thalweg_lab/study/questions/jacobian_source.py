"""Finite differences against the exact Hessian: the same solver, the same tolerances.

A Jacobian of the slope is the Hessian of the loss, n by n. By finite differences it takes n
gradients or n + 1, one call after the other; exactly n Hessian products, each worth two gradients,
in one compiled call. So the exact one is no fewer passes over the data; it is quicker where calls
cost more than arithmetic, and it is exact.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from thalweg.report.text import listed
from thalweg_lab.study.answer import Answer, Summary, Table
from thalweg_lab.study.questions.reading import (
    TARGETS,
    by_setting,
    cell,
    ids,
    in_words,
    known,
    median,
    of_problem,
    percent,
    problems_of,
    ratio,
    reachable,
    reached,
    times,
    whole,
)
from thalweg_lab.study.questions.settings import DIFFERENCES, EXACT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        here = of_problem(runs, problem)
        target = TARGETS.get(problem, math.nan)
        starts = reachable(here, target)
        groups = by_setting(here)
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
        verdict=verdict(numbers),
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
        summary=summary(numbers),
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


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`."""
    pairs = numbers["pairs"]
    if not pairs:
        return "Undecided: no solver arrived with both Jacobians from one start."
    return (
        f"An exact Jacobian {_speed(numbers['seconds_ratio'])} and "
        f"{_saving(numbers['gradients_ratio'])}, the medians of {pairs} pairs of runs."
    )


def _speed(gain: float | None) -> str:
    if gain is None or math.isinf(gain):
        return "lets the same solver arrive within its budget"
    if gain == 0:
        return "keeps the same solver from arriving within its budget"
    if gain >= NOTICEABLE:
        return f"makes the same solver {times(gain)} as quick"
    if gain <= 1 / NOTICEABLE:
        return f"makes the same solver {times(1 / gain)} as slow"
    return f"changes the time of the same solver little (factor {in_words(float(f'{gain:.2g}'))})"


def _saving(ratio_of_gradients: float) -> str:
    if ratio_of_gradients >= NOTICEABLE:
        return f"saves {percent(1 - 1 / ratio_of_gradients)} of its gradients"
    if ratio_of_gradients <= 1 / NOTICEABLE:
        return f"takes {times(1 / ratio_of_gradients)} as many gradients"
    return "needs about as many gradients"


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """Both ratios, and how many runs arrived with one Jacobian only."""
    seconds, gradients = numbers["seconds_ratio"], numbers["gradients_ratio"]
    if not numbers["pairs"]:
        return None
    rows = (
        ("seconds, finite differences over exact", _factor_cell(seconds)),
        ("gradients, finite differences over exact", _factor_cell(gradients)),
        ("pairs of runs that both arrived", numbers["pairs"]),
        ("arrived with the exact Jacobian only", numbers["only_exact_arrived"]),
        ("arrived with finite differences only", numbers["only_differences_arrived"]),
    )
    return Summary(("what", "found"), rows)


def _factor_cell(value: float | None) -> str | float:
    return float(f"{value:.3g}") if value is not None and known(value) else "never by differences"
