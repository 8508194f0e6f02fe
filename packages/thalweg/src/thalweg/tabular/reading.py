"""Reading tables by their suffix: CSV, TSV and Parquet, whole or in batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from thalweg._util.files import reason_of
from thalweg.errors import DataError
from thalweg.tabular.delimited import delimited_batches
from thalweg.tabular.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thalweg.tabular.notation import Decimal

DELIMITED = (".csv", ".tsv")
PARQUET = (".parquet",)
BATCH_ROWS = 20_000


def read_table(
    source: Path | str | pl.DataFrame,
    *,
    separator: str | None = None,
    decimal: Decimal | None = None,
    missing: Sequence[str] = (),
) -> Table:
    """A whole table.

    Args:
        source: The path of a CSV, TSV or Parquet file, or a data frame.
        separator: What separates the fields of delimited text; None to recognise it.
        decimal: The decimal mark of delimited text; None to recognise it.
        missing: Texts that mean a missing value, other than the usual ones.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    if isinstance(source, pl.DataFrame):
        if source.is_empty():
            raise DataError("the table has no rows; at least one row was expected")
        return Table(source, "the table", is_text=False, numbers=range(1, len(source) + 1))
    parts = list(read_batches(source, separator=separator))
    lines = [line for part in parts for line in part.lines or ()]
    frame = pl.concat([part.frame for part in parts], how="vertical")
    first = parts[0]
    return Table(
        frame,
        first.source,
        is_text=first.is_text,
        numbers=range(1, len(frame) + 1),
        lines=lines or None,
        separator=first.separator,
        decimal=decimal or ".",
        is_decimal_set=decimal is not None,
        missing=tuple(text.strip().lower() for text in missing),
    )


def read_batches(
    path: Path | str, *, rows: int = BATCH_ROWS, separator: str | None = None
) -> Iterator[Table]:
    """The rows of a file, in tables of at most `rows` rows, in bounded memory.

    Args:
        path: A file ending in `.csv`, `.tsv` or `.parquet`.
        rows: Rows of a batch. Positive.
        separator: What separates the fields of delimited text; None to recognise it.

    Raises:
        DataError: The file cannot be read, or has no rows.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in DELIMITED + PARQUET:
        raise DataError(
            f"`{path}` ends in {f'`{suffix}`' if suffix else 'no suffix'}, but a table in "
            "`.csv`, `.tsv` or `.parquet` was expected"
        )
    try:
        if suffix in DELIMITED:
            yield from delimited_batches(path, rows=rows, separator=separator)
        else:
            yield from _parquet_batches(path, rows=rows)
    except OSError as error:
        raise DataError(
            f"`{path}` cannot be read ({reason_of(error)}); name a table in CSV, TSV or Parquet"
        ) from error


def _parquet_batches(path: Path, *, rows: int) -> Iterator[Table]:
    with path.open("rb"):
        pass  # the system says why a file is missing or cannot be read
    try:
        count: int = pl.scan_parquet(path).select(pl.len()).collect().item()
        columns = pl.read_parquet_schema(path)
        if count == 0 or not columns:
            raise DataError(f"`{path}` has no rows; at least one row was expected")
        for start in range(0, count, rows):
            frame = pl.scan_parquet(path).slice(start, rows).collect()
            numbers = range(start + 1, start + 1 + len(frame))
            yield Table(frame, f"`{path}`", is_text=False, numbers=numbers)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise DataError(f"`{path}` cannot be read as Parquet ({first_line})") from error
