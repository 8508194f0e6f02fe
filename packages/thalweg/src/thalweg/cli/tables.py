"""The tables that the commands print on stdout."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thalweg.report.text import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from thalweg.cli.doctor import Diagnosis
    from thalweg.solvers import MethodInfo
    from thalweg.tabular import Trained

PLAIN_WIDTH = 120  # of a table where stdout is not a terminal
MOST_NAMED = 5  # of the most important columns, how many are named


def print_scores(trained: Trained) -> None:
    """Print the scores on the test part, how the fit went, and which columns matter."""
    from thalweg.tabular.html_page import score_text
    from thalweg.tabular.importance import measure_of
    from thalweg.tabular.scores import best_values

    rows = trained.rows
    table = plain_table(
        f"{trained.task.task} of `{trained.asked.target}`: {rows['test']:,} test rows, "
        f"{rows['train']:,} for training, {rows['validation']:,} for validation"
    )
    names = list(trained.validation_scores)
    table.add_column("")
    for name in names:
        table.add_column(f"test {name}", justify="right")
    best = best_values(trained.scores)
    for model, scores in trained.scores.items():
        cells = [
            Text(score_text(name, scores[name]), style="bold" if scores[name] == best[name] else "")
            for name in names
        ]
        table.add_row(model, *cells)
    console = plain_console()
    console.print(table)
    validation = ", ".join(
        f"{name} {score_text(name, value)}" for name, value in trained.validation_scores.items()
    )
    matters = ", ".join(
        f"{entry.column} {number(entry.rise)}" for entry in trained.importance[:MOST_NAMED]
    )
    console.print(Text(f"  Before the last fit, on the validation part: {validation}."))
    console.print(Text(f"  {trained.found.outcome}"))
    console.print(
        Text(
            f"  Fitted in {duration(trained.found.seconds)} after "
            f"{duration(trained.compile_seconds)} of compilation, "
            f"{trained.found.work.gradients:,} gradients."
        )
    )
    measure = measure_of(trained.task.task)
    console.print(
        Text(f"  Most important columns, by the rise of the {measure} when shuffled: {matters}.")
    )


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show a live count on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True).status(f"0 {what}") as status:
        yield lambda count: status.update(f"{count:,} {what}")


def print_methods(known: Sequence[MethodInfo]) -> None:
    """Print all methods."""
    table = plain_table("Methods")
    for name in ("name", "kind", "needs", "summary"):
        table.add_column(name, no_wrap=name == "name")
    for method in known:
        table.add_row(method.name, method.kind, method.needs, method.summary)
    plain_console().print(table)


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print all checks, and the machine."""
    machine = diagnosis.machine
    console = plain_console()
    console.print(
        Text(
            f"thalweg {machine.versions.get('thalweg')}, Python {machine.python}, "
            f"{machine.system}, {machine.processor}, {machine.cores} cores"
        )
    )
    table = plain_table("")
    for name in ("", "what", "found", "for"):
        table.add_column(name)
    for check in diagnosis.checks:
        good, bad = ("ok", "green"), ("FAILS", "bold red") if check.is_needed else ("-", "dim")
        word, style = good if check.is_ok else bad
        table.add_row(Text(word, style=style), check.name, Text(check.found), Text(check.purpose))
    console.print(table)


def plain_table(title: str) -> Table:
    """A table with a title, and no lines except below the column heads."""
    return Table(
        title=title or None,
        box=SIMPLE,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        collapse_padding=True,
    )


def plain_console() -> Console:
    """A console for stdout: as wide as the terminal, or `PLAIN_WIDTH` for a pipe or a file."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
