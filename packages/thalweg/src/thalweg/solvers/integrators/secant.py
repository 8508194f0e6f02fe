"""Linearly implicit Euler with a secant Jacobian: a W-method that needs one gradient a step.

    (B + 1/h) d = -∇L,   θ⁺ = θ + d

with B the matrix of limited-memory BFGS. A W-method keeps its order with any matrix in the place of
the Jacobian. This one costs no more than the gradients of the attempts: there is no line search,
and a rejected attempt still adds a pair. That suits the start of every run, and losses that a model
of second order describes badly; near a minimum the methods with the true curvature need fewer
passes.

A matrix from a random sample of the data serves as well. With `sample`, steps are taken on samples,
at their share of the cost, until the loss over all data shows that a sample no longer predicts it.
The pairs are kept, and steps go on with all data.

Source: Steihaug & Wolfbrandt 1979, "An attempt to avoid exact Jacobian and nonlinear equations in
the numerical solution of stiff differential equations" (W-methods); Byrd, Chin, Nocedal & Wu 2012,
"Sample size selection in optimization methods for machine learning" (samples).
Decisions: docs/decisions/0016-secant-start.md, docs/decisions/0020-secants-on-samples.md.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.flow.sample import (
    draw_in_turn,
    refuse_unsampled,
    sample_flow,
    sample_share,
    still_tells,
)
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
from thalweg.solvers.integrators.on_samples import Sampling, whole_counts
from thalweg.solvers.integrators.pairs import (
    Pairs,
    Products,
    direction,
    largest_curvature,
    no_pairs,
    with_pair,
)
from thalweg.solvers.integrators.secant_steps import Point, Steps, take_steps
from thalweg.solvers.step_control import (
    H_MAX,
    Period,
    after_step,
    finite_code,
    is_flat,
    refuse_patience,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

FIRST_STEPS, MAX_STEPS = 4, 32  # on a sample between two losses over all data; doubled each time
LOSS_SHARE = 1 / 3  # of a gradient's cost that a loss has, about


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try next.
        loss: The loss at the present point; NaN before it is known.
        grad: The gradient there, `(n,)`; on samples nothing reads it.
        grad_norm: Its norm; NaN before it is known, and on samples.
        pairs: The curvature seen so far.
        steepest: The largest |∇L| of the run.
        start_loss: The loss at the start of the run; NaN before it is known.
        period: The present period of `patience` gradients.
        sampling: How samples are drawn; None where they are not.
    """

    h: jax.Array
    loss: jax.Array
    grad: jax.Array
    grad_norm: jax.Array
    pairs: Pairs
    steepest: jax.Array
    start_loss: jax.Array
    period: Period
    sampling: Sampling | None


