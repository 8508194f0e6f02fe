"""What classification problems share: the cross-entropy, standardised columns, accuracy.

    ℓ(z, c) = log Σₖ exp zₖ - z_c        the cross-entropy of scores z at the class c; convex in z

Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg_lab.problems.base import Measure

if TYPE_CHECKING:
    from collections.abc import Callable

Examples = tuple[np.ndarray, np.ndarray]  # features (N, a) in float64, classes (N,) from 0

SPLIT_SEED = 0
TEST_SHARE = 0.25


def cross_entropy(scores: jax.Array, label: jax.Array) -> jax.Array:
    """-log of the softmax of scores `(k,)` at the label; convex in the scores."""
    return jax.nn.logsumexp(scores) - scores[label]


def predict(layers: networks.Layers, features: np.ndarray) -> np.ndarray:
    """The most likely class of each example, shape `(N,)` for features `(N, a)`."""
    return np.asarray(jnp.argmax(networks.apply(layers, jnp.asarray(features)), axis=-1))


def accuracy(name: str, examples: Examples) -> Measure:
    """The share of examples that a network classifies correctly, such as the `test accuracy`."""
    features, labels = examples

    def share(layers: networks.Layers) -> float:
        return float(np.mean(predict(layers, features) == labels))

    return Measure(name, "accuracy", share, is_share=True)


def split(examples: Examples, *, seed: int = SPLIT_SEED) -> tuple[Examples, Examples]:
    """Three quarters for training and one for testing; equal seeds give equal parts."""
    features, labels = examples
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = np.split(order, [round(len(labels) * (1 - TEST_SHARE))])
    return (features[train], labels[train]), (features[test], labels[test])


def standardiser(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The map that gives each column of `features` mean 0 and variance 1, for any rows.

    Args:
        features: Shape `(N, a)`, no column constant.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    return lambda rows: (rows - mean) / deviation
