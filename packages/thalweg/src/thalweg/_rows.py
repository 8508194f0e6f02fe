"""Rows of the history while a run goes on, in batches: what `minimize(on_rows=...)` is called with.

A batch is delivered when the next one is there, as |∇L| of a row is known one step later. A method
whose loop is inside jit gives a batch for each call of its compiled program, some 30 a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solution import HISTORY_COLUMNS, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    OnRows = Callable[["Rows"], object]

BETWEEN = 0.02  # seconds between two batches, at least: other libraries give one row at a time
WHOLE = {"step", "rejected", *Work._fields}  # columns of whole numbers


class Rows(dict[str, np.ndarray]):
    """New rows of the history: a NumPy array for each of its columns, all of one length.

    Attributes:
        start: The index of the start that they belong to; 0 for a single run.
        is_last: Whether the run has ended, so that no further rows follow. Such a batch may be
            empty.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        *,
        start: int,
        is_last: bool,
        params: Callable[[], Any],
    ) -> None:
        super().__init__(columns)
        self.start = start
        self.is_last = is_last
        self._params = params

    @property
    def params(self) -> Any:
        """The parameters after the last of these rows, a pytree like the one that was passed."""
        return self._params()


class RowFeed:
    """Hands the rows of one run to functions.

    Args:
        functions: Called with each batch.
        params_of: The pytree for a vector of parameters.
        start: The index of the start.
    """

    def __init__(
        self, functions: Sequence[OnRows], params_of: Callable[[Any], Any], *, start: int = 0
    ) -> None:
        self._functions = functions
        self._params_of = params_of
        self._start = start
        self._delivered = 0
        self._count = 0  # rows that the point below comes after
        self._theta: Any = None
        self._last = -np.inf
        self.is_first = True  # nothing was delivered yet

    def skip(self, count: int) -> None:
        """Leave out rows of an earlier run, which were delivered then."""
        self._delivered = self._count = count

    def is_due(self) -> bool:
        """Whether rows are waiting, and the last batch is a while ago."""
        return self._count > self._delivered and time.perf_counter() - self._last > BETWEEN

    def hold(self, count: int, theta: Any) -> None:
        """Note that there are so many rows now, the last of which ends at a point."""
        self._count = count
        # Other libraries may go on in the same memory.
        self._theta = np.array(theta) if isinstance(theta, np.ndarray) else theta

    def deliver(self, columns: Mapping[str, list[Any]], *, is_last: bool = False) -> bool:
        """Call the functions with the rows that are held; true where one of them ends the run."""
        if is_last and self._theta is None:
            return False  # nothing ever happened
        new = slice(self._delivered, self._count)
        arrays = {
            name: np.asarray(columns[name][new], np.int64 if name in WHOLE else np.float64)
            for name in HISTORY_COLUMNS
        }
        theta, self._delivered, self.is_first = self._theta, self._count, False
        rows = Rows(
            arrays, start=self._start, is_last=is_last, params=lambda: self._params_of(theta)
        )
        wishes = [function(rows) for function in self._functions]
        self._last = time.perf_counter()
        return any(wishes)
