"""The command `thalweg`: the library with a skin.

Results go to stdout, progress and notes to stderr. The exit status is 0 for done, 1 for failed,
2 for wrong usage, and 130 after Ctrl-C. JAX is imported only by the commands that compute, so that
`--help` is quick; they switch its x64 flag on, as a front end may.
"""

from __future__ import annotations

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from thalweg.errors import ThalwegError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Group(TyperGroup):
    """Turns thalweg's exceptions into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that lacks `∇` shows `?`
        try:
            return super().invoke(ctx)
        except ThalwegError as error:
            typer.echo(f"thalweg: {error}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo("thalweg: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thalweg {version('thalweg')}")
        raise typer.Exit


@app.callback()
def thalweg(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Train small and medium neural networks hard, by integrating the gradient flow.

    Examples:
    - `thalweg demo --out first-look` trains three networks by five methods and writes a report.
    - `thalweg methods --json` lists all methods for another program.
    - `thalweg doctor` says what is installed and whether it works.
    - `thalweg --install-completion` lets the shell complete commands and options.
    """


@app.command()
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
    from thalweg.problems import NAMES

    for name in only or ():
        if name not in NAMES:
            raise typer.BadParameter(
                f"`{name}` is none of {', '.join(f'`{known}`' for known in NAMES)}",
                param_hint="--only",
            )
    _use_float64()
    from thalweg.cli.tables import note_start, print_section
    from thalweg.demo import REPORT_FILE, run_demo

    result = run_demo(
        out,
        seconds=seconds,
        names=[name for name in NAMES if not only or name in only],
        progress=True,
        on_start=note_start,
        on_section=(lambda _: None) if as_json else print_section,
    )
    if as_json:
        _print_json(result.as_json())
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


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List every method by name, with what it needs.

    Baselines of other libraries are methods too: a comparison is one line.

    Examples:
    - `thalweg methods`
    - `thalweg methods --json`
    """
    from thalweg.cli.tables import print_methods
    from thalweg.methods import methods as every_method

    known = every_method()
    if as_json:
        _print_json([method._asdict() for method in known])
    else:
        print_methods(known)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed and whether it works, by trying it.

    Looks at libraries, devices, float64 and extras, and solves a small problem. The exit status
    is 1 if something that is needed does not work.

    Examples:
    - `thalweg doctor`
    - `thalweg doctor --json` for a report of a bug
    """
    from thalweg.cli.tables import print_diagnosis
    from thalweg.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        _print_json(diagnosis.as_json())
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.is_sound:
        typer.echo("thalweg: something that is needed does not work; see above", err=True)
        raise typer.Exit(1)


def _use_float64() -> None:
    """Switch JAX's x64 flag on: the demo reaches losses that float32 cannot tell from 0."""
    import jax

    jax.config.update("jax_enable_x64", True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


__all__ = ["app"]
