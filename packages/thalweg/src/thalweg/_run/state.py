"""The state of a run after its last whole call: what its checkpoint holds.

A call that was interrupted may have logged rows already. So the number of rows after the last whole
call is kept with the state, and the history is cut to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from thalweg._run.checkpoint import Saved

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg._run.notes import Notes
    from thalweg._run.step_loop import Loop


class RunState(NamedTuple):
    """The state of a run between two calls.

    Attributes:
        loop: What the loop carries.
        stage: Which of the methods that hand over to one another is running, from 0.
        rows: How many rows are logged.
        best_loss: The least loss so far.
        best_theta: The point of it; None before the first row.
        notes: What is known beyond the rows.
    """

    loop: Loop
    stage: int
    rows: int
    best_loss: float
    best_theta: np.ndarray | None
    notes: Notes

    @classmethod
    def now(cls, loop: Loop, stage: int, recorder: Recorder, notes: Notes) -> RunState:
        """The state at the end of a call. Nothing is copied."""
        return cls(loop, stage, recorder.rows, recorder.best_loss, recorder.best_theta, notes)

    def saved(self, recorder: Recorder) -> Saved:
        """The state as arrays on the host, with the history and the clock of the run."""
        history = recorder.history()
        best = self.loop.theta if self.best_theta is None else self.best_theta
        return Saved(
            loop=[np.asarray(leaf) for leaf in jax.tree.leaves(self.loop)],
            history={name: values[: self.rows] for name, values in history.items()},
            best_theta=np.asarray(best),
            best_loss=self.best_loss,
            stage=self.stage,
            seconds=recorder.seconds if recorder.rows else 0.0,
            compile_seconds=recorder.compile_seconds,
            notes=self.notes,
        )
