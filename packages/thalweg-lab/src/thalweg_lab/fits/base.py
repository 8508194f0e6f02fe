"""A problem of nonlinear least squares: residuals, starts and the answer that is known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import jax

    from thalweg.problem import LeastSquares


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FitProblem:
    """A sum of squares to be minimised, `S(θ) = Σ r(θ)²`, and its known minimum.

    The data are float64, so JAX's x64 flag must be on before anything is computed.

    Attributes:
        name: As its collection writes it.
        collection: Where it comes from: `NIST`, `MGH` or `CUTEst`.
        source: The publication that defines it, in a line.
        residuals: Maps parameters, shape `(n,)`, to residuals, shape `(m,)`; written in JAX.
        problem: The same for `thalweg.minimize`; example by example where there are data.
        starts: The starting parameters by name, each of shape `(n,)`.
        minimum: The least sum of squares that is known.
        minimizer: Parameters that attain it, shape `(n,)`; None where none are published.
        difficulty: `lower`, `average` or `higher`, as NIST grades it; else empty.
    """

    name: str
    collection: str
    source: str
    residuals: Callable[[jax.Array], jax.Array]
    problem: LeastSquares
    starts: Mapping[str, np.ndarray]
    minimum: float
    minimizer: np.ndarray | None = None
    difficulty: str = ""

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return next(iter(self.starts.values())).size

    def squares(self, theta: np.ndarray | jax.Array) -> float:
        """The sum of squares S at parameters of shape `(n,)`."""
        residuals = np.asarray(self.residuals(theta))  # type: ignore[arg-type]
        with np.errstate(over="ignore", invalid="ignore"):
            return float(residuals @ residuals)
