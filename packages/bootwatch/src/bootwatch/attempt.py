"""What one attempt knows and does in all its phases: the conversation, the ledger, the clock."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootwatch.clock import Deadline
from bootwatch.conversation import Conversation
from bootwatch.errors import (
    CertificateError,
    LedgerError,
    SilentError,
    UnprovedError,
)
from bootwatch.evidence import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import SecretStr

    from bootwatch.config import Device
    from bootwatch.ledger import Ledger
    from bootwatch.recipe import Recipe
    from bootwatch.replies import Reply
    from bootwatch.reporting import Reporter
    from bootwatch.verdicts import Verdict

NOT_AVAILABLE = "not available"
SHORTEST_PATIENCE = 2.0  # seconds without an answer that count as a failed probe, at least
SHORTEST_WAIT = 0.05  # seconds that any probe may take, also at the end of a deadline
SLOWER = 5.0  # ... or so many times what an answer took before the restart


@dataclass(frozen=True)
class Site:
    """A device and all that is needed to work on it.

    Attributes:
        name: Its name in the configuration.
        device: Its part of the configuration.
        recipe: How to talk to it.
        password: Its password.
        pin: The fingerprint of its certificate, if one is stored.
        folder: Where relative paths of the configuration start.
        state: The folder of ledger and locks.
        reporter: Says what happens.
    """

    name: str
    device: Device
    recipe: Recipe
    password: SecretStr
    pin: str | None
    folder: Path
    state: Path
    reporter: Reporter

    def conversation(self) -> Conversation:
        """Begin a conversation with the device; nothing is sent yet."""
        return Conversation(
            self.device,
            self.recipe,
            password=self.password,
            pin=self.pin,
            folder=self.folder,
            note=self.reporter.note,
        )


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        device: The device's name.
        verdict: The verdict; its value is the exit code.
        reason: The same in a stable word, for metrics.
        message: The same in a sentence.
        downtime: Seconds from seen down to back for good, if both were seen.
        seconds: How long the attempt took.
        facts: What was found out: a text for each check.
    """

    device: str
    verdict: Verdict
    reason: str
    message: str
    downtime: float | None
    seconds: float
    facts: dict[str, str]


class Ended(Exception):  # noqa: N818 - the regular end of an attempt, also of a good one
    """An attempt has its verdict.

    Args:
        verdict: The verdict.
        reason: The same in a stable word.
        message: The same in a sentence.
    """

    def __init__(self, verdict: Verdict, reason: str, message: str) -> None:
        super().__init__(message)
        self.verdict, self.reason, self.message = verdict, reason, message


@dataclass
class Attempt:
    """One attempt under way.

    Attributes:
        site: The device.
        talk: The conversation with it.
        ledger: Where the attempt is booked.
        number: Its number there; `None` for a mere check, which is not booked.
        inside: A login was sent and no logout yet.
        acted: The request to restart may have been sent.
        serial: The serial number that the device showed before.
        session_tells: The session page is closed without a login, so that it can prove something.
        outsider: What the session page said to those who have not logged in, if they can ask.
        blocked: Blocked lines before; `None` if that cannot be seen.
        counters: The latest uptime and count of starts that the device reported.
        before: The same before the act.
        act_reply: The reply to the act, if one came.
        down_since: Monotonic time at which it was seen down before its reply to the act was given
            up; `None` otherwise.
        session_died: The old session is refused afterwards; `None` if it could not be asked.
        serial_looks: How often the serial page was asked for while the device was away ...
        serial_gone: ... and how often it was not there.
        patience: Seconds until a probe has failed.
        facts: See `Outcome`.
        downtime: See `Outcome`.
        deadline: When the device must be back; set with the request to restart.
    """

    site: Site
    talk: Conversation
    ledger: Ledger
    number: int | None
    inside: bool = False
    acted: bool = False
    serial: str | None = None
    session_tells: bool = False
    outsider: Reply | None = None
    blocked: int | None = None
    counters: Reading = field(default_factory=Reading)
    before: Reading = field(default_factory=Reading)
    act_reply: Reply | None = None
    down_since: float | None = None
    session_died: bool | None = None
    serial_looks: int = 0
    serial_gone: int = 0
    patience: float = SHORTEST_PATIENCE
    facts: dict[str, str] = field(default_factory=dict)
    downtime: float | None = None
    deadline: Deadline = field(default_factory=lambda: Deadline(0.0))

    @property
    def said_so(self) -> bool:
        """Whether the device said in its own words that it restarts."""
        reply = self.act_reply
        return reply is not None and reply.means == "ok" and reply.by_text

    def answers_after(self, seconds: float) -> None:
        """Note how long a good answer takes: much more is silence.

        A probe that waits for long is answered at last by a device that was away meanwhile, and
        its restart is overlooked.
        """
        self.patience = max(SHORTEST_PATIENCE, SLOWER * seconds)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Book a phase, and say how it ended."""
        if self.number is not None:
            try:
                self.ledger.enter(self.number, name)
            except LedgerError as error:
                if not self.acted:
                    raise
                self.site.reporter.warn(str(error))  # too late to stop: see it through
        start, result = time.monotonic(), "ok"
        try:
            yield
        except Ended as end:
            result = end.verdict.label
            raise
        except BaseException as error:
            result = type(error).__name__
            raise
        finally:
            self.site.reporter.phase(name, result=result, seconds=time.monotonic() - start)

    def probe(self, *, within: float) -> bool:
        """Tell whether the device is up.

        Args:
            within: Seconds that an answer may take.

        Raises:
            CertificateError: Something answers that is not the device.
        """
        limit = max(min(within, self.patience), SHORTEST_WAIT)
        try:
            reply = self.talk.send(self.site.recipe.probe, cookies={}, timeout=limit)
        except CertificateError:
            raise
        except SilentError as error:
            self.site.reporter.note(f"probe: {error}")
            return False
        return reply.means == "ok"

    def probe_while_away(self, *, within: float) -> bool:
        """Probe, and note whether the page with the serial number is away, too.

        The page is looked at first, so that a device that comes back between the two is not
        taken for one whose page was there all the time.
        """
        step, gone = self.site.recipe.identify, None
        if step is not None and self.serial is not None and self.said_so:
            limit = max(min(within, self.patience), SHORTEST_WAIT)
            try:
                reply = self.talk.send(step, cookies={}, timeout=limit)
                gone = reply.means != "ok" or "serial" not in reply.captured
            except CertificateError:
                raise
            except SilentError:
                gone = True
        up = self.probe(within=within)
        if not up and gone is not None:
            self.serial_looks += 1
            self.serial_gone += gone
        return up

    def log_out(self) -> None:
        """End the session, if there is one. Never raises: there is nothing better to do then."""
        if not self.inside:
            return
        self.inside = False
        result = NOT_AVAILABLE
        for step in self.site.recipe.logout:
            try:
                if self.talk.send(step).means == "ok":
                    result = "done"
                    break
            except SilentError as error:
                result = f"no answer ({error.reason})"
                break
            except UnprovedError:  # this way needs what no reply gave; perhaps another does not
                continue
        self.facts["logout"] = result
        self.talk.forget()
