"""Levenberg-Marquardt steps of many fits at once, from normal equations, vectorised over the fits.

All fits of a batch take their steps together, so a step must cost little and branch nowhere: the
normal equations in units of their columns, solved by an unrolled Cholesky factorisation. They lose
digits where parameters are nearly dependent; such fits are marked and left to the careful method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.residuals import Data

    Residuals = Callable[[Data, jax.Array], jax.Array]

RUNNING, CONVERGED, DOUBTFUL = range(3)
STEPS = 20  # of one call; what still runs is gathered into new batches
UNROLLED = 8  # parameters up to which the factorisation is unrolled
FLAT = 1e-7  # cosine between residuals and tangent space, up to which a fit has converged
SMALL_DAMPING = 1e-7  # up to which a step is as good as one of Gauss and Newton
FIRST_DAMPING, MOST_DAMPING = 1e-2, 1e10
LEAST_PIVOT = 1e-9  # of the normal equations in units of their columns; below, J counts as singular
DEAD = 1e-14  # squared size of a column of J over its largest, up to which it counts as lost
SPENT = 1e-26  # loss over the loss at the start, up to which nothing is left
GOOD, POOR = 0.75, 0.25  # actual over predicted reduction of the loss


class State(NamedTuple):
    """One fit on its way.

    Attributes:
        theta: The parameters, `(k,)`.
        loss: ½ Σ s².
        gradient: Jᵀs, `(k,)`.
        normal: JᵀJ, `(k, k)`.
        columns: The largest squared column norms of J so far, `(k,)`.
        damping: λ of the next step.
        start_loss: The loss at the start.
        code: RUNNING, CONVERGED or DOUBTFUL.
    """

    theta: jax.Array
    loss: jax.Array
    gradient: jax.Array
    normal: jax.Array
    columns: jax.Array
    damping: jax.Array
    start_loss: jax.Array
    code: jax.Array


def begin(residuals: Residuals, data: Data, theta: jax.Array) -> State:
    """The state at the start of one fit. Pure."""
    loss, gradient, normal = _linearised(residuals, data, theta)
    is_finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(normal))
    return State(
        theta=theta,
        loss=loss,
        gradient=gradient,
        normal=normal,
        columns=jnp.diagonal(normal),
        damping=jnp.full_like(loss, FIRST_DAMPING),
        start_loss=loss,
        code=jnp.where(is_finite, RUNNING, DOUBTFUL),
    )


def advance(residuals: Residuals, data: Data, states: State, axes: Data) -> State:
    """Up to `STEPS` steps of all fits of a batch. Pure.

    Args:
        residuals: S of one fit.
        data: The data, with a leading axis for the fits where `axes` says 0.
        states: The states, stacked.
        axes: For each leaf of the data, 0 or None.
    """
    each = jax.vmap(lambda part, state: _step(residuals, part, state), in_axes=(axes, 0))

    def goes_on(carry: tuple[jax.Array, State]) -> jax.Array:
        count, state = carry
        return (count < STEPS) & jnp.any(state.code == RUNNING)

    def step(carry: tuple[jax.Array, State]) -> tuple[jax.Array, State]:
        count, state = carry
        return count + 1, each(data, state)

    return jax.lax.while_loop(goes_on, step, (jnp.zeros((), jnp.int32), states))[1]


def _linearised(
    residuals: Residuals, data: Data, theta: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """½ Σ s², Jᵀs and JᵀJ."""
    s, push = jax.linearize(lambda at: residuals(data, at), theta)
    unit = jnp.eye(theta.size, dtype=theta.dtype)
    columns = [push(unit[k]) for k in range(theta.size)]
    jacobian = jnp.stack(columns)
    gradient = jnp.stack([jnp.sum(column * s) for column in columns])
    return 0.5 * jnp.sum(s * s), gradient, jnp.einsum("im,jm->ij", jacobian, jacobian)


def _step(residuals: Residuals, data: Data, state: State) -> State:
    """One attempt of one fit; a fit that has ended stays as it is."""
    unit = jnp.sqrt(jnp.where(state.columns > 0, state.columns, 1))
    matrix = state.normal / unit[:, None] / unit
    right = -state.gradient / unit
    damped = matrix + state.damping * jnp.eye(unit.size, dtype=unit.dtype)
    scaled, pivot = _solved(damped, right)
    step = scaled / unit
    predicted = 0.5 * jnp.sum(scaled * (right + state.damping * scaled))
    trial = state.theta + step
    loss, gradient, normal = _linearised(residuals, data, trial)
    is_finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(normal))
    is_newton = state.damping <= SMALL_DAMPING
    is_flat = is_newton & (jnp.sum(scaled * right) <= FLAT**2 * 2 * state.loss)
    is_spent = loss <= SPENT * state.start_loss
    # Where a fit is flat, rounding decides whether the loss falls; its last step is taken anyway.
    is_taken = is_finite & ((loss < state.loss) | (is_flat & (loss <= state.loss * (1 + FLAT**2))))
    ratio = jnp.where(is_taken, (state.loss - loss) / predicted, -1.0)
    shrunk = jnp.where(state.damping <= 1e-8, 0.0, state.damping / 20)  # noqa: PLR2004 - as good as 0
    grown = jnp.maximum(state.damping * 8, 1e-6)
    damping = jnp.where(ratio > GOOD, shrunk, jnp.where(ratio < POOR, grown, state.damping))
    columns = jnp.where(is_taken, jnp.maximum(state.columns, jnp.diagonal(normal)), state.columns)
    is_lost = jnp.any(jnp.diagonal(normal) <= DEAD * columns)
    is_over = is_flat | (is_spent & is_taken)
    is_sure = is_taken & is_newton & (pivot > LEAST_PIVOT) & ~is_lost
    is_stuck = ~is_finite & (state.damping > MOST_DAMPING) | (damping > MOST_DAMPING)
    code = jnp.where(
        is_over, jnp.where(is_sure, CONVERGED, DOUBTFUL), jnp.where(is_stuck, DOUBTFUL, RUNNING)
    )
    new = State(
        theta=jnp.where(is_taken, trial, state.theta),
        loss=jnp.where(is_taken, loss, state.loss),
        gradient=jnp.where(is_taken, gradient, state.gradient),
        normal=jnp.where(is_taken, normal, state.normal),
        columns=columns,
        damping=damping,
        start_loss=state.start_loss,
        code=code.astype(state.code.dtype),
    )
    is_running = state.code == RUNNING
    return jax.tree.map(lambda after, before: jnp.where(is_running, after, before), new, state)


def _solved(matrix: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The solution of a positive definite system, and its least squared pivot."""
    size = right.size
    if size > UNROLLED:
        factor = jnp.linalg.cholesky(matrix)
        pivot = jnp.min(jnp.diagonal(factor)) ** 2
        solution = jax.scipy.linalg.cho_solve((factor, True), right)
        return solution, jnp.where(jnp.isnan(pivot), 0.0, pivot)
    lower: list[list[jax.Array]] = []
    squares: list[jax.Array] = []
    for i in range(size):
        row: list[jax.Array] = []
        for j in range(i):
            inner = sum((row[k] * lower[j][k] for k in range(j)), start=jnp.zeros(()))
            row.append((matrix[i, j] - inner) / lower[j][j])
        square = matrix[i, i] - sum((value * value for value in row), start=jnp.zeros(()))
        squares.append(square)
        row.append(jnp.sqrt(square))
        lower.append(row)
    forward: list[jax.Array] = []
    for i in range(size):
        known = sum((lower[i][k] * forward[k] for k in range(i)), start=jnp.zeros(()))
        forward.append((right[i] - known) / lower[i][i])
    back: list[jax.Array] = [jnp.zeros(())] * size
    for i in reversed(range(size)):
        known = sum((lower[k][i] * back[k] for k in range(i + 1, size)), start=jnp.zeros(()))
        back[i] = (forward[i] - known) / lower[i][i]
    return jnp.stack(back), jnp.min(jnp.stack(squares))
