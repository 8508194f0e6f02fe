"""A table as it was read, and how messages name places in it.

Delimited text has no types: its columns are text, and are parsed by kind later
(`thalweg.tabular.values`). Parquet files and data frames have types, which are trusted.
"""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from thalweg.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from thalweg.tabular.notation import Decimal

MOST_NAMED = 3  # names that a message lists before it says how many more there are


@dataclasses.dataclass(frozen=True)
class Table:
    """Some rows of a file, or all of them.

    Attributes:
        frame: The columns.
        source: How messages name the table, such as a path in backticks.
        is_text: Whether all columns are text from a file.
        numbers: The number of each row; the first row of a file is row 1.
        lines: For delimited text, the line of the file on which each row ends.
        separator: What separates the fields of delimited text.
        decimal: The decimal mark of delimited text.
        is_decimal_set: Whether the caller named it.
        missing: Texts in lower case that the caller takes as missing.
    """

    frame: pl.DataFrame
    source: str
    is_text: bool
    numbers: Sequence[int]
    lines: Sequence[int] | None = None
    separator: str = ","
    decimal: Decimal = "."
    is_decimal_set: bool = False
    missing: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def place(self, index: int) -> str:
        """Where a row of `frame` is, as a reader of the file counts: `row 3 (line 4)`."""
        row = f"row {self.numbers[index]}"
        return row if self.lines is None else f"{row} (line {self.lines[index]})"

    def keep(self, wanted: np.ndarray) -> Table:
        """The rows for which `wanted`, bool of shape `(rows,)`, is true."""
        chosen = np.flatnonzero(wanted).tolist()
        return dataclasses.replace(
            self,
            frame=self.frame.filter(pl.Series(wanted)),
            numbers=[self.numbers[k] for k in chosen],
            lines=None if self.lines is None else [self.lines[k] for k in chosen],
        )

    def require(self, names: Iterable[str]) -> None:
        """Refuse a table that lacks a column.

        Raises:
            DataError: With the missing columns, and a similar name if there is one.
        """
        missing = [name for name in names if name not in self.frame.columns]
        if missing:
            raise DataError(
                f"{self.source} has no column {named(missing)}; "
                f"{near(missing[0], self.frame.columns)}"
            )


def named(names: Sequence[str]) -> str:
    """Names for a message: the first few in backticks, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
    rest = len(names) - MOST_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


def near(name: str, known: Sequence[str]) -> str:
    """A hint for a name that does not exist: similar names, or those that exist."""
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(f'`{folded[other]}`' for other in close)}?"
    return f"its columns are {named(known)}"
