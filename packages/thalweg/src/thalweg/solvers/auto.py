"""`auto`: the method that fits a problem's structure and size, and why.

Least squares go to `implicit-geodesic`, whose Gauss-Newton matrix is nearly the Hessian where
residuals are small. Classification and losses without structure go to `exponential-krylov`: there
the true Hessian matters, and the exponential follows unstable directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.flow import Flow, LeastSquaresFlow
from thalweg.solvers.geodesic import ImplicitGeodesic
from thalweg.solvers.krylov import ExponentialKrylov

if TYPE_CHECKING:
    from thalweg.solvers.base import AbstractMethod

_SPACES = {
    "parameters": "factoring in the space of parameters, n = {n}",
    "residuals": "factoring in the space of residuals, m = {m} < n = {n}",
    "krylov": "matrix-free by Lanczos, as n = {n} and m = {m} are too many to factor",
}


def pick(flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a flow, and the reason in one sentence."""
    if isinstance(flow, LeastSquaresFlow):
        method = ImplicitGeodesic()
        space = _SPACES[method.space(flow)].format(n=flow.size, m=flow.residual_count)
        return method, f"`implicit-geodesic` because the loss is a sum of squares; {space}"
    return ExponentialKrylov(), (
        "`exponential-krylov` because the loss is no sum of squares, so the true Hessian "
        f"matters; matrix-free, n = {flow.size}"
    )