class Row(NamedTuple):
    """A row of the history in the making: one step over all data, or several on a sample.

    Attributes:
        theta: The point where the row ends, `(n,)`.
        loss: The loss over all data there.
        start_loss: The loss over all data where it began.
        start_norm: |∇L| there; NaN on a sample.
        is_taken: Whether the steps were taken.
        is_known: Whether loss and gradient need not be evaluated when the next row begins.
        code: RUNNING, or why no further row can follow.
        spent: What it cost, in gradients over all data.
        gradients: How many gradients to count.
        losses: Evaluations of the loss alone.
        sampling: How samples go on.
    """

    theta: jax.Array
    loss: jax.Array
    start_loss: jax.Array
    start_norm: jax.Array
    is_taken: jax.Array
    is_known: jax.Array
    code: jax.Array
    spent: jax.Array
    gradients: jax.Array
    losses: jax.Array
    sampling: Sampling | None


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SecantEuler(AbstractJitMethod):
    """Linearly implicit Euler with the limited-memory BFGS matrix as its Jacobian.

    With `sample`, a row of the history is several steps on a new random sample of that size,
    followed by an evaluation of the loss over all data. They are taken where that loss fell. In the
    row, `loss` is over all data, `h` the sum of the steps, and `grad_norm` NaN, as the gradient
    over all data is not known. Work is counted in passes over all data.

    Attributes:
        pairs: How many pairs are kept. At least 1.
        sample: Examples of each block of data in a sample. A block with no more than that is used
            whole. At least 1; None to take all steps on all data.
        samples_only: Whether `then` takes over where samples no longer pay, without steps on all
            data before.
        then: The method that takes over when secant steps no longer pay; None for no other.
        patience: The number of gradients within which the loss has to fall to `share` of its
            value, or `then` takes over. At least 1.
        share: Between 0 and 1.
        seed: Of the random samples.

    Raises:
        ConfigError: A value is out of its range.

    Cost an attempt: one gradient over the sample or all data, and 6 n multiplications a pair. With
    a sample, one loss over all data a row. Memory: two vectors a pair.
    """

    pairs: int = 30
    sample: int | None = None
    samples_only: bool = False
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
        for name in ("pairs", "sample"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`{name}` is {value}, but at least 1 was expected")
        refuse_patience(self.patience, self.share)
        if self.samples_only and (self.sample is None or self.then is None):
            raise ConfigError("`samples_only` is set, but it needs both `sample` and `then`")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The method that takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Refuse a problem without examples if `sample` is set, and what `then` refuses."""
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
            steepest=none,
            start_loss=unknown,
            period=Period(unknown, none),
            sampling=sampling,
        )

    def advance(
        self, flow: Any, data: Any, state: tuple[jax.Array, Pairs], h: jax.Array
    ) -> tuple[jax.Array, Pairs]:
        """One step of the given size from θ and the pairs so far, without step control."""
        theta, pairs = state
        _, grad = flow.value_and_grad(data, theta)
        displacement = direction(pairs, grad, h)
        end = theta + displacement.vector
        _, end_grad = flow.value_and_grad(data, end)
        products = Products.of(displacement.vector, grad, end_grad)
        return end, with_pair(pairs, displacement, grad, end_grad, products)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """A step that lowers the loss; or, on a sample, several."""
        sampling = solver_state.sampling
        steps = self._take_steps(flow, data, theta, solver_state)
        row, grad_norm = self._after_a_step(solver_state, steps), steps.point.grad_norm
        if sampling is not None:
            on_sample = self._after_a_sample(flow, data, theta, solver_state, sampling, steps)
            is_on = sampling.is_on | self.samples_only
            row = jax.tree.map(lambda new, old: jnp.where(is_on, new, old), on_sample, row)
            grad_norm = jnp.where(is_on, jnp.nan, grad_norm)
        period, is_slow = after_step(
            solver_state.period,
            start_loss=row.start_loss,
            loss=row.loss,
            spent=row.spent,
            patience=self.patience,
            share=self.share,
        )
        code = row.code
        if self.then is not None:
            hands_over = (code != DIVERGED) & (is_slow | (code != RUNNING))
            if self.samples_only and row.sampling is not None:
                hands_over |= (code != DIVERGED) & ~row.sampling.is_on
            code = jnp.where(hands_over, HANDED_OVER, code)
        rejected = steps.attempts - steps.taken
        return StepResult(
            theta=row.theta,
            loss=row.loss,
            start_loss=row.start_loss,
            grad_norm=row.start_norm,
            h=jnp.where(row.is_taken, steps.t, 0),
            rejected=rejected,
            work=no_work(gradients=row.gradients, losses=row.losses, rejected_steps=rejected),
            code=code.astype(jnp.int32),
            solver_state=State(
                h=jnp.minimum(steps.next_h, H_MAX),
                loss=jnp.where(row.is_known, row.loss, jnp.nan),
                grad=steps.point.grad,
                grad_norm=grad_norm,
                pairs=steps.pairs,
                steepest=jnp.fmax(solver_state.steepest, steps.start_norm),
                start_loss=_run_start(solver_state, row.start_loss),
                period=period,
                sampling=row.sampling,
            ),
        )

    def _take_steps(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> Steps:
        """One step over all data, or several on a new sample."""
        now, sampling = solver_state, solver_state.sampling
        point = Point(theta, now.loss, now.grad, now.grad_norm)
        if sampling is None:
            return take_steps(
                lambda at: flow.value_and_grad(data, at), point, now.pairs, now.h, most=1
            )
        examples = self._examples()
        small = sample_flow(flow, examples)
        if self.samples_only:
            sample = draw_in_turn(flow, data, self.seed, examples, sampling.turn)
            point = point._replace(loss=jnp.full_like(now.loss, jnp.nan))
            on_sample = functools.partial(small.value_and_grad, sample)
            return take_steps(on_sample, point, now.pairs, now.h, most=sampling.steps)
        sample = jax.lax.cond(
            sampling.is_on,
            lambda: draw_in_turn(flow, data, self.seed, examples, sampling.turn),
            lambda: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), small.data),
        )
        # Loss and gradient of a new sample are not known anywhere.
        point = point._replace(loss=jnp.where(sampling.is_on, jnp.nan, now.loss))
        return take_steps(
            lambda at: jax.lax.cond(
                sampling.is_on,
                lambda: small.value_and_grad(sample, at),
                lambda: flow.value_and_grad(data, at),
            ),
            point,
            now.pairs,
            now.h,
            most=jnp.where(sampling.is_on, sampling.steps, 1),
        )

    def _after_a_step(self, solver_state: State, steps: Steps) -> Row:
        """The row of a step over all data."""
        is_taken = steps.taken > 0
        flat = is_flat(
            loss=steps.start_loss,
            start_loss=_run_start(solver_state, steps.start_loss),
            grad_norm=steps.start_norm,
            largest=largest_curvature(steps.pairs),
            steepest=jnp.fmax(solver_state.steepest, steps.start_norm),
        )
        code = jnp.where(is_taken, RUNNING, jnp.where(flat, CONVERGED, STALLED))
        is_finite = finite_code(steps.start_loss, steps.start_norm) == RUNNING
        gradients, sampling = steps.evaluations, solver_state.sampling
        if sampling is not None:
            gradients, uncounted = whole_counts(sampling.uncounted, steps.evaluations)
            sampling = sampling._replace(uncounted=uncounted)
        return Row(
            theta=steps.point.theta,
            loss=steps.point.loss,
            start_loss=steps.start_loss,
            start_norm=steps.start_norm,
            is_taken=is_taken,
            is_known=jnp.ones((), bool),
            code=jnp.where(is_finite, code, DIVERGED).astype(jnp.int32),
            spent=steps.evaluations.astype(solver_state.h.dtype),
            gradients=gradients,
            losses=jnp.zeros((), jnp.int32),
            sampling=sampling,
        )

    def _after_a_sample(
        self,
        flow: Any,
        data: Any,
        theta: jax.Array,
        solver_state: State,
        sampling: Sampling,
        steps: Steps,
    ) -> Row:
        """The row of several steps on a sample, taken where the loss over all data fell.

        If it did not fall, the row goes back to where it began, and no more samples are drawn. The
        gradient over all data is not known afterwards.
        """
        share = sample_share(flow, self._examples())
        is_new = jnp.isnan(solver_state.loss)
        start_loss = jax.lax.cond(
            sampling.is_on & is_new, lambda: flow.loss(data, theta), lambda: solver_state.loss
        )
        end_loss = jax.lax.cond(
            sampling.is_on, lambda: flow.loss(data, steps.point.theta), lambda: steps.point.loss
        )
        evaluations = jnp.where(is_new, 2, 1)
        is_taken = end_loss < start_loss
        still_predicts = still_tells(
            fell=start_loss - end_loss,
            sample_fell=steps.start_loss - steps.point.loss,
            loss=end_loss,
            sample_loss=steps.point.loss,
        )
        stays_on = is_taken & still_predicts & (steps.taken > 0)
        on_sample = share * steps.evaluations
        gradients, uncounted = whole_counts(sampling.uncounted, on_sample)
        spent = on_sample + LOSS_SHARE * evaluations
        return Row(
            theta=jnp.where(is_taken, steps.point.theta, theta),
            loss=jnp.where(is_taken, end_loss, start_loss),
            start_loss=start_loss,
            start_norm=jnp.full_like(solver_state.h, jnp.nan),
            is_taken=is_taken,
            is_known=stays_on,
            code=finite_code(start_loss),
            spent=spent.astype(theta.dtype),
            gradients=gradients,
            losses=evaluations.astype(jnp.int32),
            sampling=Sampling(
                is_on=stays_on,
                steps=jnp.minimum(2 * sampling.steps, MAX_STEPS).astype(jnp.int32),
                turn=sampling.turn + 1,
                uncounted=uncounted,
            ),
        )

    def _examples(self) -> int:
        return 1 if self.sample is None else self.sample


def _run_start(solver_state: State, start_loss: jax.Array) -> jax.Array:
    """The loss at the start of the run, of which `start_loss` began a row."""
    return jnp.where(jnp.isnan(solver_state.start_loss), start_loss, solver_state.start_loss)
