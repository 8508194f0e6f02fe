"""The rule by which attempts at a step are judged, and the loop that makes them.

A step is a search over its size h. An attempt is *taken* or *rejected*:

    gain ρ        (L(θ) - L(θ⁺)) / predicted decrease; NaN where either is no number, or where no
                  decrease is predicted
    taken         ρ > 1e-4
    invisible     rejected, and the predicted decrease is below the rounding of L(θ)
    too short     invisible, while no attempt at this step was too long, h is below its upper bound,
                  and the point is not known to be flat: the next attempt is 1024 times longer
    too long      any other rejected attempt: the next one is half as long
    hopeless      invisible and not too short, or the 60th rejected attempt: the search ends without
                  a step, CONVERGED at a flat point and STALLED elsewhere

Under accuracy control an attempt is taken where its error is at most 1 in units of the tolerances.
It is hopeless where even a step that moves nothing is rejected, or after 60 attempts.

A method brings its formula; everything in this table is the same for all of them.

Source: Conn, Gould & Toint 2000, *Trust-Region Methods*, chapter 6 (the gain).
Decision: docs/decisions/0010-step-control-by-descent.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from thalweg.solvers.base import CONVERGED, DIVERGED, RUNNING, STALLED, StepResult
from thalweg.solvers.step_control.step_size import (
    ACCEPT,
    FACTOR,
    H_MAX,
    LENGTHEN,
    next_h,
    next_h_by_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.solution import Work

Trial = TypeVar("Trial")

MAX_ATTEMPTS = 60  # halvings after which h is not too long for any reason but rounding


class Search(NamedTuple):
    """The search for the size of one step: its last attempt, and what to try next; all scalars.

    Attributes:
        next_h: The size of the next attempt, at this step or at the next one.
        gain: ρ of the last attempt; NaN under accuracy control.
        error: The error of the last attempt in units of the tolerances; NaN under descent.
        is_taken: Whether the last attempt is the step.
        was_too_long: Whether any attempt so far was too long.
        rejected: How many attempts were rejected.
        code: RUNNING, or why the search ended without a step.
    """

    next_h: jax.Array
    gain: jax.Array
    error: jax.Array
    is_taken: jax.Array
    was_too_long: jax.Array
    rejected: jax.Array
    code: jax.Array


def start_search(h: jax.Array, code: jax.Array | int = RUNNING) -> Search:
    """Before the first attempt, of size h; with a code other than RUNNING there is none."""
    unknown, no = jnp.full_like(h, jnp.nan), jnp.zeros((), bool)
    zero = jnp.zeros((), jnp.int32)
    return Search(h, unknown, unknown, no, no, zero, jnp.asarray(code, jnp.int32))


def finite_code(*values: jax.Array) -> jax.Array:
    """RUNNING where all values at the start of a step are finite, DIVERGED elsewhere."""
    is_finite = jnp.ones((), bool)
    for value in values:
        is_finite &= jnp.isfinite(value)
    return jnp.where(is_finite, RUNNING, DIVERGED).astype(jnp.int32)


def attempt_until_taken(
    attempt: Callable[[Trial, Search], tuple[Trial, Search]], trial: Trial, search: Search
) -> tuple[Trial, Search]:
    """Make attempts until one is taken, or until none can be.

    Args:
        attempt: From the last attempt and the search so far to the next attempt of size
            `search.next_h`, and the search as `judge_by_loss` or `judge_by_error` gives it.
        trial: A pytree of the shapes that `attempt` returns, before the first attempt.
        search: From `start_search`.

    Returns:
        The last attempt, and how it was judged.
    """

    def goes_on(carry: tuple[Trial, Search]) -> jax.Array:
        return (carry[1].code == RUNNING) & ~carry[1].is_taken

    return jax.lax.while_loop(goes_on, lambda carry: attempt(*carry), (trial, search))


def judge_by_loss(
    search: Search,
    *,
    h: jax.Array,
    loss: jax.Array,
    trial_loss: jax.Array,
    predicted: jax.Array,
    flat: jax.Array | bool = False,
    regrowth: float = FACTOR,
) -> Search:
    """Judge an attempt by the decrease of the loss.

    Args:
        search: The attempts before.
        h: The size that was tried; at most `search.next_h`. Positive.
        loss: L(θ), at the start of the step.
        trial_loss: L(θ⁺), at the end of the attempt.
        predicted: The predicted decrease; NaN where the attempt failed.
        flat: Whether the point is flat, as `is_flat` says; left out where a method can only say so
            after the search.
        regrowth: The factor by which h may grow for the next step, when the step was taken after
            an attempt that was too long. 2 is no restriction; 1 is for methods without a
            quadratic model, whose gain does not measure how good their model is.
    """
    eps = float(jnp.finfo(loss.dtype).eps)
    is_sound = (predicted > 0) & jnp.isfinite(trial_loss)
    gain = jnp.where(is_sound, (loss - trial_loss) / predicted, jnp.nan)
    is_taken = gain > ACCEPT
    is_invisible = ~is_taken & (predicted <= eps * jnp.abs(loss))
    is_too_short = is_invisible & ~search.was_too_long & (h < H_MAX)
    if flat is not False:
        is_too_short &= ~flat
    rejected = search.rejected + jnp.where(is_taken, 0, 1)
    is_hopeless = ~is_taken & ((is_invisible & ~is_too_short) | (rejected >= MAX_ATTEMPTS))
    by_gain = next_h(h, gain)
    if regrowth < FACTOR:
        by_gain = jnp.minimum(by_gain, jnp.where(search.was_too_long, regrowth * h, H_MAX))
    failure = STALLED if flat is False else jnp.where(flat, CONVERGED, STALLED)
    return search._replace(
        next_h=jnp.where(is_too_short, jnp.minimum(LENGTHEN * h, H_MAX), by_gain),
        gain=gain,
        is_taken=is_taken,
        was_too_long=search.was_too_long | ~(is_taken | is_too_short),
        rejected=rejected.astype(jnp.int32),
        code=jnp.where(is_hopeless, failure, RUNNING).astype(jnp.int32),
    )


def judge_by_error(
    search: Search,
    *,
    h: jax.Array,
    error: jax.Array,
    last_error: jax.Array,
    moves: jax.Array,
    order: int,
    longest: float,
) -> Search:
    """Judge an attempt by its error.

    Args:
        search: The attempts before.
        h: The size that was tried; at most `search.next_h`. Positive.
        error: Its error in units of the tolerances; NaN where the attempt failed.
        last_error: The error of the last step.
        moves: Whether a step of this size moves θ by more than its rounding.
        order: The power of h that the error estimate is proportional to.
        longest: The largest factor by which h may grow from step to step.
    """
    is_taken = error <= 1
    proposed = next_h_by_error(h, error, last_error, order=order, longest=longest)
    # After a rejected attempt the next step is no longer than this one.
    growth = jnp.where(search.rejected > 0, 1.0, longest)
    rejected = search.rejected + jnp.where(is_taken, 0, 1)
    is_hopeless = ~is_taken & (~moves | (rejected >= MAX_ATTEMPTS))
    return search._replace(
        next_h=jnp.where(is_taken, jnp.minimum(proposed, growth * h), proposed),
        error=error,
        is_taken=is_taken,
        was_too_long=search.was_too_long | ~is_taken,
        rejected=rejected.astype(jnp.int32),
        code=jnp.where(is_hopeless, STALLED, RUNNING).astype(jnp.int32),
    )


def step_result(
    search: Search,
    *,
    start: tuple[jax.Array, jax.Array, jax.Array],
    end: tuple[jax.Array, jax.Array, jax.Array],
    work: Work,
    solver_state: Any,
) -> StepResult:
    """What a step hands to the loop of a run.

    That is the end of the last attempt where it was taken, and the start of the step elsewhere.

    Args:
        search: The search, ended.
        start: θ, L and |∇L| at the start of the step.
        end: θ, L and h of the last attempt.
        work: What the step spent.
        solver_state: What the method carries to its next step.
    """
    (theta, loss, grad_norm), (trial, trial_loss, h) = start, end
    taken = search.is_taken
    return StepResult(
        theta=jnp.where(taken, trial, theta),
        loss=jnp.where(taken, trial_loss, loss),
        start_loss=loss,
        grad_norm=grad_norm,
        h=jnp.where(taken, h, 0),
        rejected=search.rejected,
        work=work,
        code=search.code,
        solver_state=solver_state,
    )
