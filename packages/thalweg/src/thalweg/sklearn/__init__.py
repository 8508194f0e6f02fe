"""Estimators for scikit-learn: `FlowRegressor` and `FlowClassifier`.

They follow scikit-learn's conventions, so pipelines, searches and cross-validation take them.
Needs the extra `tables`.
"""

from __future__ import annotations

from thalweg.errors import MissingExtraError

try:
    from thalweg.sklearn.classifier import FlowClassifier
    from thalweg.sklearn.regressor import FlowRegressor
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "sklearn":
        raise
    raise MissingExtraError("scikit-learn", extra="tables", needed_by="thalweg.sklearn") from error

__all__ = ["FlowClassifier", "FlowRegressor"]
