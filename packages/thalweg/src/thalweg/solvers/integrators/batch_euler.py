"""Euler's method on random batches, in a running diagonal metric, with averaged points.

    M dθ/dt = -∇L(θ),   θ⁺ = θ - h M⁻¹ m,   M = √v + ε

where m and v are running means of the gradients of the batches and of their squares. With a fixed
h this is Adam. Here h is adapted: every eighth step evaluates the loss of its batch again at its
end, and h grows or shrinks until the decrease is a given share of the one that the gradient
predicts. Where the curvature along the step is constant, a share of 1 - x means a step of 2x times
the best.

The point of a row is not the last one but the mean over the latter half of its steps, which
averages out the noise of the batches. Where the loss there falls too little, the noise limits
progress, and the batches double.

Source: Kingma & Ba 2015, arXiv:1412.6980 (m and v); Vaswani et al. 2020, arXiv:2006.06835 (steps of
Adam by the loss of the same batch); Polyak & Juditsky 1992, "Acceleration of stochastic
approximation by averaging"; Byrd, Chin, Nocedal & Wu 2012, "Sample size selection in optimization
methods for machine learning" (growing batches).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.flow.sample import draw_in_turn, refuse_unsampled, sample_flow, sample_share
from thalweg.solvers.base import HANDED_OVER, RUNNING, AbstractJitMethod, StepResult, no_work
from thalweg.solvers.integrators.on_samples import between_evaluations, whole_counts
from thalweg.solvers.step_control import finite_code

if TYPE_CHECKING:
    from thalweg.flow import Flow

MEAN, SQUARE = 0.9, 0.999  # what m and v keep of themselves a step (Kingma & Ba)
FIRST_H = 1e-3  # their step size, where ours begins
GOAL = 0.8  # decrease on the batch over the decrease that the gradient predicts
ADAPT_EVERY = 8  # steps from one adaptation of h to the next
FACTOR = 1.25  # h grows or shrinks by it ...
WARM_UP = 2.0  # ... and by this, until it had to shrink once
FALL = 0.8  # the loss of a row over that of the row before, above which batches double
LEAST_STEPS = 30  # of a row: larger batches than this allows are for other methods
RETREAT = 8.0  # h shrinks by it where the loss after a row is not finite


class State(NamedTuple):
    """What is carried from row to row.

    Attributes:
        theta: The last point of the row before, `(n,)`; the history has the mean of its points.
        mean: m, `(n,)`.
        square: v, `(n,)`.
        steps: Steps since m and v were 0.
        h: The step size to try next.
        is_warm: Whether h has shrunk before.
        loss: The loss over all data at the point of the last row; NaN before it is known.
        blocks: The examples of a batch over `batch`.
        draws: Batches of the least size drawn so far; with the seed, it says which come next.
        uncounted: The fraction of a gradient over all data that no count of work holds yet.
    """

    theta: jax.Array
    mean: jax.Array
    square: jax.Array
    steps: jax.Array
    h: jax.Array
    is_warm: jax.Array
    loss: jax.Array
    blocks: jax.Array
    draws: jax.Array
    uncounted: jax.Array


class Block(NamedTuple):
    """The steps of a row.

    Attributes:
        solver_state: The state after the last of them.
        total: The sum of the points of the latter half, `(n,)`.
        points: How many points those are.
        t: The flow time of all steps.
    """

    solver_state: State
    total: jax.Array
    points: jax.Array
    t: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchEuler(AbstractJitMethod):
    """Euler's method on random batches, without a learning rate, for very large data.

    A row of the history is the number of steps that make `passes` over the data. Its `loss` is over
    all data, at the mean of the points of the row's latter half. `grad_norm` is NaN, as it would
    cost another pass, so `Stop(grad_norm=...)` can only end the method that takes over. `h` is the
    sum of the row's step sizes. A row may have a higher loss than the one before.

    Attributes:
        batch: Examples in the first batches. At least 1.
        passes: Passes over all data in a row. Positive.
        then: The method that takes over when larger batches would leave fewer than 30 steps to a
            row; None to keep the size of the batches from then on.
        seed: Of the random batches.

    Raises:
        ConfigError: A value is out of its range.

    Cost a row: `passes` gradients, an eighth of that in losses, and one loss over all data. The
    losses of batches are not counted in the work.
    """

    batch: int = 256
    passes: float = 1.0
    then: AbstractJitMethod | None = None
    seed: int = 0

    name: ClassVar[str] = "batch-euler"
    summary: ClassVar[str] = "Euler on random batches that grow; for data too many for full passes"
    needs: ClassVar[str] = "LeastSquares or Composite, with data"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(f"`batch` is {self.batch}, but at least 1 was expected")
        if not self.passes > 0:
            raise ConfigError(f"`passes` is {self.passes}, but a number above 0 was expected")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The method that takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Refuse a problem without examples to draw from."""
        refuse_unsampled(flow, self.name)
        if self.then is not None:
            self.then.check(flow)

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin with batches of the least size and Adam's step size."""
        del flow
        real, whole = theta.dtype, jnp.zeros((), jnp.int32)
        return State(
            theta=theta,
            mean=jnp.zeros_like(theta),
            square=jnp.zeros_like(theta),
            steps=whole,
            h=jnp.asarray(FIRST_H, real),
            is_warm=jnp.zeros((), bool),
            loss=jnp.asarray(jnp.nan, real),
            blocks=jnp.ones((), jnp.int32),
            draws=whole,
            uncounted=jnp.zeros((), real),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take a row of steps, and compute the loss over all data after it."""
        share = sample_share(flow, self.batch)
        row_blocks = max(1, round(self.passes / share))  # batches of the least size
        steps = jnp.maximum(row_blocks // solver_state.blocks, 1)

        def evaluate(block: Block) -> tuple[jax.Array, jax.Array]:
            middle = jnp.where(block.points > 0, block.total / jnp.maximum(block.points, 1), theta)
            return flow.loss(data, middle), middle

        row = between_evaluations(
            lambda is_start: self._steps(flow, data, solver_state, jnp.where(is_start, 0, steps)),
            evaluate,
            no_block=_no_block(solver_state),
            known=(solver_state.loss, theta),
            is_new=jnp.isnan(solver_state.loss),
        )
        (start_loss, _), (loss, middle) = row.start, row.end
        is_taken = jnp.isfinite(loss)
        is_noisy = is_taken & ~(loss < FALL * start_loss)
        largest = max(1, row_blocks // LEAST_STEPS)
        is_last = is_noisy & (2 * solver_state.blocks > largest)
        blocks = jnp.where(is_noisy & ~is_last, 2 * solver_state.blocks, solver_state.blocks)
        code = finite_code(start_loss)
        if self.then is not None:
            code = jnp.where(is_last & (code == RUNNING), HANDED_OVER, code)
        gradients, uncounted = whole_counts(
            solver_state.uncounted, share * (steps * solver_state.blocks)
        )
        after: State = row.block.solver_state
        again = self.init(flow, theta)._replace(
            h=solver_state.h / RETREAT, is_warm=jnp.ones((), bool)
        )
        kept = jax.tree.map(
            lambda new, old: jnp.where(is_taken, new, old).astype(new.dtype), after, again
        )
        rejected = jnp.where(is_taken, 0, 1).astype(jnp.int32)
        return StepResult(
            theta=jnp.where(is_taken, middle, theta),
            loss=jnp.where(is_taken, loss, start_loss),
            start_loss=start_loss,
            grad_norm=jnp.full_like(loss, jnp.nan),
            h=jnp.where(is_taken, row.block.t, 0),
            rejected=rejected,
            work=no_work(gradients=gradients, losses=row.evaluations, rejected_steps=rejected),
            code=code.astype(jnp.int32),
            solver_state=kept._replace(
                loss=jnp.where(is_taken, loss, start_loss),
                blocks=blocks.astype(jnp.int32),
                draws=after.draws,
                uncounted=uncounted,
            ),
        )

    def _steps(self, flow: Flow, data: Any, solver_state: State, steps: jax.Array) -> Block:
        """This many steps, each on a new batch."""
        small = sample_flow(flow, self.batch)

        def over_batch(function: Any, zero: Any, number: jax.Array) -> Any:
            """The mean of a function of a sample over the blocks of a batch."""

            def add(block: jax.Array, total: Any) -> Any:
                sample = draw_in_turn(flow, data, self.seed, self.batch, number + block)
                return jax.tree.map(jnp.add, total, function(sample))

            total = jax.lax.fori_loop(0, solver_state.blocks, add, zero)
            return jax.tree.map(lambda leaf: leaf / solver_state.blocks, total)

        def take(index: jax.Array, row: Block) -> Block:
            now = row.solver_state
            none = jnp.zeros_like(now.h)
            loss, grad = over_batch(
                lambda sample: small.value_and_grad(sample, now.theta),
                (none, jnp.zeros_like(now.theta)),
                now.draws,
            )
            count = now.steps + 1
            age = count.astype(grad.dtype)
            mean = MEAN * now.mean + (1 - MEAN) * grad
            square = SQUARE * now.square + (1 - SQUARE) * grad**2
            metric = jnp.sqrt(square / (1 - SQUARE**age)) + jnp.finfo(grad.dtype).eps
            direction = -mean / (1 - MEAN**age) / metric
            trial = now.theta + now.h * direction

            def adapted() -> tuple[jax.Array, jax.Array]:
                after = over_batch(lambda sample: small.loss(sample, trial), none, now.draws)
                return _adapted(now, fell=loss - after, predicted=-now.h * (grad @ direction))

            h, is_warm = jax.lax.cond(
                now.steps % ADAPT_EVERY == 0, adapted, lambda: (now.h, now.is_warm)
            )
            is_late = 2 * index >= steps
            return Block(
                solver_state=now._replace(
                    theta=trial,
                    mean=mean,
                    square=square,
                    steps=count,
                    h=h,
                    is_warm=is_warm,
                    draws=now.draws + now.blocks,
                ),
                total=row.total + jnp.where(is_late, trial, 0),
                points=row.points + is_late,
                t=row.t + now.h,
            )

        return jax.lax.fori_loop(0, steps, take, _no_block(solver_state))


def _adapted(now: State, *, fell: jax.Array, predicted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The step size after a step whose batch was evaluated again, and whether h ever shrank.

    Args:
        now: The state at the start of the step.
        fell: The decrease of the batch's loss.
        predicted: The decrease that the gradient predicts, -∇L·d. The running mean of gradients may
            lead uphill on this batch, and then h stays.
    """
    is_long = ~(fell > GOAL * predicted)
    factor = jnp.where(now.is_warm | is_long, FACTOR, WARM_UP)
    changed = jnp.where(is_long, now.h / factor, now.h * factor)
    is_downhill = predicted > 0
    return jnp.where(is_downhill, changed, now.h), now.is_warm | (is_downhill & is_long)


def _no_block(solver_state: State) -> Block:
    """Before the first step of a row."""
    none = jnp.zeros((), solver_state.theta.dtype)
    zeros = jnp.zeros_like(solver_state.theta)
    return Block(solver_state, zeros, jnp.zeros((), jnp.int32), none)
