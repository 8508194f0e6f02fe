"""The public call: problem, parameters and a method in, a `Solution` out."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from thalweg.checkpoint import Checkpoint, interval
from thalweg.diagnose import explain_start, refuse_unreachable
from thalweg.errors import ConfigError
from thalweg.flow import MEMORY, Flow, build_flow
from thalweg.host import HostFunctions
from thalweg.integrate import integrate
from thalweg.params import Params, ParamSpec, flatten
from thalweg.problem import Problem
from thalweg.recorder import Recorder, RunEnded, Snapshot
from thalweg.solution import Outcome, Solution, Work
from thalweg.solvers import make
from thalweg.solvers.base import AbstractHostMethod, AbstractJitMethod, AbstractMethod
from thalweg.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def minimize(  # noqa: PLR0913 - all but the first four are options that few calls name
    problem: Problem,
    params: Params,
    method: str | AbstractMethod = "auto",
    stop: Stop | None = None,
    *,
    progress: bool = False,
    callback: Callable[[Snapshot], object] | None = None,
    seed: int = 0,
    memory: int = MEMORY,
    checkpoint: str | Path | None = None,
    every: str | float = "30s",
) -> Solution:
    """Train: integrate the gradient flow of a problem from given parameters.

    Args:
        problem: A `LeastSquares`, `Composite` or `Scalar`.
        params: The start: a pytree of float32 or float64 arrays; the run keeps their dtype.
        method: A name from `thalweg.methods()`, or a configured method.
        stop: Targets and budgets; without any, the run ends after 60 seconds at the latest.
        progress: Whether to show a live line on stderr (only where that is a terminal).
        callback: Called with a `Snapshot` after every step; a true result ends the run. The
            loop then comes back to the host after each step, which costs small problems speed.
        seed: For methods that draw random numbers.
        memory: Bytes that Jacobians and curvature products may hold at a time.
        checkpoint: A file that the state of the run is kept in. Where it exists the run goes on
            from it, bit for bit as if it had not been interrupted, and `params` only say how the
            parameters are laid out; budgets count from the start of the first run. For methods
            whose loop is thalweg's: its own, and those of Optax, diffrax and optimistix.
        every: How often the checkpoint is written: seconds, or a text such as "30s" or "5min".
            It is also written at the end and on Ctrl-C.

    Returns:
        The best parameters found, with the outcome, history and work. Ctrl-C ends the run and
        returns the best so far, with the outcome `INTERRUPTED`.

    Raises:
        ConfigError: Something cannot be run as asked; nothing was run.
        DataError: Parameters, loss or Jacobian at the start are not finite.
        MissingExtraError: The method needs a library that is not installed.

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
    del seed  # no method draws random numbers yet
    if memory <= 0:
        raise ConfigError(f"`memory` is {memory}, but a number of bytes above 0 was expected")
    criteria = Stop() if stop is None else stop
    theta, spec = flatten(params)
    flow = _flow(problem, spec, memory)
    chosen, reason = make(method, flow)
    chosen.check(flow)
    refuse_unreachable(criteria, flow)
    keeper = None if checkpoint is None else _checkpoint(chosen, spec, checkpoint, every)
    with _progress(criteria, chosen.name, enabled=progress) as show:
        recorder = Recorder(criteria, callback=callback, show=show)
        outcome, detail = _run(chosen, flow, theta, recorder, checkpoint=keeper)
    if outcome is Outcome.DIVERGED and recorder.rows <= 2:  # noqa: PLR2004 - start and first step
        explain_start(flow, theta)
    if recorder.rows == 0 and outcome is not Outcome.INTERRUPTED:
        # The budget was spent before the first evaluation came back.
        _log_start(flow, theta, recorder)
    best = theta if recorder.best_theta is None else recorder.best_theta
    return Solution(
        params=_like(params, spec, best),
        loss=float(recorder.best_loss),
        outcome=outcome,
        history=recorder.history(),
        work=recorder.work,
        compile_seconds=recorder.compile_seconds,
        method=chosen.name,
        reason=reason,
        detail=detail,
    )


def _flow(problem: Problem, spec: ParamSpec, memory: int) -> Flow:
    """The flow of a problem, kept with it so that a second run compiles nothing."""
    flows = problem.programs
    key = (spec, memory)
    if key not in flows:
        flows[key] = build_flow(problem, spec, memory=memory)
    return flows[key]


def _checkpoint(
    method: AbstractMethod, spec: ParamSpec, path: str | Path, every: str | float
) -> Checkpoint:
    if not isinstance(method, AbstractJitMethod):
        raise ConfigError(
            f"`checkpoint` was given, but the state of `{method.name}` is inside the library that "
            "it is of and cannot be kept; leave `checkpoint` out, or choose a method of thalweg's "
            "own"
        )
    return Checkpoint(Path(path), interval(every), f"{method.name} {method!r}", spec)


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


def _log_start(flow: Flow, theta: np.ndarray, recorder: Recorder) -> None:
    """Log the start, whatever the criteria say of it."""
    loss, grad = HostFunctions(flow, recorder).value_and_grad(theta)
    norm = float((grad @ grad) ** 0.5)
    with contextlib.suppress(RunEnded):
        recorder.row(theta=theta, loss=loss, grad_norm=norm, work=Work(gradients=1), t=0.0)


def _like(params: Params, spec: ParamSpec, theta: np.ndarray) -> Params:
    """θ as a pytree whose leaves are NumPy arrays where the caller's were, else JAX arrays."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    tree = spec.unravel(jnp.asarray(theta, spec.dtype))
    return jax.tree.map(
        lambda new, old: np.asarray(new) if isinstance(old, np.ndarray) else new, tree, params
    )


def _progress(stop: Stop, label: str, *, enabled: bool) -> Any:
    """The progress line, or nothing; its library is only imported where it is shown."""
    if not enabled:
        return contextlib.nullcontext(None)
    from thalweg.progress import progress_line

    return progress_line(stop, label=label, enabled=True)
