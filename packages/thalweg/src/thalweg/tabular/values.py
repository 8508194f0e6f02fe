"""The values of a column by its kind: numbers, true and false, dates or text.

Missing values are empty text, `NA`, `N/A`, `NaN`, `null`, `none` or `?` (in any case), null in a
file with types, and NaN; among numbers, dates, and true and false also `-`, `unknown` and others
(`thalweg.tabular.notation`, which also says how numbers and dates are written). Times with a time
zone are converted to UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from thalweg.errors import DataError
from thalweg.tabular.notation import MISSING, PLACEHOLDERS, USUAL, Notation, dates, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.tabular.table import Table

Kind = Literal["number", "boolean", "date", "category"]

EXPECTED = {
    "number": "a number",
    "boolean": "`true` or `false`",
    "date": "a date such as `2024-03-31`",
    "category": "text",
}
_SECONDS_A_DAY = 86_400


def kind_of_type(dtype: pl.DataType) -> Kind | None:
    """The kind of a column with a type; None for a type that nothing can be learned from."""
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "category"
    return None


def texts(table: Table, name: str, missing: Sequence[str] = ()) -> pl.Series:
    """The text of a column without surrounding space; null where it is missing.

    Args:
        table: The table.
        name: The column.
        missing: Further texts that mean a missing value, in lower case.
    """
    stripped = table.frame[name].cast(pl.String).str.strip_chars()
    absent = stripped.str.to_lowercase().is_in([*MISSING, *missing])
    return stripped.set(absent.fill_null(value=True), None)


def missing_texts(kind: Kind, notation: Notation) -> tuple[str, ...]:
    """The texts that mean a missing value in a column, other than those that always do."""
    return notation.missing if kind == "category" else (*PLACEHOLDERS, *notation.missing)


def is_missing(
    table: Table, name: str, kind: Kind = "category", notation: Notation = USUAL
) -> np.ndarray:
    """Which values of a column are missing, bool of shape `(rows,)`."""
    column = table.frame[name]
    if table.is_text or kind_of_type(column.dtype) == "category":
        return texts(table, name, missing_texts(kind, notation)).is_null().to_numpy()
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.is_null().to_numpy()


def parsed(text: pl.Series, kind: Kind, notation: Notation = USUAL) -> pl.Series:
    """Text as Float64, Boolean, Datetime or String; null where it is missing or does not fit."""
    match kind:
        case "number":
            return numbers(text, notation.decimal)
        case "boolean":
            lower = text.str.to_lowercase()
            return lower.replace_strict({"true": True, "false": False}, default=None)
        case "date":
            return dates(text, day_first=notation.day_first)
        case "category":
            return text


def values(table: Table, name: str, kind: Kind, notation: Notation = USUAL) -> pl.Series:
    """A column by its kind: Float64, Boolean, Datetime or String, null where missing.

    Raises:
        DataError: A value, or the type of the column, is of another kind, or a number is
            infinite. The message names the column and the row.
    """
    column = table.frame[name]
    if not table.is_text and column.dtype != pl.Null and kind_of_type(column.dtype) != kind:
        raise DataError(
            f"`{name}` in {table.source} has the type {column.dtype}, but {EXPECTED[kind]} was "
            "expected; convert the column"
        )
    if table.is_text or kind == "category":
        text = texts(table, name, missing_texts(kind, notation))
        found = parsed(text, kind, notation)
        misfits = (found.is_null() & text.is_not_null()).arg_true()
        if len(misfits):
            row = misfits[0]
            raise DataError(
                f"`{name}` in {table.place(row)} of {table.source} is `{text[row]}`, but "
                f"{EXPECTED[kind]} was expected; correct it, or leave it empty if it is missing"
            )
    elif kind == "number":
        found = column.cast(pl.Float64).fill_nan(None)
    elif kind == "boolean":
        found = column.cast(pl.Boolean)
    else:
        found = _without_zone(column)
    if kind == "number":
        infinite = found.is_infinite().fill_null(value=False).arg_true()
        if len(infinite):
            raise DataError(
                f"`{name}` in {table.place(infinite[0])} of {table.source} is infinite, but a "
                "finite number was expected; correct it, or leave it empty if it is missing"
            )
    return found


def _without_zone(column: pl.Series) -> pl.Series:
    """Dates and times as UTC without a zone, in microseconds."""
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"))


def as_floats(column: pl.Series) -> np.ndarray:
    """Numbers, true and false or days since 1970 as float64, shape `(rows,)`; NaN is missing."""
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.epoch("us").cast(pl.Float64) / (1e6 * _SECONDS_A_DAY)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
