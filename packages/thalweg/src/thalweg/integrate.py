"""The loop of jitted methods: method x flow x stop, in chunks of steps.

One compiled program runs up to `ROWS` steps and comes back, so that the host can show progress,
look at the clock and be interrupted, at a cost of a thousandth of the run. The number of steps a
call is an argument, chosen so that a call takes about `CHUNK_SECONDS`.

|∇L| at a point is known when the next step begins. So a row's `grad_norm` is filled in one step
later, and the last one by a call that begins a step and does not take it.

A method may hand over to its successor. That one's program is compiled only then, so that a run
which ends before does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.checkpoint import Saved
from thalweg.errors import ConfigError
from thalweg.host import HostFunctions, compiled
from thalweg.loop import ROWS, UNLIMITED, Limits, Loop, Rows, run_chunk
from thalweg.recorder import RunEnded
from thalweg.solution import Outcome, Work
from thalweg.solvers.base import CONVERGED, HANDED_OVER, OUTCOMES, RUNNING, AbstractJitMethod
from thalweg.threads import one_blas_thread

if TYPE_CHECKING:
    from thalweg.checkpoint import Checkpoint
    from thalweg.flow import Flow
    from thalweg.recorder import Recorder

CHUNK_SECONDS = 0.03  # what a call may take: short enough for clock and Ctrl-C


def integrate(
    method: AbstractJitMethod,
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    *,
    checkpoint: Checkpoint | None = None,
) -> tuple[Outcome, str]:
    """Run a jitted method until it ends or the budget is spent.

    Args:
        method: The configured method.
        flow: The flow; its compiled programs are kept with it.
        theta: The start, shape `(n,)`.
        recorder: Takes the rows; its criteria end the run.
        checkpoint: Where the state is kept; a run that is there already goes on.

    Returns:
        The outcome and a detail in words.

    Raises:
        ConfigError: The checkpoint is damaged, of another run, or cannot be written.
    """
    run = _Run(method, flow, theta, recorder)
    if checkpoint is not None:
        run.keep(checkpoint)
    with one_blas_thread():
        try:
            return run.to_the_end(), run.detail
        except RunEnded as ended:
            run.finish()
            return ended.outcome, run.detail
        finally:
            run.save()


class _Run:
    """The host's side of one run."""

    def __init__(
        self, method: AbstractJitMethod, flow: Flow, theta: np.ndarray, recorder: Recorder
    ) -> None:
        self._flow = flow
        self._recorder = recorder
        self._stages = [method, *method.successors]
        self._stage = 0
        self.detail = ""
        stop = recorder.stop
        self._limits = Limits(
            steps=1,
            loss=UNLIMITED.loss if stop.loss is None else stop.loss,
            grad_norm=UNLIMITED.grad_norm if stop.grad_norm is None else stop.grad_norm,
            gradients=min(UNLIMITED.gradients, stop.gradients or UNLIMITED.gradients),
        )
        self._loop = self._first_loop(theta)
        self._compile()
        self._checkpoint: Checkpoint | None = None
        self._settled = self._now()

    def _first_loop(self, theta: np.ndarray) -> Loop:
        """What the loop carries before the first step of the present stage."""
        real = self._flow.spec.dtype
        at = jnp.asarray(theta)
        return jax.tree.map(
            jnp.asarray,
            Loop(
                theta=at,
                loss=real.type(np.inf),
                t=real.type(0),
                work=Work._make(np.int32(0) for _ in Work._fields),
                memory=self._stages[self._stage].init(self._flow, at),
                code=np.int32(RUNNING),
                best_theta=at,
                best_loss=real.type(np.inf),
            ),
        )

    def _compile(self) -> None:
        """The program of the present stage."""
        flow, method = self._flow, self._stages[self._stage]
        self._program = compiled(
            flow,
            ("loop", method),
            lambda data, loop, limits: run_chunk(method, flow, data, loop, limits),
            self._loop,
            self._cast(self._limits),
            recorder=self._recorder,
        )

    def _hand_over(self) -> None:
        """The next stage goes on from where this one is."""
        self._stage += 1
        step = self._recorder.rows - 1
        self.detail += f"`{self._stages[self._stage].name}` took over at step {step}. "
        last = self._loop
        fresh = self._first_loop(np.asarray(last.theta))
        self._loop = last._replace(memory=fresh.memory, code=fresh.code)
        self._compile()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint where there is one; else write the first."""
        saved = checkpoint.read()
        if saved is not None:
            self._stage = min(saved.stage, len(self._stages) - 1)
            self._loop = self._first_loop(saved.best_theta)
            leaves, structure = jax.tree.flatten(self._loop)
            checkpoint.refuse_other_loop(saved, like=leaves)
            self._compile()
            recorder, flow = self._recorder, self._flow
            recorder.go_on(
                saved.history,
                seconds=saved.seconds,
                compile_seconds=saved.compile_seconds,
                best_theta=saved.best_theta,
                best_loss=saved.best_loss,
            )
            if recorder.rows:
                checkpoint.refuse_other_problem(
                    found=HostFunctions(flow, recorder).loss(saved.best_theta),
                    expected=saved.best_loss,
                    start=float(saved.history["loss"][0]),
                )
            self._loop = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in saved.loop])
            self._settled = self._now()
        self._checkpoint = checkpoint
        try:
            checkpoint.write(self._state())
        except OSError as error:
            raise ConfigError(
                f"the checkpoint `{checkpoint.path}` cannot be written "
                f"({error.strerror or error}); name a file in a folder that can be written to"
            ) from error

    def save(self) -> None:
        """Write the state after the last whole call of the program."""
        if self._checkpoint is not None:
            self._checkpoint.try_to_write(self._state())

    def _now(self) -> tuple[Loop, int, int, float, np.ndarray | None]:
        recorder = self._recorder
        return self._loop, self._stage, recorder.rows, recorder.best_loss, recorder.best_theta

    def _state(self) -> Saved:
        loop, stage, rows, best_loss, best_theta = self._settled
        recorder = self._recorder
        return Saved(
            loop=[np.asarray(leaf) for leaf in jax.tree.leaves(loop)],
            history={name: values[:rows] for name, values in recorder.history().items()},
            best_theta=np.asarray(loop.theta if best_theta is None else best_theta),
            best_loss=best_loss,
            stage=stage,
            seconds=recorder.seconds if recorder.rows else 0.0,
            compile_seconds=recorder.compile_seconds,
        )

    def to_the_end(self) -> Outcome:
        recorder = self._recorder
        recorder.start()
        if recorder.rows:  # of an earlier run
            code = int(self._loop.code)
            if code == HANDED_OVER:
                self._hand_over()
            elif code != RUNNING and recorder.history()["h"][-1] == 0:
                return OUTCOMES[code]  # the method had nothing left to do
            self._loop = self._loop._replace(code=jnp.asarray(RUNNING, jnp.int32))
            recorder.check()
        steps = 1
        while True:
            began = recorder.seconds
            count, attempts = self._advance(steps)
            self._settled = self._now()
            if self._checkpoint is not None and self._checkpoint.is_due:
                self.save()
            code = int(self._loop.code)
            if code not in {RUNNING, HANDED_OVER}:
                self.finish()
                return OUTCOMES[code]
            recorder.check()
            if code == HANDED_OVER:
                self._hand_over()
                steps = 1
                continue
            took = max(recorder.seconds - began, 1e-6) / max(attempts, 1)
            steps = self._next_chunk(took, count)

    def _next_chunk(self, seconds_per_attempt: float, last_count: int) -> int:
        recorder = self._recorder
        if recorder.callback is not None:
            return 1
        time_left = min(CHUNK_SECONDS, recorder.seconds_left)
        steps = int(min(time_left / seconds_per_attempt, 2 * last_count + 1, ROWS))
        if recorder.stop.steps is not None:
            steps = min(steps, int(recorder.stop.steps) - recorder.rows + 1)
        return max(steps, 1)

    def _advance(self, steps: int) -> tuple[int, int]:
        """One call of the program; returns the steps taken and the attempts made."""
        recorder = self._recorder
        began = recorder.seconds
        is_first = recorder.rows == 0
        limits = UNLIMITED if is_first else self._limits
        limits = limits._replace(steps=np.int32(steps))
        chunk = self._program(self._flow.data, self._loop, self._cast(limits))
        taken = int(chunk.filled)
        if is_first:
            self._log_start(chunk.rows)
            recorder.check()  # where the start itself meets a criterion, the step is forgotten
        loop = self._without_last(taken) if chunk.is_there else chunk.loop
        self._loop = loop
        if int(loop.code) == HANDED_OVER and taken and chunk.rows.h[taken - 1] == 0:
            taken -= 1  # attempts that failed are left to the successor to better
        log = jax.tree.map(lambda column: np.asarray(column)[:taken], chunk.rows)
        ended = recorder.seconds
        if not is_first and (taken or int(loop.code) != RUNNING):
            recorder.set_last_grad_norm(float(log.start_grad_norm[0] if taken else chunk.grad_norm))
        attempts = np.cumsum(1 + log.rejected)
        if taken:
            recorder.extend(
                {
                    "t": log.t,
                    "h": log.h,
                    "seconds": began + (ended - began) * attempts / attempts[-1],
                    "loss": log.loss,
                    "grad_norm": np.append(log.start_grad_norm[1:], np.nan),
                    "rejected": log.rejected,
                    **log.work._asdict(),
                },
                theta=self._loop.theta,
            )
            recorder.offer_best(float(self._loop.best_loss), self._loop.best_theta)
        return taken, int(attempts[-1]) if taken else 1

    def _without_last(self, steps: int) -> Loop:
        """The state after `steps` steps from the last one, where the run has converged."""
        loop = self._loop
        if steps:
            again = self._cast(UNLIMITED._replace(steps=steps))
            loop = self._program(self._flow.data, loop, again).loop
        return loop._replace(code=jnp.asarray(CONVERGED, jnp.int32))

    def _cast(self, limits: Limits) -> Limits:
        """The limits in the dtypes that the program was compiled for."""
        real = self._flow.spec.dtype.type
        return Limits(
            np.int32(limits.steps),
            real(limits.loss),
            real(limits.grad_norm),
            np.int32(limits.gradients),
        )

    def _log_start(self, rows: Rows) -> None:
        """Row 0: loss and slope at the start are what the first step began with."""
        self._recorder.extend(
            {
                "t": [0.0],
                "h": [np.nan],
                "seconds": [0.0],
                "loss": [float(rows.start_loss[0])],
                "grad_norm": [float(rows.start_grad_norm[0])],
                "rejected": [0],
                **{name: [0] for name in Work._fields},
            },
            theta=self._loop.best_theta,
        )

    def finish(self) -> None:
        """Learn |∇L| at the last point: begin a step there and do not take it."""
        loop = self._loop._replace(
            code=np.int32(RUNNING), loss=np.asarray(np.inf, self._flow.spec.dtype)
        )
        limits = self._cast(UNLIMITED._replace(grad_norm=np.inf))
        chunk = self._program(self._flow.data, loop, limits)
        self._recorder.set_last_grad_norm(float(chunk.grad_norm))
