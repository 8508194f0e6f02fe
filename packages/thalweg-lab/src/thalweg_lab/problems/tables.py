"""Two small tables classified by networks with tanh and a little weight decay.

    wine            13-10-3   178 wines of three cultivars, 13 measurements
    breast-cancer   30-16-2   569 tumours, benign or malignant, 30 measurements

The loss is the mean cross-entropy plus `½ l2 |θ|²` with l2 = 1e-3, which gives it a minimum. A
quarter of the rows is held out for testing; columns are standardised by the rest.

Source: Aeberhard & Forina, *Wine*, doi:10.24432/C5PC7J, and Wolberg et al., *Breast Cancer
Wisconsin (Diagnostic)*, doi:10.24432/C5DW2B, UCI Machine Learning Repository, as in
scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import networks
from thalweg.problem import Composite
from thalweg_lab.problems import classes
from thalweg_lab.problems.base import TrainingProblem

WINE_SIZES = (13, 10, 3)
TUMOUR_SIZES = (30, 16, 2)
L2 = 1e-3


def wine() -> TrainingProblem:
    """The wines, ready to train."""
    from sklearn.datasets import load_wine

    return _problem(
        "wine",
        title="Classification: wines",
        source="Aeberhard & Forina, UCI Machine Learning Repository, doi:10.24432/C5PC7J.",
        sizes=WINE_SIZES,
        table=load_wine(return_X_y=True),
        targets=(0.3, 0.1, 0.03, 0.018, 0.0163),
    )


def breast_cancer() -> TrainingProblem:
    """The tumours, ready to train."""
    from sklearn.datasets import load_breast_cancer

    return _problem(
        "breast-cancer",
        title="Classification: tumours",
        source="Wolberg et al., UCI Machine Learning Repository, doi:10.24432/C5DW2B.",
        sizes=TUMOUR_SIZES,
        table=load_breast_cancer(return_X_y=True),
        targets=(0.3, 0.1, 0.03, 0.02, 0.018),
    )


def _problem(
    name: str,
    *,
    title: str,
    source: str,
    sizes: tuple[int, ...],
    table: Any,  # features and classes; scikit-learn says no more of their types
    targets: tuple[float, ...],
) -> TrainingProblem:
    measured = np.asarray(table[0], np.float64)
    (features, labels), (test_features, test_labels) = classes.split((measured, table[1]))
    scaled = classes.standardiser(features)
    return TrainingProblem(
        name=name,
        title=title,
        kind="classification",
        source=source,
        network=f"{'-'.join(map(str, sizes))} tanh",
        size=networks.count(sizes),
        problem=Composite(
            networks.apply, classes.cross_entropy, data=(scaled(features), labels), l2=L2
        ),
        start=lambda seed: networks.init(sizes, seed=seed),
        targets=targets,
        measure=classes.accuracy("test accuracy", (scaled(test_features), test_labels)),
    )
