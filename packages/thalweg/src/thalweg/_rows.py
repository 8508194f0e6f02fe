"""Rows of the history while a run goes on, in batches: what `minimize(on_rows=...)` is called with.

A batch is delivered when the next rows are there, as |∇L| of a row is known one step later. A
method whose loop is inside jit gives rows after each call of its compiled program, a small problem
several hundred times a second; they are joined to some ten batches a second.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.solution import HISTORY_COLUMNS, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    OnRows = Callable[["Rows"], object]

BETWEEN = 0.1  # seconds between two batches, at least: each takes some tenths of a millisecond
LEAST = 8  # rows that a piece has on average, from which on pieces are joined
WHOLE = {"step", "rejected", *Work._fields}  # columns of whole numbers


class Rows(Mapping[str, np.ndarray]):
    """New rows of the history: a NumPy array for each of its columns, all of one length.

    A column is made when it is first asked for.

    Attributes:
        start: The index of the start that they belong to; 0 for a single run.
        is_last: Whether the run has ended, so that no further rows follow. Such a batch may be
            empty.
    """

    def __init__(
        self,
        column: Callable[[str], np.ndarray],
        *,
        start: int,
        is_last: bool,
        params: Callable[[], Any],
    ) -> None:
        self._column = column
        self._made: dict[str, np.ndarray] = {}
        self.start = start
        self.is_last = is_last
        self._params = params

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in HISTORY_COLUMNS:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._column(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(HISTORY_COLUMNS)

    def __len__(self) -> int:
        return len(HISTORY_COLUMNS)

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
        self._held: list[Mapping[str, Any]] = []  # those that were not delivered, as they came
        self._theta: Any = None
        self._last = -np.inf
        self.is_first = True  # nothing was delivered yet

    def skip(self, count: int) -> None:
        """Leave out rows of an earlier run, which were delivered then."""
        self._delivered = self._count = count

    def is_due(self) -> bool:
        """Whether rows are waiting, and the last batch is a while ago."""
        return self._count > self._delivered and time.perf_counter() - self._last > BETWEEN

    def hold(self, rows: Mapping[str, Any], theta: Any) -> None:
        """Take new rows, the last of which ends at a point."""
        self._held.append(rows)
        self._count += len(rows["loss"])
        # Other libraries may go on in the same memory.
        self._theta = np.array(theta) if isinstance(theta, np.ndarray) else theta

    def deliver(self, history: Mapping[str, list[Any]], *, is_last: bool = False) -> bool:
        """Call the functions with the rows that are held; true where one of them ends the run.

        Args:
            history: All rows so far, with the |∇L| that became known since.
            is_last: Whether the run has ended.
        """
        if is_last and self._theta is None:
            return False  # nothing ever happened
        column = self._columns(history)
        theta, self._delivered, self.is_first = self._theta, self._count, False
        self._held = []
        rows = Rows(
            column, start=self._start, is_last=is_last, params=lambda: self._params_of(theta)
        )
        wishes = [function(rows) for function in self._functions]
        self._last = time.perf_counter()
        return any(wishes)

    def _columns(self, history: Mapping[str, list[Any]]) -> Callable[[str], np.ndarray]:
        """The rows that are held, as a function from the name of a column to its array.

        A compiled program gives arrays, which are joined: to make arrays of the lists again took
        7 % of the time of a small problem. Other libraries give rows one by one.
        """
        begin, end, held = self._delivered, self._count, self._held
        is_joined = bool(held) and end - begin >= LEAST * len(held)

        def column(name: str) -> np.ndarray:
            kind = np.int64 if name in WHOLE else np.float64
            if name == "step":
                return np.arange(begin, end)
            if not is_joined:
                return np.asarray(history[name][begin:end], kind)
            joined = np.concatenate([rows[name] for rows in held], dtype=kind, casting="unsafe")
            if name == "grad_norm":
                # At the end of a piece it became known when the next one began.
                ends = np.cumsum([len(rows["loss"]) for rows in held]) - 1
                joined[ends] = [history[name][begin + place] for place in ends]
            return joined

        return column
