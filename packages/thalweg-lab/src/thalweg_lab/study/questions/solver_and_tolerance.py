"""Which solver, which tolerances, which highest order: what each choice changes.

Each setting is compared with the one that differs from it in a single choice, from the same start:
the median over all such pairs says what the choice is worth. A run that does not arrive within its
budget is infinitely long.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

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
    reachable,
    reached,
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
    from collections.abc import Callable, Sequence

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
# What is changed from a setting to its counterpart.
CHOICES: dict[str, Callable[[Setting], Setting | None]] = {
    "tolerances 1e-4, 1e-4": lambda s: _with_tolerance(s, MIDDLE),
    "tolerances 1e-2, 1e-2": lambda s: _with_tolerance(s, LOOSE),
    "from loose to tight": lambda s: _with_tolerance(s, SCHEDULE),
    "order 2 at most": lambda s: None if s.cap else dataclasses.replace(s, cap=2),
}


def answer(runs: Sequence[Run]) -> Answer:
    """What each choice changed."""
    rows, row_ids = [], []
    gains: dict[str, list[float]] = {choice: [] for choice in CHOICES}
    best: dict[str, tuple[Setting, float, float]] = {}
    article: dict[str, tuple[float, float]] = {}
    for problem in problems_of(runs):
        known = of_problem(runs, problem)
        target = TARGETS.get(problem, math.nan)
        starts = reachable(known, target)
        groups = {
            setting: [run for run in group if run.spec.start in starts]
            for setting, group in by_setting(known).items()
        }
        spent = {
            setting: {run.spec.start: reached(run, target) for run in group}
            for setting, group in groups.items()
        }
        for setting, group in groups.items():
            if not group:
                continue
            arrived = spent[setting].values()
            seconds = median(one.seconds for one in arrived)
            gradients = median(one.gradients for one in arrived)
            rows.append(
                (
                    problem,
                    setting.solver,
                    setting.tolerance or None,
                    setting.cap,
                    setting.jacobian or None,
                    len(group),
                    sum(math.isfinite(one.seconds) for one in arrived),
                    whole(gradients),
                    cell(seconds),
                    cell(median(run.loss for run in group)),
                )
            )
            row_ids.append(ids(group))
            if setting == ARTICLE:
                article[problem] = gradients, seconds
            if setting.solver in (*FOLLOWING, *EXPLICIT) and (
                problem not in best or seconds < best[problem][2]
            ):
                best[problem] = setting, gradients, seconds
        for choice, change in CHOICES.items():
            gains[choice] += _gains(spent, change)
    numbers = {
        "seconds_saved_by": {choice: median(values) for choice, values in gains.items()},
        "pairs": {choice: len(values) for choice, values in gains.items()},
        "article": article,
        "quickest": {
            problem: (setting.label, gradients, seconds)
            for problem, (setting, gradients, seconds) in best.items()
        },
        "ours": _ours(runs),
    }
    return Answer(
        question=QUESTION,
        verdict=_verdict(numbers),
        numbers=numbers,
        tables=(
            Table(
                "Gradients and seconds to "
                + (
                    listed(
                        [
                            f"{name} {TARGETS[name]:g}"
                            for name in problems_of(runs)
                            if name in TARGETS
                        ]
                    )
                    if set(problems_of(runs)) & TARGETS.keys()
                    else "no loss that was set"
                )
                + ": medians over the starts, empty where most did not arrive",
                COLUMNS,
                tuple(rows),
                tuple(row_ids),
            ),
        ),
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
        known = of_problem(runs, problem)
        target = TARGETS.get(problem, math.nan)
        starts = reachable(known, target)
        spent = [
            reached(run, target)
            for run in known
            if run.spec.maker["name"] == "auto" and run.spec.start in starts
        ]
        if spent:
            found[problem] = (
                median(one.gradients for one in spent),
                median(one.seconds for one in spent),
            )
    return found


def _verdict(numbers: dict[str, Any]) -> str:
    article, quickest = numbers["article"], numbers["quickest"]
    if not article:
        return "The runs do not tell: none has the article's solver and tolerances."
    gains = {
        choice: gain for choice, gain in numbers["seconds_saved_by"].items() if not math.isnan(gain)
    }
    parts = []
    for problem, (gradients, seconds) in article.items():
        best, best_gradients, best_seconds = quickest[problem]
        one = (
            f"on {problem} the article's setting takes {_spent(gradients, seconds)}, the quickest "
            f"ODE solver ({best}) {_spent(best_gradients, best_seconds)}"
        )
        if problem in numbers["ours"]:
            one += f", thalweg's own choice {_spent(*numbers['ours'][problem])}"
        parts.append(one)
    begin = "; ".join(parts)
    if not gains:
        return f"{begin[0].upper()}{begin[1:]}."
    changed = "; ".join(f"{choice} {_effect(gain)}" for choice, gain in gains.items())
    return f"{begin[0].upper()}{begin[1:]}. One change alone, median of all pairs: {changed}."


def _spent(gradients: float, seconds: float) -> str:
    if not math.isfinite(seconds):
        return "longer than its budget"
    return f"{in_words(gradients)} gradients and {in_words(float(f'{seconds:.2g}'))} s"


def _effect(gain: float) -> str:
    """What a change does to the time, as the end of a sentence."""
    if math.isinf(gain):
        return "lets it arrive at all"
    if gain == 0:
        return "keeps it from arriving"
    return f"is {times(gain)} as quick" if gain >= 1 else f"is {times(1 / gain)} as slow"
