"""The whole attempt: its phases in order, one verdict at the end, a logout on every other path.

lock -> rate limit -> reach and identify -> log in -> guard -> act -> down -> back and stable
-> checks -> verdict
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING

from bootwatch import after, before, clock
from bootwatch.attempt import Attempt, Ended, Outcome
from bootwatch.errors import (
    CertificateError,
    LedgerError,
    OldTlsError,
    SilentError,
    Stopped,
    UnprovedError,
)
from bootwatch.ledger import Ledger
from bootwatch.limits import why_not
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bootwatch.attempt import Site

CHECKED = "The device answers and takes the login; nothing was changed."


def reboot(site: Site, *, force: bool = False) -> Outcome:
    """Restart a device and prove it.

    Args:
        site: The device.
        force: Override the rate limit and the guard against loops. Nothing else.

    Returns:
        The verdict and what led to it. It stands in the ledger, too.

    Raises:
        ConfigError: The request cannot be built from the configuration.
        LedgerError: The ledger cannot be used; nothing was sent to restart then.
        Stopped: A signal came; the session was logged out, and the ledger knows.
    """
    with Ledger(site.state) as ledger:
        try:
            with device_lock(site):
                orphans = ledger.mend(site.name)
                for orphan in orphans:
                    site.reporter.warn(
                        f"Attempt {orphan.number} was killed in its phase `{orphan.phase}`"
                        + (", when the device may have restarted" if orphan.acted else "")
                    )
                number = ledger.begin(site.name, phase="limit")
                phases = functools.partial(_phases, number=number, force=force)
                return _run(site, ledger, number, phases)
        except Ended as end:  # the lock is held
            number = ledger.begin(site.name, phase="lock")
            return _close(ledger, number, _outcome(site, end))


def check(site: Site, *, again: bool = False) -> Outcome:
    """Reach, identify, log in, look at the calls and log out. Changes nothing.

    Args:
        site: The device.
        again: Try a password that was refused before, once more.

    Returns:
        `CONFIRMED` if all of that worked, or the verdict that a reboot would have had.

    Raises:
        ConfigError, LedgerError, Stopped: As `reboot`.
    """
    with Ledger(site.state) as ledger:
        try:
            with device_lock(site):
                if again:
                    ledger.forget_refused(site.name)
                return _run(site, ledger, None, _look)
        except Ended as end:
            return _outcome(site, end)


@contextlib.contextmanager
def device_lock(site: Site) -> Iterator[None]:
    """Keep other processes from this device. A killed process leaves no lock behind.

    Raises:
        Ended: Another process has it.
    """
    from filelock import FileLock, Timeout

    site.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(site.state / f"{site.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"Another bootwatch works on `{site.name}`"
        raise Ended(Verdict.LOCKED, "locked", message) from None
    try:
        yield
    finally:
        lock.release()


def _phases(attempt: Attempt, *, number: int, force: bool) -> None:
    with attempt.phase("limit"):
        blocked = why_not(
            attempt.ledger.restarts(attempt.site.name),
            attempt.site.device.limits,
            moment=clock.now(),
        )
        if blocked and not force:
            raise Ended(Verdict.RATE_LIMITED, *blocked)
    _look(attempt)
    with attempt.phase("act"):
        before.act(attempt, number=number)
    with attempt.phase("down"):
        down_since = after.wait_until_down(attempt)
    attempt.inside = False  # the session went down with the device
    with attempt.phase("back"):
        after.wait_until_stable(attempt, down_since=down_since)
    with attempt.phase("checks"):
        after.check_all(attempt)


def _look(attempt: Attempt) -> None:
    with attempt.phase("reach"):
        before.reach(attempt)
        before.check_identity(attempt)
    with attempt.phase("login"):
        before.log_in(attempt)
    with attempt.phase("guard"):
        before.guard(attempt)


def _run(
    site: Site, ledger: Ledger, number: int | None, phases: Callable[[Attempt], None]
) -> Outcome:
    """Run the phases and turn their end into an outcome."""
    start = time.monotonic()
    with site.conversation() as talk:
        attempt = Attempt(site, talk, ledger, number)
        try:
            try:
                phases(attempt)
                done = CHECKED if number is None else Verdict.CONFIRMED.advice
                end = Ended(Verdict.CONFIRMED, "confirmed", done)
            except Ended as other:
                end = other
            except CertificateError as error:
                end = Ended(Verdict.WRONG_DEVICE, error.reason, str(error))
            except OldTlsError as error:
                end = Ended(Verdict.USAGE, error.reason, str(error))
            except UnprovedError as error:
                end = Ended(Verdict.LOGIN_REFUSED, "unproved", str(error))
            except SilentError as error:
                end = Ended(Verdict.UNREACHABLE, error.reason, str(error))
            finally:
                attempt.log_out()
        except BaseException as error:
            if number is not None:
                why = f"stopped-{error.number}" if isinstance(error, Stopped) else "internal"
                verdict = None if isinstance(error, Stopped) else Verdict.INTERNAL
                with contextlib.suppress(LedgerError):  # the first error is the one to tell
                    ledger.finish(
                        number,
                        verdict=verdict,
                        reason=why,
                        downtime=attempt.downtime,
                        seconds=time.monotonic() - start,
                        facts=_cleaned(site, attempt.facts),
                    )
            raise
    outcome = _outcome(site, end, attempt=attempt, seconds=time.monotonic() - start)
    if number is None:
        return outcome
    try:
        return _close(ledger, number, outcome)
    except LedgerError as error:
        site.reporter.warn(str(error))
        return outcome


def _outcome(
    site: Site, end: Ended, *, attempt: Attempt | None = None, seconds: float = 0.0
) -> Outcome:
    return Outcome(
        device=site.name,
        verdict=end.verdict,
        reason=end.reason,
        message=site.reporter.redactor.clean(end.message),
        downtime=attempt.downtime if attempt else None,
        seconds=seconds,
        facts=_cleaned(site, attempt.facts if attempt else {}),
    )


def _cleaned(site: Site, facts: dict[str, str]) -> dict[str, str]:
    return {name: site.reporter.redactor.clean(text) for name, text in facts.items()}


def _close(ledger: Ledger, number: int, outcome: Outcome) -> Outcome:
    ledger.finish(
        number,
        verdict=outcome.verdict,
        reason=outcome.reason,
        downtime=outcome.downtime,
        seconds=outcome.seconds,
        facts=outcome.facts,
    )
    return outcome
