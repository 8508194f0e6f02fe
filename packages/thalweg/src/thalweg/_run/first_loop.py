"""What the loop of a method carries before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from thalweg._run.step_loop import Loop
from thalweg.flow.compiled import compiled
from thalweg.solution import Work
from thalweg.solvers.base import RUNNING

if TYPE_CHECKING:
    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractJitMethod


def first_loop(method: AbstractJitMethod, flow: Flow, theta: jax.Array) -> Loop:
    """The loop at a start. Pure.

    Args:
        method: The method that takes the steps.
        flow: The flow.
        theta: The start, shape `(n,)`.
    """
    real = flow.spec.dtype
    return Loop(
        theta=theta,
        loss=jnp.asarray(jnp.inf, real),
        t=jnp.zeros((), real),
        work=jnp.zeros(len(Work._fields), jnp.int32),
        solver_state=method.init(flow, theta),
        code=jnp.asarray(RUNNING, jnp.int32),
        best_theta=theta,
        best_loss=jnp.asarray(jnp.inf, real),
    )


def loop_at(
    method: AbstractJitMethod, flow: Flow, theta: np.ndarray, *, recorder: Recorder
) -> Loop:
    """The loop at a start, on the devices of the flow, by one program that is kept with the flow.

    Outside of one, each operation would be compiled by itself, and each array would be put on the
    device by itself, which takes as long as some steps.

    Args:
        method: The method that takes the steps.
        flow: The flow.
        theta: The start, shape `(n,)`.
        recorder: Its compile clock runs while that program is compiled.
    """
    at = flow.everywhere(jax.device_put(theta))
    program = compiled(
        flow,
        ("init", method),
        lambda _, point: first_loop(method, flow, point),
        at,
        recorder=recorder,
    )
    return placed(program(flow.data, at), flow)


def placed(loop: Loop, flow: Flow) -> Loop:
    """The arrays of a loop, on the devices that the programs of a flow expect them on."""

    def on_a_device(leaf: jax.Array | np.ndarray) -> jax.Array:
        return leaf if isinstance(leaf, jax.Array) else jax.device_put(leaf)

    return flow.everywhere(jax.tree.map(on_a_device, loop))
