"""One period of a sine by a 1-5-1 network with tanh and a linear output: 16 weights.

The loss is `½ mean r²` over 41 evenly spaced points of [-1, 1]; MATLAB's goal is mse = 0.002, here
L = ½ mse = 0.001. How many points MATLAB took is not written; 41 resolve the period well.

Source: see `thalweg_lab.problems.squashed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import squashed
from thalweg_lab.problems.base import Measure, TrainingProblem

if TYPE_CHECKING:
    import jax

SIZES = (1, 5, 1)
POINTS = 41
TEST_POINTS = 1001
GOAL = 0.002  # as MATLAB's mse


def exact(x: np.ndarray) -> np.ndarray:
    """Sin πx, one period on [-1, 1]."""
    return np.sin(np.pi * x)


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one point minus the value there."""
    return networks.apply(layers, x[None])[0] - y


def largest_error(layers: networks.Layers) -> float:
    """The largest |network - sine| over 1,001 points, most of them between the training points."""
    x = np.linspace(-1.0, 1.0, TEST_POINTS)
    return float(np.max(np.abs(networks.apply(layers, jnp.asarray(x[:, None]))[:, 0] - exact(x))))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="sine",
        title="Least squares: a sine",
        kind="least squares",
        source=f"{squashed.SOURCE}: SIN, goal mse 0.002.",
        network="1-5-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-1, 1e-2, squashed.loss_at(GOAL), 1e-4, 1e-6, 1e-8),
        measure=Measure("error against the sine (largest)", "error", largest_error),
    )
