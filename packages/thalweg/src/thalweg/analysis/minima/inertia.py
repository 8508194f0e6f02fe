"""What kind of point a run ended at, by the eigenvalues of the Hessian and the Newton decrement.

    inertia     the numbers of negative, zero and positive eigenvalues of ∇²L; λ counts as zero if
                |λ| is at most 1e-8 max|λ|
    decrement   ½ Σ (vᵢ·∇L)² / |λᵢ|, the change of the loss that a Newton step predicts, with |λᵢ|
                at least that bound

A point is *at rest* if the decrement is below 1e-6 of the loss, or below the rounding of the loss
at the start. At rest it is a saddle if an eigenvalue is negative, and otherwise a minimum; not at
rest it is still moving, whatever its inertia.

A small Hessian is diagonalised completely. For a large one Lanczos' method, with full
orthogonalisation, gives k Ritz values from k products. By Cauchy's interlacing theorem the number
of negative Ritz values is a lower bound of the number of negative eigenvalues, and the same holds
for positive ones; the rest counts as unresolved. The decrement is a quadratic form in a function of
∇²L, for which Lanczos' method from ∇L is Gauss quadrature.

Source: Parlett, *The Symmetric Eigenvalue Problem*, 10.1 (interlacing) and 13 (Lanczos); Golub &
Meurant, *Matrices, Moments and Quadrature*, 6 and 7; Boyd & Vandenberghe, *Convex Optimization*,
9.5.1 (decrement).
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thalweg.analysis.minima.landscape import Landscape

ZERO = 1e-8  # share of the largest |λ| up to which an eigenvalue counts as zero
AT_REST = 1e-6  # share of the loss up to which a decrement is negligible
VISIBLE = 1e-14  # share of the loss at the start below which rounding hides a decrement
DENSE_UP_TO = 600  # parameters up to which the Hessian is diagonalised completely
KRYLOV_DIMENSIONS = 120  # Lanczos steps otherwise


class Kind(enum.Enum):
    """What kind of point it is."""

    MINIMUM = "minimum"
    SADDLE = "saddle"
    STILL_MOVING = "still moving"


@dataclasses.dataclass(frozen=True)
class Inertia:
    """The signs of the Hessian's eigenvalues.

    Attributes:
        negative: Number of eigenvalues below -tolerance; a lower bound unless all were computed.
        zero: Number within the tolerance; 0 unless all were computed.
        positive: Number above the tolerance; a lower bound unless all were computed.
        unresolved: Number of eigenvalues with unknown sign; 0 if all were computed.
        smallest: The smallest eigenvalue; or the smallest Ritz value, an upper bound of it.
        largest: The largest eigenvalue; or the largest Ritz value, a lower bound of it.
        tolerance: Largest magnitude that counts as zero, in the units of the eigenvalues.
    """

    negative: int
    zero: int
    positive: int
    unresolved: int
    smallest: float
    largest: float
    tolerance: float

    @property
    def is_complete(self) -> bool:
        """Whether all eigenvalues were computed."""
        return self.unresolved == 0


@dataclasses.dataclass(frozen=True)
class EndPoint:
    """What is known of the point at the end of a run.

    Attributes:
        kind: Minimum, saddle or still moving.
        loss: L.
        grad_norm: |∇L|.
        decrement: The change of the loss that a Newton step predicts.
        inertia: The signs of the Hessian's eigenvalues.
    """

    kind: Kind
    loss: float
    grad_norm: float
    decrement: float
    inertia: Inertia


def examine(
    landscape: Landscape,
    theta: np.ndarray,
    *,
    start_loss: float,
    dense_up_to: int = DENSE_UP_TO,
    dimensions: int = KRYLOV_DIMENSIONS,
) -> EndPoint:
    """Say what kind of point θ is.

    Args:
        landscape: The problem.
        theta: The point, shape `(n,)`.
        start_loss: The loss at the start of the run, the scale of its rounding.
        dense_up_to: Number of parameters up to which the Hessian is diagonalised completely.
        dimensions: Lanczos steps for more parameters. At least 1.

    Cost: n Hessian products and O(n³); or `2 dimensions` products and memory for `2 dimensions`
    vectors.
    """
    loss, grad = landscape.value_and_grad(theta)
    if landscape.size <= dense_up_to:
        values, vectors = np.linalg.eigh(landscape.hessian(theta))
        inertia = count_signs(values)
        along, rates = vectors.T @ grad, values
    else:
        # From ∇L for the decrement, from noise for directions in which ∇L has no component.
        rates, weights = landscape.ritz(theta, grad, dimensions=dimensions)
        along = np.linalg.norm(grad) * weights
        noise = np.random.default_rng(0).standard_normal(landscape.size)
        others, _ = landscape.ritz(theta, noise, dimensions=dimensions)
        inertia = bound_signs(rates, others, size=landscape.size)
    decrement = float(0.5 * np.sum(along**2 / np.maximum(np.abs(rates), _floor(inertia))))
    return EndPoint(
        kind=_kind(loss, decrement, inertia, start_loss=start_loss),
        loss=loss,
        grad_norm=float(np.linalg.norm(grad)),
        decrement=decrement,
        inertia=inertia,
    )


def count_signs(values: np.ndarray) -> Inertia:
    """The inertia of a symmetric matrix with the eigenvalues `values`, shape `(n,)`."""
    tolerance = ZERO * float(np.abs(values).max())
    negative = int(np.sum(values < -tolerance))
    positive = int(np.sum(values > tolerance))
    return Inertia(
        negative,
        len(values) - negative - positive,
        positive,
        unresolved=0,
        smallest=float(values.min()),
        largest=float(values.max()),
        tolerance=tolerance,
    )


def bound_signs(*spaces: np.ndarray, size: int) -> Inertia:
    """The inertia of a matrix of order `size`, as far as Ritz values of Krylov spaces show it.

    Each space gives lower bounds of the counts, so their maximum is a lower bound.
    """
    seen = np.concatenate(spaces)
    tolerance = ZERO * float(np.abs(seen).max())
    negative = max(int(np.sum(values < -tolerance)) for values in spaces)
    positive = max(int(np.sum(values > tolerance)) for values in spaces)
    return Inertia(
        negative,
        0,
        positive,
        unresolved=size - negative - positive,
        smallest=float(seen.min()),
        largest=float(seen.max()),
        tolerance=tolerance,
    )


def _floor(inertia: Inertia) -> float:
    """The smallest |λ| used in the decrement."""
    return max(inertia.tolerance, np.finfo(float).tiny)


def _kind(loss: float, decrement: float, inertia: Inertia, *, start_loss: float) -> Kind:
    if decrement > max(AT_REST * abs(loss), VISIBLE * abs(start_loss)):
        return Kind.STILL_MOVING
    return Kind.SADDLE if inertia.negative else Kind.MINIMUM
