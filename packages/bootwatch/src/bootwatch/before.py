"""The phases before the restart: reach and identify, log in, look at the calls, ask to restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bootwatch.attempt import NOT_AVAILABLE, Ended
from bootwatch.clock import Deadline
from bootwatch.errors import CertificateError, OldTlsError, SilentError, UnprovedError
from bootwatch.evidence import Reading, read_counters
from bootwatch.lookout import Lookout
from bootwatch.patterns import count
from bootwatch.recipe import sends_password
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from bootwatch.attempt import Attempt
    from bootwatch.recipe import Step
    from bootwatch.replies import Reply

REACH_ATTEMPTS = 3
DOWN_PROBES = 2  # failed ones in a row: one lost packet is no restart
CLIENT_ERRORS = 400  # the first status that says that a request failed


def reach(attempt: Attempt) -> None:
    """Make sure that the device is up.

    Raises:
        SilentError: It is not.
        CertificateError: Something else answers.
    """
    wait = attempt.site.device.verify.poll
    for left in reversed(range(REACH_ATTEMPTS)):
        asked = time.monotonic()
        try:
            _expect_ready(attempt.talk.send(attempt.site.recipe.probe, cookies={}))
        except (CertificateError, OldTlsError):
            raise
        except SilentError:
            if not left:
                raise
            time.sleep(wait)
            wait *= 2
        else:
            attempt.answers_after(time.monotonic() - asked)
            return


def _expect_ready(reply: Reply) -> None:
    if reply.means != "ok":
        raise SilentError("not-ready", f"The device answers with status {reply.status}")


def identify(attempt: Attempt) -> str | None:
    """Ask the device for its serial number, without a login.

    Returns:
        The number, or `None` if it does not tell.
    """
    step = attempt.site.recipe.identify
    if step is None:
        return None
    reply = attempt.talk.send(step, cookies={})
    if reply.means == "ok":
        attempt.counters = attempt.counters | read_counters(reply.captured)
    return reply.captured.get("serial") if reply.means == "ok" else None


def check_identity(attempt: Attempt) -> None:
    """Remember the serial number, and compare it with the configured one.

    Raises:
        Ended: It is another one.
    """
    attempt.serial = identify(attempt)
    attempt.facts["serial"] = attempt.serial or NOT_AVAILABLE
    expected = attempt.site.device.serial
    if expected and attempt.serial and attempt.serial != expected:
        raise Ended(
            Verdict.WRONG_DEVICE,
            "serial",
            f"The device shows the serial number {attempt.serial}, but `serial` is {expected}; "
            "nothing was sent to it",
        )


def log_in(attempt: Attempt) -> None:
    """Log in, once, and prove it by content.

    Raises:
        Ended: The login was refused, the account is locked, or somebody else is logged in.
    """
    site = attempt.site
    if attempt.ledger.was_refused(site.name, site.password):
        raise Ended(
            Verdict.LOGIN_REFUSED,
            "refused-before",
            "The device refused this password before, so that it was not tried again; write the "
            f"right one, or run `bootwatch check {site.name} --again` to try it once more",
        )
    if site.recipe.session and not attempt.acted:
        attempt.outsider = _as_outsider(attempt, site.recipe.session)
        attempt.session_tells = attempt.outsider is None or attempt.outsider.means != "ok"
    for step in site.recipe.login:
        time.sleep(step.pause)
        attempt.inside = step is site.recipe.login[-1]  # a lost reply may leave a session, too
        reply = attempt.talk.send(step)
        if reply.means != "ok":
            _refuse_login(attempt, step, reply)
        attempt.counters = attempt.counters | read_counters(reply.captured)
    if site.recipe.session and attempt.session_tells and not attempt.acted:
        attempt.session_tells = attempt.talk.send(site.recipe.session).means == "ok"


def _as_outsider(attempt: Attempt, step: Step) -> Reply | None:
    """Ask for the session's page as those do who have not logged in."""
    try:
        return attempt.talk.send(step, cookies={})
    except UnprovedError:  # the request needs what a login gives: nobody else can ask
        return None


