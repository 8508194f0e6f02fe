"""What the runs of a problem show, in sentences computed from their records.

Where thalweg's own choice, `auto`, loses, the sentences say so and by how much.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.report.looks import label_of
from thalweg.report.text import duration, listed, measured, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg._util.machine import Machine
    from thalweg._util.record import RunRecord
    from thalweg_lab.problems import TrainingProblem

OURS = "auto"
CLOSE = 1.1  # ratios below have another digit
EARLIER_ATTEMPT = (
    "zvode, a solver for stiff differential equations, was used for such training before; it runs "
    "with the settings of that work."
)


@dataclasses.dataclass(frozen=True)
class First:
    """Who was first to a target.

    Attributes:
        target: The loss to reach.
        times: Method to seconds, for those that reached it, quickest first.
    """

    target: float
    times: dict[str, float]

    @property
    def winner(self) -> str | None:
        """The quickest method, or None where none arrived."""
        return next(iter(self.times), None)


def firsts(records: Sequence[RunRecord]) -> list[First]:
    """Who was first to each target, in the order of the records."""
    if not records:
        return []
    result = []
    for place, target in enumerate(records[0].ladder):
        reached = {r.method: r.ladder[place].seconds for r in records}
        times = {method: s for method, s in reached.items() if s is not None}
        result.append(First(target.target, dict(sorted(times.items(), key=lambda item: item[1]))))
    return result


def standing(task: TrainingProblem, records: Sequence[RunRecord]) -> list[str]:
    """The result on one problem in a few sentences.

    Args:
        task: The problem.
        records: Its finished runs.
    """
    if not records:
        return ["No run was finished."]
    race = firsts(records)
    return [*_winners(race), *_ours(race), *_end(task, records)]


def setting(machine: Machine, records: Sequence[RunRecord]) -> str:
    """What was run on what machine, in a few sentences."""
    methods = list(dict.fromkeys(record.method for record in records))
    problems = {record.problem for record in records}
    budgets = sorted({record.budget for record in records})
    each = " or ".join(f"{budget:g}" for budget in budgets)
    cores = "one core" if machine.cores == 1 else f"{machine.cores} cores"
    what = "one network" if len(problems) == 1 else f"the same {len(problems)} networks"
    words = (
        f"{listed([label_of(method) for method in methods])} each trained {what} from the "
        f"same starting weights, on {cores} of a machine with the processor {machine.processor} "
        f"({machine.system}, JAX {machine.versions.get('jax')}), in float64. Each run was given "
        f"{each} seconds, not counting compilation."
    )
    return f"{words} {EARLIER_ATTEMPT}" if "zvode" in methods else words


def _winners(race: list[First]) -> list[str]:
    """Who was first to which targets, and which nobody reached."""
    by_winner: dict[str, list[str]] = {}
    for first in race:
        if first.winner is not None:
            by_winner.setdefault(first.winner, []).append(number(first.target))
    parts = [f"{label_of(method)} to {listed(losses)}" for method, losses in by_winner.items()]
    sentences = [f"First to a loss of: {'; '.join(parts)}."] if parts else []
    unreached = [number(first.target) for first in race if first.winner is None]
    if unreached:
        sentences.append(f"No method reached {listed(unreached)} in its time.")
    return sentences


def _ours(race: list[First]) -> list[str]:
    """Where our own method lost and by how much, and by how much it won at its lowest target."""
    label = label_of(OURS)
    lost = [first for first in race if first.winner not in {None, OURS}]
    late: dict[str, list[First]] = {}
    for first in lost:
        if OURS in first.times:
            late.setdefault(label_of(str(first.winner)), []).append(first)
    longer = [
        f"{listed([_ratio(first, OURS) for first in races])} times the time of {winner} to "
        f"{listed([number(first.target) for first in races])}"
        for winner, races in late.items()
    ]
    missed = [number(first.target) for first in lost if OURS not in first.times]
    sentences = []
    if longer:
        sentences.append(f"Where others were first, {label} took longer: {'; '.join(longer)}.")
    if missed:
        sentences.append(f"{label} did not reach {listed(missed)} in its time.")
    won = [first for first in race if first.winner == OURS]
    if won:
        deepest = won[-1]
        target, took = number(deepest.target), duration(deepest.times[OURS])
        if len(deepest.times) == 1:
            sentences.append(f"Only {label} reached {target}, in {took}.")
        else:
            second = list(deepest.times)[1]
            sentences.append(
                f"To {target} {label} took {took}; the next, {label_of(second)}, took "
                f"{_ratio(deepest, second)} times that."
            )
    return sentences


def _ratio(first: First, method: str) -> str:
    """The time of a method over that of the first; with more digits where it is close to 1."""
    ratio = first.times[method] / max(next(iter(first.times.values())), 1e-9)
    return f"{ratio:.2f}" if ratio < CLOSE else f"{ratio:.2g}"


def _end(task: TrainingProblem, records: Sequence[RunRecord]) -> list[str]:
    """Who ended with the lowest loss and who with the best measure."""
    lowest = min(records, key=lambda record: record.loss)
    best = (max if task.measure.is_share else min)(records, key=lambda record: record.measure)
    level = [label_of(r.method) for r in records if r.measure == best.measure]
    loss = f"The lowest loss at the end is that of {label_of(lowest.method)}"
    best_word = "highest" if task.measure.is_share else "smallest"
    measure = f"The {best_word} {task.measure.name} is that of {listed(level)}"
    return [
        f"{loss}, {number(lowest.loss)}.",
        f"{measure}: {measured(best.measure, is_share=task.measure.is_share)}.",
    ]
