"""Watches a device, and restarts it only when it has failed several probes in a row.

A probe asks what matters: SIP where it is configured, as the telephone part may be dead while the
web pages still answer; the web page otherwise.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bootwatch.attempt import Ended
from bootwatch.errors import SilentError
from bootwatch.reboot import device_lock, reboot
from bootwatch.sip import ask_options, is_healthy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bootwatch.attempt import Outcome, Site


def watch(site: Site, *, rounds: int | None = None) -> Iterator[Outcome]:
    """Probe a device for ever.

    Args:
        site: The device.
        rounds: End after so many probes.

    Yields:
        The outcome of each restart, or of each attempt that the limits refused. After either, the
        device has to fail all its probes again.

    Raises:
        ConfigError, LedgerError, Stopped: As `reboot`.
    """
    settings = site.device.watch
    failed = done = 0
    while rounds is None or done < rounds:
        if done:
            time.sleep(settings.every)
        done += 1
        alive = is_alive(site)
        failed = 0 if alive else failed + 1
        site.reporter.note(f"probe {done}: {'alive' if alive else f'failed, {failed} in a row'}")
        if failed >= settings.failures:
            failed = 0
            yield reboot(site)


def is_alive(site: Site) -> bool:
    """Probe once. A device that another bootwatch is restarting counts as alive."""
    try:
        with device_lock(site):
            target = site.device.verify.sip
            if target is not None:
                return is_healthy(ask_options(target, timeout=site.device.timeout))
            with site.conversation() as talk:
                return talk.send(site.recipe.probe, cookies={}).means == "ok"
    except Ended:
        return True
    except SilentError:
        return False
