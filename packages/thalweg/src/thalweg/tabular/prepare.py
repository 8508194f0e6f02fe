"""A table made ready for training: target, kinds of columns, split, schema, and numbers.

The kinds of the columns are recognised from all rows with a known target; their means and scales
come from the training part alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg.errors import DataError
from thalweg.supervised.fit import Examples
from thalweg.tabular.columns import NumericColumn
from thalweg.tabular.kinds import recognise, with_decimal
from thalweg.tabular.parts import Parts, split
from thalweg.tabular.schema import Schema, find_kinds, fit_columns
from thalweg.tabular.table import Table, near
from thalweg.tabular.target import TaskFound, find_task, fit_target
from thalweg.tabular.values import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.tabular.train import Asked

FEWEST_ROWS = 20


class Prepared(NamedTuple):
    """A table ready for training.

    Attributes:
        task: The task, and why it is this one.
        notes: Notes on the data.
        parts: The split.
        schema: The schema, fitted to the training part.
        inputs: Encoded inputs of all rows, shape `(rows, inputs)`.
        truth: Encoded targets of all rows, shape `(rows,)`.
        table: All rows.
    """

    task: TaskFound
    notes: tuple[str, ...]
    parts: Parts
    schema: Schema
    inputs: np.ndarray
    truth: np.ndarray
    table: Table

    def examples(self, asked: Asked) -> Examples:
        """The rows that the network is fitted to."""
        known = self.parts.known
        return Examples(
            self.inputs[known],
            self.truth[known],
            held_out=self.parts.validation[known],
            sizes=(self.schema.inputs, *asked.hidden, self.schema.target.outputs),
            is_classification=self.task.task == "classification",
            seed=asked.seed,
        )

    @property
    def names_in_pieces(self) -> list[str]:
        """The columns that are given in pieces."""
        columns = self.schema.columns
        return [each.name for each in columns if isinstance(each, NumericColumn) and each.edges]

    def in_pieces(self) -> Prepared:
        """The same with the columns in pieces that have enough values for them."""
        columns = tuple(
            each.in_pieces(self.table, self.parts.train)
            if isinstance(each, NumericColumn)
            else each
            for each in self.schema.columns
        )
        schema = dataclasses.replace(self.schema, columns=columns)
        return self._replace(schema=schema, inputs=schema.encode(self.table))


def prepare(table: Table, asked: Asked, on_note: Callable[[str], None]) -> Prepared:
    """Recognise the task and the columns of a table, split it, and fit its schema."""
    notes: list[str] = []

    def note(sentence: str) -> None:
        notes.append(sentence)
        on_note(sentence)

    table = _with_target(with_decimal(table), asked.target, note)
    excluded = {asked.target, *asked.ignore}
    names = [name for name in table.frame.columns if name not in excluded]
    table.require(asked.ignore)
    kinds, remarks = find_kinds(table, names)
    task = find_task(table, asked.target, wanted=asked.task)
    for remark in remarks:
        note(remark)
    note(f"{task.task}: {task.reason}")
    parts, schema = _split_and_schema(table, asked, task, kinds)
    inputs, truth = schema.encode(table), schema.target.encode(table)
    return Prepared(task, tuple(notes), parts, schema, inputs, truth, table)


def _with_target(table: Table, target: str, note: Callable[[str], None]) -> Table:
    """The rows whose target is known."""
    if target not in table.frame.columns:
        raise DataError(
            f"{table.source} has no column `{target}` to predict; "
            f"{near(target, table.frame.columns)}"
        )
    found = recognise(table, target)
    unknown = is_missing(table, target, found.kind or "category", found.notation)
    if unknown.all():
        raise DataError(f"the target `{target}` of {table.source} is missing in every row")
    if unknown.any():
        note(f"{int(unknown.sum()):,} of {len(table):,} rows are left out: `{target}` is missing")
        table = table.keep(~unknown)
    if len(table) < FEWEST_ROWS:
        raise DataError(
            f"{table.source} has {len(table)} rows with a target, but at least {FEWEST_ROWS} were "
            "expected: they are split into a training, a validation and a test part"
        )
    return table


def _split_and_schema(
    table: Table, asked: Asked, task: TaskFound, kinds: dict[str, Any]
) -> tuple[Parts, Schema]:
    """The split, and the schema fitted to its training part."""
    classes = None
    if task.task == "classification":
        every = np.ones(len(table), bool)
        classes = fit_target(table, asked.target, task, train=every).encode(table)
    parts = split(len(table), classes=classes, seed=asked.seed)
    if not (parts.validation.any() and parts.test.any()):
        raise DataError(
            f"{table.source} has too few rows of each class to test on ({len(table)} rows); give "
            "more rows, or merge classes"
        )
    columns = fit_columns(table, kinds, train=parts.train)
    return parts, Schema(columns, fit_target(table, asked.target, task, train=parts.train))
