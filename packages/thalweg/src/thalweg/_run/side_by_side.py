"""Runs of one jitted method from several starts at a time.

Each run is a `thalweg._run.driver.Run`: a generator of the calls it waits for. All bookkeeping is
done here, in the caller's thread; only calls of compiled programs leave it. There are two ways to
run them side by side:

- On a CPU, as many calls at a time as there are cores, each on a thread. A run is then bit for bit
  what it would be alone, by the program that it would use alone.
- On an accelerator, one call serves many runs, vectorised by `jax.vmap`. Runs that are further on,
  or in another stage, wait for each other.

On CPUs vectorising did not pay: a vectorised loop makes every attempt that one of its runs makes
for all of them, and takes both sides of every branch. Decision: docs/decisions/0018-starts.md.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._recorder import RunEnded
from thalweg._run.driver import Run
from thalweg._util.machine import cores
from thalweg._util.threads import one_blas_thread
from thalweg.flow.chunks import bytes_of
from thalweg.solution import End, Outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from thalweg._recorder import Recorder
    from thalweg._run.call import Call
    from thalweg._run.step_loop import Chunk
    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractJitMethod


def integrate_side_by_side(
    method: AbstractJitMethod,
    flow: Flow,
    thetas: Sequence[np.ndarray],
    recorders: Sequence[Recorder],
    *,
    memory_budget: int,
    width: int | None = None,
) -> list[End]:
    """Run a jitted method from several starts until each ends or one reaches the target loss.

    Args:
        method: The configured method.
        flow: The flow; its compiled programs are kept with it.
        thetas: The starts, each of shape `(n,)`.
        recorders: One a start, all with the same criteria; each takes the rows of its run.
        memory_budget: Bytes that the calls under way may hold together, the states of the runs
            aside; one
            call at a time is always allowed.
        width: How many runs one call serves; chosen by the device where left out.

    Returns:
        How each run ended. `INTERRUPTED` for all that had not ended when Ctrl-C was pressed.
    """
    if width is None:
        width = _width(method, flow, thetas, memory_budget=memory_budget)
    scheduler = _Scheduler(flow, width)
    with one_blas_thread():
        try:
            runs = [
                Run(method, flow, theta, recorder, width=width)
                for theta, recorder in zip(thetas, recorders, strict=True)
            ]
            scheduler.drive(runs, recorders, slots=_slots(runs[0], memory_budget=memory_budget))
        except KeyboardInterrupt:
            pass
    ends = [job.end or End(Outcome.INTERRUPTED, job.run.notes.detail) for job in scheduler.jobs]
    return ends or [End(Outcome.INTERRUPTED)] * len(recorders)


@dataclasses.dataclass(eq=False)
class _Job:
    """One run, the call that it waits for, and how it ended."""

    run: Run
    recorder: Recorder
    calls: Generator[Call, Chunk, End]
    call: Call | None = None
    end: End | None = None

    @property
    def may_be_ended(self) -> bool:
        """Whether the run is still on and has something to show for it."""
        return self.end is None and self.recorder.rows > 0 and not self.run.is_ending


class _Scheduler:
    """Drives runs: oldest call first, those of one program together."""

    def __init__(self, flow: Flow, width: int) -> None:
        self._flow = flow
        self._width = width
        # The caller may have set it as a context, which holds for his own thread only.
        self._is_x64 = bool(jax.config.jax_enable_x64)  # pyright: ignore[reportAttributeAccessIssue]
        self._waiting: list[_Job] = []
        self._is_reached = False  # the target loss, by any of them
        self.jobs: list[_Job] = []

    def drive(self, runs: Sequence[Run], recorders: Sequence[Recorder], *, slots: int) -> None:
        """Until all have ended, with at most `slots` calls under way."""
        self.jobs = [
            _Job(run, recorder, run.calls()) for run, recorder in zip(runs, recorders, strict=True)
        ]
        under_way: dict[concurrent.futures.Future[Any], list[_Job]] = {}
        with concurrent.futures.ThreadPoolExecutor(slots) as pool:
            for job in self.jobs:
                self._go_on(job, None)
            while self._waiting or under_way:
                while self._waiting and len(under_way) < slots:
                    self._end_those_out_of_time()
                    batch = self._next_batch()
                    under_way[pool.submit(self._make, batch)] = batch
                done, _ = concurrent.futures.wait(
                    under_way, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    for job, chunk in zip(under_way.pop(future), future.result(), strict=True):
                        self._go_on(job, chunk)

    def _next_batch(self) -> list[_Job]:
        """The job that has waited longest, with those that wait for the same program."""
        program = _call_of(self._waiting[0]).program
        alike = [job for job in self._waiting if _call_of(job).program is program]
        batch = alike[: self._width]
        self._waiting = [job for job in self._waiting if job not in batch]
        return batch

    def _make(self, batch: list[_Job]) -> tuple[Chunk, ...]:
        """One call of a program, timed. On a thread of the pool: all else is done in one thread."""
        began = time.perf_counter()
        with jax.enable_x64(self._is_x64):
            chunks = jax.block_until_ready(self._called([_call_of(job) for job in batch]))
        for job in batch:
            job.run.call_seconds = time.perf_counter() - began
        return chunks

    def _called(self, calls: list[Call]) -> tuple[Chunk, ...]:
        """The results of calls of one program."""
        program, data = calls[0].program, self._flow.data
        if self._width == 1:
            return (program(data, calls[0].loop, calls[0].limits),)
        states = [(call.loop, call.limits) for call in calls]
        # A batch that is not full is filled up with a run that takes no step.
        idle = calls[0].loop, calls[0].limits._replace(steps=np.int32(0))
        states += [idle] * (self._width - len(states))
        return program(data, tuple(states))[: len(calls)]

    def _go_on(self, job: _Job, chunk: Chunk | None) -> None:
        """Hand a job what it waited for, and take up its next call or its end."""
        compiled = job.recorder.compile_seconds
        self._resume(job, chunk)
        compiled = job.recorder.compile_seconds - compiled
        for other in self.jobs:
            if other is not job and compiled:
                other.recorder.pause(compiled)
        if self._is_reached and job.may_be_ended:
            self._end(job, Outcome.OVERTAKEN)
        if job.end is None:
            self._waiting.append(job)
        elif job.end.outcome is Outcome.TARGET_REACHED and not self._is_reached:
            self._is_reached = True
            for other in self._waiting:
                if other.may_be_ended:
                    self._end(other, Outcome.OVERTAKEN)

    def _end_those_out_of_time(self) -> None:
        """A job may have waited for its turn until no time was left."""
        for job in self._waiting:
            if job.recorder.seconds_left <= 0 and job.may_be_ended:
                self._end(job, Outcome.BUDGET_SPENT)

    @staticmethod
    def _resume(job: _Job, chunk: Chunk | None) -> None:
        try:
            job.call = job.calls.send(chunk)  # pyright: ignore[reportArgumentType] - None begins
        except StopIteration as end:
            job.end = end.value

    @staticmethod
    def _end(job: _Job, outcome: Outcome) -> None:
        """End a run; the call that it now waits for tells |∇L| at its last point."""
        job.call = job.calls.throw(RunEnded(outcome))


def _call_of(job: _Job) -> Call:
    if job.call is None:
        raise AssertionError("a job waits for no call")
    return job.call


def _width(
    method: AbstractJitMethod, flow: Flow, thetas: Sequence[np.ndarray], *, memory_budget: int
) -> int:
    """How many runs a call serves: one on a CPU, on others as many as `memory_budget` allows."""
    if jax.default_backend() == "cpu":
        return 1

    def step(theta: jax.Array) -> Any:
        return method.step(flow, flow.data, theta, method.init(flow, theta))

    theta = jax.ShapeDtypeStruct(thetas[0].shape, thetas[0].dtype)
    a_run = bytes_of(jax.make_jaxpr(step)(theta))
    return max(1, min(len(thetas), memory_budget // max(a_run, 1)))


def _slots(run: Run, *, memory_budget: int) -> int:
    """How many calls may be under way: one a core while they fit; one on an accelerator."""
    if jax.default_backend() != "cpu":
        return 1
    return max(1, min(cores(), memory_budget // max(run.temporary_bytes, 1)))
