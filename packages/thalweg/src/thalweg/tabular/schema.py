"""The schema of a table: the columns that a network takes as inputs, and its target.

A schema is fitted to the training part of a table, stored as JSON with the weights, and decides
whether other data fit.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import DataError
from thalweg.tabular.columns import Column, column_from_json, fit_column
from thalweg.tabular.kinds import recognise
from thalweg.tabular.target import Target, target_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.tabular.table import Table
    from thalweg.tabular.values import Kind


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a network takes in and gives out.

    Attributes:
        columns: The columns, in the order of their inputs.
        target: The target.
    """

    columns: tuple[Column, ...]
    target: Target

    @property
    def inputs(self) -> int:
        """Inputs of the network."""
        return sum(column.inputs for column in self.columns)

    def blocks(self) -> list[tuple[str, slice]]:
        """Each column with its slice of the inputs."""
        ends = np.cumsum([column.inputs for column in self.columns]).tolist()
        return [
            (column.name, slice(end - column.inputs, end))
            for column, end in zip(self.columns, ends, strict=True)
        ]

    def encode(self, table: Table) -> np.ndarray:
        """The inputs of some rows, float64 of shape `(rows, inputs)`.

        Columns that the schema does not name are ignored.

        Raises:
            DataError: A column is missing, or a value does not fit; the message names the column
                and the row.
        """
        table.require(column.name for column in self.columns)
        return np.concatenate([column.encode(table) for column in self.columns], axis=1)

    def as_json(self) -> dict[str, Any]:
        """The schema as values for JSON."""
        return {
            "columns": [dataclasses.asdict(column) for column in self.columns],
            "target": dataclasses.asdict(self.target),
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Schema:
        """The schema from the result of `as_json`.

        Raises:
            KeyError: A field is missing.
            TypeError: A field is unknown.
        """
        columns = tuple(column_from_json(column) for column in entry["columns"])
        return cls(columns, target_from_json(entry["target"]))


def find_kinds(table: Table, names: Sequence[str]) -> tuple[dict[str, Kind], list[str]]:
    """The kind of each column that something can be learned from, and remarks on columns.

    Raises:
        DataError: There is no such column.
    """
    kinds: dict[str, Kind] = {}
    notes = []
    for name in names:
        kind, note = recognise(table, name)
        if kind is not None:
            kinds[name] = kind
        if note:
            notes.append(note)
    if not kinds:
        reasons = f" ({notes[0]})" if notes else ""
        raise DataError(
            f"{table.source} has no column to learn from other than the target{reasons}"
        )
    return kinds, notes


def fit_columns(table: Table, kinds: dict[str, Kind], *, train: np.ndarray) -> tuple[Column, ...]:
    """Columns fitted to a training table, their statistics to its training part."""
    return tuple(fit_column(table, name, kind, train=train) for name, kind in kinds.items())
