"""The commands that set things up: install, trust, notify."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated

import typer

from bootwatch.cli.app import ConfigFile, DeviceName, app, load, say
from bootwatch.errors import ConfigError
from bootwatch.verdicts import Verdict


@app.command(epilog="Example: `bootwatch install tk --on-calendar '*-*-* 03:30' --print`")
def install(
    device: DeviceName,
    on_calendar: Annotated[str, typer.Option(help="When, as systemd writes it.")] = "*-*-* 03:30",
    config: ConfigFile = None,
    show: Annotated[bool, typer.Option("--print", help="Print the units; write nothing.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Print the line for cron.")] = False,
    watching: Annotated[
        bool, typer.Option("--watch", help="A service that runs `bootwatch watch` for ever.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(help="Folder of the units.", show_default=False)
    ] = None,
) -> None:
    """Write a hardened systemd service and timer for a nightly restart.

    Before it writes into systemd's own folder, it tries whether the service could read what it
    needs. With `--print` and `--into` it only says what would be in the way here.
    """
    from bootwatch import installing
    from bootwatch.sites import config_path

    path = config_path(config)
    loaded = load(path)
    if cron:
        loaded.device(device)
        typer.echo(installing.cron_line(device, path=path, calendar=on_calendar))
        return
    units = installing.make_units(
        loaded, device, path=path, calendar=on_calendar, watching=watching
    )
    found = installing.find_problems(loaded, device, path=path)
    if found and not show and into is None:
        raise ConfigError(*found)
    for one in found:
        say(one)
    if show:
        for name, text in units.items():
            typer.echo(f"# {name}\n{text}")
        return
    for written in installing.write_units(units, into or installing.SYSTEM_UNITS):
        typer.echo(str(written))
    unit = f"bootwatch-{device}-watch.service" if watching else f"bootwatch-{device}.timer"
    typer.echo(f"Next: systemctl enable --now {unit}", err=True)


@app.command(epilog="Example: `bootwatch trust tk --yes`")
def trust(
    device: DeviceName,
    config: ConfigFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Store it without asking.")] = False,
) -> None:
    """Show the fingerprint of the device's certificate, and store it as the only trusted one."""
    from bootwatch.tls import fetch_fingerprint, pin_path, read_pin, store_pin

    loaded = load(config)
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


@app.command(epilog="Example: `bootwatch notify tk`")
def notify(
    device: DeviceName,
    config: ConfigFile = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="For systemd: say that the service failed, unless it did."),
    ] = False,
) -> None:
    """Send a test message to every address in `notify.urls`, and the heartbeat."""
    from bootwatch import publishing, unit_failure
    from bootwatch.reporting import Reporter

    loaded = load(config)
    settings, reporter = loaded.device(device).notify, Reporter(device)
    if failed:
        message = unit_failure.describe(device, os.environ)
        if message is not None:
            publishing.send(*message, settings, folder=loaded.folder, reporter=reporter)
        return
    if not settings.urls:
        raise ConfigError(
            f"`devices.{device}.notify.urls` is empty; write an address into it, as apprise has it"
        )
    text = "This is a test. Messages about restarts will come this way."
    title = f"{device}: test of notifications"
    if not publishing.send(title, text, settings, folder=loaded.folder, reporter=reporter):
        raise typer.Exit(Verdict.INTERNAL)
    if not publishing.beat(settings, folder=loaded.folder, reporter=reporter):
        raise typer.Exit(Verdict.INTERNAL)
    typer.echo(f"{device}: every address took the message", err=True)
