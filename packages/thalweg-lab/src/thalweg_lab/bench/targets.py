"""The targets of a problem, losses to be reached, and the ratio of times to each.

Targets are powers of ten, from the first below every start down to the lowest that any entrant
reaches from more than half of the starts. Where a loss has a minimum above zero, they are powers of
ten above the lowest loss that any run reached:

    target = reference + 10^k        reference: that loss, or 0

The time of an entrant to a target is the median over its starts. It is infinite where the entrant
misses the target from half of them or more. The ratio at a target is

    (time of the quickest peer) / (thalweg's time)

Thalweg is ahead where the ratio is above 1. Where no peer reached a target, the budget replaces
their time: the true time is longer, so the ratio is a lower bound, `AT_LEAST`. Where thalweg did
not reach it, the budget replaces its own time, and the ratio is an upper bound, `AT_MOST`.
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
MOST_TARGETS = 40


def reach(run: Run, losses: Sequence[float], column: str = "seconds") -> np.ndarray:
    """What a run had spent when its loss was first at or below each of several losses.

    Args:
        run: The run; one that raised reaches nothing.
        losses: `(k,)`.
        column: A column of its history that never decreases.

    Returns:
        Shape `(k,)`; infinite where the loss was not reached.
    """
    return reach_by(run.history["loss"], run.history[column], losses)


def reach_by(loss: np.ndarray, spent: np.ndarray, losses: Sequence[float]) -> np.ndarray:
    """`reach` from arrays: `loss` and `spent` have shape `(rows,)`."""
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
    """The loss that targets are counted from.

    Args:
        groups: The runs of each entrant, one a start.
        has_minimum: Whether the loss has a minimum above zero.

    Returns:
        The lowest loss that any run reached where there is a minimum, else 0.
    """
    finite = [run.loss for group in groups.values() for run in group if math.isfinite(run.loss)]
    return min(finite, default=0.0) if has_minimum else 0.0


def targets_of(groups: Mapping[str, Sequence[Run]], *, reference: float) -> list[float]:
    """The targets of a problem, descending.

    Args:
        groups: The runs of each entrant, one a start.
        reference: The loss that targets are counted from.
    """
    runs = [run for group in groups.values() for run in group if len(run.history["loss"])]
    if not runs:
        return []
    above = min(float(run.history["loss"][0]) for run in runs) - reference
    if not above > 0:
        return []
    top = math.ceil(math.log10(above)) - 1  # the largest power of ten below every start
    targets: list[float] = []
    for exponent in range(top, top - MOST_TARGETS, -1):
        target = reference + 10.0**exponent
        if target == reference or not _is_reached(groups, target):
            break
        targets.append(target)
    return targets


def _is_reached(groups: Mapping[str, Sequence[Run]], target: float) -> bool:
    """Whether some entrant reaches a loss from more than half of its starts."""
    return any(
        math.isfinite(medians([reach(run, [target]) for run in group])[0])
        for group in groups.values()
        if group
    )


@dataclasses.dataclass(frozen=True)
class Target:
    """A loss to be reached, with the times to it.

    Attributes:
        loss: The loss.
        ours: Thalweg's median time in seconds; infinite where it was not reached.
        peers: The median time of the quickest peer in seconds.
        winner: The label of that peer; empty where none reached the target.
        ratio: `peers / ours`, or a bound on it; NaN where neither reached the target.
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
        """Whether a peer was quicker; never where no peer reached the target."""
        return self.ratio < 1 and self.bound != AT_LEAST


def compare(
    loss: float, ours: float, peers: Mapping[str, float], *, missed: tuple[float, float]
) -> Target:
    """Compare the median times to a target.

    Args:
        loss: The target.
        ours: Our time; infinite where it was not reached, NaN where it is unknown.
        peers: Each peer's time; unknown ones (NaN) are left out.
        missed: Seconds that replace our time and a peer's where the target was missed: the budget,
            which is shorter than the true time.
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
    return Target(loss, ours, quickest, winner, ratio, bound)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean of the finite ones; NaN where there is none."""
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    if not finite:
        return math.nan
    return math.exp(sum(map(math.log, finite)) / len(finite))


def mean_with_bounds(targets: Iterable[Target]) -> float:
    """The geometric mean of all ratios; bounds count as if they were measured."""
    return geometric_mean(target.ratio for target in targets)


def mean_reached(targets: Iterable[Target]) -> float:
    """The geometric mean over the targets that some peer reached."""
    return geometric_mean(target.ratio for target in targets if target.bound != AT_LEAST)
