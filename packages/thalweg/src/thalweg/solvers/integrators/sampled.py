"""Another method on a random sample of the data, until the sample tells no more.

Where there are many more examples than weights, most of them say what the others said. A sample of
R of N examples is drawn once and the inner method runs on it, at R/N of its cost:

    dθ/dt = -∇L_S(θ),   L_S(θ) = mean of the losses of the R examples

After some steps the loss over all data is computed. They are taken where it fell; the run goes over
to the inner method on all data once it falls no longer, or is a multiple of the sample's, which
then fits its own examples and not the rest.

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
from thalweg.solvers.base import DIVERGED, HANDED_OVER, RUNNING, AbstractJitMethod, StepResult
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic

if TYPE_CHECKING:
    from thalweg.flow import Flow

PER_WEIGHT = 4  # examples in a sample for each weight, where the caller names no number
STEP_COST = 10  # passes over the sample that an inner step takes, about
MOST_STEPS = 32  # inner steps in a row at most, so that Ctrl-C is heard


class State(NamedTuple):
    """What is carried from row to row.

    Attributes:
        inner: The memory of the inner method.
        loss: The loss over all data at the present point; NaN before it is known.
        grad_norm: The norm of its gradient there.
        rest: Fractions of passes over all data that are not in a count of work yet, one a field.
    """

    inner: Any
    loss: jax.Array
    grad_norm: jax.Array
    rest: Work


class Walk(NamedTuple):
    """Inner steps on one sample from one point; scalars but `theta`, `solver_state` and `work`."""

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
    its `h` is the flow time of the whole block. Work is counted in passes over all data: what is
    spent on the sample counts by the sample's share.

    Attributes:
        method: What runs on the sample.
        batch: Examples in the sample of each block of data; None for four a weight. A block with
            no more than that is used whole. Positive.
        steps: Inner steps between two looks at all data; None for about as many as cost as much
            as the look. At least 1.
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
        """How many examples of each block a sample has."""
        return PER_WEIGHT * flow.size if self.batch is None else self.batch

    def inner_steps(self, flow: Flow) -> int:
        """How many inner steps a row has."""
        if self.steps is not None:
            return self.steps
        share = sample_share(flow, self.examples(flow))
        return round(min(max(3 / (STEP_COST * share), 1), MOST_STEPS))

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin as the inner method does."""
        unknown = jnp.asarray(jnp.nan, theta.dtype)
        none = jnp.zeros((), jnp.float32)
        return State(
            inner=self.method.init(sample_flow(flow, self.examples(flow)), theta),
            loss=unknown,
            grad_norm=unknown,
            rest=Work._make(none for _ in Work._fields),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take a block of inner steps, and look at all data after it."""
        share = sample_share(flow, self.examples(flow))
        count = self.inner_steps(flow)
        is_new = jnp.isnan(solver_state.loss)

        def look(state: tuple[Any, ...]) -> tuple[Any, ...]:
            looks, start, _, _ = state
            # Before the first block the start is looked at: one program of the gradient for both.
            walk = self._walk(
                flow, data, theta, solver_state.inner, jnp.where(looks == 0, 0, count)
            )
            loss, grad = flow.value_and_grad(data, walk.theta)
            now = (loss, jnp.linalg.norm(grad))
            start = jax.tree.map(lambda old, new: jnp.where(looks == 0, new, old), start, now)
            return looks + 1, start, walk, now

        known = (solver_state.loss, solver_state.grad_norm)
        nowhere = self._walk(flow, data, theta, solver_state.inner, None)
        first = (jnp.where(is_new, 0, 1).astype(jnp.int32), known, nowhere, known)
        _, (start_loss, start_norm), walk, (loss, grad_norm) = jax.lax.while_loop(
            lambda state: state[0] < 2,  # noqa: PLR2004 - the look after the block
            look,
            first,
        )
        is_taken = loss < start_loss
        tells = still_tells(
            fell=start_loss - loss,
            sample_fell=walk.first_loss - walk.loss,
            loss=loss,
            sample_loss=walk.loss,
        )
        goes_on = is_taken & tells & (walk.code == RUNNING)
        is_finite = jnp.isfinite(start_loss) & jnp.isfinite(start_norm)
        code = jnp.where(is_finite, jnp.where(goes_on, RUNNING, HANDED_OVER), DIVERGED)
        looks = jnp.where(is_new, 2.0, 1.0)
        spent = jax.tree.map(lambda rest, new: rest + share * new, solver_state.rest, walk.work)
        spent = spent._replace(gradients=spent.gradients + looks)
        whole = jax.tree.map(jnp.floor, spent)
        return StepResult(
            theta=jnp.where(is_taken, walk.theta, theta),
            loss=jnp.where(is_taken, loss, start_loss),
            start_loss=start_loss,
            grad_norm=start_norm,
            h=jnp.where(is_taken, walk.t, 0),
            rejected=walk.rejected,
            work=jax.tree.map(lambda value: value.astype(jnp.int32), whole),
            code=code.astype(jnp.int32),
            solver_state=State(
                inner=walk.solver_state,
                loss=jnp.where(is_taken, loss, start_loss),
                grad_norm=jnp.where(is_taken, grad_norm, start_norm),
                rest=jax.tree.map(jnp.subtract, spent, whole),
            ),
        )

    def _walk(
        self, flow: Flow, data: Any, theta: jax.Array, solver_state: Any, steps: jax.Array | None
    ) -> Walk:
        """At most so many inner steps on the sample; None for a walk that has not begun."""
        none, whole = jnp.zeros((), theta.dtype), jnp.zeros((), jnp.int32)
        begun = Walk(
            theta=theta,
            solver_state=solver_state,
            first_loss=none,
            loss=none,
            t=none,
            steps=whole,
            rejected=whole,
            work=Work._make(whole for _ in Work._fields),
            code=whole,
        )
        if steps is None:
            return begun
        examples = self.examples(flow)
        small = sample_flow(flow, examples)
        sample = draw(data, jax.random.PRNGKey(self.seed), examples)

        def take(walk: Walk) -> Walk:
            result = self.method.step(small, sample, walk.theta, walk.solver_state)
            return Walk(
                theta=result.theta,
                solver_state=result.solver_state,
                first_loss=jnp.where(walk.steps == 0, result.start_loss, walk.first_loss),
                loss=result.loss,
                t=walk.t + result.h,
                steps=walk.steps + 1,
                rejected=walk.rejected + result.rejected,
                work=jax.tree.map(jnp.add, walk.work, result.work),
                code=result.code,
            )

        return jax.lax.while_loop(
            lambda walk: (walk.steps < steps) & (walk.code == RUNNING), take, begun
        )
