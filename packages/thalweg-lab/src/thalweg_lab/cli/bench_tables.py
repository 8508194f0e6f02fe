"""The tables that `thalweg bench` prints: goals, problems, and the targets that are lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from thalweg.cli.tables import plain_console, plain_table
from thalweg.report.text import number
from thalweg_lab.pages.bench_words import (
    ERROR_HEADS,
    NEW_PROCESS_HEADS,
    error_rows,
    lost_sentence,
    lost_targets,
    new_process_rows,
    ratio_text,
    time_text,
    times,
    worst_text,
)

if TYPE_CHECKING:
    from thalweg_lab.bench.document import Results


def print_results(results: Results) -> None:
    """Print what the benchmark found."""
    console = plain_console()
    table = plain_table("Problems: time of the quickest peer divided by thalweg's")
    table.add_column("problem")
    for head in ("weights", "targets", "mean", "where a peer arrived", "worst target", "lost"):
        table.add_column(head, justify="right")
    for raced in results.problems:
        table.add_row(
            raced.problem,
            f"{raced.weights:,}",
            str(len(raced.targets)),
            times(raced.mean),
            times(raced.mean_reached),
            worst_text(raced),
            str(len(raced.lost)),
        )
    console.print(table)
    _print_lost(results)
    _print_errors(results)
    _print_new_processes(results)
    goals = plain_table("Goals")
    for head in ("goal", "wanted", "found", "standing"):
        goals.add_column(head, justify="left" if head in ("goal", "standing") else "right")
    for goal in results.goals:
        found = "-" if math.isnan(goal.found) else number(goal.found)
        goals.add_row(goal.name, number(goal.wanted), found, goal.standing)
    console.print(goals)


def _print_errors(results: Results) -> None:
    rows = error_rows(results)
    if not rows:
        return
    table = plain_table("Seconds to an error against the exact solution")
    for head in ERROR_HEADS:
        table.add_column(head, justify="left" if head in ("problem", "which") else "right")
    for row in rows:
        table.add_row(*row)
    plain_console().print(table)


def _print_new_processes(results: Results) -> None:
    if not results.launched:
        return
    table = plain_table("In a new process, compilation included, to the middle target")
    for head in NEW_PROCESS_HEADS:
        is_text = head in ("problem", "compiled programs", "which")
        table.add_column(head, justify="left" if is_text else "right")
    for row in new_process_rows(results):
        table.add_row(*row)
    plain_console().print(table)


def _print_lost(results: Results) -> None:
    console = plain_console()
    lost = lost_targets(results)
    console.print(Text(lost_sentence(results)))
    if not lost:
        return
    table = plain_table("")
    table.add_column("problem")
    for head in ("loss", "thalweg", "peer", "ratio"):
        table.add_column(head, justify="right")
    table.add_column("which")
    for problem, target in lost:
        table.add_row(
            problem,
            number(target.loss),
            time_text(target.ours),
            time_text(target.peers),
            ratio_text(target),
            target.winner,
        )
    console.print(table)
