"""Training, validation and test: a seeded split that gives each class its share of every part.

The rows, shuffled within their classes and laid out class by class, are dealt like cards to five
hands: one is the test part, one the validation part, and three are the training part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

HANDS = 5


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
    hands = np.empty(count, int)
    hands[order] = (np.arange(count) + random.integers(HANDS)) % HANDS
    test, validation = hands == 0, hands == 1
    for group in np.unique(groups):
        members = groups == group
        if not (members & ~test & ~validation).any():
            first = np.flatnonzero(members)[0]
            test[first] = validation[first] = False
    return Parts(~test & ~validation, validation, test)
