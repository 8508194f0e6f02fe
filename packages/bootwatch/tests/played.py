"""Weeks of a device, played: what `watch` would have seen, and the restarts of each night."""

import random

from bootwatch import clock
from bootwatch.ledger import Attempt
from bootwatch.probe_history import Run
from bootwatch.verdicts import Verdict

HOUR, DAY = 3600.0, 86400.0


def run(kind: str, first: float, last: float, *, ok: bool) -> Run:
    """Return a run of one probe a minute."""
    count = int((last - first) // 60) + 1
    return Run(kind=kind, ok=ok, first=first, last=last, count=count, failed=0 if ok else count)


def play(*, wears_out: bool, nights: int = 60, seed: int = 1) -> tuple[list[Run], list[Attempt]]:
    """Play a device that is restarted each night, and fails the more the longer it runs, or not."""
    chance = random.Random(seed)  # noqa: S311 - a play
    runs, attempts = [], []
    at = 1.7e9
    for _ in range(nights):
        moment = clock.Moment(at, "boot", at)
        attempts.insert(
            0,
            Attempt(
                number=1,
                device="tk",
                started=moment,
                phase="checks",
                acted=moment,
                verdict=Verdict.CONFIRMED,
                reason="confirmed",
                downtime=60.0,
                seconds=90.0,
                facts={},
            ),
        )
        begin, end = at + 120, at + DAY
        spell = chance.weibullvariate(20 * HOUR, 4.0 if wears_out else 1.0)
        fails = begin + max(spell, 600.0)
        if fails < end - 1200:
            runs += [
                run("sip", begin, fails - 60, ok=True),
                run("sip", fails, fails + 540, ok=False),
                run("sip", fails + 600, end, ok=True),
            ]
        else:
            runs.append(run("sip", begin, end, ok=True))
        at += DAY
    return runs, attempts
