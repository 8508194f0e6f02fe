"""The state of a fake device: who is logged in, how often it started, what it was asked.

It has one administrator session, as the real ones: who does not log out locks the next one out
until the session times out.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootwatch.simulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

CALL_SAMPLES = 2  # so many looks find a call, with `calls-ending`
LONG_AGO = 1e6  # seconds; for so long the device has run when it is made
MOST_TRIES = 3  # failed tries that lock the account


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds.

    Attributes:
        down_after: From the request to restart until the device goes down.
        boot: From going down to coming back.
        session: Until an idle session ends by itself.
        answer: Before each reply.
    """

    down_after: float = 0.1
    boot: float = 0.7
    session: float = 200.0
    answer: float = 0.0


@dataclass(frozen=True)
class Heard:
    """One request that reached the device."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeDevice:
    """One device. Everything it heard and did can be read from it.

    Attributes:
        user: The administrator's name.
        password: The administrator's password.
        faults: What is wrong with it.
        seed: Makes serial number, cookies and nonces.
        bare: It knows login and restart only; every other page is 404.
        timing: How long things take.
        heard: Every request, in order.
        boots: Restarts that happened.
        logins: Logins that succeeded.
        refusals: Logins that were refused because of the password.
        challenges: Digest challenges, each of which the real devices count as a failed try.
        logouts: Sessions that were ended on purpose.
        booted_at: Monotonic time of the last start.
    """

    user: str = "admin"
    password: str = "SecretPasswd"  # noqa: S105 - the one in the documentation
    faults: frozenset[Fault] = frozenset()
    seed: int = 0
    bare: bool = False
    timing: Timing = field(default_factory=Timing)
    heard: list[Heard] = field(default_factory=list)
    boots: int = 0
    logins: int = 0
    refusals: int = 0
    challenges: int = 0
    logouts: int = 0
    booted_at: float = field(default_factory=lambda: time.monotonic() - LONG_AGO)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - a fake device needs no secrets
        self.serial = str(self.random.randrange(10**9, 10**10))
        self.lock = threading.Lock()
        self.restart_asked = threading.Event()
        self._session: tuple[str, float] | None = None
        self._looks = 0
        self.nonces: set[str] = set()
        self.tokens: set[str] = set()

    def has(self, *faults: Fault) -> bool:
        """Tell whether the device has one of these faults."""
        return not self.faults.isdisjoint(faults)

    def has_now(self, always: Fault, after: Fault) -> bool:
        """Tell whether it has the first fault, or the second one and has restarted."""
        return self.has(always) or (self.has(after) and self.boots > 0)

    def token(self) -> str:
        """Make a fresh random text of 16 hexadecimal digits."""
        return f"{self.random.getrandbits(64):016x}"

    def open_session(self) -> str | None:
        """Log somebody in: return the session's secret, or `None` if there is another session."""
        with self.lock:
            now = time.monotonic()
            if self._session and self._session[1] > now:
                return None
            secret = self.token()
            self._session = secret, now + self.timing.session
            self.logins += 1
            return secret

    def in_session(self, secrets: Iterable[str]) -> bool:
        """Tell whether one of these belongs to the open session, which then lives on."""
        with self.lock:
            now = time.monotonic()
            if not self._session or self._session[1] <= now or self._session[0] not in set(secrets):
                return False
            self._session = self._session[0], now + self.timing.session
            return True

    def close_session(self, secrets: Iterable[str]) -> bool:
        """End the session if one of these belongs to it."""
        inside = self.in_session(secrets)
        if inside:
            with self.lock:
                self._session = None
                self.logouts += 1
        return inside

    def accepts(self, user: str, password: str) -> bool:
        """Check a login's user and password, and count the refusals."""
        good = (user, password) == (self.user, self.password)
        if good and not self.has(Fault.WRONG_PASSWORD):
            return True
        self.refusals += 1
        return False

    def uptime(self) -> int:
        """Return the seconds since its last start, as whole ones."""
        return int(time.monotonic() - self.booted_at)

    def lines(self) -> list[dict[str, str]]:
        """Return the state of three channels, as the device's own page has it."""
        self._looks += 1
        talking = self.has(Fault.CALLS) or (
            self.has(Fault.CALLS_ENDING) and self._looks <= CALL_SAMPLES
        )
        blocked = self.has(Fault.BLOCKED_LINE) and self.boots > 0
        return [
            {
                "kanal": str(number),
                "bKanalStatus": "4" if talking and number == 1 else "0",
                "bKanalGesperrt": "1" if blocked and number == 2 else "0",  # noqa: PLR2004
            }
            for number in range(3)
        ]

    def start_again(self) -> None:
        """Do what a start does: forget the session, and be somebody else if that is the fault."""
        with self.lock:
            self.boots += 1
            self.booted_at = time.monotonic()
            self.nonces.clear()
            if not self.has(Fault.COOKIE_SURVIVES):
                self._session = None
            self.bare = self.bare or self.has(Fault.AMNESIA)
            if self.has(Fault.OTHER_SERIAL):
                self.serial = self.serial[::-1]
