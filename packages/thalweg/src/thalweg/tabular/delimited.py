"""Tables of delimited text: CSV and TSV, in batches, with the line of each row.

The fields are split by Python's `csv`, which reports the line of a row and its number of fields;
polars silently fills short lines with nulls and renames duplicate columns. A `.csv` file whose
header and first row have equally many fields between semicolons, and not between commas, is read
as separated by semicolons.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
from typing import TYPE_CHECKING

import polars as pl

from thalweg.errors import DataError
from thalweg.tabular.table import Table, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO


SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
BY_NAME = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "\\t": "\t", "space": " "}


def delimited_batches(path: Path, *, rows: int, separator: str | None = None) -> Iterator[Table]:
    """The rows of a file, in tables of at most `rows` rows, all columns as text.

    Empty lines are skipped; a byte-order mark is not part of the first name.

    Args:
        path: A file ending in `.csv` or `.tsv`.
        rows: Rows of a batch. Positive.
        separator: What separates the fields: one character; None to recognise it.

    Raises:
        DataError: The file is empty, has no header, no rows, rows of different lengths, two
            columns of the same name, is not UTF-8, or has an unclosed quotation mark.
        OSError: It cannot be opened or read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            delimiter = separator or _separator(path, file)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for table in _tables(reader, f"`{path}`", rows=rows):
                yield dataclasses.replace(table, separator=delimiter)
        except UnicodeDecodeError as error:
            raise DataError(
                f"`{path}` is not UTF-8 text (line {_undecodable_line(path)}); save it as UTF-8"
            ) from error
        except csv.Error as error:
            raise DataError(
                f"`{path}` cannot be read as delimited text at line {reader.line_num} ({error}); "  # pyright: ignore[reportPossiblyUnboundVariable] - only the reader raises it
                "look for a quotation mark that is not closed"
            ) from error


def _separator(path: Path, file: TextIO) -> str:
    """What separates the fields, by the header and the first row; leaves the file at its start.

    Raises:
        DataError: It is neither a comma nor a semicolon, so the caller should name it.
    """
    if path.suffix.lower() != ".csv":
        return "\t"
    lines = list(itertools.islice(filter(str.strip, file), 2))
    file.seek(0)
    fields = {mark: _fields(lines, mark) for mark in SEPARATORS}
    best = max(fields, key=fields.__getitem__)  # a comma, where several have the most
    if best in ",;" or fields[best] == 1:
        is_semicolon = best == ";" or (fields[","] == 1 and ";" in lines[0]) if lines else False
        return ";" if is_semicolon else ","
    name = next(name for name, mark in BY_NAME.items() if mark == best)
    raise DataError(
        f"`{path}` seems to be separated by {SEPARATORS[best]}, but a `.csv` file by commas or "
        f"semicolons was expected; give `--separator {name}`"
    )


def _fields(lines: list[str], separator: str) -> int:
    """The number of fields of each of some lines; 1 if it is not the same in all."""
    counts = {len(row) for row in csv.reader(lines, delimiter=separator)}
    return counts.pop() if len(counts) == 1 else 1


def _tables(reader: csv.Reader, source: str, *, rows: int) -> Iterator[Table]:  # pyright: ignore[reportAttributeAccessIssue] - known to Python from 3.10, to the stubs as a protocol
    header = next(filter(None, reader), None)
    if header is None:
        raise DataError(f"{source} is empty, but a line of column names and rows were expected")
    names = checked_names([name.strip() for name in header], source)
    values: list[list[str]] = []
    lines: list[int] = []
    first_row = 1
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(
                f"row {first_row + len(values)} (line {reader.line_num}) of {source} has "
                f"{len(row)} values, but its header names {len(header)} columns; look for a "
                "missing or an unquoted separator there"
            )
        values.append(row)
        lines.append(reader.line_num)
        if len(values) == rows:
            yield _table(names, values, source, first_row, lines)
            first_row += len(values)
            values, lines = [], []
    if values:
        yield _table(names, values, source, first_row, lines)
    elif first_row == 1:
        raise DataError(f"{source} has a header but no rows; at least one row was expected")


def checked_names(names: Sequence[str], source: str) -> list[str]:
    """The names of columns, if no two are equal; names may be empty.

    Raises:
        DataError: Two columns have the same name.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name and name in seen:
            raise DataError(
                f"{source} has two columns named {named([name])}, the {_ordinal(seen[name])} and "
                f"the {_ordinal(place)}; rename one of them"
            )
        seen[name] = place
    return list(names)


def _table(
    names: list[str], values: list[list[str]], source: str, first_row: int, lines: list[int]
) -> Table:
    columns = zip(names, zip(*values, strict=True), strict=True)
    # A column without a name, such as a saved index, cannot be referred to.
    frame = pl.DataFrame([pl.Series(name, column, pl.String) for name, column in columns if name])
    numbers = range(first_row, first_row + len(frame))
    return Table(frame, source, is_text=True, numbers=numbers, lines=lines)


def _undecodable_line(path: Path) -> int:
    """The first line that is not UTF-8; the decoder reads ahead and does not know it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _ordinal(number: int) -> str:
    special = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number % 100 in (11, 12, 13) else special.get(number % 10, "th")
    return f"{number}{ending}"
