"""What weeks of probes and restarts say about a device: do restarts help, and when does it fail?

A failure is the first failed probe after good ones. What happens while a restart is under way is
the restart's own, and no failure. A spell is the time from a start, that is from a restart or from
the end of a failure, to the next failure; a further restart, or a time in which nobody watched,
ends it without a failure. All of this is seen, not tried: a device that is restarted each night and
fails at noon would show the same whether or not the restarts help, unless some nights are left out.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bootwatch.survival import (
    Ratio,
    Step,
    compare_rates,
    kaplan_meier,
    median,
    poisson_tail,
    share_at,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootwatch.ledger import Attempt
    from bootwatch.probe_history import Run

HOUR, DAY = 3600.0, 86400.0
SETTLING = 300.0  # seconds after a restart that still belong to it
MISSED = 600.0  # seconds between two runs that still count as watched
FEWEST = 5  # failures without which nothing is said about restarts or hours
RARE = 0.05  # a difference this improbable by chance is called one
HOURS = 24


@dataclass(frozen=True)
class Outage:
    """A failure: from its first failed probe to the next good one.

    Attributes:
        begin: In seconds since 1970.
        end: The same.
        kinds: What failed, first the one that failed first.
        since_restart: Seconds since the last restart, or `None` if none was seen.
    """

    begin: float
    end: float
    kinds: tuple[str, ...]
    since_restart: float | None


@dataclass(frozen=True)
class Findings:
    """All that is drawn and said.

    Attributes:
        watched: Times in which somebody watched, as begin and end.
        outages: All failures, in order.
        restarts: When the device was restarted.
        curve: Share of the spells after restarts that last longer than a time.
        early: Failures and seconds watched in the earlier half after restarts ...
        late: ... and in the later half.
        half: Seconds after a restart at which the later half begins.
        ratio: How many times as often it fails in the later half.
        by_hour: Failures by the hour of the day, and the hours watched, local time.
        verdict: The answer in one sentence.
        answers: Further sentences.
    """

    watched: tuple[tuple[float, float], ...]
    outages: tuple[Outage, ...]
    restarts: tuple[float, ...]
    curve: tuple[Step, ...]
    early: tuple[int, float]
    late: tuple[int, float]
    half: float
    ratio: Ratio | None
    by_hour: tuple[tuple[int, float], ...]
    verdict: str
    answers: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it; an infinite ratio as `null`."""
        found = asdict(self)
        if self.ratio is not None:
            pairs = found["ratio"].items()
            found["ratio"] = {name: one if math.isfinite(one) else None for name, one in pairs}
        return found


def find(runs: Sequence[Run], attempts: Sequence[Attempt], *, now: float) -> Findings:
    """Look through what is known of one device.

    Args:
        runs: What `watch` saw, in the order of time. At least one.
        attempts: Those of the device; the newest first.
        now: In seconds since 1970.
    """
    restarts = sorted(
        (one.acted.wall, one.acted.wall + (one.seconds or 0.0))
        for one in attempts
        if one.acted is not None
    )
    watched = _watched(runs)
    outages = _outages(runs, restarts)
    spells = _spells(watched, outages, [end for _, end in restarts])
    curve = kaplan_meier([(length, failed) for length, failed, restarted in spells if restarted])
    half, early, late = _halves(spells)
    ratio = compare_rates(*early, *late)
    by_hour = _by_hour(watched, outages)
    answers = (
        _how_long(curve, [one for one in spells if one[2]]),
        _which_hours(by_hour),
        _after_what(outages),
        _watching(watched, outages, now),
    )
    return Findings(
        watched=watched,
        outages=outages,
        restarts=tuple(begin for begin, _ in restarts),
        curve=tuple(curve),
        early=early,
        late=late,
        half=half,
        ratio=ratio,
        by_hour=by_hour,
        verdict=_do_restarts_help(ratio, early, late, half),
        answers=answers,
    )


