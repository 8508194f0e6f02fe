"""What a training problem is: a loss, starts, a measure of success, and pictures of the result."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from thalweg.problem import Problem


@dataclasses.dataclass(frozen=True)
class Maps:
    """Absolute errors over a square, one map a method.

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
    """Functions of one variable, one curve a method, and perhaps the exact one.

    Attributes:
        title: What is shown.
        caption: How to read it, in one or two sentences.
        x: Shape `(k,)`, ascending.
        y_label: What the vertical axis shows.
        values: Method to array of shape `(k,)`.
        exact: Shape `(k,)`, or None where there is nothing to compare with.
        log: Whether the vertical axis is logarithmic; values must then be above 0.
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
        short: In one word, for the head of a column.
        of: From parameters to the value.
        is_share: Whether the value is a share from 0 to 1 of which more is better; else it is
            an error of which less is better.
    """

    name: str
    short: str
    of: Callable[[Any], float]
    is_share: bool = False


def _no_pictures(_: Mapping[str, Any]) -> tuple[Picture, ...]:
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingProblem:
    """A problem with all that is needed to train on it and to judge the result.

    Attributes:
        name: One word, or some with hyphens.
        title: A headline.
        kind: One of `KINDS`.
        source: Where the problem comes from, in a sentence.
        network: The network in short, such as `2-32-1 tanh`.
        size: The number n of weights.
        problem: What `thalweg.minimize` takes. It holds float64 data, so JAX's x64 flag must
            be on; it computes in the dtype of the start all the same.
        start: From a seed to starting parameters in float64.
        targets: The losses to which time and work are read off, descending.
        measure: How good the result is.
        story: What is trained and why, in plain words, two or three sentences; only problems
            that a report shows have one.
        rates: Learning rates for the methods that need one, by method: the best of
            0.0001, 0.0003, 0.001, ... 3 for gradient descent and of 0.001, ... 0.1 for Adam,
            each tried for some seconds from the start with seed 0. What is not here was not tried.
        pictures: From trained parameters by method to what a report shows. The first method
            is the one that a picture with room for one shows.
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
