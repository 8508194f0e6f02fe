"""The parity of three bits by a 3-10-10-1 network with tanh, also on the output.

The wanted output is 1 where the number of ones is odd, otherwise -1. Since tanh attains neither,
the loss decreases without end. MATLAB's goal is mse = 0.001, here L = ½ mse = 0.0005.

Source: see `thalweg_lab.problems.squashed`; parity as a test of learning goes back to
Minsky & Papert, *Perceptrons* (1969).
"""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import squashed
from thalweg_lab.problems.base import Measure, TrainingProblem

SIZES = (3, 10, 10, 1)
GOAL = 0.001  # as MATLAB's mse


def patterns() -> tuple[np.ndarray, np.ndarray]:
    """The eight numbers of three bits, shape `(8, 3)`, and their parities -1 or 1, `(8, 1)`."""
    bits = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    return bits, 2 * (bits.sum(axis=1, keepdims=True) % 2) - 1


def largest_error(layers: networks.Layers) -> float:
    """The largest |output - parity| over the eight patterns."""
    bits, parity = patterns()
    return float(np.max(np.abs(squashed.outputs(layers, jnp.asarray(bits)) - parity)))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    return TrainingProblem(
        name="parity3",
        title="Least squares: the parity of three bits",
        kind="least squares",
        source=f"{squashed.SOURCE}: PARITY, goal mse 0.001.",
        network="3-10-10-1 tanh, also on the output",
        size=networks.count(SIZES),
        problem=LeastSquares(squashed.residual, data=patterns()),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(0.1, 1e-2, squashed.loss_at(GOAL), 1e-5, 1e-7, 1e-9),
        measure=Measure("largest error over the eight patterns", "error", largest_error),
    )
