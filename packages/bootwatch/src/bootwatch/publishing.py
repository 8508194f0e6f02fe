"""What follows an attempt, whatever its verdict: metrics are written, and people are told.

Nothing here can change the verdict: what fails is said on stderr.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bootwatch.errors import BootwatchError
from bootwatch.ledger import Ledger
from bootwatch.metrics import write_metrics
from bootwatch.notifying import is_news, notify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bootwatch.attempt import Outcome, Site


def publish(site: Site, outcome: Outcome, *, again: bool = False) -> None:
    """Write the metrics of a site, and send the message about an outcome.

    Args:
        site: The device.
        outcome: How its latest attempt ended.
        again: The attempt before ended in the same way, which people know already.
    """
    settings = site.device.notify
    with _only_told(site):
        if settings.textfile is not None:
            with Ledger(site.state) as ledger:
                write_metrics(ledger, site.name, site.state / settings.textfile)
    with _only_told(site):
        if not again and is_news(outcome, settings) and not notify(outcome, settings):
            site.reporter.warn("Not every address in `notify.urls` took the message")


@contextlib.contextmanager
def _only_told(site: Site) -> Iterator[None]:
    """Turn whatever goes wrong into a warning."""
    try:
        yield
    except BootwatchError as error:
        site.reporter.warn(str(error))
    except Exception as error:  # noqa: BLE001 - a service's library must not change a verdict
        site.reporter.warn(f"{type(error).__name__}: {error}")
