"""Predictions for a file of any length, batch by batch in bounded memory.

A batch is checked as a whole before its predictions are passed on. A file is written only if all
rows fit; on stdout, the batches before a row that does not fit have been printed, and the error
says how many rows they had.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from thalweg.errors import ConfigError, DataError
from thalweg.tabular.folder import output_file, refused, scratch_folder
from thalweg.tabular.reading import BATCH_ROWS, read_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thalweg.tabular.model import Model

SUFFIXES = (".csv", ".parquet")


def predict_batches(
    model: Model,
    data: Path | str,
    *,
    rows: int = BATCH_ROWS,
    separator: str | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Iterator[pl.DataFrame]:
    """Predictions for a file, one frame a batch.

    Args:
        model: The model.
        data: A CSV, TSV or Parquet file.
        rows: Rows of a batch. Positive.
        separator: What separates the fields of delimited text; None to recognise it.
        on_note: Called with a note on unused columns and, at the end, on values filled in.

    Raises:
        DataError: The file cannot be read, or a row does not fit the schema. The frames yielded
            before are the predictions of all rows before the batch of that row.
    """
    filled: dict[str, int] = {}
    is_first = True
    for table in read_batches(data, rows=rows, separator=separator):
        if is_first:
            used = {column.name for column in model.schema.columns} | {model.schema.target.name}
            extra = [name for name in table.frame.columns if name not in used]
            if extra:
                on_note(f"columns that the model does not use: {', '.join(extra)}")
            is_first = False
        predictions = model.predict_rows(table)
        for name, count in model.filled(table).items():
            filled[name] = filled.get(name, 0) + count
        yield predictions
    for name, count in filled.items():
        on_note(
            f"`{name}` is missing in {count:,} rows, but never in the training data; its mean in "
            "training was used"
        )


def predict_file(
    model: Model,
    data: Path | str,
    out: Path | str,
    *,
    separator: str | None = None,
    on_note: Callable[[str], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Write predictions for a file to another one, which appears when all of them are made.

    Args:
        model: The model.
        data: A CSV, TSV or Parquet file.
        out: A file ending in `.csv` or `.parquet`; an existing one is replaced.
        separator: What separates the fields of delimited text; None to recognise it.
        on_note: Called with each note on the data.
        on_rows: Called with the number of rows done, after each batch.

    Returns:
        The number of rows.

    Raises:
        ConfigError: `out` cannot be written, or is the data.
        DataError: The data cannot be read, or a row does not fit the schema.
    """
    data, out = Path(data), Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"`{out}` ends in `{out.suffix}`, but `.csv` or `.parquet` was expected")
    if out.exists() and data.exists() and out.samefile(data):
        raise ConfigError(f"`{out}` is the input table itself; name another file by `--out`")
    parts = _counted(predict_batches(model, data, separator=separator, on_note=on_note), on_rows)
    if out.suffix.lower() == ".csv":
        with output_file(out) as new, new.open("wb") as file:
            return _write_csv(parts, file)
    # polars cannot append to a Parquet file, so the batches are joined at the end.
    with scratch_folder(out) as folder:
        done = 0
        for number, part in enumerate(parts):
            (folder / f"{number:09d}.parquet").write_bytes(parquet_bytes(part))
            done += len(part)
        with output_file(out) as new:
            try:
                pl.scan_parquet(folder / "*.parquet").sink_parquet(new)
            except pl.exceptions.PolarsError as error:
                raise refused(out)(OSError(str(error))) from error
    return done


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as a Parquet file in memory; Python writes it, so that errors are its own."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _counted(
    parts: Iterator[pl.DataFrame], on_rows: Callable[[int], None]
) -> Iterator[pl.DataFrame]:
    """The same frames; calls `on_rows` with the number of rows taken."""
    done = 0
    for part in parts:
        yield part
        done += len(part)
        on_rows(done)


def _write_csv(parts: Iterator[pl.DataFrame], stream: BinaryIO) -> int:
    done = 0
    for part in parts:
        stream.write(part.write_csv(include_header=done == 0).encode())
        done += len(part)
    return done


def print_predictions(
    model: Model,
    data: Path | str,
    stream: BinaryIO,
    *,
    separator: str | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> int:
    """Write predictions for a file to a stream as CSV, batch by batch.

    Returns:
        The number of rows.

    Raises:
        DataError: The data cannot be read, or a row does not fit; the message says how many rows
            were written before.
        OSError: The stream cannot be written to.
    """
    done = 0
    try:
        for part in predict_batches(model, data, separator=separator, on_note=on_note):
            stream.write(part.write_csv(include_header=done == 0).encode())
            done += len(part)
    except DataError as error:
        stream.flush()
        if not done:
            raise
        raise DataError(f"{error}; predictions for the first {done:,} rows were printed") from error
    stream.flush()
    return done
