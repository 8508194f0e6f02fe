"""Handwritten digits: 8 x 8 images to ten classes by a 64-32-10 network with tanh.

The loss is the mean cross-entropy plus `½ l2 |θ|²` with l2 = 1e-4, which gives it a minimum.
Without it, as in `digits-without-decay`, the loss of a network that separates the training images
decreases without end. A quarter of the images is held out for testing.

Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository (1998), doi:10.24432/C50P49; the 1,797 images that come with scikit-learn.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import networks
from thalweg.problem import Composite
from thalweg_lab.problems import classes
from thalweg_lab.problems.base import Sheet, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = (64, 32, 10)
L2 = 1e-4
SHEET_SIZE = 60  # images in the sample
MOST_WRONG = 30  # misread images that are shown


def images_and_labels() -> classes.Examples:
    """All images, shape `(1797, 64)`, from 0 to 1, and their labels, shape `(1797,)`."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return np.asarray(images, np.float64) / 16.0, np.asarray(labels)


def split(*, seed: int = classes.SPLIT_SEED) -> tuple[classes.Examples, classes.Examples]:
    """Training and test images with labels; equal seeds give equal parts."""
    return classes.split(images_and_labels(), seed=seed)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    train, (images, labels) = split()
    return TrainingProblem(
        name="digits",
        title="Classification: handwritten digits",
        kind="classification",
        source="Alpaydin & Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49.",
        story=(
            f"A network learns to read {len(train[1]):,} handwritten digits of 8 x 8 pixels, and "
            f"is tested on {len(labels):,} others. The loss is the mean cross-entropy plus a "
            f"weight decay of {L2:g}, which gives it a minimum. Compare the test accuracy too: a "
            "lower training loss does not mean a better reader."
        ),
        network="64-32-10 tanh",
        size=networks.count(SIZES),
        problem=Composite(networks.apply, classes.cross_entropy, data=train, l2=L2),
        start=lambda seed: networks.init(SIZES, seed=seed),
        rates={"gradient-descent": 1.0, "adam": 3e-2},
        targets=(1.0, 0.1, 0.03, 0.022, 0.0205),
        measure=classes.accuracy("test accuracy", (images, labels)),
        pictures=lambda trained: _pictures(trained, images, labels),
    )


def without_decay() -> TrainingProblem:
    """The same without weight decay, so that the loss has no minimum."""
    task = build()
    return dataclasses.replace(
        task,
        name="digits-without-decay",
        title="Classification: handwritten digits, without weight decay",
        story="",
        rates={},
        pictures=lambda _: (),
        problem=Composite(networks.apply, classes.cross_entropy, data=split()[0]),
        targets=(1.0, 1e-1, 1e-2, 1e-4, 1e-6),
    )


def _pictures(
    trained: Mapping[str, Any], images: np.ndarray, labels: np.ndarray
) -> tuple[Sheet, ...]:
    method, layers = next(iter(trained.items()))
    predicted = classes.predict(layers, images)
    wrong = np.flatnonzero(predicted != labels)

    def sheet(title: str, chosen: np.ndarray) -> Sheet:
        return Sheet(
            title=title,
            caption=(
                f"Below each image is the digit that the network trained by {method} reads. "
                "Misread images are framed, with the true digit in parentheses."
            ),
            images=images[chosen].reshape(-1, 8, 8),
            labels=labels[chosen],
            predicted=predicted[chosen],
        )

    sample = sheet(f"The first {SHEET_SIZE} of {len(labels):,} test images", np.arange(SHEET_SIZE))
    if not wrong.size:
        return (sample,)
    shown = "All" if wrong.size <= MOST_WRONG else f"{MOST_WRONG} of the"
    return sample, sheet(f"{shown} {wrong.size} test images that were misread", wrong[:MOST_WRONG])
