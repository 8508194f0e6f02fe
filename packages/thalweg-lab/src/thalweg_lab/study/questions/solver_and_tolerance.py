"""Which solver, which tolerances, which highest order: what each choice changes.

Each setting is compared with the one that differs from it in a single choice, from the same start:
the median over all such pairs says what the choice is worth. A run that does not arrive within its
budget is infinitely long.
"""

from __future__ import annotations

import dataclasses
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
    problems_of,
    reachable,
    reached,
    sentence,
    times,
    whole,
)
from thalweg_lab.study.questions.settings import (
    ARTICLE,
    EXPLICIT,
    FOLLOWING,
    LOOSE,
    MIDDLE,
    SCHEDULE,
    TIGHT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from thalweg_lab.study.questions.reading import Reached
    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

QUESTION = "What do the solver, its tolerances and the highest order change?"
COLUMNS = (
    "problem",
    "method",
    "atol, rtol",
    "highest order",
    "Jacobian",
    "runs",
    "arrived",
    "gradients",
    "seconds",
    "final loss",
)
ORDER_2 = "order 2 at most"
NOTICEABLE = 1.1  # factor from which a difference is worth a number
# What is changed from a setting to its counterpart.
CHOICES: dict[str, Callable[[Setting], Setting | None]] = {
    "tolerances 1e-4, 1e-4": lambda s: _with_tolerance(s, MIDDLE),
    "tolerances 1e-2, 1e-2": lambda s: _with_tolerance(s, LOOSE),
    "tolerances from loose to tight": lambda s: _with_tolerance(s, SCHEDULE),
    ORDER_2: lambda s: None if s.cap else dataclasses.replace(s, cap=2),
}


def answer(runs: Sequence[Run]) -> Answer:
    """What each choice changed."""
    rows, row_ids = [], []
    gains: dict[str, list[float]] = {choice: [] for choice in CHOICES}
    quickest: dict[str, tuple[str, float, float]] = {}
    article: dict[str, tuple[float, float]] = {}
    for problem in problems_of(runs):
        groups, spent = _arrivals(runs, problem)
        medians = {
            setting: (
                median(one.gradients for one in spent[setting].values()),
                median(one.seconds for one in spent[setting].values()),
            )
            for setting in groups
        }
        for setting, group in groups.items():
            rows.append(_row(problem, setting, group, spent[setting], medians[setting]))
            row_ids.append(ids(group))
        if ARTICLE in medians:
            article[problem] = medians[ARTICLE]
        ode = [setting for setting in groups if setting.solver in (*FOLLOWING, *EXPLICIT)]
        if ode:
            best = min(ode, key=lambda setting: medians[setting][1])
            quickest[problem] = (best.label, *medians[best])
        for choice, change in CHOICES.items():
            gains[choice] += _gains(spent, change)
    numbers = {
        "seconds_saved_by": {choice: median(values) for choice, values in gains.items() if values},
        "pairs": {choice: len(values) for choice, values in gains.items()},
        "article": article,
        "quickest": quickest,
        "ours": _ours(runs),
    }
    table = Table(_title(runs), COLUMNS, tuple(rows), tuple(row_ids))
    return Answer(
        question=QUESTION,
        verdict=verdict(numbers),
        numbers=numbers,
        tables=(table,),
        summary=summary(numbers),
    )


def _arrivals(
    runs: Sequence[Run], problem: str
) -> tuple[dict[Setting, list[Run]], dict[Setting, dict[int, Reached]]]:
    """The runs of each setting from starts from which any run arrived, and what each spent."""
    here = of_problem(runs, problem)
    target = TARGETS.get(problem, math.nan)
    starts = reachable(here, target)
    groups = {
        setting: [run for run in group if run.spec.start in starts]
        for setting, group in by_setting(here).items()
    }
    groups = {setting: group for setting, group in groups.items() if group}
    spent = {
        setting: {run.spec.start: reached(run, target) for run in group}
        for setting, group in groups.items()
    }
    return groups, spent


def _row(
    problem: str,
    setting: Setting,
    group: Sequence[Run],
    spent: Mapping[int, Reached],
    medians: tuple[float, float],
) -> tuple[Any, ...]:
    """One setting on one problem, as a row of `COLUMNS`."""
    gradients, seconds = medians
    return (
        problem,
        setting.solver,
        setting.tolerance or None,
        setting.cap,
        setting.jacobian or None,
        len(group),
        sum(math.isfinite(one.seconds) for one in spent.values()),
        whole(gradients),
        cell(seconds),
        cell(median(run.loss for run in group)),
    )


def _title(runs: Sequence[Run]) -> str:
    """What the table shows, with the losses that were to be reached."""
    targets = [f"{name} {TARGETS[name]:g}" for name in problems_of(runs) if name in TARGETS]
    return (
        f"Gradients and seconds to {listed(targets) if targets else 'no loss that was set'}: "
        "medians over the starts, empty where most did not arrive"
    )


def _with_tolerance(setting: Setting, tolerance: str) -> Setting | None:
    """The setting with other tolerances than the article's; None where it has others already."""
    if setting.tolerance != TIGHT:
        return None
    return dataclasses.replace(setting, tolerance=tolerance)


def _gains(
    spent: dict[Setting, dict[int, Reached]], change: Callable[[Setting], Setting | None]
) -> list[float]:
    """Seconds before over seconds after a change, for each setting and start that has both."""
    gains = []
    for setting, before in spent.items():
        changed = change(setting) if setting.solver in FOLLOWING else None
        after = spent.get(changed, {}) if changed is not None else {}
        for start in before.keys() & after.keys():
            old, new = before[start].seconds, after[start].seconds
            if math.isfinite(old) or math.isfinite(new):
                gains.append(0.0 if math.isinf(new) else old / new)
    return gains


def _ours(runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
    """Gradients and seconds of thalweg's own choice, by problem."""
    found = {}
    for problem in problems_of(runs):
        here = of_problem(runs, problem)
        target = TARGETS.get(problem, math.nan)
        starts = reachable(here, target)
        spent = [
            reached(run, target)
            for run in here
            if run.spec.maker["name"] == "auto" and run.spec.start in starts
        ]
        if spent:
            found[problem] = (
                median(one.gradients for one in spent),
                median(one.seconds for one in spent),
            )
    return found


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`."""
    if not numbers["article"]:
        return "Undecided: no run has the article's solver and tolerances."
    gains = numbers["seconds_saved_by"]
    if not gains:
        return "Undecided: no two runs differ in one choice only."
    largest = max(gains, key=lambda choice: _size(gains[choice]))
    parts = [f"the change to {largest} matters most: it {_effect(gains[largest])}"]
    if ORDER_2 in gains and largest != ORDER_2:
        parts.append(f"{ORDER_2} {_effect(gains[ORDER_2])}")
    return sentence("; ".join(parts))


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """What the article's setting, the quickest ODE solver and thalweg's own choice spend."""
    rows = []
    for problem, article in numbers["article"].items():
        best, *spent = numbers["quickest"][problem]
        ours = numbers["ours"].get(problem)
        rows.append(
            (
                problem,
                _spent(*article),
                f"`{best}`: {_spent(*spent)}",
                _spent(*ours) if ours else None,
            )
        )
    columns = ("problem", "the article's setting", "quickest ODE solver", "thalweg's own choice")
    return Summary(columns, tuple(rows)) if rows else None


def changes(numbers: Mapping[str, Any]) -> Summary:
    """What each single change does to the time, as the median over all pairs of runs."""
    rows = [
        (choice, numbers["pairs"][choice], _effect(gain).removeprefix("is "))
        for choice, gain in numbers["seconds_saved_by"].items()
    ]
    return Summary(("change", "pairs of runs", "the same solver, in the median"), tuple(rows))


def _spent(gradients: float | None, seconds: float | None) -> str:
    if gradients is None or seconds is None or not math.isfinite(seconds):
        return "not within its budget"
    return f"{in_words(gradients)} gradients, {in_words(float(f'{seconds:.2g}'))} s"


def _size(gain: float | None) -> float:
    """How large an effect is, in either direction; None and 0 change whether a run arrives."""
    return abs(math.log(gain)) if known(gain) and gain else math.inf


def _effect(gain: float | None) -> str:
    """What a change does to the time, as the end of a sentence."""
    if gain is None or math.isinf(gain):
        return "lets runs arrive at all"
    if gain == 0:
        return "keeps runs from arriving"
    if 1 / NOTICEABLE < gain < NOTICEABLE:
        return "changes little"
    return f"is {times(gain)} as quick" if gain > 1 else f"is {times(1 / gain)} as slow"
