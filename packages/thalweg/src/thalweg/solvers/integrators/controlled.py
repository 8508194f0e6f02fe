"""One controlled step of an integrator: attempts until one is taken, or none can be.

An integrator tells how to try a step of size h from a point; what is judged, and what h is tried
next, is the business of its control: the loss (`Descent`) or the error estimate (`Accuracy`). The
slope at the end of an attempt is the slope at the start of the next step, so it is kept.

Without a model of its own an attempt is predicted to lower the loss by ½|∇L·d|, with d its
displacement: all of what it lowers a quadratic loss by where it ends in the minimum, and half of
that where h is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.solvers.base import CONVERGED, DIVERGED, RUNNING, STALLED, StepResult, no_work
from thalweg.solvers.step_control import (
    H_MAX,
    LENGTHEN,
    LONGEST,
    Accuracy,
    Descent,
    is_descent,
    is_flat,
    next_h,
    next_h_by_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.solution import Work

MOST_REJECTIONS = 60  # after so many no step is too long for any reason but rounding


class Pace(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try first.
        error: The error of the last step in units of its tolerances; 1 before the first.
        loss: The loss at the point; NaN before it is known.
        grad: ∇L there, shape `(n,)`.
        start_loss: The loss at the start of the run.
        own: What the integrator carries.
    """

    h: jax.Array
    error: jax.Array
    loss: jax.Array
    grad: jax.Array
    start_loss: jax.Array
    own: Any


class Point(NamedTuple):
    """Where a step begins: θ and ∇L of shape `(n,)`, and L."""

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array


class Trial(NamedTuple):
    """What an attempt gives.

    Attributes:
        theta: Where it ends, shape `(n,)`.
        loss: The loss there.
        grad: ∇L there.
        h: The size of the step that was tried; at most what was asked for.
        error: Its estimated error, shape `(n,)`.
        is_fine: Whether it could be made; False asks for a smaller step.
        work: What it spent, without the count of rejections.
        own: What the integrator carries on, to the next attempt or step.
    """

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array
    h: jax.Array
    error: jax.Array
    is_fine: jax.Array
    work: Work
    own: Any


class _State(NamedTuple):
    trial: Trial
    next_h: jax.Array
    error: jax.Array
    is_taken: jax.Array
    shortened: jax.Array
    rejected: jax.Array
    code: jax.Array
    work: Work


