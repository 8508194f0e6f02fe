"""A single run of a jitted method, to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg._run.call import refreshed
from thalweg._run.driver import Run
from thalweg._util.threads import one_blas_thread

if TYPE_CHECKING:
    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg._run.call import Between
    from thalweg._run.checkpoint import Checkpoint
    from thalweg.flow import Flow
    from thalweg.solution import End
    from thalweg.solvers.base import AbstractJitMethod


def integrate(
    method: AbstractJitMethod,
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    *,
    checkpoint: Checkpoint | None = None,
    between: Between | None = None,
) -> End:
    """Run a jitted method until it ends or the budget is spent.

    Args:
        method: The configured method.
        flow: The flow; its compiled programs are kept with it.
        theta: The start, shape `(n,)`.
        recorder: Takes the rows; its criteria end the run.
        checkpoint: Where the state is kept; a run that is there already goes on.
        between: Called with θ before each call that takes steps; where it returns data of the same
            shapes, the run goes on with them, and what was best is judged by them alone. It may
            limit the steps of a call.

    Returns:
        How it ended.

    Raises:
        ConfigError: The checkpoint is damaged, of another run, or cannot be written.
        RuntimeError: Or ValueError, from JAX: another process has gone; the last state is kept.
    """
    run = Run(method, flow, theta, recorder)
    if checkpoint is not None:
        run.keep(checkpoint)
    calls = run.calls()
    chunk = None
    with one_blas_thread():
        try:
            while True:
                call = calls.send(chunk)  # pyright: ignore[reportArgumentType] - None begins it
                if between is not None and call.advances:
                    call = refreshed(call, flow, recorder, between)
                chunk = call.program(flow.data, call.loop, call.limits)
        except StopIteration as end:
            return end.value
        except (RuntimeError, ValueError) as error:
            run.is_left_alone = flow.devices is not None and flow.devices.is_loss(error)
            raise
        finally:
            run.save()
