"""A step of `secant-euler` in the making: one evaluation after the other until the step ends.

Over all data it is one attempt after the other until one lowers the loss, after a look at the point
itself where a run begins. On a sample of the data it is a look at the point over the sample, some
attempts that lower its loss, and a look over all data at the end.

    all data       LOOK, WALK, ..., TAKEN
    on a sample    LOOK, ENTER, WALK, ..., LEAVE, TAKEN

LOOK only where the loss at the start is not known; LOST in the place of TAKEN where nothing helps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.flow.sample import still_tells
from thalweg.solvers.base import CONVERGED, STALLED
from thalweg.solvers.integrators.pairs import (
    Pairs,
    Products,
    direction,
    forgotten,
    largest_curvature,
    with_pair,
)
from thalweg.solvers.step_control import H_MAX, LENGTHEN, is_descent, is_flat, next_h

Evaluate = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]  # of θ and the stage

FAR = -10.0  # gain of a refused attempt below which its pair tells of another place
MOST_ATTEMPTS = 60

# What the next evaluation of a step is: at the point where it stands, or of an attempt.
LOOK = 0  # over all data, where a run begins or samples have ended
ENTER = 1  # over the sample
WALK = 2  # an attempt
LEAVE = 3  # over all data, after steps on the sample
TAKEN, LOST = 4, 5  # none: the step has ended


class Sampling(NamedTuple):
    """What is carried while steps may be taken on samples; all scalars.

    Attributes:
        is_on: Whether the next steps are.
        steps: How many, until all data are looked at.
        turn: Samples drawn so far.
        rest: The part of a gradient over all data that is in no count of work yet.
    """

    is_on: jax.Array
    steps: jax.Array
    turn: jax.Array
    rest: jax.Array


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try next.
        loss: The loss at the present point; NaN before it is known.
        grad: The gradient there, `(n,)`; on samples nothing reads it.
        grad_norm: Its norm; NaN before it is known, and on samples.
        pairs: The curvature seen so far.
        start_loss: The loss at the start of the run; NaN before it is known.
        mark: The loss that the present stretch of `patience` gradients began with.
        since: Gradients since then.
        sampling: Where samples are drawn.
    """

    h: jax.Array
    loss: jax.Array
    grad: jax.Array
    grad_norm: jax.Array
    pairs: Pairs
    start_loss: jax.Array
    mark: jax.Array
    since: jax.Array
    sampling: Sampling | None


class Point(NamedTuple):
    """A point θ with loss, gradient and its norm, over the data that the last evaluation took."""

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array
    grad_norm: jax.Array


class Walk(NamedTuple):
    """A step in the making; all scalars but the point and the pairs.

    Attributes:
        point: Where it stands.
        pairs: The curvature seen so far.
        stage: What the next evaluation is.
        h: The size of the next attempt.
        t: Flow time so far.
        start_loss: The loss over all data where the step began.
        start_norm: The norm of the gradient there; NaN on a sample.
        attempts: Attempts made.
        steps: Attempts taken.
        tries: Attempts since one was taken.
        shortened: Whether h has shrunk since one was taken.
        is_anew: Whether the pairs were forgotten since one was taken.
        entry_loss: The loss of the sample where the step began.
        tells: Whether the sample tells of all data.
    """

    point: Point
    pairs: Pairs
    stage: jax.Array
    h: jax.Array
    t: jax.Array
    start_loss: jax.Array
    start_norm: jax.Array
    attempts: jax.Array
    steps: jax.Array
    tries: jax.Array
    shortened: jax.Array
    is_anew: jax.Array
    entry_loss: jax.Array
    tells: jax.Array


def begun(theta: jax.Array, solver_state: State) -> Walk:
    """A step before its first evaluation."""
    none, whole, no = jnp.zeros_like(solver_state.h), jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    first = jnp.asarray(WALK)
    if solver_state.sampling is not None:
        first = jnp.where(solver_state.sampling.is_on, ENTER, WALK)
    return Walk(
        point=Point(theta, solver_state.loss, solver_state.grad, solver_state.grad_norm),
        pairs=solver_state.pairs,
        stage=jnp.where(jnp.isnan(solver_state.loss), LOOK, first).astype(jnp.int32),
        h=solver_state.h,
        t=none,
        start_loss=solver_state.loss,
        start_norm=solver_state.grad_norm,
        attempts=whole,
        steps=whole,
        tries=whole,
        shortened=no,
        is_anew=no,
        entry_loss=none,
        tells=no,
    )


