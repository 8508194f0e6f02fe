"""Confidence intervals by profile likelihood: where refits with one value held get too bad.

The interval of θᵢ holds the values at which the least loss over all other parameters is at most
`s² q²/2` above the minimum, with q the quantile of Student's t, or of the normal distribution where
σ is known. For a model that is linear in its parameters this is the usual interval.

Source: Bates & Watts 1988, "Nonlinear regression analysis and its applications", 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.fitting.projected import descend

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.projected import Point

FARTHEST = 60  # attempts to bracket an end; each doubles the distance at most
FINEST = 60  # steps of the search within a bracket
TIGHT = 1e-7  # relative error of √(2 ΔL)/s at an end
DAMPING = 1e-3  # of a refit that begins at the one before it


def profile_end(
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    best: Point,
    place: int,
    *,
    step: float,
    rise: float,
    low: np.ndarray,
    high: np.ndarray,
) -> float:
    """The value of one parameter at which its profile has risen so far.

    Args:
        evaluate: Residuals and Jacobian.
        best: The fit.
        place: Which parameter.
        step: A first guess of the distance, with its sign. Not 0.
        rise: √(2 ΔL) at the end. Positive.
        low: Lower bounds, `(k,)`.
        high: Upper bounds, `(k,)`.

    Returns:
        The value; the bound where the profile has not risen so far within the bounds; infinite
        where it never does.
    """
    held = np.zeros(len(best.theta), bool)
    held[place] = True
    edge = high[place] if step > 0 else low[place]
    others = best.theta.copy()

    def height(value: float) -> float:
        nonlocal others
        start = others.copy()
        start[place] = value
        point = descend(evaluate, start, low=low, high=high, held=held, damping=DAMPING)
        if not np.isfinite(point.loss):
            return np.inf
        others = point.theta
        return float(np.sqrt(max(2 * (point.loss - best.loss), 0.0)))

    near, near_height, distance = best.theta[place], 0.0, step
    for _ in range(FARTHEST):
        far = near + distance
        is_edge = far >= edge if step > 0 else far <= edge
        far = edge if is_edge else far
        if far == near and not is_edge:
            return float(far)  # the interval is below the rounding of the parameter
        far_height = height(float(far))
        if far_height >= rise:
            return _between(height, (near, near_height), (far, far_height), rise)
        if is_edge:
            return float(edge)
        slope = (far_height - near_height) / abs(far - near)
        ahead = (rise - far_height) / slope if slope > 0 else np.inf
        near, near_height = far, far_height
        distance = np.copysign(np.clip(1.1 * ahead, 0.1 * abs(distance), 2 * abs(distance)), step)
    return float(np.copysign(np.inf, step))


def _between(
    height: Callable[[float], float],
    near: tuple[float, float],
    far: tuple[float, float],
    rise: float,
) -> float:
    """Where the height is `rise`, by false position with a safeguard (Illinois)."""
    (a, low), (b, high) = near, far
    low, high, c = low - rise, high - rise, b
    for _ in range(FINEST):
        share = -low / (high - low) if np.isfinite(high) else 0.5
        c = a + min(max(share, 0.01), 0.99) * (b - a)
        found = height(float(c)) - rise
        if abs(found) <= TIGHT * rise or c in {a, b}:
            return float(c)
        if found > 0:
            b, high, low = c, found, low / 2
        else:
            a, low, high = c, found, (high / 2 if np.isfinite(high) else high)
    return float(c)
