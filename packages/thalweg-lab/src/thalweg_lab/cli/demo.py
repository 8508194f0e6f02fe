"""`thalweg demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.common import INTERRUPTED, AsJson, print_json, set_up_jax


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for `report.html` and `runs.json`; made if missing.")
    ] = Path("thalweg-demo"),
    seconds: Annotated[
        float | None,
        typer.Option(min=0.01, help="Seconds for each run.", show_default="1.2 or 1.5, by problem"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run this problem only: `digits`, `poisson` or `bessel`. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train three networks by five methods, and write a report to look at.

    Handwritten digits, a differential equation and a function are learned by `auto`, L-BFGS,
    Adam, gradient descent and zvode, each from the same start with the same budget. With the
    default budgets this takes about 45 seconds on two cores, compilation included. Ctrl-C ends
    it early and keeps what is finished.

    Examples:
    - `thalweg demo` writes `thalweg-demo/report.html`.
    - `thalweg demo --out deep --seconds 10` gives each method ten seconds on each problem.
    - `thalweg demo --only poisson` runs the differential equation only.
    - `thalweg demo --json > tables.json` prints the tables for another program.
    """
    from thalweg_lab.problems import DEMO

    for name in only or ():
        if name not in DEMO:
            raise typer.BadParameter(
                f"`{name}` is none of {', '.join(f'`{known}`' for known in DEMO)}",
                param_hint="--only",
            )
    set_up_jax()
    from thalweg_lab.cli.demo_tables import note_start, print_section
    from thalweg_lab.demo import REPORT_FILE, run_demo

    result = run_demo(
        out,
        seconds=seconds,
        names=[name for name in DEMO if not only or name in only],
        progress=True,
        on_start=note_start,
        on_section=(lambda _: None) if as_json else print_section,
    )
    if as_json:
        print_json(result.as_json())
    elif result.folder is not None:
        typer.echo(f"report: {result.folder / REPORT_FILE}")
    if result.was_interrupted:
        kept = (
            "no run was finished, so nothing was written"
            if result.folder is None
            else f"the report shows the runs that were finished: {result.folder / REPORT_FILE}"
        )
        typer.echo(f"thalweg: interrupted; {kept}", err=True)
        raise typer.Exit(INTERRUPTED)
