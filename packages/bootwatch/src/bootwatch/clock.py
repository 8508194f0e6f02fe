"""Deadlines on the monotonic clock, and ages that survive jumps of the wall clock.

The wall clock of a small machine jumps: at boot it may say 1970, until the network tells it the
time. Deadlines therefore never look at it. The age of a past attempt must survive a reboot of our
own machine, so that both clocks are stored: within one boot of this machine the clock that counts
from that boot is right whatever the wall clock does; only across boots the wall clock decides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Moment:
    """A point in time.

    Attributes:
        wall: Seconds since 1970, by the wall clock.
        boot: Name of this boot of our own machine; empty where the system has none.
        since_boot: Seconds since that boot, suspended time included.
    """

    wall: float
    boot: str
    since_boot: float

    def age(self, now: Moment) -> float | None:
        """Return the seconds from this moment to `now`, or `None` if no clock can tell.

        No clock can tell if the machine was started in between and the wall clock says that this
        moment is still to come.
        """
        if self.boot and self.boot == now.boot:
            return now.since_boot - self.since_boot
        return now.wall - self.wall if now.wall >= self.wall else None


def now() -> Moment:
    """Return the present moment."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # pragma: no cover - systems other than Linux
        boot = ""
    since = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return Moment(time.time(), boot, since)


class Deadline:
    """A point on the monotonic clock.

    Args:
        seconds: How far away it is.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return self.left == 0.0

    def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        time.sleep(min(seconds, self.left))
