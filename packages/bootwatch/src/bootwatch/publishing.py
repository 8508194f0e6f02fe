"""What follows an attempt, whatever its verdict: metrics are written, and people get a message.

Nothing here can change the verdict: what fails is said on stderr.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bootwatch.errors import BootwatchError
from bootwatch.ledger import Ledger
from bootwatch.metrics import write_metrics
from bootwatch.notifying import describe, is_news, notify, send_heartbeat
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bootwatch.attempt import Outcome, Site
    from bootwatch.config import Notify
    from bootwatch.reporting import Reporter


def publish(site: Site, outcome: Outcome, *, again: bool = False) -> None:
    """Write the metrics of a site, and send the message about an outcome.

    Args:
        site: The device.
        outcome: How its latest attempt ended.
        again: The attempt before ended in the same way, which people know already.
    """
    settings, reporter = site.device.notify, site.reporter
    with only_told(reporter):
        if settings.textfile is not None:
            with Ledger(site.state) as ledger:
                write_metrics(ledger, site.name, site.state / settings.textfile)
    if not again and is_news(outcome, settings):
        title, text = describe(outcome)
        send(title, text, settings, folder=site.folder, reporter=reporter)
    if outcome.verdict is Verdict.CONFIRMED:
        beat(settings, folder=site.folder, reporter=reporter)


def beat(settings: Notify, *, folder: Path, reporter: Reporter) -> bool:
    """Send the heartbeat, if one is configured. Returns whether nothing went wrong."""
    with only_told(reporter):
        send_heartbeat(settings, folder=folder, redactor=reporter.redactor)
        return True
    return False


def send(title: str, text: str, settings: Notify, *, folder: Path, reporter: Reporter) -> bool:
    """Send a message to all addresses; what fails is said on stderr.

    Returns:
        Whether all took it. Without any address nobody did.
    """
    with only_told(reporter):
        clean = reporter.redactor.clean
        body = "\n".join(clean(line) for line in text.splitlines())
        failures = notify(clean(title), body, settings, folder=folder, redactor=reporter.redactor)
        for failure in failures:
            reporter.warn(failure)
        return bool(settings.urls) and not failures
    return False


@contextlib.contextmanager
def only_told(reporter: Reporter) -> Iterator[None]:
    """Turn whatever goes wrong into a warning."""
    try:
        yield
    except BootwatchError as error:
        reporter.warn(str(error))
    except Exception as error:  # noqa: BLE001 - a service's library must not change a verdict
        reporter.warn(f"{type(error).__name__}: {error}")
