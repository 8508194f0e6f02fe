"""The host's side of a jitted method: it calls a compiled program that takes many steps at a time.

One call takes up to `ROWS` steps and returns, so that the host can show progress, look at the clock
and be interrupted, at a cost of a thousandth of the run. The number of steps is an argument, chosen
so that a call takes about `CHUNK_SECONDS`.

|∇L| at a point is known when the next step begins. So the `grad_norm` of a row is filled in one
step later, and the last one by a call that begins a step and does not take it.

A method may hand over to a successor. The successor's program is compiled only then, so that a run
which ends earlier does not wait for it.

Where several processes share a run, each drives it and must make the same calls as the others. What
depends on a clock or on a callback is agreed upon after each call: whether there is a next call,
and how long it is.

A `Run` is a generator of the calls it waits for, so that one run and many at a time are the same
code: whoever drives it decides where and when a call is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

from thalweg._recorder import RunEnded
from thalweg._run.call import Call
from thalweg._run.first_loop import loop_at, placed
from thalweg._run.notes import Earlier, Notes
from thalweg._run.state import RunState
from thalweg._run.step_loop import (
    ROWS,
    UNLIMITED,
    WHOLES,
    Chunk,
    Limits,
    Loop,
    Rows,
    run_chunk,
    run_side_by_side,
)
from thalweg.flow.compiled import HostFunctions, compiled, overhead
from thalweg.flow.sharding import agreed_on
from thalweg.solution import End, Outcome
from thalweg.solvers.base import (
    CONVERGED,
    HANDED_OVER,
    OUTCOMES,
    RESTARTED,
    RUNNING,
    AbstractJitMethod,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from thalweg._recorder import Recorder
    from thalweg._run.checkpoint import Checkpoint
    from thalweg.flow import Flow

CHUNK_SECONDS = 0.03  # what a call may take: short enough for clock and Ctrl-C
PASSED_ON = (HANDED_OVER, RESTARTED)  # codes at which the next stage takes over
FEW = 31  # a first call takes twice as many steps and one, if they fit into that time
MOST_DEPARTURES = 3  # of a run from ends beyond which its method knows a lower point


class Run:
    """The host's side of one run.

    Args:
        method: The configured method.
        flow: The flow; its compiled programs are kept with it.
        theta: The start, shape `(n,)`.
        recorder: Takes the rows; its criteria end the run.
        width: How many runs a call of the program serves.

    Attributes:
        notes: What is known beyond the rows.
        is_ending: Whether the outcome is known and only |∇L| of the last row is missing.
        call_seconds: What the last call took, if whoever makes the calls says so; the time that
            it waited for others is left out.
        is_left_alone: Whether another process has gone, so that this one saves what it has.
    """

    def __init__(
        self,
        method: AbstractJitMethod,
        flow: Flow,
        theta: np.ndarray,
        recorder: Recorder,
        *,
        width: int = 1,
    ) -> None:
        self._flow = flow
        self._recorder = recorder
        self._start = theta
        self._stages = [method, *method.successors]
        self._stage = 0
        self._departures = 0  # from ends that a method took for ones, and was wrong about
        self._width = width
        self.notes = Notes()
        self.is_ending = False
        self.call_seconds: float | None = None
        self.is_left_alone = False
        self._limits = Limits.of(recorder.stop)
        self._overhead = 0.0
        self._loop = self._first_loop(theta)
        self._compile()
        self._checkpoint: Checkpoint | None = None
        self._state = self._now()

    @property
    def temporary_bytes(self) -> int:
        """What a call of the present program holds, its arguments and results apart."""
        analysis = self._program.call.memory_analysis()
        return 0 if analysis is None else int(analysis.temp_size_in_bytes)

    def _first_loop(self, theta: np.ndarray) -> Loop:
        """What the loop carries before the first step of the present stage."""
        method = self._stages[self._stage]
        return loop_at(method, self._flow, theta, recorder=self._recorder)

    def _compile(self) -> None:
        """The program of the present stage."""
        flow, method, width = self._flow, self._stages[self._stage], self._width
        example = self._loop, self._typed(self._limits)
        if width == 1:
            self._program = compiled(
                flow,
                ("loop", method),
                lambda data, loop, limits: run_chunk(method, flow, data, loop, limits),
                *example,
                recorder=self._recorder,
            )
            idle = self._loop, self._typed(UNLIMITED._replace(steps=0))
            self._overhead = overhead(flow, self._program, *idle, recorder=self._recorder)
        else:
            self._program = compiled(
                flow,
                ("loop", method, width),
                lambda data, runs: run_side_by_side(method, flow, data, runs),
                (example,) * width,
                recorder=self._recorder,
            )

    def _hand_over(self) -> None:
        """Continue with the next stage, from the present point or from the start."""
        last, method, recorder = self._loop, self._stages[self._stage], self._recorder
        self._stage += 1
        is_restarted = int(last.code) == RESTARTED
        earlier = Earlier.of(method, last, recorder.best_loss) if is_restarted else None
        self.notes = self.notes.handed_over(
            to=self._stages[self._stage].name, step=recorder.rows - 1, earlier=earlier
        )
        at = self._start if is_restarted else np.asarray(last.theta)
        self._go_on_from(at, loss=None if is_restarted else last.loss)
        if not is_restarted:
            state = self._stages[self._stage].taking_over(
                self._flow, self._loop.solver_state, recorder.left
            )
            self._loop = placed(self._loop._replace(solver_state=state), self._flow)
        self._compile()

    def _go_on_from(self, theta: np.ndarray, *, loss: jax.Array | None = None) -> None:
        """Begin again at a point with the rows so far; its loss is evaluated where it is None."""
        fresh = self._first_loop(theta)
        self._loop = self._loop._replace(
            theta=fresh.theta,
            loss=fresh.loss if loss is None else loss,
            solver_state=fresh.solver_state,
            code=fresh.code,
        )

    def keep(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint if there is one; else write the first."""
        saved = checkpoint.read()
        if saved is not None:
            self._stage = min(saved.stage, len(self._stages) - 1)
            self.notes = saved.notes
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
            self._loop = placed(jax.tree.unflatten(structure, saved.loop), self._flow)
            self._state = self._now()
        self._checkpoint = checkpoint
        checkpoint.write_first(self._state.saved(self._recorder))

    def save(self) -> None:
        """Write the state after the last whole call of the program."""
        keeper = self._checkpoint
        if keeper is not None and (keeper.is_kept_here or self.is_left_alone):
            keeper.try_to_write(self._state.saved(self._recorder))

    def calls(self) -> Generator[Call, Chunk, End]:
        """The run, as the calls it waits for; a `RunEnded` thrown into it ends it.

        Returns:
            How it ended.
        """
        try:
            outcome = yield from self._to_the_end()
        except RunEnded as ended:
            outcome = ended.outcome
        end = End(outcome)
        if OUTCOMES.get(int(self._loop.code)) is outcome:
            end = self._ended_by_method(outcome)
        self.is_ending = True
        yield from self._finish()
        return self.notes.end(end, loss=float(self._loop.loss))

    def _ended_by_method(self, outcome: Outcome) -> End:
        """The outcome as the method sees it, which may be weaker than its code."""
        loop, method = self._loop, self._stages[self._stage]
        if outcome is Outcome.CONVERGED:
            self._recorder.end_at(float(loop.loss), loop.theta)
        return method.ending(self._flow, loop.theta, loop.solver_state, outcome)

    def _now(self) -> RunState:
        return RunState.now(self._loop, self._stage, self._recorder, self.notes)

    def _to_the_end(self) -> Generator[Call, Chunk, Outcome]:
        recorder = self._recorder
        recorder.start()
        if recorder.rows:  # of an earlier run
            code = int(self._loop.code)
            if code in PASSED_ON:
                self._hand_over()
            elif code != RUNNING and recorder.history()["h"][-1] == 0:
                return OUTCOMES[code]  # the method had nothing left to do
            self._loop = self._loop._replace(code=np.int32(RUNNING))
            recorder.check()
        steps, _ = self._agreed((self._next_chunk(FEW), None))
        while True:
            steps, end = self._agreed((yield from self._turn(steps)))
            if end is None and int(self._loop.code) not in PASSED_ON:
                continue
            if end is None:
                self._hand_over()
            elif not self._goes_beyond(end):
                return end
            steps, _ = self._agreed((self._next_chunk(FEW), None))

    def _goes_beyond(self, outcome: Outcome) -> bool:
        """Whether the method knows a lower point beyond its own end, from which the run goes on."""
        loop, method = self._loop, self._stages[self._stage]
        if OUTCOMES.get(int(loop.code)) is not outcome or self._departures == MOST_DEPARTURES:
            return False
        point = method.beyond(self._flow, loop.theta, loop.solver_state, outcome)
        if point is None:
            return False
        self._departures += 1
        self._go_on_from(point)
        return True

    def _turn(self, steps: int) -> Generator[Call, Chunk, tuple[int, Outcome | None]]:
        """One call, and what this process would do next: so many steps, or end."""
        recorder = self._recorder
        began = recorder.seconds
        try:
            count, attempts = yield from self._advance(steps)
            self._state = self._now()
            if self._checkpoint is not None and self._checkpoint.is_due:
                self.save()
            code = int(self._loop.code)
            if code not in {RUNNING, *PASSED_ON}:
                return 1, OUTCOMES[code]
            recorder.check()
        except RunEnded as ended:
            return 1, ended.outcome
        if code in PASSED_ON:
            return 1, None
        took = recorder.seconds - began if self.call_seconds is None else self.call_seconds
        self._program.seconds = max(took, 1e-6) / max(attempts, 1)
        return self._next_chunk(count), None

    def _agreed(self, wish: tuple[int, Outcome | None]) -> tuple[int, Outcome | None]:
        """What all processes do next: the fewest steps, and the end if one of them ends."""
        return agreed_on(self._flow.devices, *wish, among=tuple(Outcome))

    def _next_chunk(self, last_count: int) -> int:
        recorder = self._recorder
        if recorder.callback is not None:
            return 1
        time_left = min(CHUNK_SECONDS, recorder.seconds_left)
        steps = int(min(time_left / self._program.seconds, 2 * last_count + 1, ROWS))
        if recorder.stop.steps is not None:
            taken = max(recorder.rows - 1, 0)  # the start is a row too
            steps = min(steps, int(recorder.stop.steps) - taken)
        return max(steps, 1)

    def _advance(self, steps: int) -> Generator[Call, Chunk, tuple[int, int]]:
        """One call of the program; returns the steps taken and the attempts made."""
        recorder = self._recorder
        began = recorder.seconds
        is_first = recorder.rows == 0
        limits = self._limits._replace(steps=np.int32(steps))
        chunk = yield Call(self._program, self._loop, self._typed(limits), advances=True)
        taken = int(chunk.filled)
        if is_first:
            self._log_start(chunk.rows)
            recorder.check()  # if the start itself meets a criterion, the steps are dropped
        loop = (yield from self._without_last(taken)) if chunk.is_there else chunk.loop
        self._loop = loop
        code = int(loop.code)
        log = chunk.rows.columns(taken)
        if code in PASSED_ON and taken and log["h"][-1] == 0:
            taken -= 1  # failed attempts are no row: the successor continues from there
            log = chunk.rows.columns(taken)
        ended = recorder.seconds
        begun = min(began + self._overhead, ended)  # the call itself comes before its steps
        if not is_first and (taken or code != RUNNING):
            known = log["start_grad_norm"][0] if taken else chunk.grad_norm
            recorder.set_last_grad_norm(float(known))
        if not taken:
            return 0, 1
        attempts = np.cumsum(1 + log["rejected"])
        recorder.extend(
            {
                "t": log["t"],
                "h": log["h"],
                "seconds": begun + (ended - begun) * attempts / attempts[-1],
                "loss": log["loss"],
                "grad_norm": np.append(log["start_grad_norm"][1:], np.nan),
                **{name: log[name] for name in WHOLES},
            },
            theta=loop.theta,
        )
        recorder.offer_best(float(loop.best_loss), loop.best_theta)
        return taken, int(attempts[-1])

    def _without_last(self, steps: int) -> Generator[Call, Chunk, Loop]:
        """The state `steps` steps after the last one, at which the run has converged."""
        loop = self._loop
        if steps:
            again = self._typed(UNLIMITED._replace(steps=steps))
            loop = (yield Call(self._program, loop, again)).loop
        return loop._replace(code=np.int32(CONVERGED))

    def _typed(self, limits: Limits) -> Limits:
        return limits.typed(self._flow.spec.dtype)

    def _log_start(self, rows: Rows) -> None:
        """Row 0: loss and gradient at the start are those that the first step began with."""
        start = rows.columns(1)
        known = {"t": [0.0], "h": [np.nan], "seconds": [0.0]} | {name: [0] for name in WHOLES}
        known |= {"loss": start["start_loss"], "grad_norm": start["start_grad_norm"]}
        self._recorder.extend(known, theta=self._loop.best_theta)

    def _finish(self) -> Generator[Call, Chunk, None]:
        """Find |∇L| at the last point: begin a step there and do not take it."""
        loop = self._loop._replace(
            code=np.int32(RUNNING), loss=np.asarray(np.inf, self._flow.spec.dtype)
        )
        limits = self._typed(UNLIMITED._replace(grad_norm=np.inf))
        chunk = yield Call(self._program, loop, limits)
        self._recorder.set_last_grad_norm(float(chunk.grad_norm))
