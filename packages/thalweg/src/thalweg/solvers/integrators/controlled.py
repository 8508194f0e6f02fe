"""One step of an integrator with an error estimate: attempts until one is taken, or none can be.

An integrator brings an attempt: a step of size h from a point. Its control decides what it is
judged by: the loss (`Descent`) or the error estimate (`Accuracy`). The gradient at the end of an
attempt is the gradient at the start of the next step, so it is kept.

These integrators have no quadratic model. An attempt with displacement d is predicted to lower the
loss by ½ |∇L·d|: the whole decrease of a quadratic loss where d ends in its minimum, and half of
the decrease where h is small.

Source: Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.2.
Decision: docs/decisions/0014-integrators-of-our-own.md.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.solvers.base import CONVERGED, RUNNING, StepResult, no_work
from thalweg.solvers.step_control import (
    LONGEST,
    Accuracy,
    Descent,
    Search,
    attempt_until_taken,
    finite_code,
    is_flat,
    judge_by_error,
    judge_by_loss,
    start_search,
    step_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.solution import Work

LEAST_ERROR = 1e-4  # of a step, in units of the tolerances, as the PI rule remembers it


class ControllerState(NamedTuple):
    """What the controller carries from step to step.

    Attributes:
        h: The step size to try first.
        error: The error of the last step in units of its tolerances; 1 before the first.
        loss: The loss at the point; NaN before it is known.
        grad: ∇L there, shape `(n,)`.
        start_loss: The loss at the start of the run.
        inner: What the integrator carries.
    """

    h: jax.Array
    error: jax.Array
    loss: jax.Array
    grad: jax.Array
    start_loss: jax.Array
    inner: Any


class Point(NamedTuple):
    """Where a step begins: θ and ∇L of shape `(n,)`, and L."""

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array


class Trial(NamedTuple):
    """One attempt.

    Attributes:
        theta: Where it ends, shape `(n,)`.
        loss: The loss there.
        grad: ∇L there.
        h: The size of the step that was tried; at most the size asked for.
        error: Its estimated error, shape `(n,)`.
        is_fine: Whether the attempt could be made; False asks for a smaller step.
        work: What it spent, without the count of rejections.
        solver_state: What the integrator carries to the next attempt or step.
    """

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array
    h: jax.Array
    error: jax.Array
    is_fine: jax.Array
    work: Work
    solver_state: Any


def init_controller(theta: jax.Array, inner: Any) -> ControllerState:
    """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
    one, nan = jnp.ones((), theta.dtype), jnp.asarray(jnp.nan, theta.dtype)
    return ControllerState(one, one, nan, jnp.zeros_like(theta), nan, inner)


def start_point(
    flow: Any, data: Any, theta: jax.Array, state: ControllerState
) -> tuple[Point, ControllerState, Work]:
    """The point that a step begins at; L and ∇L are evaluated before the first step only.

    Returns:
        The point, the state with the loss that the run began with, and the work.
    """
    is_new = jnp.isnan(state.start_loss)
    loss, grad = jax.lax.cond(
        is_new, lambda: flow.value_and_grad(data, theta), lambda: (state.loss, state.grad)
    )
    start_loss = jnp.where(is_new, loss, state.start_loss)
    work = no_work(gradients=jnp.where(is_new, 1, 0))
    return Point(theta, loss, grad), state._replace(start_loss=start_loss), work


