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

from thalweg.errors import ConfigError
from thalweg.flow.sample import draw_in_turn, refuse_unsampled, sample_flow, sample_share
from thalweg.solvers.base import (
    DIVERGED,
    HANDED_OVER,
    RUNNING,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.integrators.pairs import Pairs, Products, direction, no_pairs, with_pair
from thalweg.solvers.integrators.secant_walk import (
    TAKEN,
    Point,
    Sampling,
    State,
    Walk,
    attempted,
    begun,
    failure,
    is_whole,
    start_loss,
)
from thalweg.solvers.step_control import H_MAX

if TYPE_CHECKING:
    from thalweg.flow import Flow

FIRST_STEPS, MOST_STEPS = 4, 32  # on a sample between two looks at all data; doubled each time
LOSS_SHARE = 1 / 3  # of a gradient's cost that a loss has, about


class Ended(NamedTuple):
    """A step after its last evaluation; all scalars but the point.

    Attributes:
        point: Where it ended.
        is_taken: Whether it was taken.
        goes_on: Whether the run does.
        is_known: Whether loss and gradient there need not be computed when the next step begins.
        is_finite: Whether all that was looked at where it began is.
        spent: What it cost in gradients over all data.
        gradients: Of these, evaluations of gradients, with the part of one in no count before.
        losses: Evaluations of the loss alone.
        sampling: How samples go on.
    """

    point: Point
    is_taken: jax.Array
    goes_on: jax.Array
    is_known: jax.Array
    is_finite: jax.Array
    spent: jax.Array
    gradients: jax.Array
    losses: jax.Array
    sampling: Sampling | None


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SecantEuler(AbstractJitMethod):
    """Linearly implicit Euler with the limited-memory BFGS matrix as its Jacobian.

    With `sample`, a row of the history is several steps on a new random sample of that size, and
    then a look at all data: its `loss` is over all data, its `grad_norm` NaN as nothing is known
    of that, its `h` the sum of the steps. They are taken where the loss over all data fell. Work
    is counted in passes over all data.

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
    `2 pairs` vectors of memory. With a sample, one loss over all data a row.
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

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        real, none = theta.dtype, jnp.zeros((), theta.dtype)
        unknown = jnp.asarray(jnp.nan, real)
        sampling = None
        if self.sample is not None:
            first, turn = jnp.asarray(FIRST_STEPS, jnp.int32), jnp.zeros((), jnp.int32)
            sampling = Sampling(jnp.ones((), bool), first, turn, none)
        return State(
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

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Attempt until a step lowers the loss; on a sample, until some did."""
        evaluate = self._evaluation(flow, data, solver_state.sampling)
        is_known = ~jnp.isnan(solver_state.loss)
        walk = jax.lax.while_loop(
            lambda walk: walk.stage < TAKEN,
            lambda walk: attempted(walk, evaluate, solver_state.sampling),
            begun(theta, solver_state),
        )
        end = _ended(walk, is_known)
        if solver_state.sampling is not None:
            share = sample_share(flow, self._examples())
            end = _off_sample(end, walk, theta, solver_state.sampling, is_known, share)
        code = jnp.where(end.goes_on, RUNNING, failure(walk, solver_state))
        code = jnp.where(end.is_finite, code, DIVERGED)
        point = end.point
        since = solver_state.since + end.spent
        is_due = since >= self.patience
        mark = jnp.where(jnp.isnan(solver_state.start_loss), walk.start_loss, solver_state.mark)
        if self.then is not None:
            is_slow = is_due & ~(point.loss <= self.share * mark)
            code = jnp.where(end.is_finite & (is_slow | (code != RUNNING)), HANDED_OVER, code)
        rejected = walk.attempts - walk.steps
        return StepResult(
            theta=point.theta,
            loss=point.loss,
            start_loss=walk.start_loss,
            grad_norm=walk.start_norm,
            h=jnp.where(end.is_taken, walk.t, 0),
            rejected=rejected,
            work=no_work(
                gradients=jnp.floor(end.gradients), losses=end.losses, rejected_steps=rejected
            ),
            code=code.astype(jnp.int32),
            solver_state=State(
                h=jnp.minimum(walk.h, H_MAX),
                loss=jnp.where(end.is_known, point.loss, jnp.nan),
                grad=point.grad,
                grad_norm=point.grad_norm,
                pairs=walk.pairs,
                start_loss=start_loss(walk, solver_state),
                mark=jnp.where(is_due, point.loss, mark),
                since=jnp.where(is_due, 0, since).astype(theta.dtype),
                sampling=end.sampling,
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
        sample = jax.lax.cond(
            sampling.is_on,
            lambda: draw_in_turn(flow, data, self.seed, examples, sampling.turn),
            lambda: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), small.data),
        )

        def evaluate(theta: jax.Array, stage: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.lax.switch(
                jnp.where(sampling.is_on, 1 + is_whole(stage), 0),
                [
                    lambda: flow.value_and_grad(data, theta),
                    lambda: small.value_and_grad(sample, theta),
                    lambda: (flow.loss(data, theta), jnp.zeros_like(theta)),
                ],
            )

        return evaluate


def _ended(walk: Walk, is_known: jax.Array) -> Ended:
    """A step over all data after its last evaluation."""
    spent = walk.attempts + jnp.where(is_known, 0, 1)
    is_taken = walk.stage == TAKEN
    return Ended(
        point=walk.point,
        is_taken=is_taken,
        goes_on=is_taken,
        is_known=jnp.ones((), bool),
        is_finite=jnp.isfinite(walk.start_loss) & jnp.isfinite(walk.start_norm),
        spent=spent,
        gradients=spent,
        losses=jnp.zeros((), jnp.int32),
        sampling=None,
    )


def _off_sample(
    end: Ended,
    walk: Walk,
    theta: jax.Array,
    sampling: Sampling,
    is_known: jax.Array,
    share: float,
) -> Ended:
    """The same where its steps may have been on a sample, of this share of the data.

    They are taken where the loss over all data fell. Else the step goes back to where it began,
    and samples are drawn no more. The gradient over all data is not known after them.
    """
    is_on = sampling.is_on
    fell = end.is_taken & (walk.point.loss < walk.start_loss)
    is_taken = jnp.where(is_on, fell, end.is_taken)
    is_back = is_on & ~fell
    looks = jnp.where(is_on, jnp.where(is_known, 1, 2), 0)
    on_sample = share * (walk.attempts + 1)
    spent = jnp.where(is_on, on_sample + LOSS_SHARE * looks, end.spent)
    gradients = sampling.rest + jnp.where(is_on, on_sample, end.gradients)
    stays_on = is_on & is_taken & walk.tells
    return Ended(
        point=walk.point._replace(
            theta=jnp.where(is_back, theta, walk.point.theta),
            loss=jnp.where(is_back, walk.start_loss, walk.point.loss),
        ),
        is_taken=is_taken,
        goes_on=is_on | is_taken,
        is_known=stays_on | ~is_on,
        is_finite=jnp.where(is_on, jnp.isfinite(walk.start_loss), end.is_finite),
        spent=spent,
        gradients=gradients,
        losses=looks,
        sampling=Sampling(
            is_on=stays_on,
            steps=jnp.minimum(2 * sampling.steps, MOST_STEPS).astype(jnp.int32),
            turn=sampling.turn + 1,
            rest=(gradients - jnp.floor(gradients)).astype(theta.dtype),
        ),
    )
