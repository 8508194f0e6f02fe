"""The command `thalweg`: the library with a skin.

Other distributions add commands by entry points of the group `thalweg.commands`, as thalweg-lab
does.

Results go to stdout, progress and notes to stderr. The exit status is 0 for done, 1 for failed,
2 for wrong usage, and 130 after Ctrl-C. JAX is imported only by the commands that compute, so that
`--help` is quick; they switch its x64 flag on, as a front end may.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from thalweg.cli import about, tabular
from thalweg.cli.common import INTERRUPTED
from thalweg.errors import MissingDistributionError, ThalwegError

if TYPE_CHECKING:
    from collections.abc import Callable


class _Group(TyperGroup):
    """Turns thalweg's exceptions into one line on stderr and an exit status."""

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
            if error.errno != errno.ENOSPC:  # a closed pipe is Typer's affair
                raise
            typer.echo("thalweg: stdout cannot be written to: no space is left", err=True)
            # What is buffered would be written, and refused, again at the end of Python.
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
    - `thalweg train wine.csv --target class` learns to predict a column of a table.
    - `thalweg predict wine-model new.csv` predicts it for other rows.
    - `thalweg study revisited --quick` answers five questions about stiff solvers by runs.
    - `thalweg bench` races thalweg against what people use instead.
    - `thalweg methods --json` lists all methods for another program.
    - `thalweg doctor` says what is installed and whether it works.
    - `thalweg --install-completion` lets the shell complete commands and options.
    """


def _missing(name: str) -> Callable[[], None]:
    """A command that says where it comes from; `--help` does not list it."""

    def command() -> None:
        raise MissingDistributionError("thalweg-lab", needed_by=f"thalweg {name}")

    return command


def _add_commands() -> None:
    """The commands of the library, and those that other distributions bring."""
    added = {point.name: point for point in entry_points(group="thalweg.commands")}
    for name in dict.fromkeys((*ORDER, *sorted(added))):
        if name in OWN:
            app.command(name)(OWN[name])
        elif name in added:
            app.command(name)(added[name].load())
        else:
            options = {"ignore_unknown_options": True, "allow_extra_args": True}
            app.command(name, hidden=True, context_settings=options)(_missing(name))


OWN = {
    "train": tabular.train,
    "predict": tabular.predict,
    "methods": about.methods,
    "doctor": about.doctor,
}
# As `--help` lists them; what is not of the library is of thalweg-lab.
ORDER = ("demo", "train", "predict", "study", "report", "bench", "methods", "doctor")
_add_commands()

__all__ = ["app"]