def first_pace(theta: jax.Array, own: Any) -> Pace:
    """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
    one, nan = jnp.ones((), theta.dtype), jnp.asarray(jnp.nan, theta.dtype)
    return Pace(one, one, nan, jnp.zeros_like(theta), nan, own)


def start_point(flow: Any, data: Any, theta: jax.Array, pace: Pace) -> tuple[Point, Pace, Work]:
    """The point that a step begins at; loss and slope are evaluated only before the first.

    Returns:
        The point, the pace with the loss that the run began with, and the work.
    """
    is_new = jnp.isnan(pace.start_loss)
    loss, grad = jax.lax.cond(
        is_new, lambda: flow.value_and_grad(data, theta), lambda: (pace.loss, pace.grad)
    )
    start_loss = jnp.where(is_new, loss, pace.start_loss)
    work = no_work(gradients=jnp.where(is_new, 1, 0))
    return Point(theta, loss, grad), pace._replace(start_loss=start_loss), work


def controlled_step(
    control: Descent | Accuracy,
    point: Point,
    pace: Pace,
    attempt: Callable[[jax.Array, Any], Trial],
    *,
    order: int,
    curvature: jax.Array,
    spent: Work,
    longest: float = LONGEST,
) -> StepResult:
    """Attempt until a step is taken, or until it shows that none can be.

    Args:
        control: What is judged.
        point: Where the step begins.
        pace: From the last step, as `start_point` gave it back.
        attempt: Tries a step: takes its size h, and what the last attempt or step carried on.
        order: The power of h that the error estimate goes with.
        curvature: Of the loss along ∇L, or more; tells a minimum from a place to be stuck at.
        spent: The work of the step so far.
        longest: The largest factor by which h may grow from step to step.

    Returns:
        The step's result; its memory is the `Pace` for the next.
    """
    real = point.theta.dtype
    eps = float(jnp.finfo(real).eps)
    grad_norm = jnp.linalg.norm(point.grad)
    flat = is_flat(
        loss=point.loss, start_loss=pace.start_loss, grad_norm=grad_norm, largest=curvature
    )
    is_finite = jnp.isfinite(point.loss) & jnp.isfinite(grad_norm)

    def judge_loss(trial: Trial, last: _State) -> _State:
        slope = jnp.vdot(point.grad, trial.theta - point.theta)
        predicted = 0.5 * jnp.abs(slope)
        gain = jnp.where(trial.is_fine, (point.loss - trial.loss) / predicted, jnp.nan)
        taken = is_descent(gain)
        # A decrease too small to be seen: of a first attempt, h may just be too short.
        is_unseen = ~taken & (predicted <= eps * jnp.abs(point.loss))
        is_short = is_unseen & ~last.shortened & ~flat & (trial.h < H_MAX)
        is_lost = ~taken & ((is_unseen & ~is_short) | (last.rejected >= MOST_REJECTIONS))
        longer = jnp.minimum(LENGTHEN * trial.h, H_MAX)
        return last._replace(
            # What was too long for this step would hardly do for the next.
            next_h=jnp.where(
                is_short,
                longer,
                jnp.minimum(next_h(trial.h, gain), jnp.where(last.shortened, trial.h, H_MAX)),
            ),
            is_taken=taken,
            shortened=last.shortened | ~(taken | is_short),
            code=jnp.where(is_lost, jnp.where(flat, CONVERGED, STALLED), RUNNING),
        )

    def judge_error(trial: Trial, last: _State, rule: Accuracy) -> _State:
        units = rule.factor(point.loss, pace.start_loss)
        scale = jnp.maximum(jnp.abs(point.theta), jnp.abs(trial.theta))
        error = rule.size(trial.error, scale, units)
        is_sound = trial.is_fine & jnp.isfinite(trial.loss) & jnp.isfinite(error)
        error = jnp.where(is_sound, error, jnp.nan)
        taken = error <= 1
        growth = jnp.where(last.rejected > 0, 1.0, longest)
        proposed = next_h_by_error(trial.h, error, pace.error, order=order, longest=longest)
        # Where even a step that moves nothing is refused, the flow has no slope to follow here.
        is_lost = ~taken & (
            (trial.h * grad_norm <= eps * jnp.linalg.norm(point.theta))
            | (last.rejected >= MOST_REJECTIONS)
        )
        return last._replace(
            next_h=jnp.where(taken, jnp.minimum(proposed, growth * trial.h), proposed),
            error=jnp.where(taken, jnp.maximum(error, 1e-4), pace.error),
            is_taken=taken,
            code=jnp.where(is_lost, STALLED, RUNNING),
        )

    def body(last: _State) -> _State:
        trial = attempt(last.next_h, last.trial.own)
        if isinstance(control, Accuracy):
            judged = judge_error(trial, last, control)
        else:
            judged = judge_loss(trial, last)
        failed = jnp.where(judged.is_taken, 0, 1)
        by_error = jnp.where(trial.is_fine, failed, 0) if isinstance(control, Accuracy) else 0
        booked = no_work(rejected_steps=failed, error_test_failures=by_error)
        work = jax.tree.map(lambda *counts: sum(counts), last.work, trial.work, booked)
        return judged._replace(
            trial=trial,
            rejected=last.rejected + failed,
            code=judged.code.astype(jnp.int32),
            work=work,
        )

    def goes_on(last: _State) -> jax.Array:
        return (last.code == RUNNING) & ~last.is_taken

    # In a minimum descent tries once more, as rounding may leave something; the flow is at rest.
    is_over = flat & isinstance(control, Accuracy)
    code = jnp.where(is_finite, jnp.where(is_over, CONVERGED, RUNNING), DIVERGED)
    zero = jnp.zeros((), jnp.int32)
    first = _State(
        trial=_no_trial(point, pace),
        next_h=pace.h,
        error=pace.error,
        is_taken=jnp.zeros((), bool),
        shortened=jnp.zeros((), bool),
        rejected=zero,
        code=code.astype(jnp.int32),
        work=no_work(),
    )
    last = jax.lax.while_loop(goes_on, body, first)
    taken, trial = last.is_taken, last.trial
    after = Pace(last.next_h, last.error, trial.loss, trial.grad, pace.start_loss, trial.own)
    before = pace._replace(loss=point.loss, grad=point.grad)
    return StepResult(
        theta=jnp.where(taken, trial.theta, point.theta),
        loss=jnp.where(taken, trial.loss, point.loss),
        start_loss=point.loss,
        grad_norm=grad_norm,
        h=jnp.where(taken, trial.h, 0),
        rejected=last.rejected,
        work=jax.tree.map(jnp.add, spent, last.work),
        code=last.code,
        solver_state=jax.tree.map(lambda new, old: jnp.where(taken, new, old), after, before),
    )


def _no_trial(point: Point, pace: Pace) -> Trial:
    """A trial of the right shapes, before the first."""
    zero = jnp.zeros_like(point.loss)
    return Trial(
        theta=point.theta,
        loss=point.loss,
        grad=point.grad,
        h=zero,
        error=jnp.zeros_like(point.theta),
        is_fine=jnp.zeros((), bool),
        work=no_work(),
        own=pace.own,
    )
