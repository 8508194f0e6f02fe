"""Measurements from a text file: columns of numbers by name, without any library for tables."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEPARATORS = ",;\t"
SAMPLE = 65536  # characters by which the separator is told
MISSING = ("", "-", "na", "n/a", "nan", "null", "none", "#n/a", "?")


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Columns of one length.

    Attributes:
        columns: Name to numbers; NaN where there is none.
        path: The file.
    """

    columns: dict[str, np.ndarray]
    path: Path

    def column(self, name: str) -> np.ndarray:
        """A column.

        Raises:
            ConfigError: There is none of that name, or a value of it is no number.
        """
        if name not in self.columns:
            known = ", ".join(f"`{each}`" for each in self.columns)
            raise ConfigError(f"`{self.path}` has no column `{name}`; it has {known}")
        return self.columns[name]


def read_measurements(path: Path) -> Measurements:
    """Read a file of numbers, separated by commas, semicolons, tabs or spaces.

    Lines that begin with `#` are left out. Where the first row holds names, columns have these;
    else they are `c1`, `c2` and so on.

    Raises:
        DataError: The file cannot be read, is empty, or a row has another number of values.
        ConfigError: A value is no number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise DataError(f"`{path}` cannot be read: {reason}") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = _rows(lines)
    if not rows:
        raise DataError(f"`{path}` holds no measurement")
    has_names = not all(_is_number(value) for value in rows[0])
    names = rows[0] if has_names else [f"c{k}" for k in range(1, len(rows[0]) + 1)]
    body = rows[1:] if has_names else rows
    if not body:
        raise DataError(f"`{path}` has names in its first row and no measurement below them")
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise DataError(f"`{path}` has two columns with the name `{double}`; rename one of them")
    for k, row in enumerate(body, start=1):
        if len(row) != len(names):
            raise DataError(
                f"`{path}` has {len(row)} values in measurement {k}, but {len(names)} columns"
            )
    return Measurements(
        {name: _numbers(path, name, [row[k] for row in body]) for k, name in enumerate(names)}, path
    )


def _rows(lines: Sequence[str]) -> list[list[str]]:
    sample = "\n".join(lines)[:SAMPLE]
    counts = {each: sample.count(each) for each in SEPARATORS}
    separator = max(counts, key=lambda each: counts[each])
    if counts[separator] == 0:
        return [line.split() for line in lines]
    if counts[";"] > 0 and counts[","] > 0:
        separator = ";"  # the commas are decimal ones
    return [[value.strip() for value in row] for row in csv.reader(lines, delimiter=separator)]


def _is_number(value: str) -> bool:
    if value.lower() in MISSING:
        return True
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True


def _numbers(path: Path, name: str, values: Sequence[str]) -> np.ndarray:
    """A column as numbers; one with text in it is kept as text, and refused where it is used."""
    found = np.empty(len(values))
    for k, value in enumerate(values):
        if value.lower() in MISSING:
            found[k] = math.nan
        elif _is_number(value):
            found[k] = float(value.replace(",", "."))
        else:
            raise ConfigError(
                f"`{value}` in column `{name}`, measurement {k + 1} of `{path}`, is no number"
            )
    return found