def controlled_step(
    control: Descent | Accuracy,
    point: Point,
    state: ControllerState,
    attempt: Callable[[jax.Array, Any], Trial],
    *,
    order: int,
    curvature: jax.Array,
    spent: Work,
    longest: float = LONGEST,
) -> StepResult:
    """Attempt until a step is taken, or until none can be.

    Args:
        control: What attempts are judged by.
        point: Where the step begins.
        state: From the last step, as `start_point` returned it.
        attempt: Tries a step. It takes the size h, and what the last attempt or step carried.
        order: The power of h that the error estimate is proportional to.
        curvature: Of the loss along ∇L, or more; it tells a minimum from a stalled run.
        spent: The work of the step so far.
        longest: The largest factor by which h may grow from step to step.

    Returns:
        The step's result; its solver state is the `ControllerState` for the next step.
    """
    grad_norm = jnp.linalg.norm(point.grad)
    flat = is_flat(
        loss=point.loss, start_loss=state.start_loss, grad_norm=grad_norm, largest=curvature
    )
    code = finite_code(point.loss, grad_norm)
    if isinstance(control, Accuracy):
        # The flow is at rest in a minimum. Descent tries once more: rounding may leave something.
        code = jnp.where((code == RUNNING) & flat, CONVERGED, code)

    judge = _judge_of(
        control, point, state, flat=flat, grad_norm=grad_norm, order=order, longest=longest
    )

    def attempted(last: tuple[Trial, Work], search: Search) -> tuple[tuple[Trial, Work], Search]:
        trial = attempt(search.next_h, last[0].solver_state)
        search = judge(trial, search)
        failed = jnp.where(search.is_taken, 0, 1)
        by_error = jnp.where(trial.is_fine, failed, 0) if isinstance(control, Accuracy) else 0
        counted = no_work(rejected_steps=failed, error_test_failures=by_error)
        work = jax.tree.map(lambda *counts: sum(counts), last[1], trial.work, counted)
        return (trial, work), search

    first = (_no_trial(point, state), no_work())
    (trial, work), search = attempt_until_taken(attempted, first, start_search(state.h, code))
    after = ControllerState(
        h=search.next_h,
        error=jnp.maximum(search.error, LEAST_ERROR),
        loss=trial.loss,
        grad=trial.grad,
        start_loss=state.start_loss,
        inner=trial.solver_state,
    )
    if not isinstance(control, Accuracy):
        after = after._replace(error=state.error)
    before = state._replace(loss=point.loss, grad=point.grad)
    return step_result(
        search,
        start=(point.theta, point.loss, grad_norm),
        end=(trial.theta, trial.loss, trial.h),
        work=jax.tree.map(jnp.add, spent, work),
        solver_state=jax.tree.map(
            lambda new, old: jnp.where(search.is_taken, new, old), after, before
        ),
    )


def _judge_of(
    control: Descent | Accuracy,
    point: Point,
    state: ControllerState,
    *,
    flat: jax.Array,
    grad_norm: jax.Array,
    order: int,
    longest: float,
) -> Callable[[Trial, Search], Search]:
    """How a trial from a point is judged: by its error or by the loss."""

    def by_error(rule: Accuracy, trial: Trial, search: Search) -> Search:
        eps = float(jnp.finfo(point.theta.dtype).eps)
        return judge_by_error(
            search,
            h=trial.h,
            error=_scaled_error(rule, point, trial, start_loss=state.start_loss),
            last_error=state.error,
            moves=trial.h * grad_norm > eps * jnp.linalg.norm(point.theta),
            order=order,
            longest=longest,
        )

    def by_loss(trial: Trial, search: Search) -> Search:
        predicted = 0.5 * jnp.abs(jnp.vdot(point.grad, trial.theta - point.theta))
        return judge_by_loss(
            search,
            h=trial.h,
            loss=point.loss,
            trial_loss=trial.loss,
            predicted=jnp.where(trial.is_fine, predicted, jnp.nan),
            flat=flat,
            regrowth=1.0,
        )

    return functools.partial(by_error, control) if isinstance(control, Accuracy) else by_loss


def _scaled_error(
    rule: Accuracy, point: Point, trial: Trial, *, start_loss: jax.Array
) -> jax.Array:
    """The error of an attempt in units of the tolerances; NaN where the attempt failed."""
    factor = rule.factor(point.loss, start_loss)
    scale = jnp.maximum(jnp.abs(point.theta), jnp.abs(trial.theta))
    error = rule.size(trial.error, scale, factor)
    is_sound = trial.is_fine & jnp.isfinite(trial.loss) & jnp.isfinite(error)
    return jnp.where(is_sound, error, jnp.nan)


def _no_trial(point: Point, state: ControllerState) -> Trial:
    """A trial of the right shapes, before the first."""
    return Trial(
        theta=point.theta,
        loss=point.loss,
        grad=point.grad,
        h=jnp.zeros_like(point.loss),
        error=jnp.zeros_like(point.theta),
        is_fine=jnp.zeros((), bool),
        work=no_work(),
        solver_state=state.inner,
    )
