"""Two ends of training compared: are they one minimum, one valley, or two?

    weights      |θ_a - θ_b| between nearest twins, relative to |θ_a|
    function     root mean square of the difference of predictions over the data
    barrier      max over s of L((1-s) θ_a + s θ_b) - ((1-s) L_a + s L_b), at 0 or above

Two ends without a barrier between them are in one place where their weights agree within 1 %, and
else in one valley: one of them may still be on its way along it, or its floor is level. With a
barrier between them they are apart, as far as the straight line says; a curved way may be lower.
That both predict the same says little where both fit the data well, so it decides nothing.

Source: Frankle, Dziugaite, Roy & Carbin 2020, "Linear mode connectivity and the lottery ticket
hypothesis" (barrier).
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from thalweg.analysis.minima.symmetry import aligned, weight_distance

if TYPE_CHECKING:
    from thalweg.analysis.minima.landscape import Landscape

POINTS = 25  # of the straight line at which the loss is taken, ends included
SAME_WEIGHTS = 0.01  # relative distance of the nearest twins up to which the place is the same
FLAT = 0.01  # share of the higher end's loss up to which a rise is no barrier
VISIBLE = 1e-12  # share of the loss at the start up to which a rise is no barrier


class Relation(enum.Enum):
    """How two ends lie to each other."""

    SAME = "same place"
    VALLEY = "same valley"
    APART = "apart"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How two ends of training lie to each other.

    Attributes:
        relation: In a word.
        weights: Distance of the nearest twins found, relative to the first end's norm.
        weights_as_they_stand: The same without looking for twins.
        function: Root mean square difference of the predictions over the data.
        barrier: The highest rise over the chord of the losses along the straight line.
        losses: The losses of both ends.
    """

    relation: Relation
    weights: float
    weights_as_they_stand: float
    function: float
    barrier: float
    losses: tuple[float, float]


def compare(
    landscape: Landscape, first: np.ndarray, second: np.ndarray, *, start_loss: float
) -> Comparison:
    """Compare two ends of training of one network with tanh units.

    Args:
        landscape: The problem; its parameters are layers as `thalweg.networks.init` makes them.
        first: One end, shape `(n,)`.
        second: The other, shape `(n,)`.
        start_loss: The loss that training began with, which says what is no barrier.

    Cost: `POINTS` losses and two predictions, and what `aligned` costs.
    """
    here, there = landscape.tree(first), landscape.tree(second)
    twin = aligned(there, to=here)
    norm = max(float(np.linalg.norm(first)), np.finfo(float).tiny)
    difference = landscape.predictions(first) - landscape.predictions(second)
    function = float(np.linalg.norm(difference))
    losses = np.array(
        [landscape.loss(at) for at in np.linspace(first, landscape.flat(twin), POINTS)]
    )
    barrier = barrier_height(losses)
    ends = float(losses[0]), float(losses[-1])
    allowed = max(FLAT * max(map(abs, ends)), VISIBLE * abs(start_loss))
    weights = weight_distance(here, twin) / norm
    if barrier > allowed:
        relation = Relation.APART
    else:
        relation = Relation.SAME if weights <= SAME_WEIGHTS else Relation.VALLEY
    return Comparison(
        relation=relation,
        weights=weights,
        weights_as_they_stand=weight_distance(here, there) / norm,
        function=function,
        barrier=barrier,
        losses=ends,
    )


def barrier_height(losses: np.ndarray) -> float:
    """How far losses at even steps of a line rise over the chord of their ends; 0 where they sag.

    Args:
        losses: Shape `(k,)`, k at least 2. Infinite or NaN losses are an infinite barrier.
    """
    if not np.isfinite(losses).all():
        return float("inf")
    chord = np.linspace(losses[0], losses[-1], len(losses))
    return max(0.0, float(np.max(losses - chord)))
