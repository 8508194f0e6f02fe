"""The target: its task, and its values as numbers to learn and back.

regression        (y - mean) / scale, with the mean and the scale of the training part
classification    the index of the class among the sorted classes
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from thalweg.errors import DataError
from thalweg.tabular.columns import centre
from thalweg.tabular.kinds import recognise
from thalweg.tabular.notation import USUAL, Notation
from thalweg.tabular.values import as_floats, values

if TYPE_CHECKING:
    from thalweg.tabular.table import Table

Task = Literal["regression", "classification"]

MOST_WHOLE_CLASSES = 20  # whole numbers with at most this many values are taken as classes ...
ROWS_A_CLASS = 5  # ... if each has at least this many rows on average
MOST_CLASSES = 200


@dataclasses.dataclass(frozen=True)
class NumberTarget:
    """A number to predict.

    Attributes:
        name: The column.
        mean: Mean of the training part.
        scale: Standard deviation of the training part. Positive.
        notation: How text writes the values.
    """

    name: str
    mean: float
    scale: float
    task: Literal["regression"] = "regression"
    notation: Notation = USUAL

    @property
    def outputs(self) -> int:
        """Outputs of the network."""
        return 1

    def encode(self, table: Table) -> np.ndarray:
        """Standardised values, float64 of shape `(rows,)`.

        Raises:
            DataError: A value is not a finite number.
        """
        return (
            as_floats(values(table, self.name, "number", self.notation)) - self.mean
        ) / self.scale

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """Values in the units of the table from standardised ones."""
        return self.mean + self.scale * encoded


@dataclasses.dataclass(frozen=True)
class ClassTarget:
    """A class to predict.

    Attributes:
        name: The column.
        classes: The classes as text, in their order.
        kind: What the column holds; whole numbers are `number`.
        notation: How text writes the values.
        shifts: What is added to the logarithm of each class's probability before the largest is
            predicted; empty for nothing.
    """

    name: str
    classes: tuple[str, ...]
    kind: Literal["number", "boolean", "category"]
    task: Literal["classification"] = "classification"
    notation: Notation = USUAL
    shifts: tuple[float, ...] = ()

    @property
    def outputs(self) -> int:
        """Outputs of the network, one for each class."""
        return len(self.classes)

    def encode(self, table: Table) -> np.ndarray:
        """The index of each row's class, int64 of shape `(rows,)`.

        Raises:
            DataError: A value is not one of the classes.
        """
        found = class_text(values(table, self.name, self.kind, self.notation))
        known = {name: place for place, name in enumerate(self.classes)}
        places = found.replace_strict(known, default=None, return_dtype=pl.Int64)
        if places.null_count():
            row = places.is_null().arg_true()[0]
            raise DataError(
                f"`{self.name}` in {table.place(row)} of {table.source} is `{found[row]}`, which "
                "is not one of the classes of the training data"
            )
        return places.to_numpy()

    def choose(self, outputs: np.ndarray) -> np.ndarray:
        """The index of the predicted class of each row, for outputs `(rows, classes)`."""
        return (
            (outputs + np.asarray(self.shifts)).argmax(axis=1)
            if self.shifts
            else (outputs.argmax(axis=1))
        )

    def decode(self, places: np.ndarray) -> pl.Series:
        """The classes for indices, with their original type: whole numbers, booleans or text."""
        names = pl.Series(self.name, np.asarray(self.classes, object)[places], pl.String)
        if self.kind == "boolean":
            return names == "true"
        if self.kind == "number":
            numbers = names.cast(pl.Float64)
            is_whole = all(float(name).is_integer() for name in self.classes)
            return numbers.cast(pl.Int64) if is_whole else numbers
        return names


Target = NumberTarget | ClassTarget


def class_text(found: pl.Series) -> pl.Series:
    """Class names: text unchanged, `true` and `false`, `3` for 3.0, `0.5`; null stays null."""
    if found.dtype == pl.Float64:
        is_whole = (found == found.round()) & (found.abs() < 2**53)
        whole = pl.select(pl.when(is_whole).then(found)).to_series().cast(pl.Int64).cast(pl.String)
        return whole.fill_null(found.cast(pl.String))
    return found.cast(pl.String)


@dataclasses.dataclass(frozen=True)
class TaskFound:
    """The task, and why.

    Attributes:
        task: Regression or classification.
        kind: What the target column holds.
        reason: Why it is this task, as a sentence without a full stop.
        notation: How the column writes its values.
    """

    task: Task
    kind: Literal["number", "boolean", "category"]
    reason: str
    notation: Notation = USUAL


def find_task(table: Table, name: str, *, wanted: Task | None = None) -> TaskFound:
    """The task of a target.

    Args:
        table: Rows whose target is not missing.
        name: The target column.
        wanted: The task that the user set; None to recognise it.

    Raises:
        DataError: The target is constant, a date, free text, or does not suit `wanted`.
    """
    kind, notes, notation = recognise(table, name)
    place = f"the target `{name}` of {table.source}"
    if kind is None:
        present = table.frame[name].drop_nulls()
        if present.n_unique() == 1:
            raise DataError(f"{place} is `{present[0]}` in every row, so nothing can be learned")
        raise DataError(f"{place} holds neither numbers nor classes: {notes[0]}")
    if kind == "date":
        raise DataError(
            f"{place} is a date; only numbers and classes can be predicted, so turn it into a "
            "number of days"
        )
    found = values(table, name, kind, notation)
    distinct = found.n_unique()
    if kind == "number" and wanted != "classification":
        numbers = as_floats(found)
        is_whole = bool(np.all(numbers == np.round(numbers)))
        few = is_whole and distinct <= MOST_WHOLE_CLASSES
        few = few and len(numbers) >= ROWS_A_CLASS * distinct
        if wanted == "regression":
            return TaskFound("regression", kind, "as set", notation)
        if few:
            reason = f"`{name}` holds whole numbers with only {distinct} values"
            return TaskFound("classification", kind, reason, notation)
        whole = "whole numbers" if is_whole else "numbers"
        reason = f"`{name}` holds {whole} with {distinct:,} values"
        return TaskFound("regression", kind, reason, notation)
    if wanted == "regression":
        what = "text" if kind == "category" else "true and false"
        raise DataError(f"{place} holds {what}, but a regression needs numbers; leave `--task` out")
    if distinct > MOST_CLASSES:
        raise DataError(
            f"{place} has {distinct:,} values, but at most {MOST_CLASSES} classes can be learned"
        )
    what = {"number": "numbers", "boolean": "true and false", "category": "text"}[kind]
    reason = "as set" if wanted else f"`{name}` holds {what} with {distinct} values"
    return TaskFound("classification", kind, reason, notation)


def fit_target(table: Table, name: str, found: TaskFound, *, train: np.ndarray) -> Target:
    """The target fitted to a training table.

    Args:
        table: Rows whose target is not missing.
        name: The target column.
        found: Its task.
        train: Which rows are the training part, bool of shape `(rows,)`.
    """
    column = values(table, name, found.kind, found.notation)
    if found.task == "regression":
        return NumberTarget(name, *centre(as_floats(column)[train]), notation=found.notation)
    order = column.unique().sort()
    return ClassTarget(
        name, tuple(class_text(order).to_list()), found.kind, notation=found.notation
    )


def target_from_json(entry: dict[str, Any]) -> Target:
    """The target from the JSON of its `dataclasses.asdict`.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is unknown.
    """
    entry = {**entry, "notation": Notation.from_json(entry.get("notation"))}
    if entry["task"] == "regression":
        return NumberTarget(**entry)
    lists = {name: tuple(entry.get(name, ())) for name in ("classes", "shifts")}
    return ClassTarget(**{**entry, **lists})
