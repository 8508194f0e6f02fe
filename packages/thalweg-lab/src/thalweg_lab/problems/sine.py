"""A fit of one period of a sine by a 1-5-1 network with tanh and a linear output: 16 weights.

The loss is `½ mean r²` over 41 evenly spaced points of [-1, 1]. MATLAB's goal is mse = 0.002, here
L = ½ mse = 0.001. MATLAB's page does not give the number of points; 41 resolve the period well.

Source: see `thalweg_lab.problems.squashed`.
"""

from __future__ import annotations

import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import curves, squashed
from thalweg_lab.problems.base import TrainingProblem

SIZES = (1, 5, 1)
POINTS = 41
GOAL = 0.002  # as MATLAB's mse


def exact(x: np.ndarray) -> np.ndarray:
    """Sin πx, one period on [-1, 1]."""
    return np.sin(np.pi * x)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="sine",
        title="Function fit: one period of a sine",
        kind="least squares",
        source=f"{squashed.SOURCE}: SIN, goal mse 0.002.",
        network="1-5-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(curves.residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-1, 1e-2, squashed.loss_at(GOAL), 1e-4, 1e-6, 1e-8),
        measure=curves.largest_error("the sine", exact),
    )
