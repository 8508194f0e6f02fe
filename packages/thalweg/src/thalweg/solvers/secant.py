"""Linearly implicit Euler with a secant Jacobian: a W-method that needs one gradient a step.

    (B + 1/h) d = -∇L,   θ⁺ = θ + d

B is what limited-memory BFGS makes of the last pairs of a step s and the change y of the gradient
over it. The shift is put into the pairs: BFGS of `y + s/h` instead of y is a secant matrix of
`∇²L + 1/h`, and its inverse has a closed form with two small triangular solves.

A W-method keeps its order with any matrix in the place of the Jacobian; here that matrix costs no
more than the gradients, each of which is loss, slope and curvature at once: no line search, and a
refused attempt still adds a pair. That suits the start of every run and losses that a model of
second order describes badly; near a minimum the methods with the true curvature need fewer passes.

Source: Steihaug & Wolfbrandt 1979, "An attempt to avoid exact Jacobian and nonlinear equations in
the numerical solution of stiff differential equations" (W-methods); Byrd, Nocedal & Schnabel 1994,
"Representations of quasi-Newton matrices and their use in limited memory methods", section 2.
Decision: docs/decisions/0016-secant-start.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from thalweg.control import H_MAX, LENGTHEN, is_descent, is_flat, next_h
from thalweg.errors import ConfigError
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    HANDED_OVER,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

FAR = -10.0  # gain of a refused attempt below which its pair tells of another place
CURVED = 1e-10  # least cosine between s and y of a pair that is kept
MOST_ATTEMPTS = 60


class Pairs(NamedTuple):
    """The last m pairs in a ring, and all their inner products.

    Attributes:
        rows: Row i is a step s, row m + i its change y of the gradient; `(2m, n)`, 0 where unused.
        gram: `rows @ rows.T`, `(2m, 2m)`.
        onto_grad: `rows @ ∇L` at the present point, `(2m,)`.
        newest: The slot of the newest pair; -1 before the first.
        known: Pairs that there are, at most m.
    """

    rows: jax.Array
    gram: jax.Array
    onto_grad: jax.Array
    newest: jax.Array
    known: jax.Array


class Memory(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try next.
        loss: The loss at the present point; NaN before it is known.
        grad: The gradient there, `(n,)`.
        pairs: The curvature seen so far.
        start_loss: The loss at the start of the run; NaN before it is known.
        mark: The loss that the present stretch of `patience` gradients began with.
        since: Gradients since then.
    """

    h: jax.Array
    loss: jax.Array
    grad: jax.Array
    pairs: Pairs
    start_loss: jax.Array
    mark: jax.Array
    since: jax.Array


