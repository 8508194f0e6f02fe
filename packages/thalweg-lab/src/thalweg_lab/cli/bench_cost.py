"""`thalweg bench --cost`: measure, write and print the cost of a step."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from thalweg.cli.common import note, use_float64
from thalweg.cli.tables import plain_console, plain_table
from thalweg_lab.cli.bench_files import write_texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COST, PAGE = "cost.json", "cost.html"


def show_cost(folder: Path, json_file: Path | None) -> None:
    """Measure, and write the numbers and a page into a folder.

    Raises:
        ConfigError: A file cannot be written.
    """
    use_float64()
    from thalweg._util.machine import this_machine
    from thalweg_lab.bench.cost import Size, measure
    from thalweg_lab.bench.memory import peaks
    from thalweg_lab.pages import cost_page

    def show(what: str) -> None:
        if sys.stderr.isatty():
            note(what)

    costs = measure(show=show)
    found = peaks(Size(width=16, depth=2, residuals=100_000), show=show)
    machine = this_machine()
    as_json = cost_page.cost_json(costs, found, machine)
    text = json.dumps(as_json, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {folder / COST: text, folder / PAGE: cost_page.render_cost(costs, found, machine)}
    write_texts(files if json_file is None else {**files, json_file: text})
    _print(cost_page.title_of(costs), cost_page.HEADS, cost_page.rows(costs))
    _print("Peak memory and its budget", cost_page.PEAK_HEADS, cost_page.peak_rows(found))
    typer.echo(f"results: {folder / COST}")
    typer.echo(f"report: {folder / PAGE}")


def _print(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = plain_table(title)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right", no_wrap=place == 0)
    for line in lines:
        table.add_row(*line)
    plain_console().print(table)
