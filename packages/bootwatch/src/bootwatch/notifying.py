"""Tells people how an attempt ended, by whatever service apprise knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootwatch.errors import ConfigError
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from bootwatch.attempt import Outcome
    from bootwatch.config import Notify


def is_news(outcome: Outcome, settings: Notify) -> bool:
    """Tell whether anybody is to be told: always of a failure, of a success if wanted."""
    wanted = settings.success or outcome.verdict is not Verdict.CONFIRMED
    return bool(settings.urls) and wanted


def notify(outcome: Outcome, settings: Notify) -> bool:
    """Send one message to all addresses.

    Returns:
        Whether all of them took it.

    Raises:
        ConfigError: The package `apprise` is missing, or it does not know an address.
    """
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "`notify.urls` is given, but the package `apprise` is missing; "
            "install `bootwatch[notify]`"
        ) from None
    sender = apprise.Apprise()
    for number, url in enumerate(settings.urls):
        if not sender.add(url):  # the address itself may hold a secret
            raise ConfigError(f"`notify.urls[{number}]` is no address that apprise knows")
    lines = [outcome.message, *(f"{name}: {text}" for name, text in outcome.facts.items())]
    title = f"{outcome.device}: {outcome.verdict.label}"
    return bool(sender.notify(title=title, body="\n".join(lines)))
