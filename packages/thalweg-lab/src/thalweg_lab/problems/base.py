"""A training problem: a loss, starts, a measure of success, and pictures of the result."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from thalweg.problem import Problem


@dataclasses.dataclass(frozen=True)
class Maps:
    """Absolute errors over a square, one map per method.

    Attributes:
        title: What is shown.
        caption: How to read it, in one or two sentences.
        values: Method to array of shape `(k, k)`; row 0 is the lower edge. Not negative.
    """

    title: str
    caption: str
    values: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Curves:
    """Functions of one variable, one curve per method, and optionally the exact one.

    Attributes:
        title: What is shown.
        caption: How to read it, in one or two sentences.
        x: Shape `(k,)`, ascending.
        y_label: What the vertical axis shows.
        values: Method to array of shape `(k,)`.
        exact: Shape `(k,)`; None where the exact function is unknown.
        log: Whether the vertical axis is logarithmic; then all values must be positive.
    """

    title: str
    caption: str
    x: np.ndarray
    y_label: str
    values: Mapping[str, np.ndarray]
    exact: np.ndarray | None = None
    log: bool = False


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Small grey images, each with its true and its predicted label.

    Attributes:
        title: What is shown.
        caption: How to read it, in one or two sentences.
        images: Shape `(k, 8, 8)`, from 0 (paper) to 1 (ink).
        labels: Shape `(k,)`, the truth.
        predicted: Shape `(k,)`.
    """

    title: str
    caption: str
    images: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray


Picture = Maps | Curves | Sheet
KINDS = ("least squares", "physics", "classification", "large")


@dataclasses.dataclass(frozen=True)
class Measure:
    """How good a trained network is, apart from its loss.

    Attributes:
        name: In a few words, such as `test accuracy`.
        short: In one word, as a column heading.
        of: Maps parameters to the value.
        is_share: Whether the value is a share from 0 to 1, the larger the better; otherwise it is
            an error, the smaller the better.
    """

    name: str
    short: str
    of: Callable[[Any], float]
    is_share: bool = False


def _no_pictures(_: Mapping[str, Any]) -> tuple[Picture, ...]:
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingProblem:
    """A problem with everything needed to train on it and to judge the result.

    Attributes:
        name: One word, or several with hyphens.
        title: A headline.
        kind: One of `KINDS`.
        source: Where the problem comes from, in a sentence.
        network: The network in short, such as `2-32-1 tanh`.
        size: The number n of weights.
        problem: The argument of `thalweg.minimize`. It holds float64 data, so JAX's x64 flag must
            be on; computations are in the dtype of the start.
        start: Maps a seed to starting parameters, in float64.
        targets: The losses at which time and work are read off, descending.
        measure: How good the result is.
        story: What is trained and why, in two or three sentences; empty for problems that no
            report shows.
        rates: Learning rates by method: the best of 0.0001, 0.0003, 0.001, ... 3 for gradient
            descent and of 0.001, ... 0.1 for Adam, each tried for some seconds from the start with
            seed 0. Methods that are missing here were not tuned.
        pictures: Maps trained parameters by method to what a report shows. A picture with room for
            only one method shows the first.
    """

    name: str
    title: str
    kind: str
    source: str
    network: str
    size: int
    problem: Problem
    start: Callable[[int], Any]
    targets: tuple[float, ...]
    measure: Measure
    story: str = ""
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    pictures: Callable[[Mapping[str, Any]], tuple[Picture, ...]] = _no_pictures
