"""Exponential Euler on the true Hessian, matrix-free.

    θ⁺ = θ - h φ₁(hH) ∇L,   φ₁(z) = (1 - e⁻ᶻ)/z,   H = ∇²L(θ)

It is exact for a quadratic loss and of order 2 otherwise. There is no linear system to solve:
Lanczos builds a Krylov space from ∇L, and φ₁ is evaluated on the small matrix in it. Modes of
negative curvature grow as they do under the flow, so steps lead away from saddles.

The dimension grows until the space resolves a step of the present size. A step that lowers the loss
is stretched by doubling while the loss keeps falling. A loss without a minimum (separable classes)
needs that, as a Newton step there only divides the loss by e.

Under accuracy control nothing is stretched. The error estimate is the correction of the third-order
method, 2h φ₃(hH) D, with D the change of the gradient that H does not explain; a second Krylov
space, from D, gives φ₃.

Source: Hochbruck & Ostermann 2010, "Exponential integrators", Acta Numerica 19, sections 2.4, 4.2.
Decision: docs/decisions/0013-exponential-krylov-stretching.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.base import AbstractJitMethod, StepResult, no_work
from thalweg.solvers.integrators.controlled import (
    ControllerState,
    Trial,
    controlled_step,
    init_controller,
    start_point,
)
from thalweg.solvers.integrators.lanczos import Krylov, forcing_test, lanczos
from thalweg.solvers.step_control import (
    DESCENT,
    H_MAX,
    POOR,
    Accuracy,
    Descent,
    Search,
    attempt_until_taken,
    finite_code,
    is_flat,
    judge_by_loss,
    refuse_other_control,
    start_search,
    step_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow

MAX_GROWTH = 40.0  # exponent at which the growth of an unstable mode is cut off
SERIES = 1e-5  # below this |z|, φ₁ is evaluated by its series
SERIES_3 = 0.1  # and φ₃, which is only needed for an estimate
ESTIMATE_ORDER = 3  # the error estimate is proportional to h³
ESTIMATE_FORCING, ESTIMATE_LIMIT = 0.1, 20  # of the Krylov space for the estimate


def phi_1(z: jax.Array) -> jax.Array:
    """(1 - e⁻ᶻ)/z, with growth cut off at e^40; accurate near 0."""
    series = 1 - z / 2 + z * z / 6
    safe = jnp.where(jnp.abs(z) < SERIES, 1, z)
    return jnp.where(jnp.abs(z) < SERIES, series, -jnp.expm1(-jnp.maximum(z, -MAX_GROWTH)) / safe)


def phi_3(z: jax.Array) -> jax.Array:
    """(1 - z + z²/2 - e⁻ᶻ)/z³ to about 7 digits, with growth cut off at e^40."""
    series = 1 / 6 - z / 24 + z**2 / 120 - z**3 / 720
    safe = jnp.where(jnp.abs(z) < SERIES_3, 1, z)
    whole = (1 - safe + safe**2 / 2 - jnp.exp(-jnp.maximum(safe, -MAX_GROWTH))) / safe**3
    return jnp.where(jnp.abs(z) < SERIES_3, series, whole)


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try first.
        start_loss: The loss at the start of the run; NaN before it is known.
    """

    h: jax.Array
    start_loss: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class ExponentialKrylov(AbstractJitMethod):
    """Exponential Euler with a Krylov space whose dimension adapts to the step.

    Attributes:
        forcing: Relative residual of the resolvent at 1/h at which the space is large enough.
            Between 0 and 1; small values follow the flow, large ones descend at a low cost.
        limit: The largest dimension of the space. At least 1.
        control: `Descent()`, or `Accuracy(...)` to follow the flow; the tolerances then also set
            the accuracy of the space.

    Raises:
        ConfigError: A value is out of its range.

    Cost a step: one gradient, one Hessian product a dimension, one loss an attempt and one a
    doubling. Memory: `limit` vectors. Under accuracy control an attempt costs one gradient, one
    Hessian product a dimension, and up to 21 for the estimate.
    """

    forcing: float = 0.5
    limit: int = 60
    control: Descent | Accuracy = DESCENT

    order: ClassVar[int] = 2
    name: ClassVar[str] = "exponential-krylov"
    summary: ClassVar[str] = "exponential Euler on the true Hessian by Lanczos; for any loss"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if not 0 < self.forcing < 1:
            raise ConfigError(
                f"`forcing` is {self.forcing}, but a number between 0 and 1 was expected"
            )
        if self.limit < 1:
            raise ConfigError(f"`limit` is {self.limit}, but at least 1 was expected")

    def check(self, flow: Flow) -> None:
        """Refuse an unknown control; any problem is accepted."""
        del flow
        refuse_other_control(self.control)

    def init(self, flow: Flow, theta: jax.Array) -> State | ControllerState:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        if isinstance(self.control, Accuracy):
            return init_controller(theta, jnp.zeros((), theta.dtype))
        return State(jnp.ones((), theta.dtype), jnp.asarray(jnp.nan, theta.dtype))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size, without step control; shape `(n,)`."""
        linearised = flow.hessian(data, theta)
        return theta + move(self._space(linearised.product, linearised.grad, h), h)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: Any) -> StepResult:
        """A step that lowers the loss, or one within the tolerances."""
        if isinstance(self.control, Accuracy):
            return self._follow(flow, data, theta, solver_state, rule=self.control)
        return self._descend(flow, data, theta, solver_state)

    def _follow(
        self,
        flow: Any,
        data: Any,
        theta: jax.Array,
        solver_state: ControllerState,
        *,
        rule: Accuracy,
    ) -> StepResult:
        """Attempt until one is within the tolerances; each attempt builds its own space."""
        point, state, spent = start_point(flow, data, theta, solver_state)
        product = flow.hessian(data, theta).product
        forcing = jnp.clip(
            rule.rtol * rule.factor(point.loss, state.start_loss),
            10 * jnp.finfo(theta.dtype).eps,
            self.forcing,
        )
        size = min(self.limit, theta.size)

        def attempt(h: jax.Array, _: jax.Array) -> Trial:
            space = lanczos(product, point.grad, limit=size, is_enough=forcing_test(h, forcing))
            displacement = move(space, h)
            end = theta + displacement
            loss, grad = flow.value_and_grad(data, end)
            unexplained = grad - point.grad - product(displacement)
            other = lanczos(
                product,
                unexplained,
                limit=min(ESTIMATE_LIMIT, size),
                is_enough=forcing_test(h, ESTIMATE_FORCING),
            )
            products = space.used + other.used
            return Trial(
                theta=end,
                loss=loss,
                grad=grad,
                h=h,
                error=2 * h * applied(other, phi_3, h),
                is_fine=(space.rest <= forcing) & jnp.isfinite(loss),
                work=no_work(
                    gradients=1, hessian_products=products + 1, linear_iterations=products
                ),
                solver_state=_largest(space),
            )

        return controlled_step(
            rule,
            point,
            state,
            attempt,
            order=ESTIMATE_ORDER,
            curvature=state.inner,
            spent=spent,
        )

    def _descend(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Build the space, shorten the step until the loss falls, stretch it while it falls."""
        linearised = flow.hessian(data, theta)
        loss = linearised.loss
        space = self._space(linearised.product, linearised.grad, solver_state.h)
        start_loss = jnp.where(jnp.isnan(solver_state.start_loss), loss, solver_state.start_loss)
        largest = _largest(space)
        flat = is_flat(loss=loss, start_loss=start_loss, grad_norm=space.norm, largest=largest)

        def attempt(_: Descended, search: Search) -> tuple[Descended, Search]:
            h = search.next_h
            displacement = move(space, h)
            trial = Descended(displacement, flow.loss(data, theta + displacement), h)
            return trial, judge_by_loss(
                search,
                h=h,
                loss=loss,
                trial_loss=trial.loss,
                predicted=_predicted_decrease(space, displacement),
                flat=flat,
            )

        trial, search = attempt_until_taken(
            attempt,
            Descended(jnp.zeros_like(theta), loss, solver_state.h),
            start_search(solver_state.h, finite_code(loss, space.norm)),
        )
        is_worth_stretching = search.is_taken & (search.gain > POOR) & (search.rejected == 0)
        best = _stretch(flow, data, theta, trial, is_worth_stretching)
        stretched = trial.h * best.stretch
        return step_result(
            search,
            start=(theta, loss, space.norm),
            end=(best.theta, best.loss, stretched),
            work=no_work(
                gradients=1,
                hessian_products=space.used,
                linear_iterations=space.used,
                rejected_steps=search.rejected,
                losses=search.rejected + jnp.where(search.is_taken, 1, 0) + best.losses,
            ),
            solver_state=State(
                # A step that was stretched had been too short by that factor.
                h=jnp.minimum(jnp.where(best.stretch > 1, stretched, search.next_h), H_MAX),
                start_loss=start_loss,
            ),
        )

    def _space(
        self, product: Callable[[jax.Array], jax.Array], grad: jax.Array, h: jax.Array
    ) -> Krylov:
        # The resolvent (H + 1/h)⁻¹ stands in for φ₁: both resolve the modes up to 1/h.
        enough = forcing_test(h, self.forcing)
        return lanczos(product, grad, limit=min(self.limit, grad.size), is_enough=enough)


