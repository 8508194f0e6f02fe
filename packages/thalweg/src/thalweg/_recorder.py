"""The log of a run on the host: rows, clock, budget, progress, the best point so far.

Methods whose loop runs inside jit hand over their rows in chunks; methods of other libraries
call `Recorder.row` from their own loops and are stopped by `RunEnded`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._rows import WHOLE
from thalweg.solution import HISTORY_COLUMNS, VISIBLE, Outcome, Work
from thalweg.stop import DEFAULT_SECONDS, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from thalweg._rows import RowFeed


class RunEnded(Exception):  # noqa: N818 - not an error: it unwinds the loop of another library
    """A stop criterion was met. Never leaves thalweg."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What a callback and the progress line are shown.

    Attributes:
        step: Accepted steps so far.
        t: Flow time.
        h: Size of the last step.
        seconds: Wall time so far, without compilation.
        loss: The loss now.
        grad_norm: |∇L| at the last point where it is known.
        rejected: Rejected attempts so far.
        work: Totals so far.
        theta: The parameters as one vector of shape `(n,)`; copy it to keep it.
        start: The index of the start that it belongs to; 0 for a single run.
    """

    step: int
    t: float
    h: float
    seconds: float
    loss: float
    grad_norm: float
    rejected: int
    work: Work
    theta: Any
    start: int = 0


class Recorder:
    """Collects the history of one run and decides when its budget is spent.

    Args:
        stop: The criteria; an open `Stop` gets a budget of `DEFAULT_SECONDS`.
        callback: Called with a `Snapshot` after each step; a true result ends the run.
        show: Called with a `Snapshot` for the progress line.
        feed: Hands rows on in batches.
        clock: Returns seconds, monotonic.
        start: The index of this start; snapshots carry it.
    """

    def __init__(
        self,
        stop: Stop,
        *,
        callback: Callable[[Snapshot], object] | None = None,
        show: Callable[[Snapshot], None] | None = None,
        feed: RowFeed | None = None,
        clock: Callable[[], float] = time.perf_counter,
        start: int = 0,
    ) -> None:
        self.stop = dataclasses.replace(stop, seconds=DEFAULT_SECONDS) if stop.is_open else stop
        self.callback = callback
        self._show = show
        self._feed = feed
        self._start = start
        self._clock = clock
        self._started = clock()
        self._compiled = 0.0
        self._is_compiling = False
        self._paused = 0.0
        self._earlier = 0.0
        self._rows: dict[str, list[Any]] = {name: [] for name in HISTORY_COLUMNS}
        self.best_loss = np.inf
        self.best_theta: np.ndarray | None = None

    # ------------------------------------------------------------------------------- the clock

    def start(self) -> None:
        """Set the clock to zero: the preparation is over."""
        self._started = self._clock()
        self._paused = 0.0

    def go_on(
        self,
        history: Mapping[str, np.ndarray],
        *,
        seconds: float,
        compile_seconds: float,
        best_theta: np.ndarray,
        best_loss: float,
    ) -> None:
        """Resume an earlier run: its rows, its clock, and its best point.

        Args:
            history: What `history` gave back.
            seconds: Wall time of the earlier run, without compilation.
            compile_seconds: Of the earlier run.
            best_theta: Its best point, shape `(n,)`.
            best_loss: The loss there.
        """
        self._rows = {name: history[name].tolist() for name in HISTORY_COLUMNS}
        self._earlier = seconds
        self._compiled += compile_seconds
        self.best_theta, self.best_loss = np.array(best_theta), best_loss
        if self._feed is not None:
            self._feed.skip(self.rows)

    @property
    def seconds(self) -> float:
        """Wall time since `start` without compilation, added to that of earlier runs."""
        return self._earlier + self._clock() - self._started - self._paused

    @property
    def seconds_left(self) -> float:
        """Seconds of the budget that are left; infinite without one."""
        return np.inf if self.stop.seconds is None else self.stop.seconds - self.seconds

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """A context whose time counts as compilation and not as run time; within another, once."""
        if self._is_compiling:
            yield
            return
        self._is_compiling, began = True, self._clock()
        try:
            yield
        finally:
            took = self._clock() - began
            self._is_compiling = False
            self._compiled += took
            self._paused += took

    def pause(self, seconds: float) -> None:
        """Do not count seconds that have just passed, in which another start compiled."""
        self._paused += seconds

    @property
    def compile_seconds(self) -> float:
        """Wall time spent in `compiling` contexts."""
        return self._compiled

    # -------------------------------------------------------------------------------- the rows

    def row(
        self,
        *,
        theta: Any,
        loss: float,
        grad_norm: float,
        work: Work,
        t: float = np.nan,
        h: float = np.nan,
        rejected: int = 0,
        seconds: float | None = None,
    ) -> None:
        """Log the point after a step; the first call logs the start.

        Args:
            theta: The point, shape `(n,)`.
            loss: The loss there.
            grad_norm: |∇L| there; NaN where unknown.
            work: Totals so far.
            t: Flow time, where the method has one.
            h: Size of the step that led here.
            rejected: Attempts rejected on the way here.
            seconds: Wall time of the row; now, where left out.

        Raises:
            RunEnded: A target is met, a budget spent, the loss not finite, or the callback
                said so.
        """
        self.extend(
            {
                "t": [t],
                "h": [h],
                "seconds": [self.seconds if seconds is None else seconds],
                "loss": [loss],
                "grad_norm": [grad_norm],
                "rejected": [rejected],
                **{name: [count] for name, count in work._asdict().items()},
            },
            theta=theta,
        )
        self.check()

    def extend(self, rows: dict[str, Any], *, theta: Any) -> None:
        """Log several rows at once; `theta` is the point of the last one."""
        count = len(rows["loss"])
        first = len(self._rows["loss"])
        is_over = self._hand_on(rows, theta)
        self._rows["step"].extend(range(first, first + count))
        for name, values in rows.items():
            self._rows[name].extend(values)
        self.offer_best(float(rows["loss"][-1]), theta)
        snapshot = self._snapshot(theta)
        if self._show is not None:
            self._show(snapshot)
        if self.callback is not None and first + count > 1 and self.callback(snapshot):
            is_over = True
        if is_over:
            raise RunEnded(Outcome.STOPPED_BY_CALLBACK)

    def _hand_on(self, rows: dict[str, Any], theta: Any) -> bool:
        """Deliver the rows so far, before these are added; true where that is to end the run."""
        feed, is_over = self._feed, False
        if feed is None:
            return is_over
        if feed.is_due():
            # What is compiled for the first batch is no part of the run.
            with self.compiling() if feed.is_first else contextlib.nullcontext():
                is_over = feed.deliver(self._rows)
        feed.hold(rows, theta)
        return is_over

    def hand_on_the_rest(self) -> None:
        """Deliver the last rows: the run has ended."""
        if self._feed is not None:
            self._feed.deliver(self._rows, is_last=True)

    def offer_best(self, loss: float, theta: Any) -> None:
        """Keep `theta` where its loss is the least so far."""
        if loss < self.best_loss or self.best_theta is None:
            self.best_loss = loss
            self.best_theta = np.array(theta)

    def end_at(self, loss: float, theta: Any) -> None:
        """Keep the point where a run has converged.

        Its loss equals the least so far but for rounding. Which of the two is less is chance.
        """
        if loss <= self.best_loss + VISIBLE * np.finfo(np.asarray(theta).dtype).eps * abs(loss):
            self.best_loss = loss
            self.best_theta = np.array(theta)

    def check(self) -> None:
        """Compare the last row with the criteria, the time budget by the row's own time.

        Raises:
            RunEnded: One of them is met.
        """
        loss, grad_norm = self._rows["loss"][-1], self._rows["grad_norm"][-1]
        seconds = self._rows["seconds"][-1]
        stop = self.stop
        if not np.isfinite(loss):
            raise RunEnded(Outcome.DIVERGED)
        if stop.loss is not None and loss <= stop.loss:
            raise RunEnded(Outcome.TARGET_REACHED)
        if stop.grad_norm is not None and grad_norm <= stop.grad_norm:
            raise RunEnded(Outcome.CONVERGED)
        if (
            (stop.steps is not None and self._rows["step"][-1] >= stop.steps)
            or (stop.gradients is not None and self._rows["gradients"][-1] >= stop.gradients)
            or (stop.seconds is not None and seconds >= stop.seconds)
        ):
            raise RunEnded(Outcome.BUDGET_SPENT)

    def set_last_grad_norm(self, grad_norm: float) -> None:
        """Fill in |∇L| of the last row, which a jitted loop knows one step later."""
        if self._rows["grad_norm"]:
            self._rows["grad_norm"][-1] = grad_norm

    @property
    def rows(self) -> int:
        """How many rows are logged."""
        return len(self._rows["loss"])

    @property
    def left(self) -> float:
        """The loss of the last row, as a share of that of the first."""
        first, last = self._rows["loss"][0], self._rows["loss"][-1]
        return float(last / first) if first else 1.0

    @property
    def work(self) -> Work:
        """The totals of the last row."""
        if not self.rows:
            return Work()
        return Work(*(int(self._rows[name][-1]) for name in Work._fields))

    def history(self) -> dict[str, np.ndarray]:
        """The rows as one NumPy array a column.

        An interrupt may have struck between two columns of a row: an unfinished row is left out.
        """
        complete = min(len(values) for values in self._rows.values())
        return {
            name: np.asarray(values[:complete], dtype=np.int64 if name in WHOLE else np.float64)
            for name, values in self._rows.items()
        }

    def _snapshot(self, theta: Any) -> Snapshot:
        last = {name: values[-1] for name, values in self._rows.items()}
        known = next((g for g in reversed(self._rows["grad_norm"][-2:]) if not np.isnan(g)), np.nan)
        work = self.work
        return Snapshot(
            step=int(last["step"]),
            t=float(last["t"]),
            h=float(last["h"]),
            seconds=float(last["seconds"]),
            loss=float(last["loss"]),
            grad_norm=float(known),
            rejected=work.rejected_steps,
            work=work,
            theta=theta,
            start=self._start,
        )
