"""Models of tables: a small network that predicts one column from others.

`train_table` reads a table, recognises its columns and the task, and fits a network; `save` writes
it to a folder with its preprocessing, its record and a report; `load_model` reads it back, and
`Model.predict` and `predict_file` refuse data that do not fit.

Needs the extra `tables`: polars throughout, and scikit-learn for training.
"""

from __future__ import annotations

from thalweg.errors import MissingExtraError

try:
    from thalweg.tabular.model import Model
    from thalweg.tabular.predict import predict_batches, predict_file
    from thalweg.tabular.store import load_model, save
    from thalweg.tabular.train import Trained, train_table
except ModuleNotFoundError as error:
    if error.name != "polars":
        raise
    raise MissingExtraError("polars", extra="tables", needed_by="thalweg.tabular") from error

__all__ = [
    "Model",
    "Trained",
    "load_model",
    "predict_batches",
    "predict_file",
    "save",
    "train_table",
]
