"""Problems of nonlinear least squares with known answers.

Three collections: NIST's 27 of nonlinear regression, the 35 of Moré, Garbow and Hillstrom, and 25
of CUTEst.
"""

from __future__ import annotations

from thalweg_lab.fits import mgh_variable  # noqa: F401 - it adds to the collection
from thalweg_lab.fits.base import FitProblem
from thalweg_lab.fits.cutest import CUTEST
from thalweg_lab.fits.mgh import MGH
from thalweg_lab.fits.nist import problems as nist

__all__ = ["FitProblem", "collections", "nist", "problems"]


def collections() -> tuple[FitProblem, ...]:
    """The problems of Moré, Garbow and Hillstrom and of CUTEst: 60, with three starts each."""
    return (*MGH.problems, *CUTEST.problems)


def problems() -> tuple[FitProblem, ...]:
    """All problems: NIST's, then the collections'."""
    return (*nist(), *collections())
