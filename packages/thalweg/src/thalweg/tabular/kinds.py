"""Recognises what each column of a training table holds, and which columns to leave out.

Text columns are tried as numbers, then `true`/`false`, then dates; all others are categories. A
column is one of numbers also where some of its values are texts that mean a missing value, such as
`unknown` or `-`, or where a single other word stands between them.
Columns without a value, or with the same value in every row, are left out, and so is text that
identifies rows (identifiers, free text) instead of grouping them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from thalweg.tabular.notation import (
    PLACEHOLDERS,
    USUAL,
    Decimal,
    Notation,
    currencies,
    odd_texts,
)
from thalweg.tabular.values import Kind, kind_of_type, missing_texts, parsed, texts

if TYPE_CHECKING:
    from thalweg.tabular.table import Table

FEW_LEVELS = 20  # text with at most this many values is always a category ...
MOST_LEVELS = (
    200  # ... with more than this many never, as each level is an input of the network ...
)
GROUP_SHARE = 0.5  # ... and in between only if values repeat: levels per row with a value
LIKELY = 0.5  # a column with numbers in this share of its rows was probably meant to be numeric
MOSTLY = 0.8  # a word between numbers means a missing value if this share of the values are numbers


class Recognised(NamedTuple):
    """What a column holds.

    Attributes:
        kind: The kind, or None where the column is left out.
        notes: What a user should know about it, each a sentence without a full stop.
        notation: How its values are written.
    """

    kind: Kind | None
    notes: tuple[str, ...] = ()
    notation: Notation = USUAL


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
    text = texts(table, name, table.missing)
    present = text.drop_nulls()
    if present.is_empty():
        return _left_out(name, "all its values are missing")
    if table.is_text:
        for kind, notation in _candidates(table):
            found = _fitting(table, name, kind, notation)
            if found is not None:
                return found
    levels, rows = present.n_unique(), len(present)
    doubt = _near_number(table, text) if table.is_text else ""
    if levels > FEW_LEVELS and (levels > MOST_LEVELS or levels > GROUP_SHARE * rows):
        return _left_out(name, f"it is text with {levels:,} values in {rows:,} rows{doubt}")
    if 1 < levels == rows and levels > 2:  # noqa: PLR2004 - two rows may well be two groups
        return _left_out(name, f"it is text with a different value in every row{doubt}")
    found = _unless_constant(name, "category", text)
    if found.kind is None:
        return found
    notes = (f"`{name}` is taken as a category{doubt}",) if doubt else ()
    return Recognised("category", notes, Notation(missing=table.missing))


def _candidates(table: Table) -> list[tuple[Kind, Notation]]:
    """The kinds and notations to try, in order."""
    missing = table.missing
    other: Decimal = "," if table.decimal == "." else "."
    marks = (table.decimal,) if table.is_decimal_set else (table.decimal, other)
    return [
        *(("number", Notation(decimal=mark, missing=missing)) for mark in marks),
        ("boolean", Notation(missing=missing)),
        ("date", Notation(missing=missing)),
        ("date", Notation(day_first=True, missing=missing)),
    ]


def _fitting(table: Table, name: str, kind: Kind, notation: Notation) -> Recognised | None:
    """The column as of a kind, if all its values are, other than those that mean a missing one."""
    text = texts(table, name, missing_texts(kind, notation))
    found = parsed(text, kind, notation)
    present = len(found) - found.null_count()
    odd = odd_texts(text, found)
    if len(odd) > 1 or not present:
        return None
    for word, count in odd.items():
        has_digit = any(letter.isdigit() for letter in word)
        if kind != "number" or has_digit or present < MOSTLY * (present + count):
            return None
        notation = dataclasses.replace(notation, missing=(*notation.missing, word))
        text = texts(table, name, missing_texts(kind, notation))
    notes = [_missing_note(table, name, text)]
    if kind == "number":
        signs = currencies(text)
        if len(signs) > 1:
            return None
        notes.append(_notation_note(name, text, notation))
    if kind == "date" and not notation.day_first:
        swapped = dataclasses.replace(notation, day_first=True)
        if parsed(text, kind, swapped).null_count() == text.null_count() and _is_slashed(text):
            notes.append(f"`{name}` is read as month/day/year, but day/month/year fits as well")
    checked = _unless_constant(name, kind, text)
    if checked.kind is None:
        return checked
    return Recognised(kind, tuple(filter(None, notes)), notation)


def _is_slashed(text: pl.Series) -> bool:
    return bool(text.drop_nulls().str.contains(r"^\d{1,2}/").any())


def _missing_note(table: Table, name: str, text: pl.Series) -> str:
    """Which texts of a column are read as missing, and how many; empty if all are empty fields."""
    raw = table.frame[name].str.strip_chars()
    counts = odd_texts(raw, text)
    if not any(counts):
        return ""
    words = ", ".join(
        f"`{word}` ({n:,})" if word else f"empty ({n:,})" for word, n in counts.items()
    )
    total = sum(counts.values())
    values_are = "1 value is" if total == 1 else f"{total:,} values are"
    return f"`{name}`: {values_are} read as missing: {words}"


def _notation_note(name: str, text: pl.Series, notation: Notation) -> str:
    """An example of a number that is not written plainly."""
    present = text.drop_nulls()
    unusual = present.filter(present.cast(pl.Float64, strict=False).is_null())
    if notation.decimal == "," and unusual.is_empty():
        unusual = present.filter(present.str.contains(".", literal=True))
    if unusual.is_empty():
        return ""
    value = parsed(unusual[:1], "number", notation)[0]
    mark = "comma" if notation.decimal == "," else "point"
    return f"`{name}`: decimal {mark}; `{unusual[0]}` is read as {value:.10g}"


def with_decimal(table: Table) -> Table:
    """The table with its decimal mark: that of the columns in which only one is possible.

    Where all columns fit both, it is the comma if semicolons separate the fields, else the point.
    """
    if not table.is_text or table.is_decimal_set:
        return table
    has_comma = has_point = False
    for name in table.frame.columns:
        text = texts(table, name, (*PLACEHOLDERS, *table.missing))
        if text.null_count() == len(text):
            continue
        fits = [
            parsed(text, "number", Notation(decimal=mark)).null_count() == text.null_count()
            for mark in (".", ",")
        ]
        has_point |= fits == [True, False]
        has_comma |= fits == [False, True]
    is_comma = has_comma or (not has_point and table.separator == ";")
    return dataclasses.replace(table, decimal="," if is_comma else ".")


def _near_number(table: Table, text: pl.Series) -> str:
    """A remark on a column that is text because of only a few values."""
    misfits = (
        parsed(text, "number", Notation(decimal=table.decimal)).is_null() & text.is_not_null()
    ).arg_true()
    if len(misfits) > (1 - LIKELY) * (len(text) - text.null_count()):
        return ""
    if misfits.is_empty():
        return " (its numbers are in several currencies)"
    row = misfits[0]
    return f" (`{text[row]}` in {table.place(row)} is not a number)"


def _unless_constant(name: str, kind: Kind, column: pl.Series) -> Recognised:
    if column.n_unique() == 1:  # a missing value counts as another one
        return _left_out(name, f"it is `{column[0]}` in every row")
    return Recognised(kind)


def _left_out(name: str, reason: str) -> Recognised:
    return Recognised(None, (f"`{name}` is left out: {reason}",))
