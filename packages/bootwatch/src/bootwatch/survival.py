"""How long until something fails: small, exact estimates that state their uncertainty.

Kaplan and Meier's estimate of the share that still works after a time, from spells of which some
ended before they failed (they are censored), with Greenwood's variance on the log(-log) scale.

The rates of two periods are compared exactly: given all failures, those of one period are binomial
with its share of the time, and Clopper and Pearson's interval for that share becomes one for the
ratio of the rates.

Source: Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time Data*, 2nd ed., 1.4;
Clopper & Pearson, Biometrika 26 (1934); Przyborowski & Wilenski, Biometrika 31 (1940).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Z = 1.959964  # of the normal distribution, for 95 %
LEVEL = 0.05
HALVINGS = 60  # of an interval, until a binomial bound is as good as a float


@dataclass(frozen=True)
class Step:
    """The share that still works from `time` on, with the bounds of its 95 % interval."""

    time: float
    share: float
    low: float
    high: float


def kaplan_meier(spells: Sequence[tuple[float, bool]]) -> list[Step]:
    """Estimate the share that works for longer than a time.

    Args:
        spells: For each spell its length, at least 0, and whether it ended by a failure.

    Returns:
        One step for each time at which something failed, in order.
    """
    ordered = sorted(spells)
    share, variance = 1.0, 0.0
    steps = []
    for time in sorted({length for length, failed in ordered if failed}):
        at_risk = sum(length >= time for length, _ in ordered)
        failures = sum(failed and length == time for length, failed in ordered)
        share *= 1 - failures / at_risk
        if failures < at_risk:
            variance += failures / (at_risk * (at_risk - failures))
        steps.append(Step(time, share, *_bounds(share, variance)))
    return steps


def _bounds(share: float, variance: float) -> tuple[float, float]:
    if not 0 < share < 1:
        return (0.0, share) if share <= 0 else (share, 1.0)
    width = Z * math.sqrt(variance) / abs(math.log(share))
    return share ** math.exp(width), share ** math.exp(-width)


def median(steps: Sequence[Step]) -> tuple[float | None, float | None, float | None]:
    """Return the time after which half have failed, and the bounds of its 95 % interval.

    Returns:
        Each is `None` where the curve does not come down that far.
    """
    times = [
        next((step.time for step in steps if value(step) <= 0.5), None)  # noqa: PLR2004 - the half
        for value in (lambda s: s.share, lambda s: s.low, lambda s: s.high)
    ]
    return times[0], times[1], times[2]


def share_at(steps: Sequence[Step], time: float) -> Step:
    """Return the share that works for longer than a time, with its bounds."""
    earlier = [step for step in steps if step.time <= time]
    return earlier[-1] if earlier else Step(time, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Ratio:
    """How many times as often things fail in a later period as in an earlier one.

    Attributes:
        value: The ratio of the rates; infinite if nothing failed in the earlier period.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        p: How probable so great a difference is if the rates are the same, two-sided.
    """

    value: float
    low: float
    high: float
    p: float


def compare_rates(early: int, early_time: float, late: int, late_time: float) -> Ratio | None:
    """Compare two rates of failures.

    Args:
        early: Failures in the earlier period.
        early_time: Its length. Positive.
        late: Failures in the later period.
        late_time: Its length. Positive.

    Returns:
        The ratio late to early, or `None` if there is no failure or no time.
    """
    total = early + late
    if not total or early_time <= 0 or late_time <= 0:
        return None
    expected = late_time / (early_time + late_time)
    low = 0.0 if late == 0 else _solve(lambda p: _upper_tail(total, late, p) - LEVEL / 2)
    high = 1.0 if early == 0 else _solve(lambda p: LEVEL / 2 - _lower_tail(total, late, p))
    tails = _lower_tail(total, late, expected), _upper_tail(total, late, expected)
    odds = early_time / late_time
    return Ratio(
        value=late / early * odds if early else math.inf,
        low=low / (1 - low) * odds if low < 1 else math.inf,
        high=high / (1 - high) * odds if high < 1 else math.inf,
        p=min(1.0, 2 * min(tails)),
    )


def _solve(rising: Callable[[float], float]) -> float:
    """Return where a rising function of a share crosses 0."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _term(total: int, count: int, share: float) -> float:
    if share in {0.0, 1.0}:
        return float(count == total * share)
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))


def _lower_tail(total: int, count: int, share: float) -> float:
    return math.fsum(_term(total, one, share) for one in range(count + 1))


def _upper_tail(total: int, count: int, share: float) -> float:
    return math.fsum(_term(total, one, share) for one in range(count, total + 1))


def poisson_tail(count: int, expected: float) -> float:
    """Return how probable at least so many are where so many are expected."""
    if count == 0:
        return 1.0
    term, below = math.exp(-expected), 0.0
    for number in range(count):
        below += term
        term *= expected / (number + 1)
    return max(0.0, 1.0 - below)
