"""`thalweg bench`."""

from __future__ import annotations

import contextlib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.common import INTERRUPTED, note, use_float64, use_no_cache
from thalweg_lab.cli.bench_files import write_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thalweg_lab.bench.document import Results
    from thalweg_lab.bench.suite import Entry

RESULTS, PAGE, SUMMARY = "results.json", "report.html", "summary.markdown"


class Suite(StrEnum):
    """How much is run."""

    QUICK = "quick"
    FULL = "full"
    PUBLISHED = "published"


SuiteOption = Annotated[
    Suite,
    typer.Option(
        help="`quick` takes a quarter of an hour, `full` about three hours on two cores, "
        "`published` almost six: differential equations in the settings of papers, with the time "
        "to an error."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="PROBLEM", help="Race on this problem only. May be repeated."),
]
Peers = Annotated[
    list[str] | None,
    typer.Option(
        "--peer",
        metavar="METHOD",
        help="Race against this peer only, where it suits the problem. May be repeated.",
    ),
]
Starts = Annotated[
    int | None,
    typer.Option(min=1, help="Starts of each problem.", show_default="those of the suite"),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="Budget of each run, without compilation.",
        show_default="each problem's own",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the runs, the results and the page; created if missing.",
        show_default="thalweg-bench-SUITE",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Also write the results to this file, as JSON."),
]
NewProcesses = Annotated[
    bool,
    typer.Option(
        "--new-process",
        help="After the race, also measure the time to the middle target in new processes, "
        "compilation included.",
    ),
]
Cost = Annotated[
    bool,
    typer.Option(
        "--cost",
        help="Instead measure the cost of a step of each of thalweg's methods, its growth with "
        "size, and the peak memory.",
    ),
]
Fits = Annotated[
    bool,
    typer.Option(
        "--fits",
        help="Instead fit problems of nonlinear least squares with known answers, beside SciPy, "
        "lmfit and Optimistix: solved, correct digits, false successes.",
    ),
]
FIT_SECONDS = 10.0


def bench(  # noqa: PLR0913, PLR0917 - all are options
    suite: SuiteOption = Suite.QUICK,
    only: Only = None,
    peer: Peers = None,
    starts: Starts = None,
    seconds: Seconds = None,
    out: Out = None,
    json_file: JsonFile = None,
    new_process: NewProcesses = False,
    cost: Cost = False,
    fits: Fits = False,
) -> None:
    """Race thalweg against its peers, and list the targets at which a peer was quicker.

    Each run writes its record as soon as it is finished: after Ctrl-C, the same command makes only
    the missing runs. Run nothing else on the machine at the same time.

    Examples:
    - `thalweg bench` races on four problems in a quarter of an hour.
    - `thalweg bench --suite full --out race` races on twenty in about three hours.
    - `thalweg bench --suite published --out papers` races on equations as papers train them.
    - `thalweg bench --only bessel --only digits --starts 3` races on two.
    - `thalweg bench --only poisson --peer engd-w --peer soap` races against two peers.
    - `thalweg bench --only iris --new-process` includes what a new process compiles.
    - `thalweg bench --cost` compares steps with plain code, in a minute or two.
    - `thalweg bench --fits --suite full` fits 87 problems from 234 starts, in a quarter of an hour.
    - `thalweg bench --json race.json` also writes the results for another program.
    """
    if cost and fits:
        raise typer.BadParameter("leave `--cost` or `--fits` out", param_hint="--cost")
    if fits:
        _refuse_with_fits(suite, is_other=starts is not None or new_process or bool(peer))
        from thalweg_lab.cli.bench_fits import show_fits

        budget = FIT_SECONDS if seconds is None else seconds
        folder = out or Path(f"thalweg-bench-fits-{suite.value}")
        show_fits(suite.value, folder, json_file, only=only or (), seconds=budget)
        return
    if cost:
        if only or peer or starts is not None or seconds is not None or new_process:
            raise typer.BadParameter(
                "`--cost` has sizes of its own; leave `--only`, `--peer`, `--starts`, "
                "`--seconds` and `--new-process` out",
                param_hint="--cost",
            )
        from thalweg_lab.cli.bench_cost import show_cost

        show_cost(out or Path("thalweg-bench-cost"), json_file)
        return
    from thalweg.errors import ConfigError
    from thalweg_lab.bench.suite import entries

    folder = out or Path(f"thalweg-bench-{suite.value}")
    try:
        chosen = entries(
            suite.value, only=only or (), peers=peer or (), starts=starts, seconds=seconds
        )
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    use_float64()
    use_no_cache()
    results = _raced(suite, chosen, folder, new_process=new_process)
    _write(results, folder, json_file)
    from thalweg_lab.cli.bench_tables import print_results

    print_results(results)
    typer.echo(f"results: {folder / RESULTS}")
    typer.echo(f"report: {folder / PAGE}")
    if not results.problems:
        raise typer.Exit(1)


def _refuse_with_fits(suite: Suite, *, is_other: bool) -> None:
    """Refuse what `--fits` has of its own.

    Raises:
        BadParameter: Naming it.
    """
    if suite is Suite.PUBLISHED:
        raise typer.BadParameter(
            "`--fits` has the suites `quick` and `full` alone", param_hint="--suite"
        )
    if is_other:
        raise typer.BadParameter(
            "`--fits` has peers, starts and processes of its own; leave `--peer`, `--starts` "
            "and `--new-process` out",
            param_hint="--fits",
        )


def _raced(suite: Suite, chosen: tuple[Entry, ...], folder: Path, *, new_process: bool) -> Results:
    """Make the missing runs, and compute the results of all."""
    from thalweg_lab.bench.document import results_of
    from thalweg_lab.bench.new_process import (
        known_of,
        load_new_processes,
        measure_new_processes,
    )
    from thalweg_lab.bench.plan import most_seconds
    from thalweg_lab.bench.running import run_bench

    if sys.stderr.isatty():
        note(f"at most {most_seconds(chosen) / 60:.0f} minutes of runs, plus compilation")
    try:
        with _progress() as show:
            races, unable = run_bench(chosen, folder, show=show)
        results = results_of(suite.value, races, unable)
        if new_process:
            entrants = {race.entry.problem: race.entrants for race in races}
            launched = measure_new_processes(
                results.problems, entrants, folder, show=_note_progress
            )
        else:
            launched = known_of(results.problems, load_new_processes(folder))
    except KeyboardInterrupt as error:
        note(
            f"interrupted; finished runs stay in `{folder}`: the same command continues from there"
        )
        raise typer.Exit(INTERRUPTED) from error
    for one in unable:
        note(f"`{one.entry.problem}` was left out: {one.reason}")
    return results.with_new_processes(launched)


def _note_progress(line: str) -> None:
    if sys.stderr.isatty():
        note(line)


def _write(results: Results, folder: Path, json_file: Path | None) -> None:
    """Write the results as JSON, HTML and Markdown."""
    from thalweg_lab.pages.bench_markdown import markdown
    from thalweg_lab.pages.bench_page import render_bench

    as_json = json.dumps(results.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    texts = {
        folder / RESULTS: as_json,
        folder / PAGE: render_bench(results),
        folder / SUMMARY: markdown(results),
    }
    write_texts(texts if json_file is None else {**texts, json_file: as_json})


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Entry, str, int, int], None]]:
    """A line on stderr, if that is a terminal, drawn only between runs."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, redirect_stderr=False) as live:

        def show(entry: Entry, what: str, done: int, total: int) -> None:
            line = f"{entry.problem}: {what}, {done} of {total} missing runs done"
            live.update(Text(line), refresh=True)

        yield show
