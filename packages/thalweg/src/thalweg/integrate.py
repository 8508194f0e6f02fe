"""The loop of jitted methods: method x flow x stop, in chunks of steps.

One compiled program runs up to `ROWS` steps and comes back, so that the host can show progress,
look at the clock and be interrupted, at a cost of a thousandth of the run. The number of steps a
call is an argument, chosen so that a call takes about `CHUNK_SECONDS`.

|∇L| at a point is known when the next step begins. So a row's `grad_norm` is filled in one step
later, and the last one by a call that begins a step and does not take it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.checkpoint import Saved
from thalweg.errors import ConfigError
from thalweg.host import HostFunctions, compiled
from thalweg.recorder import RunEnded
from thalweg.solution import Outcome, Work
from thalweg.solvers.base import CONVERGED, OUTCOMES, RUNNING, AbstractJitMethod
from thalweg.threads import one_blas_thread

if TYPE_CHECKING:
    from thalweg.checkpoint import Checkpoint
    from thalweg.flow import Flow
    from thalweg.recorder import Recorder

ROWS = 128  # steps that one call of the program can log
CHUNK_SECONDS = 0.03  # what a call may take: short enough for clock and Ctrl-C


class Limits(NamedTuple):
    """What ends a call of the program, all scalars.

    Attributes:
        steps: Steps of this call, at most `ROWS`.
        loss: The loss to reach; -inf for none.
        grad_norm: A step that begins at or below this is not taken; -1 for none.
        gradients: The total of gradients that ends the run.
    """

    steps: Any
    loss: Any
    grad_norm: Any
    gradients: Any


_UNLIMITED = Limits(steps=1, loss=-np.inf, grad_norm=-1, gradients=2**31 - 1)


class Loop(NamedTuple):
    """What is carried from step to step.

    Attributes:
        theta: The point, shape `(n,)`.
        loss: The loss there; infinite before the first step.
        t: Flow time so far.
        work: Totals so far.
        memory: What the method carries.
        code: RUNNING, or why the run ends.
        best_theta: The point of the least loss so far.
        best_loss: The loss there.
    """

    theta: Any
    loss: Any
    t: Any
    work: Work
    memory: Any
    code: Any
    best_theta: Any
    best_loss: Any


class Rows(NamedTuple):
    """One array of length `ROWS` each; a row is a step."""

    t: Any
    h: Any
    loss: Any
    rejected: Any
    start_loss: Any
    start_grad_norm: Any
    work: Work


def run_chunk(
    method: AbstractJitMethod, flow: Flow, data: Any, loop: Loop, limits: Limits
) -> tuple[Loop, Rows, jax.Array, jax.Array]:
    """Take up to `limits.steps` steps. Pure.

    Returns:
        The loop's state, the rows, how many of them are filled, and |∇L| at the start of the
        step that was begun last.
    """
    real = loop.theta.dtype
    column = jnp.zeros(ROWS, real)
    whole = jnp.zeros(ROWS, jnp.int32)
    rows = Rows(
        column, column, column, whole, column, column, Work._make(whole for _ in Work._fields)
    )

    def goes_on(carry: Any) -> jax.Array:
        loop, _, count, _ = carry
        return (
            (count < limits.steps)
            & (loop.code == RUNNING)
            & ~(loop.loss <= limits.loss)
            & (loop.work.gradients < limits.gradients)
        )

    def step(carry: Any) -> Any:
        loop, rows, count, _ = carry
        result = method.step(flow, data, loop.theta, loop.memory)
        is_there = result.grad_norm <= limits.grad_norm
        taken = Loop(
            theta=result.theta,
            loss=result.loss,
            t=loop.t + result.h,
            work=jax.tree.map(jnp.add, loop.work, result.work),
            memory=result.memory,
            code=result.code,
            best_theta=jnp.where(result.loss < loop.best_loss, result.theta, loop.best_theta),
            best_loss=jnp.minimum(result.loss, loop.best_loss),
        )
        untaken = loop._replace(code=jnp.asarray(CONVERGED, jnp.int32))
        new = jax.tree.map(lambda a, b: jnp.where(is_there, a, b), untaken, taken)
        values = Rows(
            new.t,
            result.h,
            result.loss,
            result.rejected,
            result.start_loss,
            result.grad_norm,
            new.work,
        )
        rows = jax.tree.map(lambda log, value: log.at[count].set(value), rows, values)
        return new, rows, count + jnp.where(is_there, 0, 1), result.grad_norm

    start = (loop, rows, jnp.zeros((), jnp.int32), jnp.asarray(jnp.nan, real))
    return jax.lax.while_loop(goes_on, step, start)


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
            return run.to_the_end(), ""
        except RunEnded as ended:
            run.finish()
            return ended.outcome, ""
        finally:
            run.save()


class _Run:
    """The host's side of one run."""

    def __init__(
        self, method: AbstractJitMethod, flow: Flow, theta: np.ndarray, recorder: Recorder
    ) -> None:
        self._flow = flow
        self._recorder = recorder
        real = flow.spec.dtype
        memory = method.init(flow, jnp.asarray(theta))
        self._loop = jax.tree.map(
            jnp.asarray,
            Loop(
                theta=jnp.asarray(theta),
                loss=real.type(np.inf),
                t=real.type(0),
                work=Work._make(np.int32(0) for _ in Work._fields),
                memory=memory,
                code=np.int32(RUNNING),
                best_theta=jnp.asarray(theta),
                best_loss=real.type(np.inf),
            ),
        )
        stop = recorder.stop
        self._limits = Limits(
            steps=1,
            loss=_UNLIMITED.loss if stop.loss is None else stop.loss,
            grad_norm=_UNLIMITED.grad_norm if stop.grad_norm is None else stop.grad_norm,
            gradients=min(_UNLIMITED.gradients, stop.gradients or _UNLIMITED.gradients),
        )
        self._program = compiled(
            flow,
            ("loop", method),
            lambda data, loop, limits: run_chunk(method, flow, data, loop, limits),
            self._loop,
            self._cast(self._limits),
            recorder=recorder,
        )
        self._checkpoint: Checkpoint | None = None
        self._settled = self._now()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint where there is one; else write the first."""
        leaves, structure = jax.tree.flatten(self._loop)
        saved = checkpoint.read(leaves)
        if saved is not None:
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

    def _now(self) -> tuple[Loop, int, float, np.ndarray | None]:
        recorder = self._recorder
        return self._loop, recorder.rows, recorder.best_loss, recorder.best_theta

    def _state(self) -> Saved:
        loop, rows, best_loss, best_theta = self._settled
        recorder = self._recorder
        return Saved(
            loop=[np.asarray(leaf) for leaf in jax.tree.leaves(loop)],
            history={name: values[:rows] for name, values in recorder.history().items()},
            best_theta=np.asarray(loop.theta if best_theta is None else best_theta),
            best_loss=best_loss,
            seconds=recorder.seconds if recorder.rows else 0.0,
            compile_seconds=recorder.compile_seconds,
        )

    def to_the_end(self) -> Outcome:
        recorder = self._recorder
        recorder.start()
        if recorder.rows:  # of an earlier run
            code = int(self._loop.code)
            if code != RUNNING and recorder.history()["h"][-1] == 0:
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
            if code != RUNNING:
                self.finish()
                return OUTCOMES[code]
            recorder.check()
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
        limits = _UNLIMITED if is_first else self._limits
        limits = limits._replace(steps=np.int32(steps))
        loop, rows, count, grad_norm = self._program(
            self._flow.data, self._loop, self._cast(limits)
        )
        taken = int(count)
        if is_first:
            self._log_start(rows)
            recorder.check()  # where the start itself meets a criterion, the step is forgotten
        self._loop = loop
        log = jax.tree.map(lambda column: np.asarray(column)[:taken], rows)
        ended = recorder.seconds
        if not is_first and (taken or int(loop.code) != RUNNING):
            recorder.set_last_grad_norm(float(log.start_grad_norm[0] if taken else grad_norm))
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
        limits = self._cast(_UNLIMITED._replace(grad_norm=np.inf))
        *_, grad_norm = self._program(self._flow.data, loop, limits)
        self._recorder.set_last_grad_norm(float(grad_norm))
