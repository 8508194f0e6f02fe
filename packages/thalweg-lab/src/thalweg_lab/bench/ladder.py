"""Ladders of losses, and the ratio of times at each rung.

Rungs are powers of ten, from the first below every start down to the lowest that any entrant
reaches from at least half of the starts. Where a loss has a minimum above zero, they are powers of
ten above the lowest loss that any run reached:

    rung = reference + 10^k        reference: that loss, or 0

The time of an entrant to a rung is the median over its starts, infinite where it misses the rung
from half of them or more. The ratio at a rung is

    (time of the quickest peer) / (thalweg's time)

so that more than 1 is ahead. Where no peer reached a rung, the budget stands for its time: the
peers' true time is longer, so the ratio is a lower bound, `AT_LEAST`. Where thalweg did not reach
it, the budget stands for its own, and the ratio is an upper bound, `AT_MOST`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thalweg_lab.study.run import Run

MEASURED, AT_LEAST, AT_MOST = "measured", "at least", "at most"
MOST_RUNGS = 40


def reach(run: Run, losses: Sequence[float], column: str = "seconds") -> np.ndarray:
    """What a run had spent when it first came to each loss or below.

    Args:
        run: The run; one that raised reaches nothing.
        losses: `(k,)`.
        column: A column of its history, not falling.

    Returns:
        Shape `(k,)`; infinite where the loss was not reached.
    """
    return reach_by(run.history["loss"], run.history[column], losses)


def reach_by(loss: np.ndarray, spent: np.ndarray, losses: Sequence[float]) -> np.ndarray:
    """`reach` for a column that is at hand: `loss` and `spent` of shape `(rows,)`."""
    reached = np.full(len(losses), math.inf)
    if len(loss):
        lowest = np.minimum.accumulate(np.nan_to_num(np.asarray(loss, float), nan=math.inf))
        for place, target in enumerate(losses):
            row = int(np.searchsorted(-lowest, -target, side="left"))
            if row < len(lowest):
                reached[place] = spent[row]
    return reached


def medians(times: Sequence[np.ndarray]) -> np.ndarray:
    """The median over starts, `(k,)` from arrays of shape `(k,)`; infinite where half miss it."""
    return np.median(np.stack(times), axis=0)


def reference_of(groups: Mapping[str, Sequence[Run]], *, has_minimum: bool) -> float:
    """The loss that rungs are counted from.

    Args:
        groups: The runs of each entrant, one a start.
        has_minimum: Whether the loss has a minimum above zero.

    Returns:
        The lowest loss that any run reached where there is a minimum, else 0.
    """
    finite = [run.loss for group in groups.values() for run in group if math.isfinite(run.loss)]
    return min(finite, default=0.0) if has_minimum else 0.0


def rungs_of(groups: Mapping[str, Sequence[Run]], *, reference: float) -> list[float]:
    """The ladder of a problem, falling.

    Args:
        groups: The runs of each entrant, one a start.
        reference: The loss that rungs are counted from.
    """
    runs = [run for group in groups.values() for run in group if len(run.history["loss"])]
    if not runs:
        return []
    above = min(float(run.history["loss"][0]) for run in runs) - reference
    if not above > 0:
        return []
    top = math.ceil(math.log10(above)) - 1  # the largest power of ten below every start
    rungs: list[float] = []
    for exponent in range(top, top - MOST_RUNGS, -1):
        rung = reference + 10.0**exponent
        if rung == reference or not _is_reached(groups, rung):
            break
        rungs.append(rung)
    return rungs


def _is_reached(groups: Mapping[str, Sequence[Run]], rung: float) -> bool:
    """Whether some entrant reaches a loss from more than half of its starts."""
    return any(
        math.isfinite(medians([reach(run, [rung]) for run in group])[0])
        for group in groups.values()
        if group
    )


@dataclasses.dataclass(frozen=True)
class Rung:
    """One loss on the way down.

    Attributes:
        loss: The loss.
        ours: thalweg's median time in seconds; infinite where it was not reached.
        peers: The quickest peer's.
        winner: That peer; empty where none reached it.
        ratio: How much quicker thalweg is; NaN where neither reached the rung.
        bound: `MEASURED`, `AT_LEAST` or `AT_MOST`.
    """

    loss: float
    ours: float
    peers: float
    winner: str
    ratio: float
    bound: str

    @property
    def is_lost(self) -> bool:
        """Whether a peer was quicker, which where no peer arrived it was not."""
        return self.ratio < 1 and self.bound != AT_LEAST


def rung(
    loss: float, ours: float, peers: Mapping[str, float], *, missed: tuple[float, float]
) -> Rung:
    """A rung from median times.

    Args:
        loss: The loss.
        ours: Our time; infinite where it was not reached, NaN where it is not known.
        peers: Each peer's; those not known are left out.
        missed: Seconds that stand for our time and for a peer's where the rung was missed, so
            that the true time is longer: the budget.
    """
    known = {label: time for label, time in peers.items() if not math.isnan(time)}
    winner, quickest = min(known.items(), key=lambda item: item[1], default=("", math.inf))
    ratio, bound = math.nan, MEASURED
    if math.isfinite(ours) and math.isfinite(quickest):
        ratio = quickest / ours
    elif math.isfinite(ours):
        winner, ratio, bound = "", missed[1] / ours, AT_LEAST
    elif math.isinf(ours) and math.isfinite(quickest):
        ratio, bound = min(quickest / missed[0], 1.0), AT_MOST
    return Rung(loss, ours, quickest, winner, ratio, bound)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean of those that are finite; NaN where there is none."""
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    if not finite:
        return math.nan
    return math.exp(sum(map(math.log, finite)) / len(finite))


def mean_with_bounds(rungs: Iterable[Rung]) -> float:
    """The geometric mean of all ratios, where those that are bounds count as they stand."""
    return geometric_mean(rung.ratio for rung in rungs)


def mean_reached(rungs: Iterable[Rung]) -> float:
    """The geometric mean over the rungs that some peer reached."""
    return geometric_mean(rung.ratio for rung in rungs if rung.bound != AT_LEAST)
