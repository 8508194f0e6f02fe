"""The public call: problem, parameters and a method in, a `Solution` out."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._recorder import Recorder, RunEnded, Snapshot
from thalweg._run.checkpoint import Checkpoint, interval
from thalweg._run.diagnostics import explain_start, refuse_unreachable
from thalweg._run.driver import integrate
from thalweg._run.multistart import Origin, best_of, one_after_another, origins, recorders_of
from thalweg._run.side_by_side import integrate_side_by_side
from thalweg.errors import ConfigError
from thalweg.flow import MEMORY_BUDGET, Flow, build_flow
from thalweg.flow.compiled import HostFunctions
from thalweg.flow.sharding import Devices, chosen_devices
from thalweg.problem import Problem
from thalweg.solution import Outcome, Solution, Start, Work
from thalweg.solvers import make
from thalweg.solvers.base import AbstractHostMethod, AbstractJitMethod, AbstractMethod
from thalweg.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.flow.flatten import Params, ParamSpec


def minimize(  # noqa: PLR0913 - all but the first four are options that few calls name
    problem: Problem,
    params: Params | Callable[[int], Params],
    method: str | AbstractMethod = "auto",
    stop: Stop | None = None,
    *,
    progress: bool = False,
    callback: Callable[[Snapshot], object] | None = None,
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
        params: The start: a pytree of float32 or float64 arrays; the run keeps their dtype. Or a
            function that makes one from a seed.
        method: A name from `thalweg.methods()`, or a configured method.
        stop: Targets and budgets; without any, the run ends after 60 seconds at the latest.
        progress: Whether to show a live line on stderr (only where that is a terminal).
        callback: Called with a `Snapshot` after every step; a true result ends the run. The
            loop then comes back to the host after each step, which costs small problems speed.
        seed: What `params` is called with, where it is a function; the starts after the first are
            made from `seed + 1`, `seed + 2`, ...
        starts: Train from so many starts, return the best, and tell in `solution.starts` what came
            of each. `params` is then such a function, or a pytree whose leaves have one more axis
            in front, a row a start. The criteria hold for each start, but `seconds` for the whole
            call, and the first start to reach `loss` ends the others. Methods whose loop is
            thalweg's take all starts in turns, as many at a time as there are cores; those of
            other libraries, and all where `devices` are given, take one start after the other,
            each with its share of the seconds. The callback sees the steps of all, and a true
            result ends the start that it was of.
        memory_budget: Bytes that Jacobians and curvature products may hold at a time, on each
            device.
        checkpoint: A file that the state of the run is kept in. Where it exists the run goes on
            from it, bit for bit as if it had not been interrupted, and `params` only say how the
            parameters are laid out; budgets count from the start of the first run. For methods
            whose loop is thalweg's: its own, and those of Optax, diffrax and optimistix.
        checkpoint_every: How often the checkpoint is written: seconds, or a text such as "30s" or
            "5min".
            It is also written at the end and on Ctrl-C.
        devices: What the examples of the data are divided over: "all", or devices of JAX such as
            `jax.devices()`; by default the one that JAX takes by itself. The result is the same
            to rounding. Of several processes each makes this call, with the same arguments; only
            callbacks may differ, and the checkpoint is read and written by the first process.

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
    if not isinstance(problem, Problem):
        raise ConfigError(
            f"`problem` is of type {type(problem).__name__}, but a LeastSquares, Composite or "
            "Scalar was expected"
        )
    if not isinstance(stop, (Stop, NoneType)):
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
    criteria = Stop() if stop is None else stop
    if starts is not None and checkpoint is not None:
        raise ConfigError(
            "`starts` and `checkpoint` were both given, but a checkpoint keeps a single run; leave "
            "one of them out"
        )
    begun, spec = origins(params, starts=starts, seed=seed)
    flow = _flow(problem, spec, memory_budget, chosen_devices(devices))
    chosen, reason = make(method, flow)
    chosen.check(flow)
    refuse_unreachable(criteria, flow)
    keeper = None if checkpoint is None else _checkpoint(chosen, flow, checkpoint, checkpoint_every)
    told = contextlib.nullcontext() if flow.devices is None else flow.devices.losses_told()
    with told, _progress(criteria, chosen.name, enabled=progress) as show:
        if flow.devices is not None:
            _refuse_different_calls(flow.devices, chosen, begun, criteria, checkpoint=keeper)
        if starts is None:
            recorders = [Recorder(criteria, callback=callback, show=show)]
            ends = [_run(chosen, flow, begun[0].theta, recorders[0], checkpoint=keeper)]
        else:
            recorders = recorders_of(len(begun), criteria, callback=callback, show=show)
            ends = _run_all(chosen, flow, begun, recorders, memory_budget=memory_budget)
    failed = [
        end[0] is Outcome.DIVERGED and recorder.rows <= 2  # noqa: PLR2004 - start and first step
        for end, recorder in zip(ends, recorders, strict=True)
    ]
    best = best_of([recorder.best_loss for recorder in recorders], without=failed)
    (outcome, detail), recorder, origin = ends[best], recorders[best], begun[best]
    if failed[best]:
        explain_start(flow, origin.theta)
    if recorder.rows == 0 and outcome is not Outcome.INTERRUPTED:
        # The budget was spent before the first evaluation came back.
        _log_start(flow, origin.theta, recorder)
    tried = tuple(
        Start(
            index=k,
            seed=begun[k].seed,
            params=_best(begun[k], spec, recorders[k]),
            loss=float(recorders[k].best_loss),
            outcome=outcome_k,
            detail=detail_k,
            history=recorders[k].history(),
            work=recorders[k].work,
        )
        for k, (outcome_k, detail_k) in enumerate(ends)
    )
    return Solution(
        params=tried[best].params,
        loss=tried[best].loss,
        outcome=outcome,
        history=tried[best].history,
        work=tried[best].work,
        compile_seconds=sum(each.compile_seconds for each in recorders),
        method=chosen.name,
        reason=reason,
        detail=detail,
        starts=() if starts is None else tried,
    )


def _flow(problem: Problem, spec: ParamSpec, memory_budget: int, devices: Devices | None) -> Flow:
    """The flow of a problem, kept with it so that a second run compiles nothing."""
    flows = problem.programs
    key = (spec, memory_budget) if devices is None else (spec, memory_budget, devices)
    if key not in flows:
        flows[key] = build_flow(problem, spec, memory_budget=memory_budget, devices=devices)
    return flows[key]


def _checkpoint(
    method: AbstractMethod, flow: Flow, path: str | Path, checkpoint_every: str | float
) -> Checkpoint:
    if not isinstance(method, AbstractJitMethod):
        raise ConfigError(
            f"`checkpoint` was given, but the state of `{method.name}` is inside the library that "
            "it is of and cannot be kept; leave `checkpoint` out, or choose a method of thalweg's "
            "own"
        )
    name = f"{method.name} {method!r}"
    return Checkpoint(Path(path), interval(checkpoint_every), name, flow.spec, flow.devices)


def _refuse_different_calls(
    devices: Devices,
    method: AbstractMethod,
    begun: Sequence[Origin],
    stop: Stop,
    *,
    checkpoint: Checkpoint | None,
) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ConfigError: The method decides on the host, or the processes do not make the same call.
    """
    if devices.processes > 1 and isinstance(method, AbstractHostMethod):
        raise ConfigError(
            f"`{method.name}` takes its decisions in another library, each process its own, but "
            f"`devices` are of {devices.processes} processes; choose a method of thalweg's own, or "
            "the devices of one process"
        )
    devices.refuse_different(
        params=np.stack([origin.theta for origin in begun]),
        method=re.sub(r" at 0x[0-9a-f]+", "", f"{method.name} {method!r}"),
        stop=stop,
        checkpoint=checkpoint is None,
    )


