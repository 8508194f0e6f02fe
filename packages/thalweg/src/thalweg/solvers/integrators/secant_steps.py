"""The steps of `secant-euler`, over all data or on a sample.

A point whose loss is not known is first evaluated as an attempt with displacement 0, so that there
is one evaluation in the compiled program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.solvers.base import RUNNING, STALLED
from thalweg.solvers.integrators.pairs import (
    Pairs,
    Products,
    are_reliable,
    direction,
    discarded,
    largest_curvature,
    with_pair,
)
from thalweg.solvers.step_control import (
    Search,
    judge_by_loss,
    start_search,
)

ValueAndGrad = Callable[[jax.Array], tuple[jax.Array, jax.Array]]

LONGEST = 3.0  # h times the curvature κ of B along an attempt: three quarters of Newton's step
FAR = -10.0  # gain of a rejected attempt below which its curvature says nothing of the point here


class Point(NamedTuple):
    """A point θ with loss, gradient and its norm, over the data that steps are taken on.

    The loss is NaN before it is known.
    """

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array
    grad_norm: jax.Array


class Trial(NamedTuple):
    """Where the search for a step stands after an evaluation.

    Attributes:
        point: The end of the attempt where it was taken, or else the start of the step.
        pairs: The curvature seen so far, the attempt's included.
        h: The size of the attempt.
        attempts: Attempts so far.
        evaluations: Evaluations of loss and gradient so far.
        was_reset: Whether the pairs were discarded in this step.
        start: The loss and |∇L| where the step began.
    """

    point: Point
    pairs: Pairs
    h: jax.Array
    attempts: jax.Array
    evaluations: jax.Array
    was_reset: jax.Array
    start: tuple[jax.Array, jax.Array]


class Steps(NamedTuple):
    """One step or several; all scalars but the point and the pairs.

    Attributes:
        point: Where they end.
        pairs: The curvature seen so far.
        next_h: The size of the next attempt.
        t: The flow time that they took.
        start_loss: The loss where they began.
        start_norm: |∇L| there.
        taken: How many steps were taken.
        attempts: How many attempts were made.
        evaluations: Evaluations of loss and gradient.
        code: RUNNING, or STALLED where no attempt lowered the loss or the start is not finite.
    """

    point: Point
    pairs: Pairs
    next_h: jax.Array
    t: jax.Array
    start_loss: jax.Array
    start_norm: jax.Array
    taken: jax.Array
    attempts: jax.Array
    evaluations: jax.Array
    code: jax.Array


def take_steps(
    value_and_grad: ValueAndGrad,
    point: Point,
    pairs: Pairs,
    h: jax.Array,
    *,
    most: jax.Array | int,
) -> Steps:
    """Steps one after the other, until one of them cannot be taken.

    All attempts at all steps are one loop: a loop inside a loop, or in a branch, would copy the
    pairs at each step.

    Args:
        value_and_grad: Loss and gradient over the data that steps are taken on.
        point: Where they begin.
        pairs: The curvature seen so far, over any data.
        h: The size of the first attempt.
        most: How many steps at most.
    """
    zero = jnp.zeros((), jnp.int32)

    def goes_on(carry: tuple[Trial, Search, jax.Array, jax.Array]) -> jax.Array:
        _, search, _, taken = carry
        return (taken < most) & (search.code == RUNNING)

    def attempted(
        carry: tuple[Trial, Search, jax.Array, jax.Array],
    ) -> tuple[Trial, Search, jax.Array, jax.Array]:
        trial, search, t, taken = carry
        trial, search = _attempt(value_and_grad, trial, search)
        ends = search.is_taken  # the search for this step; the next one begins
        t = t + jnp.where(ends, trial.h, 0)
        afresh = start_search(search.next_h)
        search = jax.tree.map(lambda new, old: jnp.where(ends, new, old), afresh, search)
        trial = trial._replace(was_reset=trial.was_reset & ~ends)
        return trial, search, t, (taken + ends).astype(jnp.int32)

    first = Trial(
        point=point,
        pairs=pairs,
        h=jnp.zeros_like(h),
        attempts=zero,
        evaluations=zero,
        was_reset=jnp.zeros((), bool),
        start=(point.loss, point.grad_norm),
    )
    carry = (first, start_search(h), jnp.zeros_like(h), zero)
    trial, search, t, taken = jax.lax.while_loop(goes_on, attempted, carry)
    start_loss, start_norm = trial.start
    return Steps(
        point=trial.point,
        pairs=trial.pairs,
        next_h=search.next_h,
        t=t,
        start_loss=start_loss,
        start_norm=start_norm,
        taken=taken,
        attempts=trial.attempts,
        evaluations=trial.evaluations,
        code=search.code,
    )


def _attempt(value_and_grad: ValueAndGrad, last: Trial, search: Search) -> tuple[Trial, Search]:
    """One evaluation: at the point itself while its loss is unknown, otherwise at a trial point."""
    now, h = last.point, search.next_h
    is_trial = ~jnp.isnan(now.loss)
    made = direction(last.pairs, now.grad, h)
    displacement = jnp.where(is_trial, made.vector, 0)
    theta = now.theta + displacement
    loss, new_grad = value_and_grad(theta)
    grad = jnp.where(is_trial, now.grad, new_grad)
    products = Products.of(displacement, grad, new_grad)
    grad_norm = jnp.sqrt(products.tt)
    judged = judge_by_loss(
        search,
        h=h,
        loss=now.loss,
        trial_loss=loss,
        # -(g·d + ½ d·Bd) with Bd = -g - d/h.
        predicted=0.5 * (products.ss / h - products.sg),
    )
    judged = _bounded(judged, last.pairs, products, h)
    # Pairs without a step to take are discarded, once, before the search is given up.
    resets = is_trial & (judged.code != RUNNING) & ~last.was_reset & (last.pairs.known > 0)
    judged = judged._replace(
        next_h=jnp.where(resets, 1 / largest_curvature(last.pairs), judged.next_h),
        was_too_long=judged.was_too_long & ~resets,
        code=jnp.where(resets, RUNNING, judged.code),
    )
    moves = judged.is_taken | ~is_trial
    pairs = with_pair(
        last.pairs,
        made._replace(vector=displacement),
        grad,
        new_grad,
        products,
        is_taken=moves,
        is_near=judged.gain > FAR,
    )
    is_finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
    evaluated = search._replace(code=jnp.where(is_finite, RUNNING, STALLED).astype(jnp.int32))
    start = (loss, grad_norm)
    trial = Trial(
        point=Point(
            theta=jnp.where(moves, theta, now.theta),
            loss=jnp.where(moves, loss, now.loss),
            grad=jnp.where(moves, new_grad, now.grad),
            grad_norm=jnp.where(moves, grad_norm, now.grad_norm),
        ),
        pairs=discarded(pairs, resets),
        h=h,
        attempts=(last.attempts + is_trial).astype(jnp.int32),
        evaluations=last.evaluations + 1,
        was_reset=last.was_reset | resets,
        start=jax.tree.map(lambda old, new: jnp.where(is_trial, old, new), last.start, start),
    )
    choose = jax.tree.map(lambda a, b: jnp.where(is_trial, a, b), judged, evaluated)
    return trial, choose


def _bounded(judged: Search, pairs: Pairs, products: Products, h: jax.Array) -> Search:
    """The search with its next h at most `LONGEST / κ`, unless the pairs are reliable.

    Beyond that h hardly changes the step: it would grow by good steps without any effect, and then
    be halved in vain, tens of times, until it has one. κ = d·Bd/d·d, with Bd = -g - d/h. Where no
    attempt is rejected any more h is free, so that convergence is that of Newton's steps. An
    attempt too short to be seen asks for a longer one, and gets it.
    """
    curvature = jnp.maximum(-products.sg - products.ss / h, 0)
    bound = LONGEST * products.ss / curvature  # infinite, or NaN for d = 0, where B has no effect
    is_bounded = judged.was_too_long | (judged.is_taken & ~are_reliable(pairs))
    return judged._replace(
        next_h=jnp.where(is_bounded, jnp.fmin(judged.next_h, bound), judged.next_h)
    )
