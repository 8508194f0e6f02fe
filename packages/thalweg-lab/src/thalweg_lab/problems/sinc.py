"""A fit of sinc(10x) by a 1-20-1 network with tanh: 61 weights, 20,000 points.

    sinc(z) = sin(πz) / πz

The loss is `½ mean r²` over evenly spaced points of [-1, 1].

Source: the curve-fitting example in the repository of the library torch-levenberg-marquardt.
"""

from __future__ import annotations

import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import curves
from thalweg_lab.problems.base import TrainingProblem

SIZES = (1, 20, 1)
POINTS = 20_000


def exact(x: np.ndarray) -> np.ndarray:
    """sin(10πx) / 10πx."""
    return np.sinc(10.0 * x)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="sinc",
        title="Function fit: sinc(10x) at 20,000 points",
        kind="least squares",
        source="The curve-fitting example of the library torch-levenberg-marquardt.",
        network="1-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(curves.residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-2, 1e-3, 1e-4, 1e-6, 1e-8),
        measure=curves.largest_error("sinc", exact),
    )