def applied(space: Krylov, function: Callable[[jax.Array], jax.Array], h: jax.Array) -> jax.Array:
    """f(hH) v within a Krylov space started from v; shape `(n,)`."""
    weight = jnp.where(space.values < 1e29, function(h * space.values), 0)  # noqa: PLR2004 - unused
    return space.norm * (space.vectors @ (weight * space.vectors[0])) @ space.basis


def move(space: Krylov, h: jax.Array) -> jax.Array:
    """The displacement -h φ₁(hH) ∇L within a Krylov space started from ∇L; shape `(n,)`."""
    return -h * applied(space, phi_1, h)


class Descended(NamedTuple):
    """One attempt: its displacement, the loss at its end, and its size."""

    displacement: jax.Array
    loss: jax.Array
    h: jax.Array


class Stretched(NamedTuple):
    """A step after stretching.

    Attributes:
        theta: Where it ends, shape `(n,)`.
        loss: The loss there.
        stretch: The factor on the displacement, a power of 2.
        losses: Losses evaluated.
    """

    theta: jax.Array
    loss: jax.Array
    stretch: jax.Array
    losses: jax.Array


def _largest(space: Krylov) -> jax.Array:
    """The largest |Ritz value| of a space."""
    used = jnp.arange(len(space.values)) < space.used
    return jnp.max(jnp.where(used, jnp.abs(space.values), 0))


