"""Compares two end points of training: one minimum, one valley, or two?

    weights      |θ_a - θ_b| between nearest equivalents under symmetry, relative to |θ_a|
    function     root mean square of the difference of predictions over the data
    barrier      max over s of L((1-s) θ_a + s θ_b) - ((1-s) L_a + s L_b), at least 0

Without a barrier, two end points are in the same place if their weights agree within 1 %, and
otherwise in the same valley: one of them may still be moving along it, or its floor is level. With
a barrier they are apart, as far as the straight line shows; a curved path may be lower. Equal
predictions mean little when both fit the data well, so they do not decide.

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

POINTS = 25  # of the straight line at which the loss is evaluated, ends included
SAME_WEIGHTS = 0.01  # relative distance of weights up to which the place is the same
FLAT = 0.01  # share of the higher end's loss up to which a rise does not count as a barrier
VISIBLE = 1e-12  # share of the loss at the start up to which a rise does not count as a barrier


class Relation(enum.Enum):
    """How two end points are related."""

    SAME = "same place"
    VALLEY = "same valley"
    APART = "apart"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How two end points of training are related.

    Attributes:
        relation: In a word.
        weights: Distance of the nearest equivalents found, relative to the first one's norm.
        weights_as_they_stand: The same without using symmetries.
        function: Root mean square difference of the predictions over the data.
        barrier: The highest rise above the chord of the losses along the straight line.
        losses: The two losses.
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
    """Compare two end points of training of one network with tanh units.

    Args:
        landscape: The problem; its parameters are layers as `thalweg.networks.init` returns them.
        first: One end point, shape `(n,)`.
        second: The other, shape `(n,)`.
        start_loss: The loss at the start of training, the scale for what is a barrier.

    Cost: `POINTS` losses, two predictions, and one call of `aligned`.
    """
    here, there = landscape.tree(first), landscape.tree(second)
    equivalent = aligned(there, to=here)
    norm = max(float(np.linalg.norm(first)), np.finfo(float).tiny)
    difference = landscape.predictions(first) - landscape.predictions(second)
    function = float(np.linalg.norm(difference))
    losses = np.array(
        [landscape.loss(at) for at in np.linspace(first, landscape.flat(equivalent), POINTS)]
    )
    barrier = barrier_height(losses)
    ends = float(losses[0]), float(losses[-1])
    allowed = max(FLAT * max(map(abs, ends)), VISIBLE * abs(start_loss))
    weights = weight_distance(here, equivalent) / norm
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
    """How far losses at even steps of a line rise above the chord of their ends; 0 if below it.

    Args:
        losses: Shape `(k,)`, k at least 2. Infinite or NaN losses are an infinite barrier.
    """
    if not np.isfinite(losses).all():
        return float("inf")
    chord = np.linspace(losses[0], losses[-1], len(losses))
    return max(0.0, float(np.max(losses - chord)))
