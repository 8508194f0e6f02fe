"""Training, validation and test: a seeded split that gives each class its share of every part.

The rows, shuffled within their classes and laid out class by class, are dealt out by the golden
ratio: row k of the layout goes where the fraction of u + k φ falls. Such fractions fill [0, 1)
evenly in every stretch of k, so that each part gets its share of each class, also of small ones.

Source: Weyl sequence with the least discrepancy; Kuipers & Niederreiter, *Uniform Distribution of
Sequences* (1974), chapter 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
GOLDEN = (5**0.5 - 1) / 2


class Parts(NamedTuple):
    """Which rows belong where, each bool of shape `(rows,)`; every row belongs to one part.

    Attributes:
        train: Rows that the weights are fitted to.
        validation: Rows that decide on the weight decay, and when a fit stops.
        test: Rows that nothing sees before the scores.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Rows of the training and the validation part."""
        return self.train | self.validation


def split(count: int, *, classes: np.ndarray | None, seed: int) -> Parts:
    """Deal rows out to the three parts.

    Args:
        count: The number of rows.
        classes: The class of each row, int of shape `(count,)`; None where there are none.
        seed: Equal seeds give equal parts.

    Returns:
        The parts. Each class has a row in the training part.
    """
    random = np.random.default_rng(seed)
    groups = np.zeros(count, int) if classes is None else np.asarray(classes)
    order = np.lexsort((random.random(count), groups))
    fractions = np.empty(count)
    fractions[order] = (random.random() + GOLDEN * np.arange(count)) % 1.0
    test = fractions < TEST_SHARE
    validation = ~test & (fractions < TEST_SHARE + VALIDATION_SHARE)
    for group in np.unique(groups):
        members = groups == group
        if not (members & ~test & ~validation).any():
            first = np.flatnonzero(members)[0]
            test[first] = validation[first] = False
    return Parts(~test & ~validation, validation, test)
