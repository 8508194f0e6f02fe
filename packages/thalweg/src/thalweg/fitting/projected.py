"""Levenberg-Marquardt steps that keep to bounds and hold chosen parameters, on the host.

They complete a fit whose parameters end at bounds, and follow the likelihood along a parameter.
Problems are small there, and the start is close.

A parameter at a bound that the loss pushes against is held. The step of the others is cut off at
their bounds. With growing damping it turns into a scaled gradient step, which always descends.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

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
    scale = np.linalg.norm(jacobian, axis=0)
    largest = np.linalg.norm(s)
    is_stationary = False
    for _ in range(most_steps):
        gradient = jacobian.T @ s
        active = held | ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        scale = np.maximum(scale, np.linalg.norm(jacobian, axis=0))
        step, cosine = _step(s, jacobian, np.where(scale > 0, scale, 1), ~active, damping)
        is_stationary = cosine <= FLAT or np.linalg.norm(s) <= ROUNDING * largest
        trial = np.clip(theta + step, low, high)
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
    active = held | ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
    return Point(theta, s, jacobian, active, bool(is_stationary))


def _step(
    s: np.ndarray, jacobian: np.ndarray, scale: np.ndarray, free: np.ndarray, damping: float
) -> tuple[np.ndarray, float]:
    """The damped step of the free parameters, and the cosine of s with their tangent space."""
    step = np.zeros(len(scale))
    if not free.any():
        return step, 0.0
    left, values, right = np.linalg.svd(jacobian[:, free] / scale[free], full_matrices=False)
    seen = values > len(s) * np.finfo(float).eps * values[0] if len(values) else values > 0
    inside = left.T @ s
    size = np.linalg.norm(s)
    cosine = np.linalg.norm(inside[seen]) / size if size > 0 else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        amounts = np.where(seen, values / (values**2 + damping * values[0] ** 2), 0.0)
    step[free] = -(right.T @ (amounts * inside)) / scale[free]
    return step, float(cosine)
