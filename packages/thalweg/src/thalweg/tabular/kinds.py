"""Recognising what a column of a training table holds, and which columns are left out.

Text columns are tried as numbers, then `true`/`false`, then dates; what is none of these is a
category. Left out are columns that are missing throughout or hold one value in every row, and text
that names its rows (identifiers, free text) instead of sorting them into groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from thalweg.tabular.values import Kind, kind_of_type, parsed, texts

if TYPE_CHECKING:
    import polars as pl

    from thalweg.tabular.table import Table

FEW_LEVELS = 20  # text with at most so many values is always a category ...
MOST_LEVELS = 200  # ... with more than so many never, as each level is an input of the network ...
GROUP_SHARE = 0.5  # ... and between them only where values repeat: levels per row with a value
LIKELY = 0.5  # text that is a number in this share of the rows was probably meant as one


class Recognised(NamedTuple):
    """What a column holds.

    Attributes:
        kind: The kind, or None where the column is left out.
        note: What a user should be told of it, as a sentence without its end; empty for nothing.
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
        return _left_out(name, f"it is text with another value in every row{doubt}")
    found = _unless_constant(name, "category", text)
    if doubt and found.kind is not None:
        return Recognised("category", f"`{name}` is taken as categories{doubt}")
    return found


def _near_number(table: Table, text: pl.Series) -> str:
    """What to say of a column that is text on account of a few values only."""
    misfits = (parsed(text, "number").is_null() & text.is_not_null()).arg_true()
    if len(misfits) > (1 - LIKELY) * (len(text) - text.null_count()):
        return ""
    row = misfits[0]
    return f" (`{text[row]}` in {table.place(row)} is no number)"


def _unless_constant(name: str, kind: Kind, column: pl.Series) -> Recognised:
    if column.n_unique() == 1:  # a missing value would count as a second one
        return _left_out(name, f"it is `{column[0]}` in every row")
    return Recognised(kind, "")


def _left_out(name: str, reason: str) -> Recognised:
    return Recognised(None, f"`{name}` is left out: {reason}")
