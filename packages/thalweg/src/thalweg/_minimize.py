"""The public call: problem, parameters and a method in, a `Solution` out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from thalweg._run.checkpoint import open_checkpoint
from thalweg._run.diagnostics import explain_start, refuse_unreachable
from thalweg._run.dispatch import log_start, refuse_different_calls, run_starts
from thalweg._run.multistart import best_of, initial_points, recorders_of, start_of
from thalweg.errors import ConfigError
from thalweg.flow import MEMORY_BUDGET, flow_of
from thalweg.flow.sharding import chosen_devices
from thalweg.problem import Problem
from thalweg.solution import Outcome, Solution
from thalweg.solvers import make
from thalweg.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from thalweg._recorder import Snapshot
    from thalweg._rows import OnRows
    from thalweg._run.checkpoint import Checkpoint
    from thalweg._run.multistart import InitialPoint
    from thalweg.flow import Flow
    from thalweg.flow.flatten import Params
    from thalweg.solvers.base import AbstractMethod


def minimize(  # noqa: PLR0913 - all but the first four are options that few calls name
    problem: Problem,
    params: Params | None = None,
    method: str | AbstractMethod = "auto",
    stop: Stop | None = None,
    *,
    init: Callable[[int], Params] | None = None,
    progress: bool = False,
    callback: Callable[[Snapshot], object] | None = None,
    on_rows: OnRows | Sequence[OnRows] | None = None,
    seed: int = 0,
    starts: int | None = None,
    memory_budget: int = MEMORY_BUDGET,
    checkpoint: str | Path | None = None,
    checkpoint_every: str | float = "30s",
    devices: Sequence[Any] | str | None = None,
) -> Solution:
    """Train: integrate the gradient flow of a problem from given parameters.

    Args:
        problem: A `LeastSquares`, `Composite` or `Scalar`.
        params: The start: a pytree of float32 or float64 arrays; the run keeps their dtype. A
            module of Equinox is such a pytree: its arrays are trained, all else stays as it is.
        method: A name from `thalweg.methods()`, or a configured method.
        stop: Targets and budgets; without any, the run ends after 60 seconds at the latest.
        init: In place of `params`: a function that makes them from a seed.
        progress: Whether to show a live line, on a terminal or in a notebook.
        callback: Called with a `Snapshot` after every step; a true result ends the run. The
            loop then comes back to the host after each step, which costs small problems speed.
        on_rows: A function, or several, called with a `Rows` after each call of the compiled
            program, some 30 times a second: the new rows of the history and the parameters after
            them. A true result ends the run. The loop stays inside jit, so that small problems keep
            their speed; trackers and `EarlyStopping` are such functions.
        seed: What `init` is called with; further starts use `seed + 1`, `seed + 2`, ...
        starts: The number of starts. All are trained, the best is returned, and
            `solution.starts` has the result of each. They come from `init`, or from `params`
            whose leaves have a leading axis of this length. The criteria hold for each start,
            except `seconds`, which holds for the whole call; the first start to reach `loss` ends
            the others. Methods whose loop is thalweg's run as many starts at a time as there are
            cores. Those of other libraries, and all where `devices` are given, run one after the
            other, each with its share of the seconds. The callback sees the steps of all starts;
            a true result ends the start it was called for.
        memory_budget: Bytes that Jacobians and curvature products may hold at a time, on each
            device.
        checkpoint: A file that keeps the state of the run. If it exists the run goes on from it,
            bit for bit as if it had not been interrupted; `params` then only give the layout, and
            budgets count from the start of the first run. For methods whose loop is thalweg's:
            its own, and those of Optax, diffrax and Optimistix.
        checkpoint_every: How often the checkpoint is written: seconds, or a text such as "30s" or
            "5min". It is also written at the end and on Ctrl-C.
        devices: What the examples are divided over: "all", or devices of JAX such as
            `jax.devices()`; by default the one that JAX takes by itself. The result is the same
            to rounding. With several processes, each makes this call with the same arguments;
            only callbacks may differ, and the first process reads and writes the checkpoint.

    Returns:
        The best parameters found, with the outcome, history and work. Ctrl-C ends the run and
        returns the best so far, with the outcome `INTERRUPTED`.

    Raises:
        ConfigError: Something cannot be run as asked; nothing was run.
        DataError: Parameters, loss or Jacobian at the start are not finite.
        MissingExtraError: The method needs a library that is not installed.
        DevicesLostError: Another process of the run has gone; the checkpoint holds the state.

    Examples:
        >>> import jax.numpy as jnp
        >>> import thalweg as tw
        >>> x = jnp.linspace(0.0, 1.0, 9)
        >>> line = tw.LeastSquares(lambda p, x, y: p["a"] * x + p["b"] - y, data=(x, 2 * x - 1))
        >>> solution = tw.minimize(line, {"a": jnp.ones(()), "b": jnp.ones(())})
        >>> round(float(solution.params["a"]), 3), round(float(solution.params["b"]), 3)
        (2.0, -1.0)
    """
    _check_types(problem, stop, callback, memory_budget)
    functions = _functions(on_rows)
    if starts is not None and checkpoint is not None:
        raise ConfigError(
            "`starts` and `checkpoint` were both given, but a checkpoint keeps a single run; leave "
            "one of them out"
        )
    criteria = Stop() if stop is None else stop
    points, spec = initial_points(params, init, starts=starts, seed=seed)
    flow = flow_of(problem, spec, memory_budget=memory_budget, devices=chosen_devices(devices))
    chosen, reason = make(method, flow)
    chosen.check(flow)
    refuse_unreachable(criteria, flow)
    keeper = None
    if checkpoint is not None:
        keeper = open_checkpoint(checkpoint, checkpoint_every, chosen, flow)
    with _session(flow, criteria, chosen, progress=progress) as show:
        refuse_different_calls(flow, chosen, points, criteria, has_checkpoint=keeper is not None)
        return _solve(
            flow,
            chosen,
            points,
            recorders_of(points, spec, criteria, callback=callback, show=show, on_rows=functions),
            reason=reason,
            checkpoint=keeper,
            memory_budget=memory_budget,
            has_starts=starts is not None,
        )


def _solve(
    flow: Flow,
    method: AbstractMethod,
    points: Sequence[InitialPoint],
    recorders: Sequence[Any],
    *,
    reason: str,
    checkpoint: Checkpoint | None,
    memory_budget: int,
    has_starts: bool,
) -> Solution:
    """Run all starts and take the best of them."""
    ends = run_starts(
        method, flow, points, recorders, checkpoint=checkpoint, memory_budget=memory_budget
    )
    for each in recorders:
        each.hand_on_the_rest()
    best = best_of(ends, recorders)
    if best.has_failed:
        explain_start(flow, points[best.index].theta)
    recorder = recorders[best.index]
    if recorder.rows == 0 and ends[best.index].outcome is not Outcome.INTERRUPTED:
        # The budget was spent before the first evaluation came back.
        log_start(flow, points[best.index].theta, recorder)
    tried = tuple(
        start_of(k, points[k], flow.spec, recorders[k], end) for k, end in enumerate(ends)
    )
    return Solution.of(
        tried,
        best=best.index,
        compile_seconds=sum(each.compile_seconds for each in recorders),
        method=method.name,
        reason=reason,
        has_starts=has_starts,
    )


def _check_types(problem: object, stop: object, callback: object, memory_budget: int) -> None:
    """Refuse arguments of the wrong type.

    Raises:
        ConfigError: Naming the argument and what was expected.
    """
    if not isinstance(problem, Problem):
        raise ConfigError(
            f"`problem` is of type {type(problem).__name__}, but a LeastSquares, Composite or "
            "Scalar was expected"
        )
    if stop is not None and not isinstance(stop, Stop):
        raise ConfigError(
            f"`stop` is of type {type(stop).__name__}, but a Stop was expected, such as "
            "`tw.Stop(seconds=10)`"
        )
    if callback is not None and not callable(callback):
        raise ConfigError(
            f"`callback` is of type {type(callback).__name__}, but a function was expected"
        )
    if memory_budget <= 0:
        raise ConfigError(
            f"`memory_budget` is {memory_budget}, but a number of bytes above 0 was expected"
        )


def _functions(on_rows: Any) -> tuple[OnRows, ...]:
    """The functions that take rows.

    Raises:
        ConfigError: One of them is no function.
    """
    if on_rows is None:
        return ()
    functions = tuple(on_rows) if isinstance(on_rows, (list, tuple)) else (on_rows,)
    for each in functions:
        if not callable(each):
            raise ConfigError(
                f"`on_rows` is of type {type(each).__name__}, but a function, or several, was "
                "expected"
            )
    return functions


@contextlib.contextmanager
def _session(flow: Flow, stop: Stop, method: AbstractMethod, *, progress: bool) -> Any:
    """The progress line, and a clear error where another process of the run is lost.

    The library that draws the line is imported only if it is shown.
    """
    with contextlib.ExitStack() as stack:
        if flow.devices is not None:
            stack.enter_context(flow.devices.reporting_losses())
        if not progress:
            yield None
            return
        from thalweg._run.progress import progress_line

        yield stack.enter_context(progress_line(stop, label=method.name, enabled=True))
