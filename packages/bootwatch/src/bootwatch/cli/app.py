"""What all commands of `bootwatch` share: the application, its options, how errors are shown."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bootwatch.errors import BootwatchError, ConfigError, Stopped
from bootwatch.plain_text import without_controls
from bootwatch.signals import SHELL_BASE, stoppable
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bootwatch.attempt import Site
    from bootwatch.config import Config


class _Group(TyperGroup):
    """Turns bootwatch's exceptions into lines on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with stoppable():
                return super().invoke(ctx)
        except ConfigError as error:
            for mistake in error.mistakes:
                say(mistake)
            raise typer.Exit(Verdict.USAGE) from None
        except Stopped as error:
            say(str(error))
            raise typer.Exit(SHELL_BASE + error.number) from None
        except BootwatchError as error:
            say(str(error))
            raise typer.Exit(Verdict.INTERNAL) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show local variables, passwords among them
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def say(text: str) -> None:
    """Say one sentence on stderr; what a device may have put into it moves no cursor."""
    typer.echo(f"bootwatch: {without_controls(text)}", err=True)


DeviceName = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Name in the configuration.", show_default=False)
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration, a TOML file.", show_default=False),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of ledger and locks.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log one JSON line a phase on stderr.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Tell every request and reply, too.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing if all went well.")]


def load(path: Path | None) -> Config:
    """Read the configuration that is meant."""
    from bootwatch.config import load_config
    from bootwatch.sites import config_path

    return load_config(config_path(path))


@contextlib.contextmanager
def opened(
    name: str,
    *,
    config: Path | None,
    state: Path | None,
    log_json: bool,
    verbose: int,
    tell: bool = False,
) -> Iterator[Site]:
    """Open a device, and keep its password out of whatever goes wrong.

    Args:
        name: The device.
        config: The configuration that is wanted.
        state: The state folder that is wanted.
        log_json: See `bootwatch.reporting`.
        verbose: See there.
        tell: Send a message about an error, too, as nobody may read what is said here.
    """
    from bootwatch.publishing import send
    from bootwatch.reporting import Reporter
    from bootwatch.sites import open_site, state_path

    reporter = Reporter(name, json_lines=log_json, verbosity=verbose)
    loaded = load(config)

    def failed(text: str) -> None:
        device = loaded.devices.get(name)
        if tell and device is not None and device.notify.urls:
            title = f"{name}: error before a verdict"
            send(title, text, device.notify, folder=loaded.folder, reporter=reporter)

    try:
        yield open_site(loaded, name, state=state_path(state), reporter=reporter)
    except (Stopped, typer.Exit):
        raise
    except BootwatchError as error:
        failed(str(error))
        raise
    except Exception as error:  # noqa: BLE001 - the last resort; a traceback might show secrets
        text = reporter.redactor.clean(f"{type(error).__name__}: {error}")
        failed(text)
        say(f"internal error: {text}")
        raise typer.Exit(Verdict.INTERNAL) from None
