"""Levenberg-Marquardt steps of many fits at once, from normal equations, vectorised over the fits.

All fits of a batch take their steps together, so a step must cost little and branch nowhere: the
normal equations in units of their columns, solved by an unrolled Cholesky factorisation. They lose
digits where parameters are nearly dependent; such fits are marked and left to the careful method.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.fitting.box import first_side, least_in_box
from thalweg.solution import VISIBLE
from thalweg.solvers.step_control import has_no_effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.residuals import Data

    Residuals = Callable[[Data, jax.Array], jax.Array]
    Box = tuple[jax.Array, jax.Array]

RUNNING, REFINED, CONVERGED, DOUBTFUL = range(4)
STEPS = 20  # of one call; what still runs is gathered into new batches
ONE_PASS = 8  # parameters up to which all sums over the measurements are one loop
UNROLLED = 8  # parameters up to which the factorisation is unrolled
FLAT = 1e-7  # cosine between residuals and tangent space, up to which a fit has converged
REFINES = 0.9  # gradient over that before, up to which a step still adds digits
SMALL_DAMPING = 1e-7  # up to which a step is as good as one of Gauss and Newton
FIRST_DAMPING, MOST_DAMPING = 1e-2, 1e10
LEAST_PIVOT = 1e-9  # of the normal equations in units of their columns; below, J counts as singular
LEAST_REFINED = 1e-12  # the same where more digits are sought afterwards
DEAD = 1e-14  # squared size of a column of J over its largest, up to which it may be lost
SPENT = 1e-26  # loss over that at the start and over |Jθ|², up to which nothing is left
GOOD, POOR = 0.75, 0.25  # actual over predicted reduction of the loss


class Point(NamedTuple):
    """The residuals around one θ.

    Attributes:
        theta: The parameters, `(k,)`.
        loss: ½ Σ s².
        gradient: Jᵀs, `(k,)`.
        normal: JᵀJ, `(k, k)`.
    """

    theta: jax.Array
    loss: jax.Array
    gradient: jax.Array
    normal: jax.Array

    @property
    def squares(self) -> jax.Array:
        """The squared norms of the columns of J, `(k,)`."""
        return jnp.diagonal(self.normal)

    @property
    def effects(self) -> jax.Array:
        """What each parameter makes of the model's values, squared, `(k,)`."""
        return self.squares * self.theta * self.theta


class State(NamedTuple):
    """One fit on its way.

    Attributes:
        at: The best point so far. Before the first step its loss is infinite, and that step
            evaluates the start.
        columns: The largest squared column norms of J so far, `(k,)`.
        damping: λ of the next step.
        start_loss: The loss at the start.
        code: RUNNING, REFINED, CONVERGED or DOUBTFUL. REFINED has converged, and goes on for more
            digits.
        not_finite: Points tried where the model was not finite.
    """

    at: Point
    columns: jax.Array
    damping: jax.Array
    start_loss: jax.Array
    code: jax.Array
    not_finite: jax.Array


def begin(theta: Any, *, arrays: Any = jnp) -> State:
    """The state before the first step of one fit. Pure.

    Args:
        theta: The start, `(k,)`.
        arrays: `jax.numpy`, or `numpy` on the host.
    """
    zero = arrays.zeros_like(theta)
    unknown = arrays.full_like(theta[0], arrays.inf)
    return State(
        at=Point(theta, unknown, zero, zero[:, None] * zero),
        columns=zero,
        damping=arrays.full_like(theta[0], FIRST_DAMPING),
        start_loss=unknown,
        code=arrays.asarray(RUNNING, arrays.int32),
        not_finite=arrays.asarray(0, arrays.int32),
    )


def advance(residuals: Residuals, data: Data, states: State, axes: Data) -> State:
    """Up to `STEPS` steps of all fits of a batch. Pure.

    Args:
        residuals: S of one fit.
        data: The data, with a leading axis for the fits where `axes` says 0.
        states: The states, stacked.
        axes: For each leaf of the data, 0 or None.
    """
    each = jax.vmap(lambda part, state: step(residuals, part, state), in_axes=(axes, 0))

    def goes_on(carry: tuple[jax.Array, State]) -> jax.Array:
        count, state = carry
        return (count < STEPS) & jnp.any(state.code == RUNNING)

    def onward(carry: tuple[jax.Array, State]) -> tuple[jax.Array, State]:
        count, state = carry
        return count + 1, each(data, state)

    end = jax.lax.while_loop(goes_on, onward, (jnp.zeros((), jnp.int32), states))[1]
    return jax.vmap(lambda state: certain(state, LEAST_PIVOT))(end)


