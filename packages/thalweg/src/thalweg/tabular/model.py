"""A trained model of a table: a schema and a network, and their predictions for new rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from thalweg.supervised.forward import forward, log_probabilities
from thalweg.tabular.reading import read_table
from thalweg.tabular.target import ClassTarget

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.networks import Layers
    from thalweg.tabular.schema import Schema
    from thalweg.tabular.table import Table

PREDICTION = "prediction"
PROBABILITY = "probability_"  # followed by the name of a class


@dataclasses.dataclass(frozen=True)
class Model:
    """A network that predicts one column of a table from others.

    Attributes:
        schema: What goes in and comes out.
        layers: The weights and biases, float64.
    """

    schema: Schema
    layers: Layers

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, input first."""
        return (self.schema.inputs, *(len(layer["biases"]) for layer in self.layers))

    @property
    def output_names(self) -> list[str]:
        """The columns of a prediction."""
        target = self.schema.target
        if isinstance(target, ClassTarget):
            return [PREDICTION, *(f"{PROBABILITY}{name}" for name in target.classes)]
        return [PREDICTION]

    def predict(self, data: Path | str | pl.DataFrame) -> pl.DataFrame:
        """Predictions, one row for each row of the data.

        Args:
            data: A data frame, or the path of a CSV, TSV or Parquet file. For files that do not
                fit into memory use `predict_file`. Columns that the model does not use, and the
                target, are ignored.

        Returns:
            The column `prediction`, and for classes `probability_<class>` for each of them.

        Raises:
            DataError: The data do not fit the schema; the message names the column and the row.
        """
        return self.predict_rows(read_table(data))

    def predict_rows(self, table: Table) -> pl.DataFrame:
        """Predictions for the rows of a table; see `predict`."""
        outputs = forward(self.layers, self.schema.encode(table))
        return self.decode(outputs)

    def decode(self, outputs: np.ndarray) -> pl.DataFrame:
        """Predictions from outputs of the network, shape `(rows, outputs)`."""
        target = self.schema.target
        if not isinstance(target, ClassTarget):
            return pl.DataFrame({PREDICTION: target.decode(outputs[:, 0])})
        probabilities = np.exp(log_probabilities(outputs))
        classes = target.decode(target.choose(outputs)).rename(PREDICTION)
        columns = {
            f"{PROBABILITY}{name}": probabilities[:, place]
            for place, name in enumerate(target.classes)
        }
        return pl.DataFrame({PREDICTION: classes, **columns})

    def filled(self, table: Table) -> dict[str, int]:
        """Columns with missing values where training had none, and the numbers of these values.

        They are replaced by the mean of training, without a mark that they were missing.
        """
        counts = {
            column.name: column.missing(table)
            for column in self.schema.columns
            if not column.marks_missing
        }
        return {name: count for name, count in counts.items() if count}
