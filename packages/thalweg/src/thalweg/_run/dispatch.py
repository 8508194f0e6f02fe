"""Which loop runs a method: thalweg's or another library's, for one start or several."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import numpy as np

from thalweg._recorder import RunEnded
from thalweg._run.integrate import integrate
from thalweg._run.multistart import one_after_another
from thalweg._run.side_by_side import integrate_side_by_side
from thalweg.errors import ConfigError
from thalweg.flow.compiled import HostFunctions
from thalweg.solution import End, Outcome, Work
from thalweg.solvers.base import AbstractHostMethod, AbstractJitMethod, AbstractMethod, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg._recorder import Recorder
    from thalweg._run.call import Between
    from thalweg._run.checkpoint import Checkpoint
    from thalweg._run.multistart import InitialPoint
    from thalweg.flow import Flow
    from thalweg.stop import Stop


def run_starts(
    method: AbstractMethod,
    flow: Flow,
    points: Sequence[InitialPoint],
    recorders: Sequence[Recorder],
    *,
    checkpoint: Checkpoint | None,
    memory_budget: int,
    between: Between | None = None,
) -> list[End]:
    """Run a method from each point; how each run ended.

    Args:
        method: The configured method.
        flow: The flow.
        points: Where the runs begin.
        recorders: One a point; they take the rows, and their criteria end the runs.
        checkpoint: Keeps the state of a single run; None for no checkpoint.
        memory_budget: Bytes that calls side by side may hold together.
        between: As in `integrate`, for a single run of a jitted method; others leave it out.
    """
    if len(points) > 1 and isinstance(method, AbstractJitMethod) and flow.devices is None:
        thetas = [point.theta for point in points]
        return integrate_side_by_side(method, flow, thetas, recorders, memory_budget=memory_budget)

    def run(k: int) -> End:
        start, recorder = points[k].theta, recorders[k]
        return _run(method, flow, start, recorder, checkpoint=checkpoint, between=between)

    return one_after_another(run, recorders)


def _run(
    method: AbstractMethod,
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    *,
    checkpoint: Checkpoint | None,
    between: Between | None,
) -> End:
    try:
        if isinstance(method, AbstractJitMethod):
            return integrate(method, flow, theta, recorder, checkpoint=checkpoint, between=between)
        if isinstance(method, AbstractHostMethod):
            if not {"scipy.integrate", "scipy.optimize"} <= sys.modules.keys():
                with recorder.compiling():  # so that no run is charged with loading its library
                    import scipy.integrate
                    import scipy.optimize  # noqa: F401
            recorder.start()
            return End(*method.run(flow, theta, recorder))
    except RunEnded as ended:
        return End(ended.outcome)
    except KeyboardInterrupt:
        return End(Outcome.INTERRUPTED)
    raise ConfigError(f"`{method.name}` is neither a jitted nor a host method")


def log_start(flow: Flow, theta: np.ndarray, recorder: Recorder) -> None:
    """Log the start, whatever the criteria make of it."""
    loss, grad = HostFunctions(flow, recorder).value_and_grad(theta)
    norm = float((grad @ grad) ** 0.5)
    with contextlib.suppress(RunEnded):
        recorder.row(theta=theta, loss=loss, grad_norm=norm, work=Work(gradients=1), t=0.0)


def refuse_different_calls(
    flow: Flow,
    method: AbstractMethod,
    points: Sequence[InitialPoint],
    stop: Stop,
    *,
    has_checkpoint: bool,
) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ConfigError: The method decides on the host, or the processes do not make the same call.
    """
    devices = flow.devices
    if devices is None:
        return
    if devices.processes > 1 and isinstance(method, AbstractHostMethod):
        raise ConfigError(
            f"`{method.name}` makes its decisions in another library, separately in each process, "
            f"but `devices` belong to {devices.processes} processes; choose one of thalweg's own "
            "methods, or the devices of one process"
        )
    devices.refuse_different(
        params=np.stack([point.theta for point in points]),
        method=described(method),
        stop=stop,
        checkpoint=has_checkpoint,
    )
