"""The commands that talk to a device: plan, check, reboot, watch; and what the ledger remembers."""

from __future__ import annotations

import functools
from typing import Annotated

import typer

from bootwatch.cli.app import (
    AsJson,
    ConfigFile,
    DeviceName,
    LogJson,
    Quiet,
    State,
    Verbose,
    app,
    load,
    opened,
)
from bootwatch.errors import ConfigError
from bootwatch.verdicts import Verdict


@app.command(epilog="Example: `bootwatch plan tk`")
def plan(device: DeviceName, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every request that would be sent, secrets masked. Sends nothing."""
    import dataclasses

    from bootwatch.planning import plan as make_plan
    from bootwatch.screen import print_json

    loaded = load(config)
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

    with opened(device, config=config, state=state, log_json=log_json, verbose=verbose) as site:
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
    quiet: Quiet = False,
) -> None:
    """Restart the device, prove it, and give one verdict."""
    from bootwatch import reboot as attempts
    from bootwatch.publishing import publish
    from bootwatch.screen import print_outcome

    with opened(
        device, config=config, state=state, log_json=log_json, verbose=verbose, tell=True
    ) as site:
        outcome = attempts.reboot(site, force=force)
        if not (quiet and outcome.verdict is Verdict.CONFIRMED):
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
    """Probe the device and keep a history; restart it when it has failed several times in a row."""
    from bootwatch.publishing import beat, publish
    from bootwatch.screen import print_outcome
    from bootwatch.watching import watch as watch_site

    verdict, reported = Verdict.CONFIRMED, ""
    with opened(
        device, config=config, state=state, log_json=log_json, verbose=verbose, tell=True
    ) as site:
        settings, reporter = site.device.notify, site.reporter
        heartbeat = functools.partial(beat, settings, folder=site.folder, reporter=reporter)
        for outcome in watch_site(site, rounds=rounds, well=heartbeat):
            print_outcome(outcome, as_json=False)
            publish(site, outcome, again=outcome.reason == reported)
            verdict, reported = outcome.verdict, outcome.reason
    raise typer.Exit(verdict)


@app.command(epilog="Example: `bootwatch report tk > report.html`")
def report(
    device: DeviceName,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print a page that asks whether restarts help, how long until it fails again, and when."""
    import time

    from bootwatch import probe_history
    from bootwatch.findings import find
    from bootwatch.ledger import Ledger
    from bootwatch.report_page import make_report
    from bootwatch.screen import print_json
    from bootwatch.sites import state_path

    with Ledger(state_path(state)) as ledger:
        attempts = ledger.attempts(device, limit=-1)
        runs = probe_history.runs(ledger, device)
    if not runs:
        raise ConfigError(
            f"Nothing was seen of `{device}` so far; let `bootwatch watch {device}` run for some "
            "days (`watch.restart = false` only watches)"
        )
    findings = find(runs, attempts, now=time.time())
    if as_json:
        print_json(findings.as_dict())
    else:
        typer.echo(make_report(device, findings), nl=False)
