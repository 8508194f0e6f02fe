"""The phases after the request to restart: seen down, back and stable, checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bootwatch.attempt import NOT_AVAILABLE, Ended
from bootwatch.before import identify, log_in, look_at_lines
from bootwatch.clock import Deadline
from bootwatch.durations import show_duration
from bootwatch.errors import SilentError
from bootwatch.sip import ask_options
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from bootwatch.attempt import Attempt

DOWN_PROBES = 2  # one lost packet is no restart


def wait_until_down(attempt: Attempt) -> float:
    """Wait until the device has failed some probes in a row.

    Returns:
        Monotonic time of the first of them.

    Raises:
        Ended: It kept answering.
    """
    settings = attempt.site.device.verify
    limit, failed, since = Deadline(settings.down_within), 0, 0.0
    while failed < DOWN_PROBES:
        if limit.over:
            raise Ended(
                Verdict.NOT_DOWN,
                "kept-running",
                f"The device kept answering for {show_duration(settings.down_within)} after it "
                "was asked to restart",
            )
        asked = time.monotonic()
        if attempt.probe(within=limit.left):
            failed = 0
        else:
            since = since if failed else asked
            failed += 1
        limit.sleep(settings.poll)
    return since


def wait_until_stable(attempt: Attempt, *, down_since: float) -> None:
    """Wait until the device has answered all probes for the configured time.

    Args:
        attempt: The attempt; its downtime is set.
        down_since: Monotonic time at which the device was first seen down.

    Raises:
        Ended: The deadline passed before.
    """
    settings = attempt.site.device.verify
    downs, up_since = 1, None
    while True:
        asked = time.monotonic()
        if attempt.probe(within=attempt.deadline.left):
            up_since = asked if up_since is None else up_since
            attempt.downtime = up_since - down_since
            if asked - up_since >= settings.stable_for:
                attempt.facts["went down"] = f"{downs} times" if downs > 1 else "once"
                return
        elif up_since is not None:
            downs, up_since = downs + 1, None
        if attempt.deadline.over:
            break
        attempt.deadline.sleep(settings.poll)
    attempt.facts["went down"] = f"{downs} times" if downs > 1 else "once"
    if attempt.downtime is None:
        reason, what = "stayed-away", "did not answer again"
    else:
        reason, what = "unstable", "did not stay up"
    limit = show_duration(settings.deadline)
    raise Ended(Verdict.NOT_BACK, reason, f"The device {what} within {limit} after the request")


def check_all(attempt: Attempt) -> None:
    """Check that the device that came back is the same, and whole.

    Raises:
        Ended: It is another one, or a check failed; all of them are named.
    """
    failures = []
    try:
        failures += _identity_failures(attempt)
        failures += _session_failures(attempt)
        failures += _sip_failures(attempt)
        failures += _line_failures(attempt)
    except SilentError as error:
        failures.append(f"silent-{error.reason}")
    if failures:
        names = ", ".join(failures)
        raise Ended(
            Verdict.CHECK_FAILED, "+".join(failures), f"The device is back, but failed: {names}"
        )


def _identity_failures(attempt: Attempt) -> list[str]:
    if attempt.serial is None:
        return []
    serial = identify(attempt)
    if serial is None:
        attempt.facts["serial"] = f"{attempt.serial} before, none after"
        return ["serial-gone"]
    if serial != attempt.serial:
        attempt.facts["serial"] = f"{attempt.serial} before, {serial} after"
        message = f"The serial number was {attempt.serial} before and is {serial} now"
        raise Ended(Verdict.WRONG_DEVICE, "serial-changed", message)
    return []


def _session_failures(attempt: Attempt) -> list[str]:
    """The session from before the restart must be dead: the strongest sign that it was one."""
    step = attempt.site.recipe.session
    if step is None or not attempt.session_tells:
        attempt.facts["old session"] = NOT_AVAILABLE
        return []
    alive = attempt.talk.send(step, cookies=dict(attempt.talk.cookies)).means == "ok"
    attempt.facts["old session"] = "still accepted" if alive else "refused"
    if alive:
        attempt.inside = True
        attempt.log_out()
    return ["old-session"] if alive else []


def _sip_failures(attempt: Attempt) -> list[str]:
    target = attempt.site.device.verify.sip
    if target is None:
        attempt.facts["sip"] = NOT_AVAILABLE
        return []
    # The telephone part may start later than the pages: it has the rest of the time.
    patience = max(attempt.deadline.left, attempt.site.device.timeout)
    status = ask_options(target, timeout=patience)
    attempt.facts["sip"] = "no answer" if status is None else f"answered with {status}"
    return ["sip"] if status is None else []


def _line_failures(attempt: Attempt) -> list[str]:
    """Look at the lines again, which needs a new login. Only if they could be seen before."""
    if attempt.blocked is None:
        attempt.facts["lines"] = NOT_AVAILABLE
        return []
    attempt.talk.forget()
    try:
        log_in(attempt)
        found = look_at_lines(attempt)
    except Ended as end:
        attempt.facts["lines"] = f"login afterwards: {end.reason}"
        return ["login-after"]
    finally:
        attempt.log_out()
    if found is None:
        attempt.facts["lines"] = "not shown any more"
        return ["lines-gone"]
    newly = found[1] - attempt.blocked
    attempt.facts["lines"] = f"{newly} newly blocked" if newly > 0 else "none newly blocked"
    return ["blocked-line"] if newly > 0 else []
