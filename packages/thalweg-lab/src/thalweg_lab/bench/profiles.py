"""Performance profiles: how often a solver is within a factor of the quickest.

    ρ(τ) = share of the cases in which (time of the solver) / (time of the quickest) <= τ

A case is a target of a problem. ρ(1) is the share of cases in which a solver is the quickest, and
ρ at the right end the share that it reaches at all. A solver that does not run on a problem fails
its cases, so the profile also shows how widely a solver can be used.

Source: Dolan & Moré, "Benchmarking optimization software with performance profiles",
Mathematical Programming 91 (2002) 201-213.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def profiles(
    cases: Sequence[Mapping[str, float]],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The profile of each solver.

    Args:
        cases: For each case, the time of each solver: positive, infinite where it failed.

    Returns:
        Solver to `(τ, ρ)`, a step function that rises at each τ. All begin at τ = 1 and end at the
        largest finite ratio of any solver. A solver that reaches nothing is 0 throughout.
    """
    solvers = list(dict.fromkeys(name for case in cases for name in case))
    ratios: dict[str, list[float]] = {name: [] for name in solvers}
    for case in cases:
        quickest = min(case.values(), default=np.inf)
        if not np.isfinite(quickest):
            continue
        for name in solvers:
            ratios[name].append(case.get(name, np.inf) / quickest)
    finite = [r for found in ratios.values() for r in found if np.isfinite(r)]
    end = max(finite, default=1.0)
    return {name: _stairs(np.asarray(found), end) for name, found in ratios.items()}


def _stairs(ratios: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    count = len(ratios)
    places = np.unique(np.concatenate([[1.0], ratios[np.isfinite(ratios)], [end]]))
    if not count:
        return places, np.zeros(len(places))
    return places, np.asarray([np.sum(ratios <= place) / count for place in places])
