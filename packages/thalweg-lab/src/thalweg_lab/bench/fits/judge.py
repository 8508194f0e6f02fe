"""Whether a fit ended at the known minimum, at another one, or at none.

Every measure here is free of units: it is the same where parameters or residuals are scaled.

    cosine      |Jᵢᵀ r| / (‖Jᵢ‖ ‖r‖), the largest over the columns Jᵢ of the Jacobian, as MINPACK's
                `gtol` has it; a column that dies on a plateau keeps its direction
    curvature   the eigenvalues of H = D⁻¹ ∇²(½ S) D⁻¹, D the norms of the columns
    offset      √(gᵀ H⁻¹ g) / ‖r‖, g = D⁻¹ Jᵀ r: what a Newton step would still gain; Bates and
                Watts take a fit as converged where this, with JᵀJ for H, is below 0.001

Source: D. M. Bates and D. G. Watts, "A relative offset orthogonality convergence criterion for
nonlinear least squares", Technometrics 23 (1981), 179-183. B. D. McCullough, "Assessing the
reliability of statistical software: part I", The American Statistician 52 (1998), 358-366 (LRE).
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thalweg_lab.bench.fits.programs import Programs
    from thalweg_lab.fits import FitProblem

DIGITS = 1e-4  # relative: the squares are right to four digits
ZERO_SHARE = 1e-16  # of the squares at the standard start, where the minimum is 0
AS_ZERO = 1e-20  # of the same: a minimum below it is lost in rounding, so it counts as 0
OFFSET = 1e-3
CURVATURE = 1e-12  # of the largest; below it, rounding decides
MOST_DIGITS = 11.0  # that NIST certifies


class Verdict(enum.StrEnum):
    """What a fit ended at."""

    SOLVED = "solved"
    LOCAL = "another minimum"
    FLAT = "flat"
    SADDLE = "saddle"
    NOT_STATIONARY = "not stationary"
    NOT_FINITE = "not finite"


def verdict(programs: Programs, theta: np.ndarray) -> Verdict:
    """Judge the end of a fit.

    Args:
        programs: The problem's.
        theta: The parameters returned, shape `(n,)`.

    Returns:
        `SOLVED` for the least squares known; `LOCAL` for a minimum with strictly positive
        curvature; `FLAT` where some direction has none, as on a plateau or towards infinity.
    """
    squares = programs.task.squares(theta) if np.isfinite(theta).all() else math.inf
    if is_solved(programs.task, squares):
        return Verdict.SOLVED
    if not math.isfinite(squares):
        return Verdict.NOT_FINITE
    residuals, jacobian = programs.residuals(theta), programs.jacobian(theta)
    lengths = np.linalg.norm(jacobian, axis=0)
    if not lengths.all():
        return Verdict.FLAT
    gradient = jacobian.T @ residuals / lengths / np.linalg.norm(residuals)
    if not np.abs(gradient).max() <= OFFSET:
        return Verdict.NOT_STATIONARY
    return _by_curvature(programs.hessian(theta) / lengths / lengths[:, None], gradient)


def _by_curvature(hessian: np.ndarray, gradient: np.ndarray) -> Verdict:
    """What an end is where the gradient is small, all in units of the columns."""
    if not np.isfinite(hessian).all():
        return Verdict.NOT_FINITE
    values, vectors = np.linalg.eigh(hessian)
    least = CURVATURE * np.abs(values).max()
    if values[0] < -least:
        return Verdict.SADDLE
    if values[0] <= least:
        return Verdict.FLAT
    offset = np.linalg.norm(vectors.T @ gradient / np.sqrt(values))
    return Verdict.LOCAL if offset <= OFFSET else Verdict.NOT_STATIONARY


def is_solved(task: FitProblem, squares: float) -> bool:
    """Whether a sum of squares is right to four digits, or as good as 0 where that is right."""
    scale = task.squares(next(iter(task.starts.values())))
    if task.minimum <= AS_ZERO * scale:
        return squares <= ZERO_SHARE * scale
    return squares <= task.minimum * (1.0 + DIGITS)


def digits(task: FitProblem, theta: np.ndarray) -> float | None:
    """The correct digits of the worst parameter, as NIST defines them: the log relative error.

    Returns:
        From 0 to 11; None where no parameters are certified.
    """
    if task.collection != "NIST" or task.minimizer is None:
        return None
    if not np.isfinite(theta).all():
        return 0.0
    error = np.abs(theta - task.minimizer) / np.abs(task.minimizer)
    return float(np.clip(-np.log10(np.maximum(error, 1e-300)), 0.0, MOST_DIGITS).min())
