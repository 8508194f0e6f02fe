"""Watches a device, remembers what it saw, and restarts it when it failed often enough in a row.

A probe asks what matters: SIP where it is configured, as the telephone part may be dead while the
web pages still answer; the web page otherwise; or a command of the user's.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from bootwatch import probe_history
from bootwatch.attempt import Ended
from bootwatch.errors import SilentError, UnprovedError
from bootwatch.ledger import DAY, Ledger
from bootwatch.reboot import device_lock, reboot
from bootwatch.sip import ask, is_healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bootwatch.attempt import Outcome, Site
    from bootwatch.config import Probe


def watch(
    site: Site, *, rounds: int | None = None, well: Callable[[], object] = lambda: None
) -> Iterator[Outcome]:
    """Probe a device for ever.

    Args:
        site: The device.
        rounds: End after so many rounds of probes.
        well: Called after each round in which all probes succeeded.

    Yields:
        The outcome of each restart, or of each attempt that the limits refused. After either, the
        device has to fail all its rounds again.

    Raises:
        ConfigError, LedgerError, Stopped: As `reboot`.
    """
    settings = site.device.watch
    failed = done = 0
    thinned = 0.0
    while rounds is None or done < rounds:
        if done:
            time.sleep(settings.every)
        done += 1
        results = probe_once(site)
        alive = all(results.values())
        with Ledger(site.state) as ledger:
            wall = time.time()
            for kind, ok in results.items():
                probe_history.book_probe(
                    ledger, site.name, kind, ok=ok, wall=wall, every=settings.every
                )
            if abs(wall - thinned) > DAY:
                probe_history.thin(ledger, site.name, wall=wall)
                thinned = wall
        failed = 0 if alive else failed + 1
        site.reporter.note(f"round {done}: {_sentence(results, failed)}")
        if alive:
            well()
        if failed >= settings.failures and settings.restart:
            failed = 0
            yield reboot(site)


def _sentence(results: dict[Probe, bool], failed: int) -> str:
    if not results:
        return "another bootwatch works on the device"
    dead = [kind for kind, ok in results.items() if not ok]
    return f"{', '.join(dead)} failed, {failed} in a row" if dead else "alive"


def probe_once(site: Site) -> dict[Probe, bool]:
    """Send each probe once.

    Returns:
        Whether it succeeded, by its kind; nothing where another bootwatch works on the device,
        which then may be away for a good reason.
    """
    try:
        with device_lock(site):
            return {kind: _succeeds(site, kind) for kind in site.device.watched}
    except Ended:
        return {}


def _succeeds(site: Site, kind: Probe) -> bool:
    target, limit = site.device.verify.sip, site.device.timeout
    if kind == "web":
        try:
            with site.conversation() as talk:
                return talk.send(site.recipe.probe, cookies={}).means == "ok"
        except (SilentError, UnprovedError):
            return False
    if kind == "command":
        return _command_succeeds(site, limit)
    method = "OPTIONS" if kind == "sip" else "REGISTER"
    return is_healthy(ask(target or "", timeout=limit, method=method))


def _command_succeeds(site: Site, limit: float) -> bool:
    """Run the user's command; one that cannot be started or does not end has failed."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the configuration's own words
            site.device.watch.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limit,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        site.reporter.note(f"command: {type(error).__name__}")
        return False
    return done.returncode == 0
