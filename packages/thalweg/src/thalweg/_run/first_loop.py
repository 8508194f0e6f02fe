"""What the loop of a method carries before its first step, on the devices of the flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._run.step_loop import Loop
from thalweg.flow.compiled import compiled
from thalweg.solution import Work
from thalweg.solvers.base import RUNNING

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractJitMethod


def first_loop(
    method: AbstractJitMethod, flow: Flow, theta: np.ndarray, *, recorder: Recorder
) -> Loop:
    """The loop at a start.

    The solver state is computed by one program, kept with the flow: outside of one, each operation
    would be compiled by itself.

    Args:
        method: The method that takes the steps.
        flow: The flow.
        theta: The start, shape `(n,)`.
        recorder: Its compile clock runs while that program is compiled.
    """
    real = flow.spec.dtype
    at = flow.everywhere(jax.device_put(theta))
    program = compiled(
        flow,
        ("init", method),
        lambda _, point: method.init(flow, point),
        at,
        recorder=recorder,
    )
    loop = Loop(
        theta=at,
        loss=real.type(np.inf),
        t=real.type(0),
        work=np.zeros(len(Work._fields), np.int32),
        solver_state=program(flow.data, at),
        code=np.int32(RUNNING),
        best_theta=at,
        best_loss=real.type(np.inf),
    )
    return placed(loop, flow)


def placed(loop: Loop, flow: Flow) -> Loop:
    """The arrays of a loop, on the devices that the programs of a flow expect them on."""

    def on_a_device(leaf: Any) -> jax.Array:
        return leaf if isinstance(leaf, jax.Array) else jax.device_put(leaf)

    return flow.everywhere(jax.tree.map(on_a_device, loop))
