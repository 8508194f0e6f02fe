"""Predictions of a network in NumPy: `z ← a(z W + b)` layer by layer, the last without a.

They need no JAX, and do not depend on its float64 flag. `thalweg.networks.apply` is the same
function for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from thalweg.networks import Layers


ACTIVATIONS = {
    "tanh": np.tanh,
    "sin": np.sin,
    "logistic": expit,
    "softplus": lambda z: np.logaddexp(z, 0.0),
    "silu": lambda z: z * expit(z),
    "relu": lambda z: np.maximum(z, 0.0),
}


def forward(layers: Layers, inputs: np.ndarray, activation: str = "tanh") -> np.ndarray:
    """Outputs, float64 of shape `(rows, outputs)`, for inputs of shape `(rows, inputs)`."""
    *hidden, last = layers
    values = inputs
    for layer in hidden:
        values = ACTIVATIONS[activation](values @ layer["weights"] + layer["biases"])
    return values @ last["weights"] + last["biases"]


def log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax of each row, shape `(rows, classes)`."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def as_numpy(layers: Layers) -> Layers:
    """The same network with NumPy arrays."""
    return [{name: np.asarray(array) for name, array in layer.items()} for layer in layers]
