"""The exclusive or of two bits by a 2-2-1 network with tanh and a linear output: nine weights.

The loss is `½ mean r²` over the four patterns. Its minimum is 0, but it has other local minima, and
from some starts every descent ends in one of them.

Source: Rumelhart, Hinton & Williams, "Learning internal representations by error propagation", in
*Parallel Distributed Processing* 1 (1986), chapter 8.
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

SIZES = (2, 2, 1)


def patterns() -> tuple[np.ndarray, np.ndarray]:
    """The four pairs of bits, shape `(4, 2)`, and the exclusive or of each, `(4, 1)`."""
    bits = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return bits, np.array([[0.0], [1.0], [1.0], [0.0]])


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one pattern minus the wanted output."""
    return networks.apply(layers, x) - y


def largest_error(layers: networks.Layers) -> float:
    """The largest |output - exclusive or| over the four patterns."""
    bits, wanted = patterns()
    return float(np.max(np.abs(networks.apply(layers, jnp.asarray(bits)) - wanted)))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    return TrainingProblem(
        name="xor",
        title="Least squares: exclusive or",
        kind="least squares",
        source="Rumelhart, Hinton & Williams (1986), Parallel Distributed Processing, chapter 8.",
        network="2-2-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(residual, data=patterns()),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10),
        measure=Measure("largest error over the four patterns", "error", largest_error),
    )
