"""Linearly implicit Euler with a secant Jacobian: a W-method that needs one gradient a step.

    (B + 1/h) d = -∇L,   θ⁺ = θ + d

with B the matrix of limited-memory BFGS. A W-method keeps its order with any matrix in the place of
the Jacobian; here that matrix costs no more than the gradients, each of which is loss, slope and
curvature at once: no line search, and a refused attempt still adds a pair. That suits the start of
every run and losses that a model of second order describes badly; near a minimum the methods with
the true curvature need fewer passes.

As any matrix will do, that of a random sample of the data does too. With `sample`, steps are taken
on a sample, at its share of their cost, until the loss over all data says that it tells no more;
the pairs are kept, and steps go on with all data.

Source: Steihaug & Wolfbrandt 1979, "An attempt to avoid exact Jacobian and nonlinear equations in
the numerical solution of stiff differential equations" (W-methods); Byrd, Chin, Nocedal & Wu 2012,
"Sample size selection in optimization methods for machine learning" (samples).
Decisions: docs/decisions/0016-secant-start.md, docs/decisions/0020-secants-on-samples.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.control import H_MAX, LENGTHEN, is_descent, is_flat, next_h
from thalweg.errors import ConfigError
from thalweg.flow.sample import draw, refuse_unsampled, sample_flow, sample_share
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
from thalweg.solvers.pairs import (
    Pairs,
    Products,
    direction,
    forgotten,
    largest_curvature,
    no_pairs,
    with_pair,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

FAR = -10.0  # gain of a refused attempt below which its pair tells of another place
MOST_ATTEMPTS = 60
FIRST_STEPS, MOST_STEPS = 4, 32  # on a sample between two looks at all data; doubled each time
GAP = 2.0  # loss over all data, in units of the sample's, at which a sample tells no more
LEAST_GAIN = 0.25  # decrease over all data, in units of the sample's, for the same

# What the next evaluation of a step is: at the point where it stands, or of an attempt.
LOOK = 0  # over all data, at the start of a run
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


class Memory(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try next.
        loss: The loss at the present point; NaN before it is known.
        grad: The gradient there, `(n,)`.
        grad_norm: Its norm.
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
        start_norm: The norm of the gradient there.
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


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SecantEuler(AbstractJitMethod):
    """Linearly implicit Euler with the limited-memory BFGS matrix as its Jacobian.

    With `sample`, a row of the history is several steps on a new random sample of that size, and
    then a look at all data: its `loss` and `grad_norm` are over all data, its `h` is the sum of
    the steps. They are taken where the loss over all data fell. Work is counted in passes over all
    data.

    Attributes:
        pairs: How many pairs are kept. At least 1.
        sample: Examples in a sample of each block of data, where steps are to begin on samples; a
            block with no more than that is used whole. None for all data. At least 1.
        then: The method that takes over once secants pay no longer; None for no other.
        patience: Gradients in which the loss has to fall to `share` of what it was, or `then`
            takes over. At least 1.
        share: Between 0 and 1.
        seed: Of the random samples.

    Raises:
        ConfigError: A value is out of its range.

    Cost an attempt: one gradient over the sample or all data, 6 n times `pairs` multiplications,
    `2 pairs` vectors of memory. With a sample, one gradient over all data a row.
    """

    pairs: int = 30
    sample: int | None = None
    then: AbstractJitMethod | None = None
    patience: int = 100
    share: float = 0.3
    seed: int = 0

    order: ClassVar[int] = 1
    name: ClassVar[str] = "secant-euler"
    summary: ClassVar[str] = "implicit Euler with a secant Jacobian; one gradient a step"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        for name in ("pairs", "sample", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`{name}` is {value}, but at least 1 was expected")
        if not 0 < self.share < 1:
            raise ConfigError(f"`share` is {self.share}, but a number between 0 and 1 was expected")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The method that takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Any problem will do that has examples to draw, if so asked, and will do for `then`."""
        if self.sample is not None:
            refuse_unsampled(flow, self.name)
        if self.then is not None:
            self.then.check(flow)

    def init(self, flow: Flow, theta: jax.Array) -> Memory:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        real, none = theta.dtype, jnp.zeros((), theta.dtype)
        unknown = jnp.asarray(jnp.nan, real)
        sampling = None
        if self.sample is not None:
            first, turn = jnp.asarray(FIRST_STEPS, jnp.int32), jnp.zeros((), jnp.int32)
            sampling = Sampling(jnp.ones((), bool), first, turn, none)
        return Memory(
            h=jnp.ones((), real),
            loss=unknown,
            grad=jnp.zeros_like(theta),
            grad_norm=unknown,
            pairs=no_pairs(theta, self.pairs),
            start_loss=unknown,
            mark=unknown,
            since=none,
            sampling=sampling,
        )

    def advance(
        self, flow: Any, data: Any, state: tuple[jax.Array, Pairs], h: jax.Array
    ) -> tuple[jax.Array, Pairs]:
        """One step of the given size from θ and the pairs so far, without control."""
        theta, pairs = state
        _, grad = flow.value_and_grad(data, theta)
        displacement = direction(pairs, grad, h)
        end = theta + displacement.vector
        _, end_grad = flow.value_and_grad(data, end)
        products = Products.of(displacement.vector, grad, end_grad)
        return end, with_pair(pairs, displacement, grad, end_grad, products)

    def step(self, flow: Any, data: Any, theta: jax.Array, memory: Memory) -> StepResult:
        """Attempt until a step lowers the loss; on a sample, until some did."""
        evaluate = self._evaluation(flow, data, memory.sampling)
        is_known = ~jnp.isnan(memory.loss)
        walk = jax.lax.while_loop(
            lambda walk: walk.stage < TAKEN,
            lambda walk: self._attempted(walk, evaluate, memory.sampling),
            _begun(theta, memory),
        )
        is_finite = jnp.isfinite(walk.start_loss) & jnp.isfinite(walk.start_norm)
        is_taken = walk.stage == TAKEN
        spent = walk.attempts + jnp.where(is_known, 0, 1)
        after, sampling, rest = walk.point, memory.sampling, 0
        if sampling is not None:
            is_on = sampling.is_on
            is_taken &= ~is_on | (after.loss < walk.start_loss)
            after = jax.tree.map(
                lambda new, old: jnp.where(is_taken | ~is_on, new, old),
                after,
                Point(theta, walk.start_loss, memory.grad, walk.start_norm),
            )
            part = sample_share(flow, self._examples()) * (walk.attempts + 1)
            spent = jnp.where(is_on, part + jnp.where(is_known, 1, 2), spent)
            rest = sampling.rest
            total = spent + rest
            sampling = Sampling(
                is_on=is_on & is_taken & walk.tells,
                steps=jnp.minimum(2 * sampling.steps, MOST_STEPS).astype(jnp.int32),
                turn=sampling.turn + 1,
                rest=(total - jnp.floor(total)).astype(theta.dtype),
            )
        code = jnp.where(is_taken, RUNNING, _failure(walk, memory))
        code = jnp.where(is_finite, code, DIVERGED)
        loss_known = after.loss
        if memory.sampling is not None and sampling is not None:
            # What was refused on a sample says nothing of all data; and the gradient over them
            # at the start of the step is no longer known.
            is_back = memory.sampling.is_on & ~is_taken & is_finite
            code = jnp.where(is_back, RUNNING, code)
            loss_known = jnp.where(is_back, jnp.nan, loss_known)
        since = memory.since + spent
        is_due = since >= self.patience
        mark = jnp.where(jnp.isnan(memory.start_loss), walk.start_loss, memory.mark)
        if self.then is not None:
            is_slow = is_due & ~(after.loss <= self.share * mark)
            code = jnp.where(is_finite & (is_slow | (code != RUNNING)), HANDED_OVER, code)
        rejected = walk.attempts - walk.steps
        return StepResult(
            theta=after.theta,
            loss=after.loss,
            start_loss=walk.start_loss,
            grad_norm=walk.start_norm,
            h=jnp.where(is_taken, walk.t, 0),
            rejected=rejected,
            work=no_work(
                gradients=jnp.floor(spent + rest),
                rejected_steps=rejected,
            ),
            code=code.astype(jnp.int32),
            memory=Memory(
                h=jnp.minimum(walk.h, H_MAX),
                loss=loss_known,
                grad=after.grad,
                grad_norm=after.grad_norm,
                pairs=walk.pairs,
                start_loss=jnp.where(
                    jnp.isnan(memory.start_loss), walk.start_loss, memory.start_loss
                ),
                mark=jnp.where(is_due, after.loss, mark),
                since=jnp.where(is_due, 0, since).astype(theta.dtype),
                sampling=sampling,
            ),
        )

    def _examples(self) -> int:
        return 1 if self.sample is None else self.sample

    def _evaluation(self, flow: Any, data: Any, sampling: Sampling | None) -> Any:
        """What gives loss and gradient at a point, over all data or this step's sample."""
        if sampling is None:
            return lambda theta, stage: flow.value_and_grad(data, theta)  # noqa: ARG005 - as below
        examples = self._examples()
        small = sample_flow(flow, examples)
        turns = max(1, int(1 / sample_share(flow, examples)))  # until all examples were drawn
        key = jax.random.fold_in(jax.random.PRNGKey(self.seed), sampling.turn // turns)
        sample = jax.lax.cond(
            sampling.is_on,
            lambda: draw(data, key, examples, sampling.turn % turns),
            lambda: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), small.data),
        )

        def evaluate(theta: jax.Array, stage: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.lax.cond(
                sampling.is_on & ((stage == ENTER) | (stage == WALK)),
                lambda: small.value_and_grad(sample, theta),
                lambda: flow.value_and_grad(data, theta),
            )

        return evaluate

    def _attempted(self, walk: Walk, evaluate: Any, sampling: Sampling | None) -> Walk:
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
            entry_loss = jnp.where(walk.stage == ENTER, trial_loss, entry_loss)
            fell = walk.start_loss - trial_loss >= LEAST_GAIN * (entry_loss - now.loss)
            tells = fell & (trial_loss <= GAP * now.loss) & (steps > 0)
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


def _begun(theta: jax.Array, memory: Memory) -> Walk:
    """A step before its first evaluation."""
    none, whole, no = jnp.zeros_like(memory.h), jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    first = jnp.asarray(WALK)
    if memory.sampling is not None:
        first = jnp.where(memory.sampling.is_on, ENTER, WALK)
    return Walk(
        point=Point(theta, memory.loss, memory.grad, memory.grad_norm),
        pairs=memory.pairs,
        stage=jnp.where(jnp.isnan(memory.loss), LOOK, first).astype(jnp.int32),
        h=memory.h,
        t=none,
        start_loss=memory.loss,
        start_norm=memory.grad_norm,
        attempts=whole,
        steps=whole,
        tries=whole,
        shortened=no,
        is_anew=no,
        entry_loss=none,
        tells=no,
    )


def _failure(walk: Walk, memory: Memory) -> jax.Array:
    """Why a run ends that has found no step."""
    start_loss = jnp.where(jnp.isnan(memory.start_loss), walk.start_loss, memory.start_loss)
    flat = is_flat(
        loss=walk.start_loss,
        start_loss=start_loss,
        grad_norm=walk.start_norm,
        largest=largest_curvature(walk.pairs),
    )
    return jnp.where(flat, CONVERGED, STALLED)
