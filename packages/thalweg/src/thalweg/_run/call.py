"""A call of a compiled program, as a run asks whoever drives it to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg._run.step_loop import Limits, Loop
    from thalweg.flow import Flow


class Call(NamedTuple):
    """A call of a compiled program that a run waits for.

    Attributes:
        program: That of `run_chunk`; in a run of some width, that of `run_side_by_side`.
        loop: The state to go on from.
        limits: When the call ends.
        advances: Whether it takes steps that are new, and does not repeat some or look at a point.
    """

    program: Callable[..., Any]
    loop: Loop
    limits: Limits
    advances: bool = False


class Between(Protocol):
    """What changes the data of a run between two calls of its program."""

    def __call__(self, theta: Any) -> Any:
        """New data of the same shapes for θ; None to go on with the old."""
        ...

    def steps_left(self) -> int | None:
        """How many steps the next call may take at most, so that data change after a given step."""
        ...


def refreshed(call: Call, flow: Flow, recorder: Recorder, between: Between) -> Call:
    """The call, after the flow was given the data that `between` returns for θ, if any.

    The loss is another then, so what was best before is compared with nothing.
    """
    data = between(call.loop.theta)
    if data is not None:
        flow.data = data
        recorder.best_loss = np.inf
        call = call._replace(loop=call.loop._replace(best_loss=flow.spec.dtype.type(np.inf)))
    left = between.steps_left()
    if left is None or left >= int(call.limits.steps):
        return call
    return call._replace(limits=call.limits._replace(steps=np.int32(left)))
