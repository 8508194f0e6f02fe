"""What `thalweg study` shows: a live table of progress on stderr, the results on stdout."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from thalweg.cli.tables import plain_console, plain_table
from thalweg.report.text import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from thalweg_lab.study import Answer, Run, Study
    from thalweg_lab.study.running import Progress
    from thalweg_lab.study.summary import Summary

BAR = 24  # characters


@contextlib.contextmanager
def live_table(study: Study) -> Iterator[Callable[[Progress], None]]:
    """A table of the problems and their progress, on stderr if that is a terminal.

    It is drawn only when a run is finished, so that drawing disturbs no run.

    Yields:
        What `run_study` takes as `show`.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.live import Live

    totals: dict[str, int] = {}
    for spec in study.specs():
        totals[spec.problem] = totals.get(spec.problem, 0) + 1
    view = _View(study.title, totals)
    with Live(console=Console(stderr=True), auto_refresh=False, redirect_stderr=False) as live:

        def show(progress: Progress) -> None:
            view.take(progress)
            live.update(view.drawn(), refresh=True)

        yield show


class _View:
    """The state of the live table."""

    def __init__(self, title: str, totals: Mapping[str, int]) -> None:
        self._title = title
        self._totals = totals
        self._done = dict.fromkeys(totals, 0)
        self._last: dict[str, Run] = {}
        self._progress: Progress | None = None
        self._began = time.monotonic()

    def take(self, progress: Progress) -> None:
        """Note a finished run."""
        self._progress = progress
        if progress.run is not None:
            problem = progress.run.spec.problem
            self._done[problem] += 1
            self._last[problem] = progress.run

    def drawn(self) -> Group:
        """The table, and a line below it."""
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, total in self._totals.items():
            done = self._done[name]
            filled = round(BAR * done / total)
            last = self._last.get(name)
            table.add_row(
                name,
                Text("━" * filled, style="green") + Text("━" * (BAR - filled), style="dim"),
                f"{done}/{total}",
                "" if last is None else _in_short(last),
            )
        return Group(Text(self._title, style="bold"), table, Text(self._below()))

    def _below(self) -> str:
        progress = self._progress
        if progress is None:
            return ""
        took = time.monotonic() - self._began
        left = progress.total - progress.there - progress.done
        parts = [f"{progress.done + progress.there} of {progress.total} runs"]
        if progress.there:
            parts.append(f"{progress.there} of them from before")
        if progress.done and left:
            parts.append(f"about {duration(took / progress.done * left)} left")
        return "; ".join(parts)


def _in_short(run: Run) -> str:
    what = run.error if run.is_failed else f"loss {number(run.loss)}, {run.outcome}"
    return f"{run.spec.method}, start {run.spec.start}: {what}"


def print_results(lines: Sequence[Summary], answers: Mapping[str, Answer]) -> None:
    """The verdicts, and a table of medians for each problem."""
    console = plain_console()
    for answer in answers.values():
        console.print(Text(answer.question, style="bold"))
        console.print(Text(f"  {answer.verdict}\n"))
    for problem in dict.fromkeys(line.problem for line in lines):
        table = plain_table(f"{problem}: medians over the starts")
        table.add_column("method")
        for head in ("runs", "loss", "measure", "seconds", "steps", "gradients"):
            table.add_column(head, justify="right")
        for line in lines:
            if line.problem == problem:
                failed = f" ({line.failed} raised)" if line.failed else ""
                table.add_row(
                    line.method,
                    f"{line.runs}{failed}",
                    _known(line.loss),
                    _known(line.measure),
                    duration(None if math.isnan(line.seconds) else line.seconds),
                    _known(line.steps, digits=3),
                    _known(line.gradients, digits=3),
                )
        console.print(table)


def _known(value: float, *, digits: int = 2) -> str:
    return "-" if math.isnan(value) else number(value, digits=digits)
