"""How an attempt can end: one verdict, one exit code, one piece of advice.

The numbers are a promise to scripts and never change their meaning.
"""

import enum
from typing import Self


class Verdict(enum.IntEnum):
    """The end of an attempt. The value is the exit code."""

    label: str
    advice: str

    def __new__(cls, code: int, label: str, advice: str) -> Self:  # noqa: D102
        member = int.__new__(cls, code)
        member._value_ = code
        member.label = label
        member.advice = advice
        return member

    CONFIRMED = 0, "confirmed", "The device restarted and is back."
    INTERNAL = 1, "internal error", "Read the message above; nothing more was sent."
    USAGE = 2, "usage or config", "Mend the configuration or the command line."
    LOGIN_REFUSED = (
        3,
        "login refused",
        "Check user and password by hand; a refused password is not sent again.",
    )
    BUSY = 4, "session busy", "Somebody else is logged in; log out there, or try later."
    CALLS = 5, "calls active", "Somebody is on the telephone; raise `guard.wait`, or try later."
    UNREACHABLE = 6, "unreachable before", "Check the device's power, its network and `url`."
    NOT_DOWN = 7, "did not go down", "The device took the request but kept running; look at it."
    NOT_BACK = 8, "did not come back", "The device went down and stayed away: go and see."
    RATE_LIMITED = 9, "rate-limited", "A reboot came too soon after the last; `--force` overrides."
    LOCKED = 10, "lock held", "Another bootwatch works on this device; wait for it to end."
    WRONG_DEVICE = 11, "wrong device", "What answers is not what was expected; do not log in there."
    CHECK_FAILED = 12, "back but a check failed", "The device is up, but not whole: look at it."
    PROBABLE = (
        13,
        "probably restarted",
        "It was away and is back, but nothing proves a restart; give the recipe a proof.",
    )

    @property
    def restarted(self) -> bool:
        """Whether the device restarted, for certain or probably, and is well."""
        return self in {Verdict.CONFIRMED, Verdict.PROBABLE}
