"""Irises: three species from four lengths of a flower, by a 4-10-3 network with tanh.

The loss is the mean cross-entropy over all 150 flowers, with standardised columns. There is no
weight decay: once all flowers are classified correctly, the loss decreases slowly and without end.

Source: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7
(1936) 179-188; the table that comes with scikit-learn.
"""

from __future__ import annotations

import numpy as np

from thalweg import networks
from thalweg.problem import Composite
from thalweg_lab.problems import classes
from thalweg_lab.problems.base import TrainingProblem

SIZES = (4, 10, 3)


def flowers() -> classes.Examples:
    """All flowers: standardised lengths `(150, 4)` and species `(150,)`."""
    from sklearn.datasets import load_iris

    lengths, species = load_iris(return_X_y=True)
    lengths = np.asarray(lengths, np.float64)
    return classes.standardiser(lengths)(lengths), np.asarray(species)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    examples = flowers()
    return TrainingProblem(
        name="iris",
        title="Classification: irises",
        kind="classification",
        source="Fisher (1936), Annals of Eugenics 7, 179-188, as in scikit-learn.",
        network="4-10-3 tanh",
        size=networks.count(SIZES),
        problem=Composite(networks.apply, classes.cross_entropy, data=examples),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(0.3, 0.1, 0.05, 1e-2, 1e-3, 1e-4),
        measure=classes.accuracy("training accuracy", examples),
    )
