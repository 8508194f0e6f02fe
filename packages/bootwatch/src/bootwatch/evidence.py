"""What proves that a device restarted, and what proves that it did not.

That it was silent and answers again proves nothing: a cable, a busy web server or our own network
may have done that. A restart is proved by one of these facts:

- its uptime went back, or its count of starts changed;
- it said in its own words that it restarts, *and* the session from before is dead;
- it said so, *and* its page with the serial number was gone at every look while it was away.

An uptime that went on, or a count of starts that stayed, proves that it did not restart.
Decision: docs/decisions/0040-proof-of-a-restart.md.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootwatch.durations import show_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bootwatch.replies import Reply

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0
ALIKE = 0.8  # of their words, from which on two pages are the same one
SURE = 0.25  # an uptime that lacks less than this share of what it was before has gone on
_CLOCK = re.compile(r"(?:(\d+)[^\d:]+)?(\d+):(\d\d)(?::(\d\d))?")
_UNITS = re.compile(
    r"(\d+)\s*(d(?:ays?)?|tage?n?|h(?:ours?|rs?)?|stunden?|std\.?|m(?:in(?:ute[sn]?|\.)?)?"
    r"|s(?:ec(?:onds?)?|ek(?:unden?)?)?)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[\w+/=.:-]*\d[\w+/=.:-]*")
_LENGTHS = {"d": DAY, "t": DAY, "h": HOUR, "m": MINUTE, "s": 1.0}


@dataclass(frozen=True)
class Reading:
    """How long a device has run and how often it has started, as it says itself.

    Attributes:
        uptime: Seconds, or `None` if it does not say.
        boots: The count of its starts as it writes it, or `None`.
        at: Monotonic time at which the uptime was read.
    """

    uptime: float | None = None
    boots: str | None = None
    at: float = field(default_factory=time.monotonic)

    def __or__(self, later: Reading) -> Reading:
        """Complete this reading by a later one, which wins."""
        if later.uptime is None and later.boots is None:
            return self
        return Reading(
            uptime=self.uptime if later.uptime is None else later.uptime,
            boots=self.boots if later.boots is None else later.boots,
            at=self.at if later.uptime is None else later.at,
        )


def read_counters(captured: Mapping[str, str]) -> Reading:
    """Read what a step captured as `uptime` and `boots`."""
    return Reading(uptime=parse_uptime(captured.get("uptime", "")), boots=captured.get("boots"))


def parse_uptime(text: str) -> float | None:
    """Read an uptime as devices write it.

    Args:
        text: Seconds (`93784`), a clock (`1 day, 2:03:04`, `26:03:04`), or numbers with units
            (`1d 2h 3m`, `1 Tag 2 Std. 3 Min.`).

    Returns:
        Seconds, or `None` if it is none of these.
    """
    text = text.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    clock = _CLOCK.search(text)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return days * DAY + hours * HOUR + minutes * MINUTE + seconds
    parts = _UNITS.findall(text)
    if not parts:
        return None
    total = 0.0
    for number, unit in parts:
        # Stunde, Std. and Sekunde, sec begin alike.
        length = HOUR if unit.lower().startswith("st") else _LENGTHS[unit[0].lower()]
        total += int(number) * length
    return total


def refuses(reply: Reply, outsider: Reply | None) -> bool:
    """Tell whether a reply refuses a session, rather than asks for patience or breaks down.

    Args:
        reply: What the session page says to the old session.
        outsider: What it said, before, to those who had not logged in, if they can ask.
    """
    if reply.means == "refused" and reply.explicit:
        return True
    if outsider is None:
        return reply.status in {401, 403}
    same = (reply.status, _page(reply.location)) == (outsider.status, _page(outsider.location))
    return same and _alike(reply.text, outsider.text)


def _page(location: str) -> str:
    return location.partition("?")[0]


def _alike(one: str, other: str) -> bool:
    """Tell whether two pages are the same but for their tokens, times and numbers."""
    first, second = (Counter(re.sub(_NUMBERED, "", text).split()) for text in (one, other))
    return (first & second).total() >= ALIKE * max(first.total(), second.total())


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one restart.

    Attributes:
        before: What the device said of itself before the act.
        after: The same afterwards.
        said_so: Its own words, in reply to the act, say that it restarts.
        session_died: The session from before is refused; `None` if it could not be asked.
        serial_looks: How often its serial page was asked for while it was away.
        serial_gone: How often that page was not there.
    """

    before: Reading
    after: Reading
    said_so: bool
    session_died: bool | None
    serial_looks: int
    serial_gone: int

    def proof(self) -> str | None:
        """Return the fact that proves the restart, or `None`."""
        old, new = self.before, self.after
        if None not in (old.boots, new.boots) and old.boots != new.boots:
            return f"its count of starts went from {old.boots} to {new.boots}"
        if old.uptime is not None and new.uptime is not None and new.uptime < old.uptime:
            spans = show_duration(old.uptime), show_duration(new.uptime)
            return f"its uptime went back from {spans[0]} to {spans[1]}"
        if self.said_so and self.session_died:
            return "it said that it restarts, and the old session is dead"
        if self.said_so and self.session_died is None and self._was_gone():
            return "it said that it restarts, and its serial page was gone meanwhile"
        return None

    def disproof(self) -> str | None:
        """Return the fact that proves that there was no restart, or `None`."""
        old, new = self.before, self.after
        if old.boots is not None and old.boots == new.boots:
            return f"its count of starts is still {old.boots}"
        if old.uptime is None or new.uptime is None or new.uptime < old.uptime:
            return None
        missing = old.uptime + (new.at - old.at) - new.uptime
        if missing < SURE * old.uptime:
            return f"its uptime went on, from {show_duration(old.uptime)}"
        return None

    def _was_gone(self) -> bool:
        return 0 < self.serial_looks == self.serial_gone
