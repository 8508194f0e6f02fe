"""Fitted columns: from values to inputs of a network, and to JSON and back.

    number, boolean, date    (x - mean) / scale, with the mean and the scale of the training part
    date                     also sine and cosine of the time of year, and of day if it has times
    number, date in pieces   also for each piece: how much of it lies below the value, 0 to 1
    category                 one input for each level: 1 for the level of the row, 0 for the others

Edges are quantiles of the training part. A network on pieces follows a curve with many bends, as
trees do. Source: Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning"
(NeurIPS 2022), piecewise linear encoding.

A missing value is replaced by the mean, and marked by one more input if the training data have
missing values; for a category it is a level of its own.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from thalweg.errors import DataError
from thalweg.tabular.notation import USUAL, Notation
from thalweg.tabular.values import as_floats, values

if TYPE_CHECKING:
    from thalweg.tabular.table import Table

DAYS_A_YEAR = 365.2425
PIECES = 16
FEWEST_VALUES = 2 * PIECES  # different ones that a column needs for pieces


@dataclasses.dataclass(frozen=True)
class NumericColumn:
    """A column of numbers, of true and false, or of dates.

    Attributes:
        name: The column.
        kind: What it holds.
        mean: Mean of the training part, as floats: 0 and 1, or days since 1970.
        scale: Standard deviation of the training part; 1 if all values are equal. Positive.
        marks_missing: Whether an input says that the value is missing.
        has_times: For dates, whether some are not at midnight.
        notation: How text writes the values.
        edges: Where the pieces begin and end, ascending, as floats; empty for no pieces.
    """

    name: str
    kind: Literal["number", "boolean", "date"]
    mean: float
    scale: float
    marks_missing: bool
    has_times: bool = False
    notation: Notation = USUAL
    edges: tuple[float, ...] = ()

    @property
    def inputs(self) -> int:
        """How many inputs of the network the column makes."""
        cycles = 0 if self.kind != "date" else 2 + 2 * self.has_times
        return 1 + cycles + max(len(self.edges) - 1, 0) + self.marks_missing

    def in_pieces(self, table: Table, train: np.ndarray) -> NumericColumn:
        """The same column in pieces, where its training part has enough values for them."""
        found = as_floats(values(table, self.name, self.kind, self.notation))[train]
        known = found[~np.isnan(found)]
        if self.kind == "boolean" or len(np.unique(known)) < FEWEST_VALUES:
            return self
        edges = np.unique(np.quantile(known, np.linspace(0, 1, PIECES + 1)))
        return dataclasses.replace(self, edges=tuple(edges.tolist()))

    def encode(self, table: Table) -> np.ndarray:
        """The inputs of some rows, float64 of shape `(rows, inputs)`.

        Raises:
            DataError: A value does not fit; the message names its column and row.
        """
        found = as_floats(values(table, self.name, self.kind, self.notation))
        is_missing = np.isnan(found)
        parts = [(found - self.mean) / self.scale]
        if self.kind == "date":
            for period in (DAYS_A_YEAR, 1.0)[: 1 + self.has_times]:
                angle = 2 * np.pi * (found % period) / period
                parts += [np.sin(angle), np.cos(angle)]
        low = np.asarray(self.edges)
        for k in range(len(low) - 1):
            parts.append(np.clip((found - low[k]) / (low[k + 1] - low[k]), 0, 1))
        inputs = [np.where(is_missing, 0.0, part) for part in parts]
        if self.marks_missing:
            inputs.append(is_missing.astype(float))
        return np.stack(inputs, axis=1)

    def missing(self, table: Table) -> int:
        """The number of missing values."""
        return values(table, self.name, self.kind, self.notation).null_count()


@dataclasses.dataclass(frozen=True)
class CategoryColumn:
    """A column of text with categories.

    Attributes:
        name: The column.
        levels: The values known from training, sorted.
        marks_missing: Whether a missing value is a level too, the last one.
    """

    name: str
    levels: tuple[str, ...]
    marks_missing: bool

    kind: Literal["category"] = "category"
    notation: Notation = USUAL

    @property
    def inputs(self) -> int:
        """How many inputs of the network the column makes."""
        return len(self.levels) + self.marks_missing

    def encode(self, table: Table) -> np.ndarray:
        """The inputs of some rows, float64 of shape `(rows, inputs)`.

        Raises:
            DataError: A value is not known from training; the message names its column and row.
        """
        found = values(table, self.name, "category", self.notation)
        known = {level: place for place, level in enumerate(self.levels)}
        places = found.replace_strict(known, default=None, return_dtype=pl.Int64)
        unknown = (places.is_null() & found.is_not_null()).arg_true()
        if len(unknown):
            row = unknown[0]
            raise DataError(
                f"`{self.name}` in {table.place(row)} of {table.source} is `{found[row]}`, a "
                f"category that is not in the training data, which have {self._known()}"
            )
        if not self.marks_missing and found.null_count():
            row = found.is_null().arg_true()[0]
            raise DataError(
                f"`{self.name}` in {table.place(row)} of {table.source} is missing, but never in "
                f"the training data, which have {self._known()}"
            )
        one_hot = np.zeros((len(found), self.inputs))
        one_hot[np.arange(len(found)), places.fill_null(len(self.levels)).to_numpy()] = 1.0
        return one_hot

    def _known(self) -> str:
        shown = ", ".join(f"`{level}`" for level in self.levels[:5])
        rest = len(self.levels) - 5
        return f"{shown} and {rest} more" if rest > 0 else shown

    def missing(self, table: Table) -> int:
        """The number of missing values to fill in: none, as `encode` refuses them."""
        del table
        return 0


Column = NumericColumn | CategoryColumn


def fit_column(
    table: Table, name: str, kind: Any, notation: Notation = USUAL, *, train: np.ndarray
) -> Column:
    """A column fitted to a training table.

    Levels, and whether values are missing, are taken from the whole table: they decide which inputs
    there are. Mean and scale are taken from the training part alone.

    Args:
        table: All rows.
        name: The column.
        kind: What it holds.
        notation: How its values are written.
        train: Which rows are the training part, bool of shape `(rows,)`.

    Raises:
        DataError: A value is infinite, or of another kind.
    """
    found = values(table, name, kind, notation)
    has_missing = found.null_count() > 0
    if kind == "category":
        levels = found.drop_nulls().unique().sort().to_list()
        return CategoryColumn(name, tuple(levels), marks_missing=has_missing, notation=notation)
    floats = as_floats(found)
    mean, scale = centre(floats[train & ~np.isnan(floats)])
    has_times = kind == "date" and _has_times(found)
    return NumericColumn(
        name,
        kind,
        mean,
        scale,
        marks_missing=has_missing,
        has_times=has_times,
        notation=notation,
    )


def centre(numbers: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation; 0 and 1 without numbers other than 0, and scale 1 of a constant.

    Numbers are divided by the largest before they are squared, so that none overflows.
    """
    largest = float(np.abs(numbers).max(initial=0.0))
    if largest == 0.0:
        return 0.0, 1.0
    relative = numbers / largest
    mean, scale = largest * float(relative.mean()), largest * float(relative.std())
    # The rounding errors of a constant are not a scale.
    is_constant = float(np.ptp(numbers)) == 0.0 or scale == 0.0
    return (float(numbers[0]), 1.0) if is_constant else (mean, scale)


def column_from_json(entry: dict[str, Any]) -> Column:
    """The column from the JSON of its `dataclasses.asdict`.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is unknown.
    """
    entry = {**entry, "notation": Notation.from_json(entry.get("notation"))}
    if entry["kind"] == "category":
        return CategoryColumn(**{**entry, "levels": tuple(entry["levels"])})
    return NumericColumn(**{**entry, "edges": tuple(entry.get("edges", ()))})


def _has_times(dates: pl.Series) -> bool:
    return bool((dates.dt.truncate("1d") != dates).any())
