"""Permutation importance: how much worse the scores get when a column is shuffled.

All inputs of a column are shuffled together among the test rows, so that it keeps its values and
loses its relation to the target. The rise of the RMSE, or of the log loss, is what the column
contributes; columns with the same information share it, and each may look unimportant.

Source: Breiman, "Random Forests" (2001), section 10.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from thalweg.supervised.forward import forward
from thalweg.tabular.scores import score

if TYPE_CHECKING:
    from thalweg.tabular.model import Model

SHUFFLES = 10
MOST_ROWS = 2_000  # of the test part


@dataclasses.dataclass(frozen=True)
class Importance:
    """The importance of a column to a network.

    Attributes:
        column: Its name.
        rise: The rise of the RMSE or the log loss when it is shuffled, the mean of `SHUFFLES`.
        spread: The standard deviation over the shuffles.
    """

    column: str
    rise: float
    spread: float


def measure_of(task: str) -> str:
    """The score whose rise is measured."""
    return "RMSE" if task == "regression" else "log loss"


def permutation_importance(
    model: Model, inputs: np.ndarray, truth: np.ndarray, *, seed: int
) -> list[Importance]:
    """The importance of each column, largest first.

    Args:
        model: The model.
        inputs: Encoded rows that it was not fitted to, shape `(rows, inputs)`.
        truth: Their encoded targets, shape `(rows,)`.
        seed: Seed of the shuffles.

    Cost: `SHUFFLES` predictions for each column.
    """
    inputs, truth = inputs[:MOST_ROWS], truth[:MOST_ROWS]
    target = model.schema.target
    measure = measure_of(target.task)
    random = np.random.default_rng(seed)

    def error(rows: np.ndarray) -> float:
        return score(target, truth, forward(model.layers, rows))[measure]

    plain = error(inputs)
    found = []
    for name, block in model.schema.blocks():
        rises = np.empty(SHUFFLES)
        for turn in range(SHUFFLES):
            shuffled = inputs.copy()
            shuffled[:, block] = inputs[random.permutation(len(inputs)), block]
            rises[turn] = error(shuffled) - plain
        found.append(Importance(name, float(rises.mean()), float(rises.std())))
    return sorted(found, key=lambda importance: -importance.rise)