def _run(
    method: AbstractMethod,
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    *,
    checkpoint: Checkpoint | None,
) -> tuple[Outcome, str]:
    try:
        if isinstance(method, AbstractJitMethod):
            return integrate(method, flow, theta, recorder, checkpoint=checkpoint)
        if isinstance(method, AbstractHostMethod):
            if not {"scipy.integrate", "scipy.optimize"} <= sys.modules.keys():
                with recorder.compiling():  # so that no run is charged with loading its library
                    import scipy.integrate
                    import scipy.optimize  # noqa: F401
            recorder.start()
            return method.run(flow, theta, recorder)
    except RunEnded as ended:
        return ended.outcome, ""
    except KeyboardInterrupt:
        return Outcome.INTERRUPTED, ""
    raise ConfigError(f"`{method.name}` is neither a jitted nor a host method")


def _run_all(
    method: AbstractMethod,
    flow: Flow,
    begun: Sequence[Origin],
    recorders: Sequence[Recorder],
    *,
    memory_budget: int,
) -> list[tuple[Outcome, str]]:
    """Run several starts; the outcome and a detail of each."""
    thetas = [origin.theta for origin in begun]
    if isinstance(method, AbstractJitMethod) and flow.devices is None:
        return integrate_side_by_side(method, flow, thetas, recorders, memory_budget=memory_budget)

    def run(k: int) -> tuple[Outcome, str]:
        return _run(method, flow, thetas[k], recorders[k], checkpoint=None)

    return one_after_another(run, recorders)


def _log_start(flow: Flow, theta: np.ndarray, recorder: Recorder) -> None:
    """Log the start, whatever the criteria say of it."""
    loss, grad = HostFunctions(flow, recorder).value_and_grad(theta)
    norm = float((grad @ grad) ** 0.5)
    with contextlib.suppress(RunEnded):
        recorder.row(theta=theta, loss=loss, grad_norm=norm, work=Work(gradients=1), t=0.0)


def _best(origin: Origin, spec: ParamSpec, recorder: Recorder) -> Params:
    """The best parameters of a run; where it has none, those that it began from."""
    theta = origin.theta if recorder.best_theta is None else recorder.best_theta
    return _like(origin.params, spec, theta)


def _like(params: Params, spec: ParamSpec, theta: np.ndarray) -> Params:
    """θ as a pytree whose leaves are NumPy arrays where the caller's were, else JAX arrays."""
    import jax
    import jax.numpy as jnp

    tree = spec.unravel(jnp.asarray(theta, spec.dtype))
    return jax.tree.map(
        lambda new, old: np.asarray(new) if isinstance(old, np.ndarray) else new, tree, params
    )


def _progress(stop: Stop, label: str, *, enabled: bool) -> Any:
    """The progress line, or nothing; its library is only imported where it is shown."""
    if not enabled:
        return contextlib.nullcontext(None)
    from thalweg._run.progress import progress_line

    return progress_line(stop, label=label, enabled=True)
