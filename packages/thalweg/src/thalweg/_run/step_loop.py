"""The loop of jitted methods, up to `ROWS` steps of it in one compiled program.

|∇L| at a point is known when the next step begins. So a row's `start_grad_norm` is that of the
point before it, and a step that begins at or below the limit of |∇L| is not logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.solution import Work
from thalweg.solvers.base import RUNNING, AbstractJitMethod

if TYPE_CHECKING:
    from thalweg.flow import Flow
    from thalweg.stop import Stop

ROWS = 128  # steps that one call of the program can log
REALS = ("t", "h", "loss", "start_loss", "start_grad_norm")
WHOLES = ("rejected", *Work._fields)
GRADIENTS = Work._fields.index("gradients")


class Limits(NamedTuple):
    """When a call of the program ends; all scalars.

    Attributes:
        steps: Steps of this call, at most `ROWS`.
        loss: The loss to reach; -inf for none.
        grad_norm: A step that begins at or below this is not taken; -1 for none.
        gradients: The total of gradients that ends the run.
    """

    steps: Any
    loss: Any
    grad_norm: Any
    gradients: Any

    @classmethod
    def of(cls, stop: Stop) -> Limits:
        """The criteria that the program checks itself, for one step."""
        return cls(
            steps=1,
            loss=UNLIMITED.loss if stop.loss is None else stop.loss,
            grad_norm=UNLIMITED.grad_norm if stop.grad_norm is None else stop.grad_norm,
            gradients=min(UNLIMITED.gradients, stop.gradients or UNLIMITED.gradients),
        )

    def typed(self, dtype: np.dtype) -> Limits:
        """In the dtypes that the program is compiled for."""
        real = dtype.type
        return Limits(
            np.int32(self.steps), real(self.loss), real(self.grad_norm), np.int32(self.gradients)
        )


UNLIMITED = Limits(steps=1, loss=-np.inf, grad_norm=-1, gradients=2**31 - 1)


class Loop(NamedTuple):
    """What is carried from step to step.

    Attributes:
        theta: The point, shape `(n,)`.
        loss: The loss there; infinite before the first step.
        t: Flow time so far.
        work: Totals so far, an int32 a field of `Work`.
        solver_state: What the method carries.
        code: RUNNING, or why the run ends.
        best_theta: The point of the least loss so far.
        best_loss: The loss there.
    """

    theta: Any
    loss: Any
    t: Any
    work: Any
    solver_state: Any
    code: Any
    best_theta: Any
    best_loss: Any


class Rows(NamedTuple):
    """One row a step, packed: each array costs XLA a kernel, to compile and at every step.

    Attributes:
        reals: The columns `REALS`, shape `(ROWS, 5)`.
        wholes: The columns `WHOLES`, those of `Work` as totals, `(ROWS, 1 + len(Work))`.
    """

    reals: Any
    wholes: Any

    def columns(self, count: int) -> dict[str, np.ndarray]:
        """The first `count` rows by column, on the host."""
        reals, wholes = np.asarray(self.reals)[:count].T, np.asarray(self.wholes)[:count].T
        return dict(zip((*REALS, *WHOLES), (*reals, *wholes), strict=True))


class Chunk(NamedTuple):
    """What a call of the program returns.

    Attributes:
        loop: The state after its steps.
        rows: One row a step.
        filled: How many rows are filled.
        grad_norm: |∇L| at the start of the step that was begun last.
        is_there: Whether |∇L| was at or below the limit there. That step is in `loop` but not in
            `rows`: to keep both states inside the loop would copy the solver state at every step.
    """

    loop: Loop
    rows: Rows
    filled: jax.Array
    grad_norm: jax.Array
    is_there: jax.Array


def run_chunk(
    method: AbstractJitMethod, flow: Flow, data: Any, loop: Loop, limits: Limits
) -> Chunk:
    """Take up to `limits.steps` steps. Pure."""
    real = loop.theta.dtype
    rows = Rows(
        reals=jnp.zeros((ROWS, len(REALS)), real),
        wholes=jnp.zeros((ROWS, len(WHOLES)), jnp.int32),
    )

    def goes_on(chunk: Chunk) -> jax.Array:
        return (
            (chunk.filled < limits.steps)
            & (chunk.loop.code == RUNNING)
            & ~chunk.is_there
            & ~(chunk.loop.loss <= limits.loss)
            & (chunk.loop.work[GRADIENTS] < limits.gradients)
        )

    def step(chunk: Chunk) -> Chunk:
        loop = chunk.loop
        result = method.step(flow, data, loop.theta, loop.solver_state)
        is_there = result.grad_norm <= limits.grad_norm
        new = Loop(
            theta=result.theta,
            loss=result.loss,
            t=loop.t + result.h,
            work=loop.work + jnp.stack(result.work),
            solver_state=result.solver_state,
            code=result.code,
            best_theta=jnp.where(result.loss < loop.best_loss, result.theta, loop.best_theta),
            best_loss=jnp.minimum(result.loss, loop.best_loss),
        )
        reals = jnp.stack([new.t, result.h, result.loss, result.start_loss, result.grad_norm])
        wholes = jnp.concatenate([result.rejected[None], new.work])
        rows = Rows(
            chunk.rows.reals.at[chunk.filled].set(reals),
            chunk.rows.wholes.at[chunk.filled].set(wholes),
        )
        return Chunk(
            new, rows, chunk.filled + jnp.where(is_there, 0, 1), result.grad_norm, is_there
        )

    start = Chunk(
        loop, rows, jnp.zeros((), jnp.int32), jnp.asarray(jnp.nan, real), jnp.zeros((), bool)
    )
    return jax.lax.while_loop(goes_on, step, start)


def run_side_by_side(
    method: AbstractJitMethod, flow: Flow, data: Any, runs: tuple[tuple[Loop, Limits], ...]
) -> tuple[Chunk, ...]:
    """`run_chunk` of several runs at once, vectorised. Pure.

    A run that has ended, or whose limit of steps is 0, comes back bit for bit as it was. It costs
    as much as the others, as does every attempt that only one of them makes.

    Args:
        method: The method of all of them.
        flow: The functions of the flow. Static.
        data: `flow.data`, which they share.
        runs: State and limits of each.
    """
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)
    chunks = jax.vmap(lambda run: run_chunk(method, flow, data, *run))(stacked)
    # Taken apart in the same program: one by one the pieces would be hundreds of dispatches.
    return tuple(jax.tree.map(lambda leaf: leaf[k], chunks) for k in range(len(runs)))  # noqa: B023
