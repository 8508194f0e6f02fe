"""Every fault of the simulator gives its verdict, by the installed command.

The commands run side by side, each with a device and a folder of its own, since they mostly wait.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from bootwatch.simulator import Fault, Timing
from bootwatch.verdicts import Verdict

AT_ONCE = 6  # commands side by side
CLEAN_EXCEPT = {  # where nobody can log out any more
    Fault.NEVER_BACK,
    Fault.FLAPS_ON,
    Fault.AMNESIA,
    Fault.SILENT_LOGOUT,
}


@dataclass(frozen=True)
class Claim:
    """What a fault leads to.

    Attributes:
        code: The exit code.
        reason: The stable word for it.
        boots: How often the device starts; `None` if that depends on the moment.
        facts: Some of the facts that are told.
        settings: Sections of the configuration that differ, mostly to wait for less.
    """

    code: int
    reason: str = "confirmed"
    boots: int | None = 0
    facts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


IMPATIENT = {"": {"timeout": "1500ms"}}
STEADY = {"stable_for": "1s"}  # far longer than a flapping device stays up, also on a busy machine
BEFORE = {
    Fault.WRONG_PASSWORD: Claim(3, "refused"),
    Fault.LOCKED: Claim(3, "locked"),
    Fault.REDIRECT: Claim(3, "refused"),
    Fault.SESSION_LOST: Claim(3, "session-lost"),
    Fault.BUSY: Claim(4, "busy"),
    Fault.UMLAUTS: Claim(4, "busy"),
    Fault.CALLS: Claim(5, "calls"),
    Fault.CALLS_ENDING: Claim(
        0, boots=1, facts={"calls": "none"}, settings={"guard": {"wait": "20s"}}
    ),
    Fault.HANG: Claim(6, "timeout", settings=IMPATIENT),
    Fault.DRIP: Claim(6, "endless", settings=IMPATIENT),
    Fault.HALF_REPLY: Claim(6, "half-reply"),
    Fault.NEVER_DOWN: Claim(7, "kept-running", settings={"verify": {"down_within": "500ms"}}),
    Fault.LOST_REPLY: Claim(
        13, "no-proof", boots=1, facts={"restart": "reply lost (half-reply)", "proof": "none"}
    ),
    Fault.EXPIRED_CERTIFICATE: Claim(11, "certificate-expired"),
    Fault.CHANGED_CERTIFICATE: Claim(11, "certificate-changed", boots=1),
}
AFTER = {
    Fault.SLOW_BOOT: Claim(0, boots=1, facts={"went down": "once"}),
    Fault.FLAPS: Claim(0, boots=4, facts={"went down": "4 times"}, settings={"verify": STEADY}),
    Fault.FLAPS_ON: Claim(
        8, "unstable", boots=None, settings={"verify": {"deadline": "3s", **STEADY}}
    ),
    Fault.BOOTS_TWICE: Claim(
        0, boots=2, facts={"went down": "2 times"}, settings={"verify": STEADY}
    ),
    Fault.NEVER_BACK: Claim(8, "stayed-away", settings={"verify": {"deadline": "1s"}}),
    Fault.OTHER_SERIAL: Claim(11, "serial-changed", boots=1),
    Fault.SILENT_LOGOUT: Claim(
        0, boots=1, facts={"logout": "no answer (timeout)"}, settings=IMPATIENT
    ),
    Fault.NO_SIP: Claim(
        12, "sip", boots=1, facts={"sip": "no answer"}, settings={"verify": {"deadline": "6s"}}
    ),
    Fault.LATE_SIP: Claim(0, boots=1, facts={"sip": "answered with 200"}),
    Fault.BLOCKED_LINE: Claim(12, "blocked-line", boots=1),
    Fault.COOKIE_SURVIVES: Claim(12, "old-session", boots=1),
    Fault.AMNESIA: Claim(12, "serial-gone+lines-gone", boots=1),
    Fault.LOCKED_AFTER: Claim(12, "login-after", boots=1),
    Fault.HANG_AFTER: Claim(12, "silent-timeout", boots=1, settings=IMPATIENT),
}


def see(world, fault: Fault, claim: Claim) -> Claim:
    """Restart a device with a fault by the installed command; return what came of it.

    Nobody is left logged in, and the ledger holds the verdict.
    """
    device, _ = world.device(
        fault,
        sip=fault in {Fault.NO_SIP, Fault.LATE_SIP},
        timing=Timing(down_after=0.05, boot=0.6, session=60.0),
    )
    world.sections["verify"]["poll"] = "40ms"
    for section, settings in claim.settings.items():
        world.sections[section] |= settings
    if fault is Fault.CHANGED_CERTIFICATE:
        world.installed("trust", "tk", "--yes", expect=0)
    result = world.installed("reboot", "tk", *world.loud)
    told = json.loads(result.stdout)
    assert told["code"] == result.returncode == world.attempts()[0].verdict
    if fault not in CLEAN_EXCEPT and device.logins > device.boots:
        assert device.open_session() is not None, f"{fault}: the next login is locked out"
    return Claim(
        code=told["code"],
        reason=told["reason"],
        boots=None if claim.boots is None else device.boots,
        facts={name: told["facts"][name] for name in claim.facts},
        settings=claim.settings,
    )


@pytest.mark.parametrize("claims", [BEFORE, AFTER], ids=["before", "after"])
def test_a_fault_gives_its_verdict(new_world, claims):
    """Exit code, reason, number of starts and facts are those of the fault, and nobody stays."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = pool.map(lambda fault: see(new_world(fault), fault, claims[fault]), claims)
        assert dict(zip(claims, seen, strict=True)) == claims


def test_every_fault_and_verdict_has_a_claim():
    """No fault is left out; the verdicts left out are those that no fault of a device leads to."""
    claims = BEFORE | AFTER
    assert set(claims) == set(Fault)
    assert set(Verdict) - {claim.code for claim in claims.values()} == {
        Verdict.INTERNAL,
        Verdict.USAGE,
        Verdict.RATE_LIMITED,
        Verdict.LOCKED,
    }
