"""A fit of sinc(10x) by a 1-20-1 network with tanh: 61 weights, 20,000 points.

    sinc(z) = sin(πz) / πz

The loss is `½ mean r²` over evenly spaced points of [-1, 1].

Source: the example of curve fitting in the repository of the library torch-levenberg-marquardt,
with which others compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems.base import Measure, TrainingProblem

if TYPE_CHECKING:
    import jax

SIZES = (1, 20, 1)
POINTS = 20_000
TEST_POINTS = 1001


def exact(x: np.ndarray) -> np.ndarray:
    """sin(10πx) / 10πx."""
    return np.sinc(10.0 * x)


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one point minus the value there."""
    return networks.apply(layers, x[None])[0] - y


def largest_error(layers: networks.Layers) -> float:
    """The largest |network - sinc(10x)| over 1,001 points."""
    x = np.linspace(-1.0, 1.0, TEST_POINTS)
    return float(np.max(np.abs(networks.apply(layers, jnp.asarray(x[:, None]))[:, 0] - exact(x))))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="sinc",
        title="Least squares: sinc(10x) at 20,000 points",
        kind="least squares",
        source="The example of curve fitting of the library torch-levenberg-marquardt.",
        network="1-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-2, 1e-3, 1e-4, 1e-6, 1e-8),
        measure=Measure("error against sinc (largest)", "error", largest_error),
    )
