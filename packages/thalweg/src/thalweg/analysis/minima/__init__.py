"""End points of runs: what kind of point each is, and whether two are the same."""

from __future__ import annotations

from thalweg.analysis.minima.comparison import Comparison, Relation, barrier_height, compare
from thalweg.analysis.minima.inertia import EndPoint, Inertia, Kind, examine
from thalweg.analysis.minima.landscape import Landscape
from thalweg.analysis.minima.symmetry import aligned, weight_distance

__all__ = [
    "Comparison",
    "EndPoint",
    "Inertia",
    "Kind",
    "Landscape",
    "Relation",
    "aligned",
    "barrier_height",
    "compare",
    "examine",
    "weight_distance",
]
