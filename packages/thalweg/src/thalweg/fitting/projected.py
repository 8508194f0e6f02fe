"""Levenberg-Marquardt steps that keep to bounds and hold chosen parameters, on the host.

They complete a fit whose parameters end at bounds, and follow the likelihood along a parameter.
Problems are small there, and the start is close.

A parameter at a bound that the loss pushes against is held. Where the step of the others leaves the
bounds, the best one within them is taken. With growing damping it turns into a scaled gradient
step, so that one that descends is found.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from thalweg.fitting.batch import pushed
from thalweg.fitting.box import first_side, least_in_box, loop
from thalweg.fitting.covariance import column_norms

if TYPE_CHECKING:
    from collections.abc import Callable

    Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

MOST_STEPS = 200
FLAT = 1e-7  # cosine between residuals and their tangent space, below which a point is stationary
ROUNDING = 1e-12  # relative change of parameters that counts as none
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-12, 1e12


@dataclasses.dataclass(frozen=True)
class Point:
    """Where the steps ended.

    Attributes:
        theta: The parameters, `(k,)`.
        residuals: S there, `(m,)`.
        jacobian: Its Jacobian, `(m, k)`.
        active: Which parameters are held at a bound, or by the caller.
        is_stationary: Whether no direction within the bounds lowers the loss visibly.
    """

    theta: np.ndarray
    residuals: np.ndarray
    jacobian: np.ndarray
    active: np.ndarray
    is_stationary: bool

    @property
    def loss(self) -> float:
        """½ Σ s²; infinite where the model is not finite."""
        loss = 0.5 * float(self.residuals @ self.residuals)
        return loss if np.isfinite(loss) else np.inf


def descend(
    evaluate: Evaluate,
    theta: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    held: np.ndarray | None = None,
    most_steps: int = MOST_STEPS,
    damping: float = 0.0,
) -> Point:
    """Go down to a stationary point within bounds.

    Args:
        evaluate: Residuals `(m,)` and Jacobian `(m, k)` of parameters `(k,)`.
        theta: The start; moved into the bounds.
        low: Lower bounds, `(k,)`; -∞ for none.
        high: Upper bounds, `(k,)`; ∞ for none.
        held: Which parameters stay where they are.
        most_steps: Evaluations at most.
        damping: λ at first; 0 for a step of Gauss and Newton.
    """
    held = np.zeros(len(theta), bool) if held is None else held
    theta = np.clip(theta, low, high)
    s, jacobian = evaluate(theta)
    if not (np.all(np.isfinite(s)) and np.all(np.isfinite(jacobian))):
        return Point(theta, s, jacobian, held, is_stationary=False)
    scale = column_norms(jacobian)
    largest = np.linalg.norm(s)
    is_stationary = False
    for _ in range(most_steps):
        gradient = jacobian.T @ s
        active = held | pushed(theta, gradient, (low, high))
        scale = np.maximum(scale, column_norms(jacobian))
        unit = np.where(scale > 0, scale, 1)
        step, cosine, weight = _step(s, jacobian / unit, ~active, damping)
        is_stationary = cosine <= FLAT or np.linalg.norm(s) <= ROUNDING * largest
        ends = (low - theta) * unit, (high - theta) * unit
        side = np.zeros(len(theta), int)
        if np.any((step < ends[0]) | (step > ends[1])):
            step, side = _step_in_box(s, jacobian / unit, ~held, ends, weight)
        trial = np.clip(theta + step / unit, low, high)
        trial = np.where(side < 0, low, np.where(side > 0, high, trial))
        if np.all(np.abs(trial - theta) <= ROUNDING * np.abs(theta)):
            is_stationary |= damping <= FIRST_DAMPING
            break
        new_s, new_jacobian = evaluate(trial)
        before, after = s @ s, new_s @ new_s
        is_finite = np.isfinite(after) and np.all(np.isfinite(new_jacobian))
        if is_finite and (after < before or (is_stationary and after <= before * (1 + ROUNDING))):
            theta, s, jacobian = trial, new_s, new_jacobian
            damping = 0.0 if damping <= LEAST_DAMPING else damping / 10
        elif is_stationary or damping > MOST_DAMPING:
            break
        else:
            damping = max(10 * damping, FIRST_DAMPING)
    gradient = jacobian.T @ s
    active = held | pushed(theta, gradient, (low, high))
    return Point(theta, s, jacobian, active, bool(is_stationary))


def _step(
    s: np.ndarray, jacobian: np.ndarray, free: np.ndarray, damping: float
) -> tuple[np.ndarray, float, float]:
    """The damped step of the free parameters, and the cosine of s with their tangent space.

    All in units of the columns. Last comes what is added to the squared singular values.
    """
    step = np.zeros(len(free))
    if not free.any():
        return step, 0.0, 0.0
    step[free], inside, weight = _damped(jacobian[:, free], s, damping)
    size = np.linalg.norm(s)
    return step, float(inside / size) if size > 0 else 0.0, weight


def _damped(
    jacobian: np.ndarray, s: np.ndarray, damping: float = 0.0, weight: float = 0.0
) -> tuple[np.ndarray, float, float]:
    """A damped step in the directions that are determined, |s| within them, and the weight.

    The weight is added to the squared singular values, and `damping` times the largest of these.
    """
    left, values, right = np.linalg.svd(jacobian, full_matrices=False)
    seen = values > len(s) * np.finfo(float).eps * values[0] if len(values) else values > 0
    inside = left.T @ s
    weight = weight + damping * values[0] ** 2 if len(values) else weight
    with np.errstate(divide="ignore", invalid="ignore"):
        amounts = np.where(seen, values / (values**2 + weight), 0.0)
    return -(right.T @ (amounts * inside)), float(np.linalg.norm(inside[seen])), float(weight)


def _step_in_box(
    s: np.ndarray,
    jacobian: np.ndarray,
    free: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    weight: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The best step within a box, and the side at which each parameter is held there."""
    low, high = ends

    def solve(side: np.ndarray) -> tuple[np.ndarray]:
        step = np.where(side < 0, low, np.where(side > 0, high, 0.0))
        moves = free & (side == 0)
        rest = s + jacobian[:, side != 0] @ step[side != 0]
        step[moves] = _damped(jacobian[:, moves], rest, weight=weight)[0]
        return (step,)

    def slope_at(step: np.ndarray) -> np.ndarray:
        return np.where(free, jacobian.T @ (s + jacobian @ step) + weight * step, 0.0)

    first = first_side(np.where(free, jacobian.T @ s, 0.0), low, high, arrays=np)
    side, (step,) = least_in_box(solve, slope_at, first, low, high, arrays=np, repeat=loop)
    return step, side