def _watched(runs: Sequence[Run]) -> tuple[tuple[float, float], ...]:
    """Join the times of all runs; gaps stay where nobody watched."""
    joined: list[tuple[float, float]] = []
    for run in sorted(runs, key=lambda one: one.first):
        if joined and run.first - joined[-1][1] <= MISSED:
            joined[-1] = joined[-1][0], max(joined[-1][1], run.last)
        else:
            joined.append((run.first, run.last))
    return tuple(joined)


def _outages(runs: Sequence[Run], restarts: Sequence[tuple[float, float]]) -> tuple[Outage, ...]:
    """Join failed runs of all kinds that overlap; leave out what restarts themselves cause."""
    found: list[Outage] = []
    ends = {}
    by_kind: dict[str, list[Run]] = {}
    for run in runs:
        by_kind.setdefault(run.kind, []).append(run)
    for ordered in by_kind.values():
        for run, following in zip(ordered, [*ordered[1:], None], strict=True):
            near = following is not None and following.first - run.last <= MISSED
            ends[id(run)] = following.first if following is not None and near else run.last
    for run in sorted((one for one in runs if not one.ok), key=lambda one: one.first):
        if any(begin <= run.first <= end + SETTLING for begin, end in restarts):
            continue
        end = ends[id(run)]
        if found and run.first <= found[-1].end:
            before = found[-1]
            kinds = before.kinds if run.kind in before.kinds else (*before.kinds, run.kind)
            found[-1] = Outage(before.begin, max(before.end, end), kinds, before.since_restart)
            continue
        past = [one for _, one in restarts if one <= run.first]
        since = run.first - past[-1] if past else None
        found.append(Outage(run.first, end, (run.kind,), since))
    return tuple(found)


def _spells(
    watched: Sequence[tuple[float, float]], outages: Sequence[Outage], restarts: Sequence[float]
) -> list[tuple[float, bool, bool]]:
    """List the times between starts and failures.

    Returns:
        For each its length in seconds, whether a failure ended it, and whether a restart began it.
    """
    spells = []
    begins = [(at, True) for at in restarts] + [(one.end, False) for one in outages]
    for begin, restarted in sorted(begins):
        span = [end for first, end in watched if first <= begin + SETTLING and begin <= end]
        if not span:
            continue
        failure = min((one.begin for one in outages if one.begin >= begin), default=math.inf)
        restart = min((at for at in restarts if at > begin), default=math.inf)
        end = min(failure, restart, span[0])
        if end > begin:
            spells.append((end - begin, failure == end, restarted))
    return spells


def _halves(
    spells: Sequence[tuple[float, bool, bool]],
) -> tuple[float, tuple[int, float], tuple[int, float]]:
    """Count failures and time early and late after restarts, in halves of equal time."""
    after = [(length, failed) for length, failed, restarted in spells if restarted]
    total = sum(length for length, _ in after)
    half = _age_at_half(sorted(length for length, _ in after), total / 2)
    early_time = sum(min(length, half) for length, _ in after)
    early = sum(failed and length <= half for length, failed in after)
    late = sum(failed and length > half for length, failed in after)
    return half, (early, early_time), (late, total - early_time)


def _age_at_half(lengths: Sequence[float], wanted: float) -> float:
    """Return the age until which the spells have spent so much time together."""
    spent = before = 0.0
    for number, length in enumerate(lengths):
        alive = len(lengths) - number
        if spent + (length - before) * alive >= wanted:
            return before + (wanted - spent) / alive
        spent += (length - before) * alive
        before = length
    return before


