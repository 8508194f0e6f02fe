"""The command `bootwatch`: the library with a skin.

Results go to stdout, progress and notes to stderr. The exit status is the verdict's, see
`bootwatch.verdicts`; after Ctrl-C and SIGTERM it is 128 plus the signal's number.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bootwatch.errors import BootwatchError, ConfigError, Stopped
from bootwatch.signals import SHELL_BASE, stoppable
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bootwatch.attempt import Site
    from bootwatch.config import Config

PASSWORD_OPTIONS = ("--password", "--pass", "--passwd", "--passwort")


class _Group(TyperGroup):
    """Turns bootwatch's exceptions into lines on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with stoppable():
                return super().invoke(ctx)
        except ConfigError as error:
            for mistake in error.mistakes:
                typer.echo(f"bootwatch: {mistake}", err=True)
            raise typer.Exit(Verdict.USAGE) from None
        except Stopped as error:
            typer.echo(f"bootwatch: {error}", err=True)
            raise typer.Exit(SHELL_BASE + error.number) from None
        except BootwatchError as error:
            typer.echo(f"bootwatch: {error}", err=True)
            raise typer.Exit(Verdict.INTERNAL) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show local variables, passwords among them
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


def _load(path: Path | None) -> Config:
    from bootwatch.config import load_config
    from bootwatch.sites import config_path

    return load_config(config_path(path))


@contextlib.contextmanager
def _site(
    name: str, *, config: Path | None, state: Path | None, log_json: bool, verbose: int
) -> Iterator[Site]:
    """Open a device, and keep its password out of whatever goes wrong."""
    from bootwatch.reporting import Reporter
    from bootwatch.sites import open_site, state_path

    reporter = Reporter(name, json_lines=log_json, verbosity=verbose)
    loaded = _load(config)
    site = open_site(loaded, name, state=state_path(state), reporter=reporter)
    try:
        yield site
    except (BootwatchError, typer.Exit):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort; a traceback might show secrets
        text = reporter.redactor.clean(f"{type(error).__name__}: {error}")
        typer.echo(f"bootwatch: internal error: {text}", err=True)
        raise typer.Exit(Verdict.INTERNAL) from None


