"""The tables of the demo's page: the time of each method to each loss, and how each run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.report.tables import Cell, Row, Table
from thalweg.report.text import counted, duration, measured, number
from thalweg_lab.pages.words import firsts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg._util.record import FirstBelow, RunRecord
    from thalweg.report.looks import Looks
    from thalweg_lab.problems import TrainingProblem

# A counter of the work is shown where any run used it.
WORK = {
    "gradients": "gradients",
    "losses": "losses alone",
    "jacobians": "Jacobians",
    "hessian_products": "Hessian products",
    "factorizations": "factorisations",
    "linear_iterations": "Krylov iterations",
    "newton_iterations": "Newton iterations",
    "newton_failures": "Newton failures",
    "error_test_failures": "error-test failures",
    "rejected_steps": "rejected steps",
}


def target_table(task: TrainingProblem, records: Sequence[RunRecord], looks: Looks) -> Table:
    """Seconds and gradients of each method to each loss, and where it ended."""
    race = firsts(records)
    return Table(
        title="Time and gradients to each training loss",
        name=f"{task.name}: time and gradients to each loss",
        heads=[
            "method",
            *(f"to {number(first.target)}" for first in race),
            "final loss",
            task.measure.name,
            "outcome",
        ],
        rows=[
            Row(
                [
                    _head(record, looks),
                    *(
                        _time(reached, is_first=first.winner == record.method)
                        for reached, first in zip(record.ladder, race, strict=True)
                    ),
                    number(record.loss),
                    measured(record.measure, is_share=task.measure.is_share),
                    record.outcome,
                ],
                entrant=record.method,
            )
            for record in records
        ],
        css="ladder",
    )


def work_table(task: TrainingProblem, records: Sequence[RunRecord], looks: Looks) -> Table:
    """Settings, time, compilation and all counters of each run."""
    used = [name for name in WORK if any(record.work.get(name) for record in records)]
    return Table(
        title="Settings, and what each run spent",
        name=f"{task.name}: settings and work",
        heads=[
            "method",
            "settings",
            "run",
            "compilation",
            "steps",
            *(WORK[name] for name in used),
        ],
        rows=[
            Row(
                [
                    _head(record, looks),
                    Cell(_settings(record), css="words"),
                    duration(record.seconds),
                    duration(record.compile_seconds),
                    f"{record.steps:,}",
                    *(f"{record.work.get(name, 0):,}" for name in used),
                ],
                entrant=record.method,
            )
            for record in records
        ],
        left=(1,),
    )


def _time(reached: FirstBelow, *, is_first: bool) -> Cell:
    """When a loss was reached."""
    if reached.seconds is None or reached.gradients is None:
        return Cell("not reached", css="none")
    return Cell(
        duration(reached.seconds),
        mark="first" if is_first else "",
        css="won" if is_first else "",
        note=counted(reached.gradients, "gradient"),
    )


def _settings(record: RunRecord) -> str:
    return f"{record.settings}: {record.reason}" if record.reason else record.settings


def _head(record: RunRecord, looks: Looks) -> Cell:
    look = looks(record.method)
    return Cell(look.label, look=look)