def _by_hour(
    watched: Sequence[tuple[float, float]], outages: Sequence[Outage]
) -> tuple[tuple[int, float], ...]:
    failures, hours = [0] * HOURS, [0.0] * HOURS
    for outage in outages:
        failures[dt.datetime.fromtimestamp(outage.begin).astimezone().hour] += 1
    for begin, end in watched:
        at = begin
        while at < end:
            following = min(end, (at // HOUR + 1) * HOUR)
            hours[dt.datetime.fromtimestamp(at).astimezone().hour] += (following - at) / HOUR
            at = following
    return tuple(zip(failures, hours, strict=True))


def _do_restarts_help(
    ratio: Ratio | None, early: tuple[int, float], late: tuple[int, float], half: float
) -> str:
    failures = early[0] + late[0]
    if ratio is None or failures < FEWEST:
        return (
            f"Too early to say whether restarts help: {failures} failures after restarts were "
            f"seen, and at least {FEWEST} are needed"
        )
    times = f"{ratio.value:.1f}" if math.isfinite(ratio.value) else "many"
    high = f"{ratio.high:.1f}" if math.isfinite(ratio.high) else "any number"
    facts = (
        f"later than {_span(half)} after a restart it fails {times} times as often as before "
        f"(95% interval {ratio.low:.1f} to {high})"
    )
    if ratio.p < RARE and ratio.value > 1:
        return f"Restarts seem to help: {facts}"
    if ratio.p < RARE:
        return f"Restarts seem to do harm: {facts}"
    return f"No sign that restarts help: {facts}"


def _how_long(curve: Sequence[Step], spells: Sequence[tuple[float, bool, bool]]) -> str:
    if not spells:
        return "No restart was watched, so that nothing is known about the time after one."
    middle, low, high = median(curve)
    day = share_at(curve, DAY)
    rest = (
        f" After a day {day.share:.0%} still work (95% interval {day.low:.0%} to {day.high:.0%})."
        if any(length >= DAY for length, *_ in spells)
        else ""
    )
    if middle is None:
        longest = max(length for length, *_ in spells)
        return f"More than half of the restarts last for all that was seen, {_span(longest)}.{rest}"
    bounds = f"{_span(low or 0.0)} to {_span(high) if high is not None else 'unknown'}"
    return f"After a restart it fails again after {_span(middle)} (median; {bounds}).{rest}"


def _which_hours(by_hour: Sequence[tuple[int, float]]) -> str:
    failures, hours = (sum(one[place] for one in by_hour) for place in (0, 1))
    if failures < FEWEST:
        return "Too few failures to tell at which hours it fails."
    worst = max(range(HOURS), key=lambda hour: by_hour[hour][0] / max(by_hour[hour][1], 1.0))
    count, spent = by_hour[worst]
    expected = failures * spent / hours if hours else 0.0
    # Of 24 hours the worst one was chosen, so that chance had 24 tries.
    chance = min(1.0, HOURS * poisson_tail(count, expected))
    facts = f"between {worst} and {worst + 1} o'clock, {count} of {failures} failures"
    if chance < RARE:
        return f"It fails most often {facts}, where {expected:.1f} would be expected."
    return f"No hour stands out; most were {facts}."


def _after_what(outages: Sequence[Outage]) -> str:
    if not outages:
        return "It did not fail while it was watched."
    first = {}
    for outage in outages:
        first[outage.kinds[0]] = first.get(outage.kinds[0], 0) + 1
    kinds = ", ".join(
        f"{kind} {count} times" for kind, count in sorted(first.items(), key=lambda one: -one[1])
    )
    soon = sum(one.since_restart is not None and one.since_restart < HOUR for one in outages)
    return f"What fails first: {kinds}. Within an hour after a restart: {soon} of {len(outages)}."


def _watching(watched: Sequence[tuple[float, float]], outages: Sequence[Outage], now: float) -> str:
    spent = sum(end - begin for begin, end in watched)
    away = sum(one.end - one.begin for one in outages)
    since = (now - watched[0][0]) if watched else 0.0
    return (
        f"Watched for {_span(spent)} of the last {_span(since)}; {len(outages)} failures took "
        f"{_span(away)} in all."
    )


def _span(seconds: float) -> str:
    """Write a length of time as people say it: one unit, one figure behind the point at most."""
    for length, name in ((DAY, "days"), (HOUR, "hours"), (60.0, "minutes")):
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.0f} seconds"
