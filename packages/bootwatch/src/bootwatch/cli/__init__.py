"""The command `bootwatch`: the library with a skin.

Results go to stdout, progress and notes to stderr. The exit status is the verdict's, see
`bootwatch.verdicts`; after Ctrl-C and SIGTERM it is 128 plus the signal's number.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bootwatch.cli import recipes, restarting, setting_up, simulating
from bootwatch.cli.app import app
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main", "recipes", "restarting", "setting_up", "simulating"]

PASSWORD_OPTIONS = ("--password", "--pass", "--passwd", "--passwort")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; it leaves by `SystemExit` with the exit status.

    Args:
        arguments: What follows the command's name; those of this process if `None`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for argument in arguments:
        if argument.partition("=")[0] in PASSWORD_OPTIONS:
            typer.echo(
                "bootwatch: A password on the command line can be read by everyone on this "
                "machine; put it into a file with mode 600 and write "
                '`password = { file = "NAME" }` into the configuration',
                err=True,
            )
            sys.exit(Verdict.USAGE)
    _forbid_core_dumps()
    app(arguments, prog_name="bootwatch")


def _forbid_core_dumps() -> None:
    """A dump of this process would hold the password."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _print_version(wanted: bool) -> None:
    if wanted:
        from bootwatch import __version__

        typer.echo(f"bootwatch {__version__}")
        raise typer.Exit


@app.callback()
def _bootwatch(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Restart a device through its web interface, and prove that it really restarted."""
