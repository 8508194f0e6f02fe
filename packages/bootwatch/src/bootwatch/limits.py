"""The rate limit and the guard against reboot loops, both read from the ledger."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from bootwatch.durations import show_duration
from bootwatch.ledger import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootwatch import clock
    from bootwatch.config import Limits
    from bootwatch.ledger import Attempt


LEEWAY = 3 * 3600.0  # seconds: the hour of summer time, and what timers jitter
IN_DAYS = 20 * 3600.0  # from this interval on, in seconds, days are meant
HALF_A_DAY = DAY / 2


def why_not(
    attempts: Sequence[Attempt], limits: Limits, *, moment: clock.Moment
) -> tuple[str, str] | None:
    """Tell why no restart may be made now.

    Args:
        attempts: Those of the device that restarted it, the newest first, mended. A restart counts
            from the moment it was intended, whether or not its process lived to see the end.
        limits: The device's limits.
        moment: Now.

    Returns:
        A stable word and a sentence, or `None` if a restart is allowed.
    """
    ages = [one.acted.age(moment) or 0.0 for one in attempts if one.acted is not None]
    if not ages:
        return None
    if _is_too_soon(ages[0], limits.min_interval, moment):
        why = (
            f"The last restart was {show_duration(ages[0])} ago, and `limits.min_interval` is "
            f"{show_duration(limits.min_interval)}"
        )
        return "too-soon", why
    today = sum(_counts_today(age, moment) for age in ages)
    if today >= limits.per_day:
        why = f"There were {today} restarts today, and `limits.per_day` is {limits.per_day}"
        return "too-many", why
    latest = attempts[: limits.failures]
    if len(latest) == limits.failures and not any(
        one.verdict is not None and one.verdict.restarted for one in latest
    ):
        why = (
            f"The last {limits.failures} restarts all failed (`limits.failures`), so that one "
            "more will not help; look at the device, then use `--force` once"
        )
        return "loop", why
    return None


def _is_too_soon(age: float, interval: float, moment: clock.Moment) -> bool:
    """Tell whether the last restart is not long enough ago.

    An interval of about a day or more is meant in days: a night has 23 hours once a year, and a
    timer does not fire at the same second each night. So many days later by the calendar is late
    enough, if it is not less by half a day.
    """
    if interval < IN_DAYS:
        return age < interval
    if age >= interval - LEEWAY:
        return False
    days = round(interval / DAY)
    then, today = (_day(moment.wall - one) for one in (age, 0.0))
    return today - then < days or age < interval - HALF_A_DAY


def _day(wall: float) -> int:
    """Number the days of the local calendar."""
    return dt.datetime.fromtimestamp(wall).astimezone().toordinal()


def _counts_today(age: float, moment: clock.Moment) -> bool:
    """Tell whether a restart of this age counts for today.

    It does on the same day of the calendar, and within 12 hours whatever the calendar says; but not
    from almost a day ago: then it was last night's, of a timer around midnight.
    """
    if age < HALF_A_DAY:
        return True
    if age >= DAY - LEEWAY:
        return False
    return _day(moment.wall - age) == _day(moment.wall)