@app.command(epilog="Example: `bootwatch plan tk`")
def plan(device: DeviceName, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every request that would be sent, secrets masked. Sends nothing."""
    import dataclasses

    from bootwatch.planning import plan as make_plan
    from bootwatch.screen import print_json

    loaded = _load(config)
    planned = make_plan(loaded.device(device), loaded.recipe(device))
    if as_json:
        print_json([dataclasses.asdict(one) for one in planned])
        return
    for one in planned:
        pause = f"  (after {one.pause:g} s)" if one.pause else ""
        typer.echo(f"{one.phase:7} {one.method:4} {one.url}{pause}")
        if one.body is not None:
            typer.echo(f"{'':12} {one.body}")


@app.command(epilog="Example: `bootwatch check tk && echo ready`")
def check(
    device: DeviceName,
    config: ConfigFile = None,
    state: State = None,
    again: Annotated[
        bool, typer.Option("--again", help="Try a password that was refused before once more.")
    ] = False,
    as_json: AsJson = False,
    log_json: LogJson = False,
    verbose: Verbose = 0,
) -> None:
    """Reach, identify, log in, look at calls, log out. Changes nothing."""
    from bootwatch import reboot as attempts
    from bootwatch.screen import print_outcome

    with _site(device, config=config, state=state, log_json=log_json, verbose=verbose) as site:
        outcome = attempts.check(site, again=again)
        print_outcome(outcome, as_json=as_json)
    raise typer.Exit(outcome.verdict)


@app.command(epilog="Example: `bootwatch reboot tk --json`")
def reboot(
    device: DeviceName,
    config: ConfigFile = None,
    state: State = None,
    force: Annotated[
        bool, typer.Option("--force", help="Override the rate limit and the loop guard.")
    ] = False,
    as_json: AsJson = False,
    log_json: LogJson = False,
    verbose: Verbose = 0,
) -> None:
    """Restart the device, prove it, and give one verdict."""
    from bootwatch import reboot as attempts
    from bootwatch.publishing import publish
    from bootwatch.screen import print_outcome

    with _site(device, config=config, state=state, log_json=log_json, verbose=verbose) as site:
        outcome = attempts.reboot(site, force=force)
        print_outcome(outcome, as_json=as_json)
        publish(site, outcome)
    raise typer.Exit(outcome.verdict)


@app.command(epilog="Example: `bootwatch history tk --json`")
def history(
    device: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="Only this device.", show_default=False)
    ] = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
    as_html: Annotated[bool, typer.Option("--html", help="Print a page with a drawing.")] = False,
) -> None:
    """List past attempts, the newest first."""
    from bootwatch.ledger import Ledger
    from bootwatch.sites import state_path

    with Ledger(state_path(state)) as ledger:
        attempts = ledger.attempts(device, limit=limit)
    if as_html:
        from bootwatch.page import make_page

        typer.echo(make_page(attempts), nl=False)
    else:
        from bootwatch.screen import print_history

        print_history(attempts, as_json=as_json)


@app.command(epilog="Example: `bootwatch watch tk --log-json`")
def watch(
    device: DeviceName,
    config: ConfigFile = None,
    state: State = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="End after so many probes.", show_default=False)
    ] = None,
    log_json: LogJson = False,
    verbose: Verbose = 0,
) -> None:
    """Probe the device; restart it only when it has failed several probes in a row."""
    from bootwatch.publishing import publish
    from bootwatch.screen import print_outcome
    from bootwatch.watching import watch as watch_site

    verdict, told = Verdict.CONFIRMED, ""
    with _site(device, config=config, state=state, log_json=log_json, verbose=verbose) as site:
        for outcome in watch_site(site, rounds=rounds):
            print_outcome(outcome, as_json=False)
            publish(site, outcome, again=outcome.reason == told)
            verdict, told = outcome.verdict, outcome.reason
    raise typer.Exit(verdict)


@app.command(epilog="Example: `bootwatch install tk --on-calendar '*-*-* 03:30' --print`")
def install(
    device: DeviceName,
    on_calendar: Annotated[str, typer.Option(help="When, as systemd writes it.")] = "*-*-* 03:30",
    config: ConfigFile = None,
    show: Annotated[bool, typer.Option("--print", help="Print the units; write nothing.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Print the line for cron.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="Folder of the units.", show_default=False)
    ] = None,
) -> None:
    """Write a hardened systemd service and timer for a nightly restart."""
    from bootwatch import installing
    from bootwatch.sites import config_path

    path = config_path(config)
    loaded = _load(path)
    if cron:
        loaded.device(device)
        typer.echo(installing.cron_line(device, path=path, calendar=on_calendar))
        return
    units = installing.make_units(loaded, device, path=path, calendar=on_calendar)
    if show:
        for name, text in units.items():
            typer.echo(f"# {name}\n{text}")
        return
    for written in installing.write_units(units, into or installing.SYSTEM_UNITS):
        typer.echo(str(written))
    typer.echo(f"Next: systemctl enable --now bootwatch-{device}.timer", err=True)


@app.command(epilog="Example: `bootwatch trust tk --yes`")
def trust(
    device: DeviceName,
    config: ConfigFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Store it without asking.")] = False,
) -> None:
    """Show the fingerprint of the device's certificate, and store it as the only trusted one."""
    from bootwatch.tls import fetch_fingerprint, pin_path, read_pin, store_pin

    loaded = _load(config)
    found = loaded.device(device)
    if not found.url.startswith("https:"):
        raise ConfigError(f"`devices.{device}.url` is plain HTTP, which has no certificate")
    fingerprint = fetch_fingerprint(found.url, timeout=found.timeout)
    path = pin_path(loaded.folder, device)
    before = read_pin(path)
    typer.echo(f"{device} SHA-256 {fingerprint}")
    if before == fingerprint:
        typer.echo(f"It is trusted already, by {path}", err=True)
        return
    if before is not None:
        typer.echo(f"Another one is trusted now: {before}", err=True)
    if yes or typer.confirm("Compare it with the device's own display. Trust it?", err=True):
        store_pin(path, fingerprint)
        typer.echo(f"Stored in {path}", err=True)
    else:
        raise typer.Exit(Verdict.WRONG_DEVICE)


def _print_faults(wanted: bool) -> None:
    if wanted:
        from bootwatch.simulator.command import list_faults

        list_faults()
        raise typer.Exit


@app.command(epilog="Example: `bootwatch simulate auerswald-form --fault slow-boot --sip`")
def simulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="The kind of device.")],
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="What is wrong; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Makes serial number, cookies and delays.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    boot: Annotated[str, typer.Option(help="How long a restart takes.")] = "3s",
    session: Annotated[str, typer.Option(help="How long an idle session lives.")] = "200s",
    sip: Annotated[bool, typer.Option("--sip", help="Answer SIP OPTIONS, too.")] = False,
    bare: Annotated[bool, typer.Option("--bare", help="Know login and restart only.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Speak HTTPS.")] = False,
    _faults: Annotated[
        bool,
        typer.Option("--faults", callback=_print_faults, is_eager=True, help="List the faults."),
    ] = False,
) -> None:
    """Be a fake device on loopback, until Ctrl-C. User `admin`, password `SecretPasswd`."""
    from bootwatch.simulator.command import serve

    serve(
        recipe,
        faults=fault or [],
        seed=seed,
        port=port,
        boot=boot,
        session=session,
        sip=sip,
        bare=bare,
        tls=tls,
    )
