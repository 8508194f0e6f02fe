"""The phases after the request to restart: seen down, back and stable, checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bootwatch.attempt import NOT_AVAILABLE, Ended
from bootwatch.before import DOWN_PROBES, identify, log_in, look_at_lines, read_evidence
from bootwatch.clock import Deadline
from bootwatch.durations import show_duration
from bootwatch.errors import SilentError, UnprovedError
from bootwatch.evidence import Evidence, Reading, refuses
from bootwatch.recipe import EVIDENCE
from bootwatch.sip import ask, is_healthy
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from bootwatch.attempt import Attempt


def wait_until_down(attempt: Attempt) -> float:
    """Wait until the device has failed some probes in a row.

    Returns:
        Monotonic time of the first of them.

    Raises:
        Ended: It kept answering.
    """
    if attempt.down_since is not None:  # seen already, while the reply was awaited
        return attempt.down_since
    settings = attempt.site.device.verify
    span = min(settings.down_within, attempt.deadline.left)
    limit, failed, since = Deadline(span), 0, 0.0
    while failed < DOWN_PROBES:
        if limit.over:
            raise _kept_running(attempt, span)
        asked = time.monotonic()
        probe = attempt.probe_while_away if failed else attempt.probe
        if probe(within=limit.left):
            failed = 0
        else:
            since = since if failed else asked
            failed += 1
        limit.sleep(settings.poll)
    return since


def _kept_running(attempt: Attempt, span: float) -> Ended:
    reply = attempt.act_reply
    doubt = ""
    if reply is not None and reply.means != "ok":
        doubt = f"; its reply (status {reply.status}) is not what the recipe knows"
    return Ended(
        Verdict.NOT_DOWN,
        "act-failed" if doubt else "kept-running",
        f"The device kept answering for {show_duration(span)} after it was asked to restart"
        + doubt,
    )


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
        probe = attempt.probe if up_since else attempt.probe_while_away
        if probe(within=attempt.deadline.left):
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
    """Check that the device that came back is the same, and whole, and that it did restart.

    Raises:
        Ended: It is another one, a check failed (all of them are named), or nothing proves that it
            restarted.
    """
    failures = []
    attempt.counters = Reading()
    try:
        failures += _identity_failures(attempt)
        failures += _session_failures(attempt)
        failures += _sip_failures(attempt)
        failures += _failures_logged_in(attempt)
    except SilentError as error:
        failures.append(f"silent-{error.reason}")
    except UnprovedError as error:
        attempt.facts["checks"] = str(error)
        failures.append("unreadable")
    evidence = Evidence(
        before=attempt.before,
        after=attempt.counters,
        said_so=attempt.said_so,
        session_died=attempt.session_died,
        serial_looks=attempt.serial_looks,
        serial_gone=attempt.serial_gone,
    )
    _judge(attempt, evidence, failures)


def _judge(attempt: Attempt, evidence: Evidence, failures: list[str]) -> None:
    disproof, proof = evidence.disproof(), evidence.proof()
    attempt.facts["proof"] = proof or "none"
    if disproof and not proof:
        attempt.facts["proof"] = f"against it: {disproof}"
        message = f"The device was silent for a while, but did not restart: {disproof}"
        raise Ended(Verdict.NOT_DOWN, "went-on", message)
    if failures:
        names = ", ".join(failures)
        raise Ended(
            Verdict.CHECK_FAILED, "+".join(failures), f"The device is back, but failed: {names}"
        )
    if not proof:
        raise Ended(
            Verdict.PROBABLE,
            "no-proof",
            "The device was away and is back, but nothing that it shows proves a restart",
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
    reply = attempt.talk.send(step, cookies=dict(attempt.talk.cookies))
    alive = reply.means == "ok"
    attempt.session_died = not alive and refuses(reply, attempt.outsider)
    unclear = f"unclear (status {reply.status})"
    attempt.facts["old session"] = (
        "still accepted" if alive else "refused" if attempt.session_died else unclear
    )
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
    status = ask(target, timeout=patience)
    attempt.facts["sip"] = "no answer" if status is None else f"answered with {status}"
    return [] if is_healthy(status) else ["sip"]


def _failures_logged_in(attempt: Attempt) -> list[str]:
    """Look at lines, uptime and count of starts again, which needs a new login.

    Only what could be seen before is looked at.
    """
    recipe = attempt.site.recipe
    told_inside = recipe.uptime is not None or any(
        name in step.capture for step in recipe.login for name in EVIDENCE
    )
    counts = told_inside and (attempt.before.uptime, attempt.before.boots) != (None, None)
    if attempt.blocked is None:
        attempt.facts["lines"] = NOT_AVAILABLE
        if not counts:
            return []
    attempt.talk.forget()
    try:
        log_in(attempt)
        if counts:
            read_evidence(attempt)
        return [] if attempt.blocked is None else _line_failures(attempt, attempt.blocked)
    except Ended as end:
        attempt.facts["lines"] = f"login afterwards: {end.reason}"
        return ["login-after"]
    finally:
        attempt.log_out()


def _line_failures(attempt: Attempt, blocked_before: int) -> list[str]:
    found = look_at_lines(attempt)
    if found is None:
        attempt.facts["lines"] = "not shown any more"
        return ["lines-gone"]
    newly = found[1] - blocked_before
    attempt.facts["lines"] = f"{newly} newly blocked" if newly > 0 else "none newly blocked"
    return ["blocked-line"] if newly > 0 else []
