"""`thalweg bench --fits`: fit problems with known answers, write and print how well that went."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from thalweg.cli.common import INTERRUPTED, note
from thalweg.cli.tables import plain_console, plain_table
from thalweg_lab.cli.bench_files import write_texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from thalweg_lab.bench.fits.record import Fit

RESULTS, SUMMARY, NIST = "results.json", "summary.markdown", "nist.markdown"


def show_fits(
    suite: str, folder: Path, json_file: Path | None, *, only: Sequence[str], seconds: float
) -> None:
    """Make the missing fits, and write the numbers and the tables into a folder.

    Raises:
        typer.BadParameter: A problem has no such name.
        ConfigError: A file cannot be read or written.
    """
    from thalweg._util.machine import cores, this_machine
    from thalweg.errors import ConfigError
    from thalweg_lab.bench.fits.running import chosen, run_fits
    from thalweg_lab.bench.fits.summary import as_json
    from thalweg_lab.pages.fits_markdown import nist_table, summary

    try:
        tasks = chosen(suite, only)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error

    def show(name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            note(f"{done} of {total} problems done, the last `{name}`")

    jobs = min(cores(), len(tasks))
    try:
        fits = run_fits(tasks, folder, seconds=seconds, jobs=jobs, show=show)
    except KeyboardInterrupt as error:
        note(
            f"interrupted; finished fits stay in `{folder}`: the same command continues from there"
        )
        raise typer.Exit(INTERRUPTED) from error
    machine = this_machine()
    values = as_json(fits, machine, suite=suite, seconds=seconds)
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {
        folder / RESULTS: text,
        folder / SUMMARY: summary(fits, machine),
        folder / NIST: nist_table(fits),
    }
    write_texts(files if json_file is None else {**files, json_file: text})
    _print(fits)
    typer.echo(f"results: {folder / RESULTS}")
    typer.echo(f"tables: {folder / SUMMARY}, {folder / NIST}")


def _print(fits: Sequence[Fit]) -> None:
    """The scores of all entrants on all problems."""
    from thalweg_lab.bench.fits.summary import scores

    table = plain_table("Fits with known answers")
    for head in ("solver", "solved", "another minimum", "false success", "seconds"):
        table.add_column(head, justify="left" if head == "solver" else "right")
    for score in scores(fits):
        table.add_row(
            score.solver,
            f"{score.all_solved} of {score.fits}",
            str(score.other_minima),
            str(score.false_successes),
            f"{score.seconds:.1f}",
        )
    plain_console().print(table)
