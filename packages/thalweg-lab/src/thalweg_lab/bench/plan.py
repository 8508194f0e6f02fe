"""The runs of the benchmark on one problem, in the order in which they are made.

first     one step of every method, with nothing compiled, for the time to the first step
tuning    each setting of each peer's grid, from a start that is not in the race
race      thalweg, and each peer at its best and at its default settings: all from the first start,
          then all from the next, so that a machine that slows down slows all of them alike
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from thalweg_lab.bench.peers import OUR_MAKER, OURS, Peer, known
from thalweg_lab.study.spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg_lab.bench.suite import Entry
    from thalweg_lab.study.run import Run

TUNING_START = 1000  # not a start of the race
FIRST_STARTS = (0, 1)  # the quicker one counts: other load on the machine only adds time
DEFAULTS = "{}, defaults"


def label_of(maker: Mapping[str, Any]) -> str:
    """A method and its settings in a line: `adam learning_rate=0.01`."""
    options = (f"{key}={value:g}" for key, value in maker.items() if key != "name")
    return " ".join([maker["name"], *options])


def first_specs(entry: Entry) -> list[RunSpec]:
    """One step of thalweg and of each peer, twice."""
    makers = [OUR_MAKER, *(peer.default_maker or peer.makers()[0] for peer in known(entry.peers))]
    return [_spec(entry, maker, start, {"steps": 1}) for start in FIRST_STARTS for maker in makers]


def tuning_specs(entry: Entry) -> list[RunSpec]:
    """Every setting of every peer that has more than one."""
    return [
        _spec(entry, maker, TUNING_START, _stop(entry))
        for peer in known(entry.peers)
        if len(peer.grid) > 1
        for maker in peer.makers()
    ]


def best_maker(peer: Peer, runs: Sequence[Run], *, floor: float | None = None) -> dict[str, Any]:
    """The setting of a peer's grid whose tuning run has the lowest loss; of equals, the quickest.

    Args:
        peer: The peer.
        runs: Its tuning runs, and perhaps others; a setting without a run cannot win.
        floor: The loss at which runs end; all that reach it count as equal.
    """
    found = {run.spec.method: run for run in runs if run.spec.start == TUNING_START}

    def rank(maker: dict[str, Any]) -> tuple[float, float]:
        run = found.get(label_of(maker))
        if run is None or run.is_failed or not math.isfinite(run.loss):
            return math.inf, math.inf
        return max(run.loss, -math.inf if floor is None else floor), run.seconds

    return min(peer.makers(), key=rank)


def entrants(entry: Entry, tuning: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """The entrants of a problem by label: thalweg, then each peer at its best and its defaults."""
    racing: dict[str, dict[str, Any]] = {OURS: dict(OUR_MAKER)}
    for peer in known(entry.peers):
        racing[peer.label] = best_maker(peer, tuning, floor=entry.floor)
        if peer.default_maker is not None:
            racing[DEFAULTS.format(peer.label)] = peer.default_maker
    return racing


def race_specs(entry: Entry, racing: Mapping[str, Mapping[str, Any]]) -> list[RunSpec]:
    """The race, one start after the other. Entrants with the same settings share their runs."""
    return list(
        dict.fromkeys(
            _spec(entry, maker, start, _stop(entry), watch=("measure",) if entry.errors else ())
            for start in range(entry.starts)
            for maker in racing.values()
        )
    )


def _stop(entry: Entry) -> dict[str, float]:
    floor = {} if entry.floor is None else {"loss": entry.floor}
    return {"seconds": entry.seconds, **floor}


def _spec(
    entry: Entry,
    maker: Mapping[str, Any],
    start: int,
    stop: dict[str, Any],
    *,
    watch: tuple[str, ...] = (),
) -> RunSpec:
    return RunSpec(
        problem=entry.problem,
        method=label_of(maker),
        maker=dict(maker),
        start=start,
        stop=stop,
        watch=watch,
    )


def most_seconds(entries: Sequence[Entry]) -> float:
    """The longest that all runs can take together, without compilation."""
    total = 0.0
    for entry in entries:
        racing = entrants(entry, [])
        total += entry.seconds * (len(tuning_specs(entry)) + len(race_specs(entry, racing)))
    return total
