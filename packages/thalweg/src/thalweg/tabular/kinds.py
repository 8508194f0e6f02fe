"""Recognises what each column of a training table holds, and which columns to leave out.

Text columns are tried as numbers, then `true`/`false`, then dates; all others are categories.
Columns without a value, or with the same value in every row, are left out, and so is text that
identifies rows (identifiers, free text) instead of grouping them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from thalweg.tabular.values import Kind, kind_of_type, parsed, texts

if TYPE_CHECKING:
    import polars as pl

    from thalweg.tabular.table import Table

FEW_LEVELS = 20  # text with at most this many values is always a category ...
MOST_LEVELS = (
    200  # ... with more than this many never, as each level is an input of the network ...
)
GROUP_SHARE = 0.5  # ... and in between only if values repeat: levels per row with a value
LIKELY = 0.5  # a column with numbers in this share of its rows was probably meant to be numeric


class Recognised(NamedTuple):
    """What a column holds.

    Attributes:
        kind: The kind, or None where the column is left out.
        note: What a user should know about it, as a sentence without a full stop; may be empty.
    """

    kind: Kind | None
    note: str


def recognise(table: Table, name: str) -> Recognised:
    """The kind of one column of a training table."""
    column = table.frame[name]
    by_type: Kind | None = "category" if table.is_text else kind_of_type(column.dtype)
    if column.null_count() == len(column):
        return _left_out(name, "all its values are missing")
    if by_type is None:
        return _left_out(name, f"nothing can be learned from its type {column.dtype}")
    if by_type != "category":
        found = column.fill_nan(None) if column.dtype.is_float() else column
        if found.null_count() == len(found):
            return _left_out(name, "all its values are missing")
        return _unless_constant(name, by_type, found)
    return _recognise_text(table, name)


def _recognise_text(table: Table, name: str) -> Recognised:
    text = texts(table, name)
    present = text.drop_nulls()
    if present.is_empty():
        return _left_out(name, "all its values are missing")
    if table.is_text:
        kinds: tuple[Kind, ...] = ("number", "boolean", "date")
        for kind in kinds:
            if parsed(present, kind).null_count() == 0:
                return _unless_constant(name, kind, text)
    levels, rows = present.n_unique(), len(present)
    doubt = _near_number(table, text) if table.is_text else ""
    if levels > FEW_LEVELS and (levels > MOST_LEVELS or levels > GROUP_SHARE * rows):
        return _left_out(name, f"it is text with {levels:,} values in {rows:,} rows{doubt}")
    if 1 < levels == rows and levels > 2:  # noqa: PLR2004 - two rows may well be two groups
        return _left_out(name, f"it is text with a different value in every row{doubt}")
    found = _unless_constant(name, "category", text)
    if doubt and found.kind is not None:
        return Recognised("category", f"`{name}` is taken as a category{doubt}")
    return found


def _near_number(table: Table, text: pl.Series) -> str:
    """A remark on a column that is text because of only a few values."""
    misfits = (parsed(text, "number").is_null() & text.is_not_null()).arg_true()
    if len(misfits) > (1 - LIKELY) * (len(text) - text.null_count()):
        return ""
    row = misfits[0]
    return f" (`{text[row]}` in {table.place(row)} is not a number)"


def _unless_constant(name: str, kind: Kind, column: pl.Series) -> Recognised:
    if column.n_unique() == 1:  # a missing value counts as another one
        return _left_out(name, f"it is `{column[0]}` in every row")
    return Recognised(kind, "")


def _left_out(name: str, reason: str) -> Recognised:
    return Recognised(None, f"`{name}` is left out: {reason}")
