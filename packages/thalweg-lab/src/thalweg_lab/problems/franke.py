"""A fit of Franke's function on the unit square by a wide network: 91,501 weights.

The loss is `½ mean r²` over the centres of 64 x 64 cells; the network is 2-300-300-1 with tanh, and
its inputs are scaled to [-1, 1].

Source: Franke, "A critical comparison of some methods for interpolation of scattered data", Naval
Postgraduate School, NPS-53-79-003 (1979).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import Measure, TrainingProblem

SIZES = (2, 300, 300, 1)
CELLS = 64  # along each side
TEST_POINTS = 61  # along each side


def exact(points: np.ndarray) -> np.ndarray:
    """The function at points of the unit square, shape `(..., 2)`."""
    x, y = 9 * points[..., 0], 9 * points[..., 1]
    return (
        0.75 * np.exp(-((x - 2) ** 2 + (y - 2) ** 2) / 4)
        + 0.75 * np.exp(-((x + 1) ** 2) / 49 - (y + 1) / 10)
        + 0.5 * np.exp(-((x - 7) ** 2 + (y - 3) ** 2) / 4)
        - 0.2 * np.exp(-((x - 4) ** 2) - (y - 7) ** 2)
    )


def value(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """The network at one point of the unit square."""
    return networks.apply(layers, 2 * point - 1)[0]


def residual(layers: networks.Layers, point: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one point minus the value there."""
    return value(layers, point) - y


def largest_error(layers: networks.Layers) -> float:
    """The largest |network - function| over 61 x 61 points, edges included."""
    side = np.linspace(0, 1, TEST_POINTS)
    points = physics.grid(side, side)
    fitted = jax.vmap(lambda at: value(layers, at))(jnp.asarray(points))
    return float(np.max(np.abs(np.asarray(fitted) - exact(points))))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    centres = (np.arange(CELLS) + 0.5) / CELLS
    points = physics.grid(centres, centres)
    return TrainingProblem(
        name="franke",
        title="Function fit by a wide network: Franke's function",
        kind="large",
        source="Franke (1979), Naval Postgraduate School, NPS-53-79-003.",
        network="2-300-300-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(residual, data=(points, exact(points))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
        measure=Measure("error against the function (largest)", "error", largest_error),
    )