def _refuse_login(attempt: Attempt, step: Step, reply: Reply) -> None:
    site = attempt.site
    if reply.means != "failed":
        # There is no session of ours, and on some devices a logout would be one more failed try.
        attempt.inside = False
    if reply.moved:
        raise Ended(
            Verdict.LOGIN_REFUSED,
            "unproved",
            f"The device sends its visitors to {reply.location.split('?')[0]}; write that scheme, "
            "host and port into `url`",
        )
    if reply.means == "busy":
        raise Ended(Verdict.BUSY, "busy", "Somebody else is logged in")
    if reply.means == "locked":
        message = f"The account `{site.device.user}` is locked; wait, or unlock it at the device"
        raise Ended(Verdict.LOGIN_REFUSED, "locked", message)
    if reply.means == "refused" and reply.explicit and sends_password(step, site.recipe):
        attempt.ledger.remember_refused(site.name, site.password)
        message = f"The device refused the password of `{site.device.user}`"
        raise Ended(Verdict.LOGIN_REFUSED, "refused", message)
    message = (
        f"The reply to the login (status {reply.status}) proves neither that it worked nor that "
        "the password is wrong"
    )
    raise Ended(Verdict.LOGIN_REFUSED, "unproved", message)


def read_evidence(attempt: Attempt) -> Reading:
    """Read, logged in, how long the device has run and how often it has started.

    Returns:
        What it tells, by its page for that, its login and its page with the serial number.
    """
    step = attempt.site.recipe.uptime
    if step is not None:
        reply = attempt.talk.send(step)
        if reply.means == "ok":
            attempt.counters = attempt.counters | read_counters(reply.captured)
    return attempt.counters


def look_at_lines(attempt: Attempt) -> tuple[int, int] | None:
    """Count lines, logged in.

    Returns:
        Lines with a call and blocked lines, or `None` if the device does not tell.
    """
    lines = attempt.site.recipe.lines
    if lines is None:
        return None
    reply = attempt.talk.send(lines.step)
    if reply.means != "ok":
        return None
    blocked = count(lines.blocked, reply.text) if lines.blocked else 0
    return count(lines.in_use, reply.text), blocked


def guard(attempt: Attempt) -> None:
    """Make sure that nobody is on the telephone, several times in a row.

    Raises:
        Ended: Somebody is, and stayed there for the configured wait.
    """
    settings = attempt.site.device.guard
    patience, quiet = Deadline(settings.wait), 0
    while quiet < settings.samples:
        found = look_at_lines(attempt)
        if found is None:
            attempt.facts["calls"] = NOT_AVAILABLE
            return
        in_use, attempt.blocked = found
        quiet = 0 if in_use else quiet + 1
        if in_use and patience.over:
            message = f"{in_use} line(s) are in use, after a wait of {settings.wait:g} s"
            raise Ended(Verdict.CALLS, "calls", message)
        if quiet < settings.samples:
            time.sleep(settings.every)
    attempt.facts["calls"] = "none"


def act(attempt: Attempt, *, number: int) -> None:
    """Ask the device to restart. The intent is on disk before the request leaves.

    Args:
        attempt: The attempt, logged in.
        number: Its number in the ledger.

    Raises:
        Ended: The device refused.
        LedgerError: The intent could not be written; nothing was sent then.
    """
    *first, last = attempt.site.recipe.act
    attempt.before = read_evidence(attempt)
    for step in first:
        time.sleep(step.pause)
        reply = attempt.talk.send(step)
        _expect_session(reply)
        if reply.means == "failed":
            raise Ended(
                Verdict.LOGIN_REFUSED,
                "unproved",
                f"The step `{step.name}` (status {reply.status}) did not show what was expected, "
                "so that the request to restart was not sent",
            )
    pause = attempt.site.device.pause
    time.sleep(last.pause if pause is None else pause)
    attempt.talk.check(last)
    attempt.ledger.intend(number)
    attempt.acted = True
    attempt.deadline = Deadline(attempt.site.device.verify.deadline)
    lookout = Lookout(attempt.site, patience=attempt.patience, enough=DOWN_PROBES)
    try:
        with lookout:
            reply = attempt.talk.send(last)
    except SilentError as error:
        # Many devices go down before they have answered. Whether this one did will be seen.
        attempt.facts["restart"] = f"reply lost ({error.reason})"
        attempt.down_since = lookout.down_since
        return
    attempt.facts["restart"] = f"answered with status {reply.status}"
    _expect_session(reply)
    attempt.act_reply = reply
    if reply.means == "failed" and reply.explicit and reply.status >= CLIENT_ERRORS:
        raise Ended(
            Verdict.NOT_DOWN,
            "act-failed",
            f"The device did not take the request to restart (status {reply.status})",
        )


def _expect_session(reply: Reply) -> None:
    if reply.means in {"refused", "locked", "busy"}:
        raise Ended(
            Verdict.LOGIN_REFUSED,
            "session-lost",
            "The device did not accept the session when it was asked to restart",
        )
