"""Another method on a random sample of the data, while the sample predicts the full loss.

Where there are many more examples than weights, most examples repeat what others say. A sample of
R of N examples is drawn once, and the inner method runs on it at R/N of its cost:

    dθ/dt = -∇L_S(θ),   L_S(θ) = mean of the losses of the R examples

After some steps the loss over all data is computed, and they are taken where it fell. Once it no
longer falls, or is a multiple of the sample's loss, the steps fit the examples of the sample and
not the others: the inner method then goes on with all data.

Source: Byrd, Chin, Nocedal & Wu 2012, "Sample size selection in optimization methods for machine
learning" (a sample as long as it predicts the decrease over all data).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.flow.sample import (
    draw,
    refuse_unsampled,
    sample_flow,
    sample_share,
    still_tells,
)
from thalweg.solution import Work
from thalweg.solvers.base import (
    DIVERGED,
    HANDED_OVER,
    RUNNING,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.on_samples import between_evaluations, whole_counts
from thalweg.solvers.step_control import finite_code

if TYPE_CHECKING:
    from thalweg.flow import Flow

PER_WEIGHT = 4  # examples in a sample for each weight, by default
STEP_COST = 10  # passes over the sample that an inner step takes, about
MAX_STEPS = 32  # inner steps in a row of the history, so that Ctrl-C does not wait long


class State(NamedTuple):
    """What is carried from row to row.

    Attributes:
        inner: The state of the inner method.
        loss: The loss over all data at the present point; NaN before it is known.
        grad_norm: The norm of its gradient there.
        uncounted: Fractions of work over all data that no count holds yet, one a field.
    """

    inner: Any
    loss: jax.Array
    grad_norm: jax.Array
    uncounted: Work


class Block(NamedTuple):
    """Inner steps on the sample; scalars but `theta`, `solver_state` and `work`.

    Attributes:
        theta: Where they end, `(n,)`.
        solver_state: The state of the inner method.
        first_loss: The loss of the sample where they began.
        loss: The loss of the sample where they end.
        t: The flow time that they took.
        steps: How many they are.
        rejected: Attempts rejected.
        work: What they spent, in evaluations over the sample.
        code: RUNNING, or why the inner method ended.
    """

    theta: jax.Array
    solver_state: Any
    first_loss: jax.Array
    loss: jax.Array
    t: jax.Array
    steps: jax.Array
    rejected: jax.Array
    work: Work
    code: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampled(AbstractJitMethod):
    """A method on a fixed random sample first, then on all data.

    A row of the history is a block of inner steps. Its `loss` and `grad_norm` are over all data;
    its `h` is the flow time of the whole block. Work is counted in passes over all data; work on
    the sample is multiplied by the sample's share.

    Attributes:
        method: What runs on the sample.
        batch: Examples of each block of data in the sample; None for four per weight. A block with
            no more than that is used whole. At least 1.
        steps: Inner steps between two evaluations over all data; None for about the number that
            costs as much as an evaluation. At least 1.
        then: What takes over; None for `method` on all data.
        seed: Of the random sample.

    Raises:
        ConfigError: A value is out of its range.

    Cost a row: its inner steps at the sample's share of their cost, and one gradient.
    """

    method: AbstractJitMethod = dataclasses.field(default_factory=ImplicitGeodesic)
    batch: int | None = None
    steps: int | None = None
    then: AbstractJitMethod | None = None
    seed: int = 0

    name: ClassVar[str] = "sampled"
    summary: ClassVar[str] = "implicit-geodesic on a random sample first, then on all data"
    needs: ClassVar[str] = "LeastSquares or Composite, with data"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        for name in ("batch", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`{name}` is {value}, but at least 1 was expected")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """What takes over, and those that it hands over to."""
        following = self.method if self.then is None else self.then
        return (following, *following.successors)

    def check(self, flow: Flow) -> None:
        """Refuse a problem without examples to draw from."""
        refuse_unsampled(flow, self.name)
        self.successors[0].check(flow)
        self.method.check(flow)

    def examples(self, flow: Flow) -> int:
        """The number of examples of each block in a sample."""
        return PER_WEIGHT * flow.size if self.batch is None else self.batch

    def inner_steps(self, flow: Flow) -> int:
        """The number of inner steps in a row."""
        if self.steps is not None:
            return self.steps
        share = sample_share(flow, self.examples(flow))
        return round(min(max(3 / (STEP_COST * share), 1), MAX_STEPS))

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin as the inner method does."""
        unknown = jnp.asarray(jnp.nan, theta.dtype)
        none = jnp.zeros((), jnp.float32)
        return State(
            inner=self.method.init(sample_flow(flow, self.examples(flow)), theta),
            loss=unknown,
            grad_norm=unknown,
            uncounted=Work._make(none for _ in Work._fields),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take a block of inner steps, and evaluate all data after it."""
        share = sample_share(flow, self.examples(flow))
        count = self.inner_steps(flow)

        def evaluate(block: Block) -> tuple[jax.Array, jax.Array]:
            loss, grad = flow.value_and_grad(data, block.theta)
            return loss, jnp.linalg.norm(grad)

        row = between_evaluations(
            lambda is_start: self._inner_steps(
                flow, data, theta, solver_state.inner, jnp.where(is_start, 0, count)
            ),
            evaluate,
            no_block=_no_block(theta, solver_state.inner),
            known=(solver_state.loss, solver_state.grad_norm),
            is_new=jnp.isnan(solver_state.loss),
        )
        block: Block = row.block
        (start_loss, start_norm), (loss, grad_norm) = row.start, row.end
        is_taken = loss < start_loss
        still_predicts = still_tells(
            fell=start_loss - loss,
            sample_fell=block.first_loss - block.loss,
            loss=loss,
            sample_loss=block.loss,
        )
        goes_on = is_taken & still_predicts & (block.code == RUNNING)
        code = finite_code(start_loss, start_norm)
        code = jnp.where((code == DIVERGED) | goes_on, code, HANDED_OVER)
        spent = jax.tree.map(lambda count: share * count, block.work)
        work, uncounted = whole_counts(solver_state.uncounted, spent)
        work = work._replace(gradients=work.gradients + row.evaluations)
        return StepResult(
            theta=jnp.where(is_taken, block.theta, theta),
            loss=jnp.where(is_taken, loss, start_loss),
            start_loss=start_loss,
            grad_norm=start_norm,
            h=jnp.where(is_taken, block.t, 0),
            rejected=block.rejected,
            work=work,
            code=code.astype(jnp.int32),
            solver_state=State(
                inner=block.solver_state,
                loss=jnp.where(is_taken, loss, start_loss),
                grad_norm=jnp.where(is_taken, grad_norm, start_norm),
                uncounted=uncounted,
            ),
        )

    def _inner_steps(
        self, flow: Flow, data: Any, theta: jax.Array, solver_state: Any, steps: jax.Array
    ) -> Block:
        """At most this many inner steps on the sample."""
        examples = self.examples(flow)
        small = sample_flow(flow, examples)
        sample = draw(data, jax.random.PRNGKey(self.seed), examples)

        def take(block: Block) -> Block:
            result = self.method.step(small, sample, block.theta, block.solver_state)
            return Block(
                theta=result.theta,
                solver_state=result.solver_state,
                first_loss=jnp.where(block.steps == 0, result.start_loss, block.first_loss),
                loss=result.loss,
                t=block.t + result.h,
                steps=block.steps + 1,
                rejected=block.rejected + result.rejected,
                work=jax.tree.map(jnp.add, block.work, result.work),
                code=result.code,
            )

        return jax.lax.while_loop(
            lambda block: (block.steps < steps) & (block.code == RUNNING),
            take,
            _no_block(theta, solver_state),
        )


def _no_block(theta: jax.Array, solver_state: Any) -> Block:
    """Before the first inner step."""
    none, whole = jnp.zeros((), theta.dtype), jnp.zeros((), jnp.int32)
    return Block(
        theta=theta,
        solver_state=solver_state,
        first_loss=none,
        loss=none,
        t=none,
        steps=whole,
        rejected=whole,
        work=no_work(),
        code=whole,
    )
