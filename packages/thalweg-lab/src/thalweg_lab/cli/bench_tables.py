"""The tables that `thalweg bench` prints: goals, problems, and the rungs that are lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from thalweg.cli.tables import plain_console, plain_table
from thalweg.report.text import number
from thalweg_lab.pages.bench_words import (
    lost_rungs,
    lost_sentence,
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
    for head in ("weights", "rungs", "mean", "where a peer arrived", "worst rung", "lost"):
        table.add_column(head, justify="right")
    for raced in results.problems:
        table.add_row(
            raced.problem,
            f"{raced.weights:,}",
            str(len(raced.rungs)),
            times(raced.mean),
            times(raced.mean_reached),
            worst_text(raced),
            str(len(raced.lost)),
        )
    console.print(table)
    _print_lost(results)
    goals = plain_table("Goals")
    for head in ("goal", "wanted", "found", "standing"):
        goals.add_column(head, justify="left" if head in ("goal", "standing") else "right")
    for goal in results.goals:
        found = "-" if math.isnan(goal.found) else number(goal.found)
        goals.add_row(goal.name, number(goal.wanted), found, goal.standing)
    console.print(goals)


def _print_lost(results: Results) -> None:
    console = plain_console()
    lost = lost_rungs(results)
    console.print(Text(lost_sentence(results)))
    if not lost:
        return
    table = plain_table("")
    table.add_column("problem")
    for head in ("loss", "thalweg", "peer", "ratio"):
        table.add_column(head, justify="right")
    table.add_column("which")
    for problem, rung in lost:
        table.add_row(
            problem,
            number(rung.loss),
            time_text(rung.ours),
            time_text(rung.peers),
            ratio_text(rung),
            rung.winner,
        )
    console.print(table)
