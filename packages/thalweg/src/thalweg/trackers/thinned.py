"""Which rows of a run a tracker writes down.

A small problem takes ten thousand steps a second, a tracker some hundred rows. So the rows that are
written are a tenth of the run's time apart, and later half a second: a run of any length begins
with a fine curve and has some two rows a second. The first and the last row are always among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thalweg._rows import Rows

SPACING = 0.1  # of the time since the start, between two rows that are written
MOST_SPACING = 0.5  # seconds
COLUMNS = ("loss", "grad_norm", "h", "t", "seconds", "gradients", "rejected")


class Thinned:
    """Chooses the rows of one run, batch by batch."""

    def __init__(self) -> None:
        self._due = -np.inf  # seconds from which on the next row is written
        self._written = -1  # the step of the row that was written last
        self._latest: tuple[int, dict[str, float]] | None = None

    def chosen(self, rows: Rows) -> Iterator[tuple[int, dict[str, float]]]:
        """Step and values of the rows to be written; values that are not finite are left out."""
        seconds = rows["seconds"]
        place, count = 0, len(seconds)
        while place < count:
            place += int(np.searchsorted(seconds[place:], self._due))
            if place >= count:
                break
            yield self._chosen(_row(rows, place))
            now = float(seconds[place])
            self._due = now + min(max(SPACING * now, 1e-3), MOST_SPACING)
            place += 1
        if count:
            self._latest = _row(rows, count - 1)
        if rows.is_last and self._latest is not None and self._latest[0] > self._written:
            yield self._chosen(self._latest)

    def _chosen(self, row: tuple[int, dict[str, float]]) -> tuple[int, dict[str, float]]:
        self._written = row[0]
        return row


def _row(rows: Rows, place: int) -> tuple[int, dict[str, float]]:
    values = {name: float(rows[name][place]) for name in COLUMNS}
    finite = {name: value for name, value in values.items() if np.isfinite(value)}
    return int(rows["step"][place]), finite


class ByStart:
    """A `Thinned` for each start of a call."""

    def __init__(self) -> None:
        self._runs: dict[int, Thinned] = {}

    def chosen(self, rows: Rows) -> Iterator[tuple[int, dict[str, float]]]:
        """As `Thinned.chosen`."""
        return self._runs.setdefault(rows.start, Thinned()).chosen(rows)


def named(values: dict[str, float], start: int) -> dict[str, float]:
    """The values under the names that a tracker shows: those of a later start have its number."""
    prefix = "thalweg" if start == 0 else f"thalweg/start {start}"
    return {f"{prefix}/{name}": value for name, value in values.items()}
