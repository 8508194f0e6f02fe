"""Training, validation and test part: a seeded split, stratified by class.

The rows are shuffled within their classes, ordered class by class, and assigned in turn to five
folds: one is the test part, one the validation part, and three are the training part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FOLDS = 5


class Parts(NamedTuple):
    """Which rows belong where, each bool of shape `(rows,)`; every row belongs to one part.

    Attributes:
        train: Rows that the weights are fitted to.
        validation: Rows that choose the weight decay, and decide when a fit ends.
        test: Rows that are used for the scores alone.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Rows of the training and the validation part."""
        return self.train | self.validation


def split(count: int, *, classes: np.ndarray | None, seed: int) -> Parts:
    """Split rows into the three parts.

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
    folds = np.empty(count, int)
    folds[order] = (np.arange(count) + random.integers(FOLDS)) % FOLDS
    test, validation = folds == 0, folds == 1
    for group in np.unique(groups):
        members = groups == group
        if not (members & ~test & ~validation).any():
            first = np.flatnonzero(members)[0]
            test[first] = validation[first] = False
    return Parts(~test & ~validation, validation, test)