class Attempt(NamedTuple):
    """One attempt at a step from a point with `loss` and `grad`; all scalars but the vectors."""

    loss: jax.Array
    grad: jax.Array
    trial: jax.Array
    trial_loss: jax.Array
    trial_grad: jax.Array
    pairs: Pairs
    h: jax.Array
    next_h: jax.Array
    gain: jax.Array
    shortened: jax.Array
    attempts: jax.Array
    is_start: jax.Array
    is_lost: jax.Array
    is_anew: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SecantEuler(AbstractJitMethod):
    """Linearly implicit Euler with the limited-memory BFGS matrix as its Jacobian.

    Attributes:
        pairs: How many pairs are kept. At least 1.
        then: The method that takes over once secants pay no longer; None for no other.
        patience: Gradients in which the loss has to fall to `share` of what it was, or `then`
            takes over. At least 1.
        share: Between 0 and 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost an attempt: one gradient, 10 n times `pairs` multiplications, `2 pairs` vectors of memory.
    """

    pairs: int = 30
    then: AbstractJitMethod | None = None
    patience: int = 100
    share: float = 0.3

    order: ClassVar[int] = 1
    name: ClassVar[str] = "secant-euler"
    summary: ClassVar[str] = "implicit Euler with a secant Jacobian; one gradient a step"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError(f"`pairs` is {self.pairs}, but at least 1 was expected")
        if self.patience < 1:
            raise ConfigError(f"`patience` is {self.patience}, but at least 1 was expected")
        if not 0 < self.share < 1:
            raise ConfigError(f"`share` is {self.share}, but a number between 0 and 1 was expected")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The method that takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Any problem will do that will do for the method that takes over."""
        if self.then is not None:
            self.then.check(flow)

    def init(self, flow: Flow, theta: jax.Array) -> Memory:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        real = theta.dtype
        unknown = jnp.asarray(jnp.nan, real)
        return Memory(
            h=jnp.ones((), real),
            loss=unknown,
            grad=jnp.zeros_like(theta),
            pairs=no_pairs(theta, self.pairs),
            start_loss=unknown,
            mark=unknown,
            since=jnp.zeros((), jnp.int32),
        )

    def advance(
        self, flow: Any, data: Any, state: tuple[jax.Array, Pairs], h: jax.Array
    ) -> tuple[jax.Array, Pairs]:
        """One step of the given size from θ and the pairs so far, without control."""
        theta, pairs = state
        _, grad = flow.value_and_grad(data, theta)
        displacement = direction(pairs, grad, h)
        end = theta + displacement
        _, end_grad = flow.value_and_grad(data, end)
        return end, with_pair(pairs, displacement, grad, end_grad)

    def step(self, flow: Any, data: Any, theta: jax.Array, memory: Memory) -> StepResult:
        """Attempt until a step lowers the loss; each attempt is a gradient and a pair."""
        is_new = jnp.isnan(memory.loss)
        eps = jnp.finfo(theta.dtype).eps

        def attempt(last: Attempt) -> Attempt:
            # The start of a run is learned by an attempt of no length: a second call of the
            # gradient would double what is compiled.
            is_start, h = last.is_start, last.next_h
            displacement = jnp.where(is_start, 0, direction(last.pairs, last.grad, h))
            trial = theta + displacement
            trial_loss, trial_grad = flow.value_and_grad(data, trial)
            loss = jnp.where(is_start, trial_loss, last.loss)
            grad = jnp.where(is_start, trial_grad, last.grad)
            # -(g·d + ½ d·Bd) with Bd = -g - d/h.
            predicted = 0.5 * (jnp.vdot(displacement, displacement) / h - grad @ displacement)
            gain = jnp.where(predicted > 0, (loss - trial_loss) / predicted, jnp.nan)
            attempts = last.attempts + jnp.where(is_start, 0, 1)
            taken = is_descent(gain)
            # A decrease too small to be seen: of a first attempt, h may just be too short.
            is_unseen = ~taken & (predicted <= eps * jnp.abs(loss))
            is_short = is_unseen & ~last.shortened & (h < H_MAX)
            is_lost = (is_unseen & ~is_short) | (attempts % MOST_ATTEMPTS == 0)
            is_lost = jnp.where(is_start, ~jnp.isfinite(loss + jnp.linalg.norm(grad)), is_lost)
            # Pairs that lead nowhere are forgotten, once, before the run is given up.
            is_anew = is_lost & ~taken & ~last.is_anew & (last.pairs.known > 0)
            pairs = with_pair(
                last.pairs, displacement, grad, trial_grad, is_taken=taken, is_near=gain > FAR
            )
            longer = jnp.where(is_short, jnp.minimum(LENGTHEN * h, H_MAX), next_h(h, gain))
            longer = jnp.where(is_anew, 1 / largest_curvature(last.pairs), longer)
            return Attempt(
                loss=loss,
                grad=grad,
                trial=trial,
                trial_loss=trial_loss,
                trial_grad=trial_grad,
                pairs=jax.lax.cond(is_anew, forgotten, lambda kept: kept, pairs),
                h=h,
                next_h=jnp.where(is_start, h, longer),
                gain=gain,
                shortened=~(is_start | is_anew) & (last.shortened | ~(taken | is_short)),
                attempts=attempts,
                is_start=jnp.zeros((), bool),
                is_lost=is_lost & ~is_anew,
                is_anew=last.is_anew | is_anew,
            )

        def goes_on(last: Attempt) -> jax.Array:
            return ~is_descent(last.gain) & ~last.is_lost

        no = jnp.zeros((), bool)
        first = Attempt(
            loss=memory.loss,
            grad=memory.grad,
            trial=theta,
            trial_loss=memory.loss,
            trial_grad=memory.grad,
            pairs=memory.pairs,
            h=memory.h,
            next_h=memory.h,
            gain=jnp.full_like(memory.loss, jnp.nan),
            shortened=no,
            attempts=jnp.zeros((), jnp.int32),
            is_start=is_new,
            is_lost=no,
            is_anew=no,
        )
        last = jax.lax.while_loop(goes_on, attempt, first)
        loss, grad_norm = last.loss, jnp.linalg.norm(last.grad)
        start_loss = jnp.where(is_new, loss, memory.start_loss)
        is_finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
        is_taken = is_descent(last.gain)
        rejected = last.attempts - jnp.where(is_taken, 1, 0)
        flat = is_flat(
            loss=loss,
            start_loss=start_loss,
            grad_norm=grad_norm,
            largest=largest_curvature(last.pairs),
        )
        failed = jnp.where(is_finite, jnp.where(flat, CONVERGED, STALLED), DIVERGED)
        code = jnp.where(is_taken, RUNNING, failed)
        since = memory.since + last.attempts
        is_due = since >= self.patience
        mark = jnp.where(is_new, loss, memory.mark)
        if self.then is not None:
            is_slow = is_due & ~(last.trial_loss <= self.share * mark)
            is_over = is_finite & (is_slow | ~is_taken)
            code = jnp.where(is_over, HANDED_OVER, code)
        kept_loss = jnp.where(is_taken, last.trial_loss, loss)
        kept_grad = jnp.where(is_taken, last.trial_grad, last.grad)
        return StepResult(
            theta=jnp.where(is_taken, last.trial, theta),
            loss=kept_loss,
            start_loss=loss,
            grad_norm=grad_norm,
            h=jnp.where(is_taken, last.h, 0),
            rejected=rejected,
            work=no_work(
                gradients=last.attempts + jnp.where(is_new, 1, 0), rejected_steps=rejected
            ),
            code=code.astype(jnp.int32),
            memory=Memory(
                h=jnp.minimum(last.next_h, H_MAX),
                loss=kept_loss,
                grad=kept_grad,
                pairs=last.pairs,
                start_loss=start_loss,
                mark=jnp.where(is_due, kept_loss, mark),
                since=jnp.where(is_due, 0, since).astype(jnp.int32),
            ),
        )


def no_pairs(theta: jax.Array, count: int) -> Pairs:
    """Room for `count` pairs."""
    real = theta.dtype
    return Pairs(
        rows=jnp.zeros((2 * count, theta.size), real),
        gram=jnp.zeros((2 * count, 2 * count), real),
        onto_grad=jnp.zeros(2 * count, real),
        newest=jnp.asarray(-1, jnp.int32),
        known=jnp.zeros((), jnp.int32),
    )


def forgotten(pairs: Pairs) -> Pairs:
    """The same room with no pair in it."""
    return jax.tree.map(jnp.zeros_like, pairs)._replace(newest=jnp.asarray(-1, jnp.int32))


def direction(pairs: Pairs, grad: jax.Array, h: jax.Array) -> jax.Array:
    """`-(B + 1/h)⁻¹ ∇L`, shape `(n,)`; without any pair B = 0.

    With the shifted pairs ŷ = y + s/h, R the upper triangle of SŶᵀ, D its diagonal and
    γ = s·ŷ/ŷ·ŷ of the newest pair, the inverse is

        γ + [Sᵀ γŶᵀ] [ R⁻ᵀ (D + γŶŶᵀ) R⁻¹   -R⁻ᵀ ] [ S  ]
                     [ -R⁻¹                   0   ] [ γŶ ].
    """
    m = len(pairs.gram) // 2

    def by_age(block: jax.Array) -> jax.Array:
        """The slots of each axis from the oldest to the newest."""
        return jnp.roll(block, -(pairs.newest + 1), axis=tuple(range(block.ndim)))

    ss, sy, yy = pairs.gram[:m, :m], pairs.gram[:m, m:], pairs.gram[m:, m:]
    shifted_sy = by_age(sy + ss / h)
    shifted_yy = by_age(yy + (sy + sy.T) / h + ss / h**2)
    onto_s = by_age(-pairs.onto_grad[:m])
    onto_y = by_age(-pairs.onto_grad[m:]) + onto_s / h
    diagonal = jnp.diag(shifted_sy)
    upper = jnp.triu(shifted_sy) + jnp.diag(jnp.where(diagonal == 0, 1, 0))
    scale = jnp.where(pairs.known > 0, diagonal[-1] / shifted_yy[-1, -1], h)
    inner = solve_triangular(upper, onto_s)
    outer = solve_triangular(
        upper, diagonal * inner + scale * (shifted_yy @ inner - onto_y), trans=1
    )
    of_s, of_y = outer - scale * inner / h, -scale * inner
    weights = jnp.concatenate([jnp.roll(of_s, pairs.newest + 1), jnp.roll(of_y, pairs.newest + 1)])
    return weights @ pairs.rows - scale * grad


def with_pair(
    pairs: Pairs,
    s: jax.Array,
    grad: jax.Array,
    trial_grad: jax.Array,
    *,
    is_taken: jax.Array | bool = True,
    is_near: jax.Array | bool = True,
) -> Pairs:
    """The pairs with one more in the place of the oldest, where it has positive curvature.

    Args:
        pairs: The pairs so far.
        s: A step, `(n,)`.
        grad: ∇L before it, `(n,)`.
        trial_grad: ∇L after it, `(n,)`.
        is_taken: Whether the run goes on from the end of the step.
        is_near: Whether the curvature over the step says something of where the run goes on.
    """
    m = len(pairs.gram) // 2
    slot = (pairs.newest + 1) % m
    y = trial_grad - grad
    size = jnp.linalg.norm(s) * jnp.linalg.norm(y)
    is_curved = is_near & (jnp.vdot(s, y) > CURVED * size)  # false for a NaN
    # Written in place in either case: a branch would copy all rows.
    rows = _set_row(pairs.rows, slot, s, is_curved)
    rows = _set_row(rows, slot + m, y, is_curved)
    # One after the other: as one product with a narrow matrix they take twice as long.
    onto_trial, rows = jax.lax.optimization_barrier((rows @ trial_grad, rows))
    onto_s = rows @ rows[slot]
    before = pairs.onto_grad.at[slot].set(rows[slot] @ grad)
    before = before.at[slot + m].set(rows[slot + m] @ grad)
    gram = pairs.gram
    for column, row in ((onto_s, slot), (onto_trial - before, slot + m)):
        kept = jnp.where(is_curved, column, gram[row])
        gram = gram.at[row].set(kept).at[:, row].set(kept)
    return Pairs(
        rows=rows,
        gram=gram,
        onto_grad=jnp.where(is_taken, onto_trial, before),
        newest=jnp.where(is_curved, slot, pairs.newest),
        known=jnp.where(is_curved, jnp.minimum(pairs.known + 1, m), pairs.known),
    )


def _set_row(rows: jax.Array, index: jax.Array, row: jax.Array, is_wanted: jax.Array) -> jax.Array:
    return rows.at[index].set(jnp.where(is_wanted, row, rows[index]))


def largest_curvature(pairs: Pairs) -> jax.Array:
    """The largest y·y/s·y of the pairs, a lower bound of the largest curvature; 0 without any."""
    m = len(pairs.gram) // 2
    sy, yy = jnp.diag(pairs.gram[:m, m:]), jnp.diag(pairs.gram[m:, m:])
    return jnp.max(jnp.where(sy > 0, yy / jnp.where(sy > 0, sy, 1), 0))
