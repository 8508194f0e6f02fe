"""The command `thalweg`, a thin front end of the library.

Results go to stdout, progress and notes to stderr. The exit status is 0 for done, 1 for failed,
2 for wrong usage, and 130 after Ctrl-C. JAX is imported only by the commands that compute, so that
`--help` is quick; they switch its x64 flag on, as a front end may.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from thalweg.cli import about, fit, laboratory, tabular
from thalweg.cli.common import INTERRUPTED
from thalweg.errors import ThalwegError

OWN = (fit.fit, tabular.train, tabular.predict, about.methods, about.doctor)
# As `--help` lists them; those that are not the library's own are thalweg-lab's.
ORDER = ("demo", "fit", "train", "predict", "study", "report", "bench", "methods", "doctor")


class _Group(TyperGroup):
    """Adds thalweg-lab's commands; turns thalweg's exceptions into one line and an exit status."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.commands = laboratory.CommandTable({name: self.commands.get(name) for name in ORDER})

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that lacks `∇` shows `?`
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except ThalwegError as error:
            typer.echo(f"thalweg: {error}", err=True)
            raise typer.Exit(1) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:  # Typer itself deals with a closed pipe
                raise
            typer.echo("thalweg: stdout cannot be written to: no space is left", err=True)
            # Python would try to write what is buffered once more as it exits, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo("thalweg: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error
        return result


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=laboratory.hint(),
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    - `thalweg fit decay.csv "a*exp(-b*x)+c"` fits the parameters of a formula.
    - `thalweg train wine.csv --target class` learns to predict a column of a table.
    - `thalweg predict wine-model new.csv` predicts it for other rows.
    - `thalweg study revisited --quick` answers five questions about stiff solvers by runs.
    - `thalweg bench` races thalweg against what people use instead.
    - `thalweg methods --json` lists all methods for another program.
    - `thalweg doctor` says what is installed and whether it works.
    - `thalweg --install-completion` lets the shell complete commands and options.
    """


for _function in OWN:
    app.command()(_function)

__all__ = ["app"]
