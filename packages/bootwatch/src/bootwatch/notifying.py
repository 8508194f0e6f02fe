"""Tells people how an attempt ended, by whatever service apprise knows, and sends heartbeats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bootwatch.errors import ConfigError
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from bootwatch.attempt import Outcome
    from bootwatch.config import Notify
    from bootwatch.passwords import PasswordSource, Redactor

HEARTBEAT_LIMIT = 10.0  # seconds for the service behind the heartbeat to answer


def is_news(outcome: Outcome, settings: Notify) -> bool:
    """Say whether to notify anybody: always of a failure, of a success if wanted."""
    wanted = settings.success or outcome.verdict is not Verdict.CONFIRMED
    return bool(settings.urls) and wanted


def describe(outcome: Outcome) -> tuple[str, str]:
    """Return title and text of the message about an outcome."""
    lines = [outcome.message, *(f"{name}: {text}" for name, text in outcome.facts.items())]
    return f"{outcome.device}: {outcome.verdict.label}", "\n".join(lines)


def notify(
    title: str, text: str, settings: Notify, *, folder: Path, redactor: Redactor
) -> list[str]:
    """Send one message to all addresses, also where one of them cannot be used.

    Args:
        title: Its title.
        text: Its text.
        settings: Holds the addresses.
        folder: Where files with addresses are looked for.
        redactor: Learns the addresses, which often hold secrets.

    Returns:
        One sentence for each address that did not take it, named by its number.

    Raises:
        ConfigError: The package `apprise` is missing.
    """
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "`notify.urls` is given, but the package `apprise` is missing; "
            "install `bootwatch[notify]`"
        ) from None
    failures = []
    for number, source in enumerate(settings.urls):
        name = f"`notify.urls[{number}]`"
        try:
            url = _read(source, folder=folder, redactor=redactor)
        except ConfigError as error:
            failures.append(f"{name}: {error}")
            continue
        sender = apprise.Apprise()
        if not sender.add(url):  # the address itself may hold a secret
            failures.append(f"{name} is no address that apprise knows")
        elif not sender.notify(title=title, body=text):
            failures.append(f"{name} did not take the message")
    return failures


def send_heartbeat(settings: Notify, *, folder: Path, redactor: Redactor) -> None:
    """Say to the service behind `heartbeat` that all is well.

    Raises:
        ConfigError: The address cannot be read or used, or the service did not answer by a status
            of success.
    """
    if settings.heartbeat is None:
        return
    import ssl

    import httpx2

    from bootwatch.clock import Deadline
    from bootwatch.network import BoundedTransport

    url = _read(settings.heartbeat, folder=folder, redactor=redactor)
    transport = BoundedTransport(ssl.create_default_context())
    transport.limit = Deadline(HEARTBEAT_LIMIT)
    try:
        with httpx2.Client(transport=transport, trust_env=False) as client:
            reply = client.get(url, timeout=HEARTBEAT_LIMIT)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ConfigError(
            f"`notify.heartbeat` could not be fetched ({type(error).__name__})"
        ) from None
    if not reply.is_success:
        raise ConfigError(f"`notify.heartbeat` answered with status {reply.status_code}")


def _read(source: str | PasswordSource, *, folder: Path, redactor: Redactor) -> str:
    if isinstance(source, str):
        from pydantic import SecretStr

        redactor.learn(SecretStr(source))
        return source
    # A copy: a variable is needed again for the next message.
    secret = source.read(user="notify", folder=folder, environment=dict(os.environ))
    redactor.learn(secret)
    return secret.get_secret_value()