def _predicted_decrease(space: Krylov, displacement: jax.Array) -> jax.Array:
    """-(∇L·d + ½ d·Hd) within a Krylov space started from ∇L."""
    inside = space.vectors.T @ (space.basis @ displacement)
    along = -space.norm * jnp.vdot(space.vectors[0], inside)
    curvature = jnp.vdot(inside, jnp.where(inside == 0, 0, space.values) * inside)
    return along - 0.5 * curvature


def _stretch(
    flow: Any, data: Any, theta: jax.Array, trial: Descended, is_worth_stretching: jax.Array
) -> Stretched:
    """Double the displacement while the loss falls."""

    def lengthen(carry: tuple[Stretched, jax.Array]) -> tuple[Stretched, jax.Array]:
        best, _ = carry
        stretch = 2 * best.stretch
        end = theta + stretch * trial.displacement
        loss = flow.loss(data, end)
        falls = (loss < best.loss) & jnp.isfinite(loss)
        new = Stretched(end, loss, stretch, best.losses)
        kept = jax.tree.map(lambda a, b: jnp.where(falls, a, b), new, best)
        return kept._replace(losses=best.losses + 1), falls

    one = jnp.ones((), theta.dtype)
    first = Stretched(theta + trial.displacement, trial.loss, one, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda carry: carry[1], lengthen, (first, is_worth_stretching))[0]
