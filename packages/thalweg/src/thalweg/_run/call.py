"""A call of a compiled program, as a run asks whoever drives it to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
    """

    program: Callable[..., Any]
    loop: Loop
    limits: Limits


def refreshed(call: Call, flow: Flow, recorder: Recorder, between: Callable[[Any], Any]) -> Call:
    """The call, after the flow was given the data that `between` returns for θ, if any.

    The loss is another then, so what was best before is compared with nothing.
    """
    data = between(call.loop.theta)
    if data is None:
        return call
    flow.data = data
    recorder.best_loss = np.inf
    return call._replace(loop=call.loop._replace(best_loss=flow.spec.dtype.type(np.inf)))