def with_jacobian(
    residuals: Residuals, data: Data, theta: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The residuals s `(m,)` and their Jacobian J `(m, k)`. Pure."""
    s, push = jax.linearize(lambda at: residuals(data, at), theta)
    return s, jax.vmap(push, out_axes=1)(jnp.eye(theta.size, dtype=theta.dtype))


def point(residuals: Residuals, data: Data, theta: jax.Array) -> Point:
    """The residuals around θ."""
    s, push = jax.linearize(lambda at: residuals(data, at), theta)
    each = jnp.eye(theta.size, dtype=theta.dtype)
    if theta.size <= ONE_PASS:
        return _in_one_pass(theta, s, [push(row) for row in each])
    jacobian = jax.vmap(push)(each)
    normal = jnp.einsum("im,jm->ij", jacobian, jacobian)
    return Point(theta, 0.5 * jnp.sum(s * s), jacobian @ s, normal)


def _in_one_pass(theta: jax.Array, s: jax.Array, columns: list[jax.Array]) -> Point:
    """The same by one loop over the measurements, so that s and J are never in memory."""
    both = [*columns, s]
    pairs = list(itertools.combinations_with_replacement(range(len(both)), 2))
    sums = jax.lax.reduce(
        [both[i] * both[j] for i, j in pairs],
        [np.zeros((), s.dtype)] * len(pairs),
        lambda left, right: [a + b for a, b in zip(left, right, strict=True)],
        tuple(range(s.ndim)),
    )
    inner = dict(zip(pairs, sums, strict=True))
    last = len(columns)
    gradient = jnp.stack([inner[k, last] for k in range(last)])
    normal = jnp.stack(
        [jnp.stack([inner[min(i, j), max(i, j)] for j in range(last)]) for i in range(last)]
    )
    return Point(theta, 0.5 * inner[last, last], gradient, normal)


def step(
    residuals: Residuals,
    data: Data,
    state: State,
    box: Box | None = None,
    *,
    refines: bool = False,
) -> State:
    """One attempt of one fit; a fit that has ended stays as it is.

    Args:
        residuals: S of one fit.
        data: Its data.
        state: Where it is.
        box: The bounds that θ keeps to; None where there are none.
        refines: Whether a fit that has converged goes on for more digits.
    """
    at = state.at
    is_first = jnp.isinf(at.loss)
    theta, predicted, decrement = _damped_step(state, box)
    trial = point(residuals, data, theta)
    is_finite = jnp.isfinite(trial.loss) & jnp.all(jnp.isfinite(trial.normal))
    # In units of the present columns: damping would hide the descent along one that has shrunk.
    is_newton = jnp.all(state.damping * state.columns <= SMALL_DAMPING * at.squares)
    is_flat = is_newton & (decrement <= FLAT**2 * 2 * at.loss)
    # Beside the start alone, data much smaller than the model's values there would count as 0.
    is_spent = trial.loss <= SPENT * jnp.minimum(state.start_loss, jnp.sum(trial.effects))
    is_refined = state.code == REFINED
    # Where so little is predicted, rounding decides whether the loss falls.
    noise = _noise(at)
    is_unseen = predicted <= noise
    is_lower = (trial.loss < at.loss) | (is_unseen & (trial.loss <= at.loss + noise))
    is_less_steep = _steepness(trial, box) < REFINES * _steepness(at, box)
    is_taken = is_finite & jnp.where(is_refined, is_less_steep, is_lower)
    ratio = jnp.where(is_unseen, 1.0, (at.loss - trial.loss) / predicted)
    ratio = jnp.where(is_taken, ratio, -1.0)
    shrunk = jnp.where(state.damping <= 1e-8, 0.0, state.damping / 20)  # noqa: PLR2004 - as good as 0
    grown = jnp.maximum(state.damping * 8, 1e-6)
    damping = jnp.where(ratio > GOOD, shrunk, jnp.where(ratio < POOR, grown, state.damping))
    columns = jnp.where(is_taken, jnp.maximum(state.columns, trial.squares), state.columns)
    is_lost = (trial.squares <= DEAD * columns) & has_no_effect(trial.effects, DEAD)
    if box is not None:
        is_lost &= ~pushed(trial.theta, trial.gradient, box)
    is_over = ~is_first & (is_flat | (is_spent & is_taken))
    is_sure = is_taken & is_newton & ~jnp.any(is_lost)
    is_stuck = ~is_finite & (is_first | (state.damping > MOST_DAMPING)) | (damping > MOST_DAMPING)
    end = jnp.where(is_sure, REFINED if refines else CONVERGED, DOUBTFUL)
    code = jnp.where(is_over, end, jnp.where(is_stuck, DOUBTFUL, RUNNING))
    code = jnp.where(is_refined, jnp.where(is_taken, REFINED, CONVERGED), code)
    new = State(
        at=jax.tree.map(lambda after, before: jnp.where(is_taken, after, before), trial, at),
        columns=columns,
        damping=jnp.where(is_first, state.damping, jnp.where(code == REFINED, 0.0, damping)),
        start_loss=jnp.where(is_first, trial.loss, state.start_loss),
        code=code.astype(state.code.dtype),
        not_finite=state.not_finite + jnp.where(is_finite, 0, 1),
    )
    is_running = state.code <= REFINED
    return jax.tree.map(lambda after, before: jnp.where(is_running, after, before), new, state)


def _damped_step(state: State, box: Box | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The new θ, the predicted fall of the loss, and what a step of Newton's would gain twice."""
    at = state.at
    matrix, unit = _in_units(at.normal, state.columns)
    right = -at.gradient / unit
    damped = matrix + state.damping * jnp.eye(unit.size, dtype=unit.dtype)
    if box is None:
        scaled, _ = solved(damped, right)
        predicted = 0.5 * jnp.sum(scaled * (right + state.damping * scaled))
        return at.theta + scaled / unit, predicted, jnp.sum(scaled * right)
    scaled, theta = _within(box, damped, right, at.theta, unit)
    predicted = jnp.sum(scaled * (right - 0.5 * (matrix @ scaled)))
    return theta, predicted, 2 * predicted  # 0 only where the KKT conditions hold


def _in_units(normal: jax.Array, squares: jax.Array) -> tuple[jax.Array, jax.Array]:
    """JᵀJ in units of its columns, whose squared norms are given, and these units."""
    unit = jnp.sqrt(jnp.where(squares > 0, squares, 1))
    return normal / unit[:, None] / unit, unit


def _without(matrix: jax.Array, is_held: jax.Array) -> jax.Array:
    """A matrix in which the parameters that are held stand alone."""
    return jnp.where(is_held[:, None] | is_held, 0, matrix) + jnp.diag(1.0 * is_held)


def certain(state: State, least: float, box: Box | None = None) -> State:
    """The state, doubtful where it has converged and J is singular there. Pure.

    Parameters that the loss pushes against a bound are left out. The matrix of a step does not
    tell, as even a small damping hides that it is singular.

    Args:
        state: Where it is.
        least: The squared pivot up to which J counts as singular, `LEAST_PIVOT` or `LEAST_REFINED`.
        box: The bounds that θ keeps to.
    """
    at = state.at
    matrix, unit = _in_units(at.normal, at.squares)
    if box is not None:
        matrix = _without(matrix, pushed(at.theta, at.gradient, box))
    _, pivot = solved(matrix, unit)
    has_converged = (state.code == CONVERGED) | (state.code == REFINED)
    is_doubtful = has_converged & ~(pivot > least)  # also where it is NaN
    return state._replace(code=jnp.where(is_doubtful, DOUBTFUL, state.code))


def _noise(point: Point) -> jax.Array:
    """The rounding of the loss: that of its sum, and that of a model much larger than s."""
    eps = jnp.finfo(point.loss.dtype).eps
    size = jnp.sqrt(jnp.sum(point.effects))
    return VISIBLE * eps * point.loss + eps * size * jnp.sqrt(2 * point.loss)


def pushed(theta: Any, gradient: Any, box: tuple[Any, Any]) -> Any:
    """Which parameters are at a bound that the loss pushes against, `(k,)`."""
    return ((theta <= box[0]) & (gradient > 0)) | ((theta >= box[1]) & (gradient < 0))


def _steepness(point: Point, box: Box | None) -> jax.Array:
    """The largest component of the gradient, in units of its column of J.

    Without those that push against a bound.
    """
    squares = point.squares
    slope = jnp.abs(point.gradient)
    if box is not None:
        slope = jnp.where(pushed(point.theta, point.gradient, box), 0, slope)
    return jnp.max(slope / jnp.sqrt(jnp.where(squares > 0, squares, 1)))


def _within(
    box: Box, damped: jax.Array, right: jax.Array, theta: jax.Array, unit: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The step that keeps θ to its bounds, and the new θ."""
    low, high = (box[0] - theta) * unit, (box[1] - theta) * unit

    def solve(side: jax.Array) -> tuple[jax.Array]:
        is_held = side != 0
        there = jnp.where(is_held, jnp.where(side < 0, low, high), 0)
        rest = jnp.where(is_held, there, right - damped @ there)
        return (solved(_without(damped, is_held), rest)[0],)

    side, (scaled,) = least_in_box(
        solve,
        lambda scaled: damped @ scaled - right,
        first_side(-right, low, high),
        low,
        high,
        blank=(jnp.zeros_like(right),),
    )
    new = jnp.clip(theta + scaled / unit, *box)
    new = jnp.where(side < 0, box[0], jnp.where(side > 0, box[1], new))
    return (new - theta) * unit, new


def solved(matrix: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
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