def attempted(walk: Walk, evaluate: Evaluate, sampling: Sampling | None) -> Walk:
    """The walk after one more evaluation."""
    is_walking, h, now = walk.stage == WALK, walk.h, walk.point
    made = direction(walk.pairs, now.grad, h)
    displacement = jnp.where(is_walking, made.vector, 0)
    trial = now.theta + displacement
    trial_loss, trial_grad = evaluate(trial, walk.stage)
    # Where it stands, a point is only seen anew.
    grad = jnp.where(is_walking, now.grad, trial_grad)
    products = Products.of(displacement, grad, trial_grad)
    # -(g·d + ½ d·Bd) with Bd = -g - d/h.
    predicted = 0.5 * (products.ss / h - products.sg)
    gain = jnp.where(predicted > 0, (now.loss - trial_loss) / predicted, jnp.nan)
    taken = is_walking & is_descent(gain)
    tries = walk.tries + is_walking
    # A decrease too small to be seen: of a first attempt, h may just be too short.
    eps = jnp.finfo(h.dtype).eps
    is_unseen = is_walking & ~taken & (predicted <= eps * jnp.abs(now.loss))
    is_short = is_unseen & ~walk.shortened & (h < H_MAX)
    is_lost = (is_unseen & ~is_short) | (is_walking & ~taken & (tries >= MOST_ATTEMPTS))
    # Pairs that lead nowhere are forgotten, once, before the run is given up.
    is_anew = is_lost & ~walk.is_anew & (walk.pairs.known > 0)
    moves = taken | ~is_walking
    pairs = with_pair(
        walk.pairs,
        made._replace(vector=displacement),
        grad,
        trial_grad,
        products,
        is_taken=moves,
        is_near=gain > FAR,
    )
    longer = jnp.where(is_short, jnp.minimum(LENGTHEN * h, H_MAX), next_h(h, gain))
    longer = jnp.where(is_anew, 1 / largest_curvature(walk.pairs), longer)
    steps = walk.steps + taken
    trial_norm = jnp.sqrt(products.tt)
    is_look = walk.stage == LOOK
    is_out = is_look & ~jnp.isfinite(trial_loss + trial_norm)
    is_out |= is_lost & ~is_anew
    stage = jnp.where(is_out, LOST, jnp.where(taken, TAKEN, WALK))
    entry_loss, tells = walk.entry_loss, walk.tells
    if sampling is not None:
        is_done = (taken & (steps >= sampling.steps)) | (is_out & is_walking)
        on_sample = jnp.where(is_done, LEAVE, WALK)
        on_sample = jnp.where(is_look, jnp.where(is_out, LOST, ENTER), on_sample)
        on_sample = jnp.where(walk.stage == LEAVE, TAKEN, on_sample)
        stage = jnp.where(sampling.is_on, on_sample, stage)
        trial_norm = jnp.where(sampling.is_on & is_whole(walk.stage), jnp.nan, trial_norm)
        entry_loss = jnp.where(walk.stage == ENTER, trial_loss, entry_loss)
        tells = (steps > 0) & still_tells(
            fell=walk.start_loss - trial_loss,
            sample_fell=entry_loss - now.loss,
            loss=trial_loss,
            sample_loss=now.loss,
        )
    return Walk(
        point=Point(
            theta=jnp.where(moves, trial, now.theta),
            loss=jnp.where(moves, trial_loss, now.loss),
            grad=jnp.where(moves, trial_grad, now.grad),
            grad_norm=jnp.where(moves, trial_norm, now.grad_norm),
        ),
        pairs=forgotten(pairs, is_anew),
        stage=stage.astype(jnp.int32),
        h=jnp.where(is_walking, longer, h),
        t=walk.t + jnp.where(taken, h, 0),
        start_loss=jnp.where(is_look, trial_loss, walk.start_loss),
        start_norm=jnp.where(is_look, trial_norm, walk.start_norm),
        attempts=walk.attempts + is_walking,
        steps=steps,
        tries=jnp.where(taken, 0, tries).astype(jnp.int32),
        shortened=is_walking & ~(taken | is_anew) & (walk.shortened | ~is_short),
        is_anew=~taken & (walk.is_anew | is_anew),
        entry_loss=entry_loss,
        tells=tells,
    )


def is_whole(stage: jax.Array) -> jax.Array:
    """Whether a step on samples evaluates all data next, and of these the loss alone."""
    return (stage == LOOK) | (stage == LEAVE)


def start_loss(walk: Walk, solver_state: State) -> jax.Array:
    """The loss at the start of the run."""
    return jnp.where(jnp.isnan(solver_state.start_loss), walk.start_loss, solver_state.start_loss)


def failure(walk: Walk, solver_state: State) -> jax.Array:
    """Why a run ends that has found no step."""
    flat = is_flat(
        loss=walk.start_loss,
        start_loss=start_loss(walk, solver_state),
        grad_norm=walk.start_norm,
        largest=largest_curvature(walk.pairs),
    )
    return jnp.where(flat, CONVERGED, STALLED)
