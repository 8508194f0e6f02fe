"""Problems of nonlinear least squares with known answers, and how well solvers find them."""

from __future__ import annotations

from thalweg_lab.fits.base import FitProblem
from thalweg_lab.fits.nist import problems as nist

__all__ = ["FitProblem", "nist"]
