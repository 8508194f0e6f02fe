"""The rate limit and the guard against reboot loops, both read from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootwatch.durations import show_duration
from bootwatch.ledger import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootwatch import clock
    from bootwatch.config import Limits
    from bootwatch.ledger import Attempt


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
    if ages[0] < limits.min_interval:
        why = (
            f"The last restart was {show_duration(ages[0])} ago, and `limits.min_interval` is "
            f"{show_duration(limits.min_interval)}"
        )
        return "too-soon", why
    today = sum(age < DAY for age in ages)
    if today >= limits.per_day:
        why = (
            f"There were {today} restarts within 24 hours, and `limits.per_day` is {limits.per_day}"
        )
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
