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
from thalweg.tabular.kinds import Recognised, recognise
from thalweg.tabular.target import Target, target_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.tabular.table import Table


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


def find_kinds(table: Table, names: Sequence[str]) -> tuple[dict[str, Recognised], list[str]]:
    """What each column holds that something can be learned from, and remarks on columns.

    Raises:
        DataError: There is no such column.
    """
    kinds: dict[str, Recognised] = {}
    notes: list[str] = []
    for name in names:
        found = recognise(table, name)
        if found.kind is not None:
            kinds[name] = found
        notes += found.notes
    if not kinds:
        reasons = f" ({notes[0]})" if notes else ""
        raise DataError(
            f"{table.source} has no column to learn from other than the target{reasons}"
        )
    return kinds, notes


def fit_columns(
    table: Table, kinds: dict[str, Recognised], *, train: np.ndarray
) -> tuple[Column, ...]:
    """Columns fitted to a training table, their statistics to its training part."""
    return tuple(
        fit_column(table, name, found.kind, found.notation, train=train)
        for name, found in kinds.items()
    )
