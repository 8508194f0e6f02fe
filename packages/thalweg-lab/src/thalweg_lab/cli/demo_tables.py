"""What `thalweg demo` prints: a table a problem."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from thalweg.cli.tables import plain_console, plain_table
from thalweg.report.looks import label_of
from thalweg.report.text import duration, measured, number
from thalweg_lab.pages.words import firsts, standing

if TYPE_CHECKING:
    from thalweg_lab.pages import Section
    from thalweg_lab.problems import TrainingProblem


def note_start(task: TrainingProblem) -> None:
    """Say on stderr, where that is a terminal, which problem comes next."""
    if sys.stderr.isatty():
        Console(stderr=True).print(
            Text(f"{task.title} ({task.network}, {task.size:,} weights)", style="bold")
        )


def print_section(section: Section) -> None:
    """The results on one problem: a table, and what it shows in sentences."""
    task, records = section.task, section.records
    race = firsts(records)
    table = plain_table(f"{task.title}: {task.network}, {task.size:,} weights")
    table.add_column("method")
    for first in race:
        table.add_column(f"to {number(first.target)}", justify="right")
    table.add_column("final loss", justify="right")
    table.add_column(task.measure.short, justify="right")
    table.add_column("compiling", justify="right")
    table.add_column("outcome")
    for record in records:
        times = [
            Text("-", style="dim")
            if reached.seconds is None
            else Text(
                f"{duration(reached.seconds)}\n{reached.gradients:,} gr.",
                style="bold" if first.winner == record.method else "",
            )
            for reached, first in zip(record.ladder, race, strict=True)
        ]
        table.add_row(
            label_of(record.method),
            *times,
            number(record.loss),
            measured(record.measure, is_share=task.measure.is_share),
            duration(record.compile_seconds),
            record.outcome,
        )
    console = plain_console()
    console.print(table)
    for sentence in standing(task, records):
        console.print(Text(f"  {sentence}"))
    console.print()
