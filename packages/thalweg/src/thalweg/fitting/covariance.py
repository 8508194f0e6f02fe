"""What the curvature at the end of a fit says: covariance, correlation, undetermined directions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

RANK = 1e-10  # singular value over the largest, in units of each parameter, below which it is 0
SHARE = 0.05  # of the largest component, below which a parameter does not take part in a direction


@dataclasses.dataclass(frozen=True)
class Direction:
    """A direction that the data do not determine.

    Attributes:
        components: Parameter to its share of a unit change along the direction, in the units of the
            parameters, largest first. Parameters with a negligible share are left out.
    """

    components: dict[str, float]

    def __str__(self) -> str:
        parts = [f"{value:+.3g}·{name}" for name, value in self.components.items()]
        return " ".join(parts).removeprefix("+")


@dataclasses.dataclass(frozen=True)
class Curvature:
    """The curvature JᵀJ at the end.

    Attributes:
        inverse: (JᵀJ)⁻¹ of the determined directions, `(k, k)`; infinite variances for parameters
            that are not determined.
        undetermined: Unit vectors of the others, in the units of the parameters, `(q, k)`.
    """

    inverse: np.ndarray
    undetermined: np.ndarray


def column_norms(jacobian: np.ndarray) -> np.ndarray:
    """The norms of the columns of J, `(k,)`; their squares may overflow."""
    largest = np.abs(jacobian).max(axis=0, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1)
    return unit * np.linalg.norm(jacobian / unit, axis=0)


def curvature_of(jacobian: np.ndarray) -> Curvature:
    """Invert JᵀJ by the singular values of J, in the units of each parameter.

    Args:
        jacobian: J, `(m, k)`.
    """
    scale = column_norms(jacobian)
    unit = np.where(scale > 0, scale, 1.0)
    lacking = max(len(unit) - len(jacobian), 0)  # rows of 0, so that there are k singular values
    rows = np.pad(jacobian / unit, ((0, lacking), (0, 0)))
    _, full, right = np.linalg.svd(rows, full_matrices=False)
    seen = full > RANK * max(full.max(initial=0.0), np.finfo(float).tiny)
    with np.errstate(over="ignore", invalid="ignore"):  # of a parameter that has lost its effect
        part = right[seen].T / full[seen] / unit[:, None]
        inverse = part @ part.T
    blind = right[~seen]
    vague = np.any(np.abs(blind) > np.sqrt(RANK), axis=0)
    if vague.any():
        inverse[vague, :] = inverse[:, vague] = np.nan
        inverse[vague, vague] = np.inf
    directions = blind / unit
    sizes = np.linalg.norm(directions, axis=1, keepdims=True)
    return Curvature(inverse, directions / np.where(sizes > 0, sizes, 1.0))


def robust_inverse(jacobian: np.ndarray, s: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Huber's covariance of an M-estimate, `H⁻¹ (Σ ψ² jjᵀ) H⁻¹ m/(m-k)`.

    Args:
        jacobian: The Jacobian of the transformed residuals s, `(m, k)`.
        s: The transformed residuals; `s` times a row of the Jacobian is ψ times a row of the plain
            one.
        hessian: H, the Hessian of the loss, `(k, k)`.
    """
    m, k = jacobian.shape
    rows = s[:, None] * jacobian
    try:
        half = np.linalg.solve(hessian, rows.T)
    except np.linalg.LinAlgError:
        return np.full((k, k), np.inf)
    return half @ half.T * (m / (m - k) if m > k else np.inf)


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Correlations of a covariance; NaN for a parameter without a finite positive variance."""
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.outer(deviation, deviation)
    usable = np.isfinite(deviation) & (deviation > 0)
    correlation[~usable, :] = correlation[:, ~usable] = np.nan
    correlation[usable, usable] = 1.0
    return correlation


def directions_of(curvature: Curvature, names: Sequence[str], scale: np.ndarray) -> list[Direction]:
    """The undetermined directions in words.

    Args:
        curvature: The curvature.
        names: Names of the k parameters.
        scale: The size of each parameter, `(k,)`, to judge which take part.
    """
    found = []
    for vector in curvature.undetermined:
        relative = np.abs(vector) / scale
        chosen = [k for k in np.argsort(-relative) if relative[k] > SHARE * relative.max()]
        sign = np.sign(vector[chosen[0]]) or 1.0
        parts = {str(names[k]): float(sign * vector[k]) for k in chosen}
        found.append(Direction(parts))
    return found
