"""Exponential Euler on the true Hessian, matrix-free.

    θ⁺ = θ - h φ₁(hH) ∇L,   φ₁(z) = (1 - e⁻ᶻ)/z,   H = ∇²L(θ)

exact for a quadratic loss, of order 2 otherwise, with no linear system to solve: Lanczos builds a
Krylov space from ∇L, and φ₁ is taken of the small matrix in it. Modes of negative curvature grow
as they do under the flow, so the step walks away from saddles.

The dimension grows until the space resolves a step of the present size; a step that lowers the
loss is stretched by doubling while the loss keeps falling, which is what a loss without a minimum
(separable classes) needs: there a step of Newton's kind only divides the loss by e.

Under accuracy control nothing is stretched. The error is what the step's third-order companion
would add, 2h φ₃(hH) D, with D the part of the slope's change that H does not explain; a second
Krylov space, from D, gives φ₃.

Source: Hochbruck & Ostermann 2010, "Exponential integrators", Acta Numerica 19, sections 2.4, 4.2.
Decision: docs/decisions/0013-exponential-krylov-stretching.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.integrators.controlled import (
    Pace,
    Trial,
    controlled_step,
    first_pace,
    start_point,
)
from thalweg.solvers.integrators.shifted_systems import Krylov, forcing_test, lanczos
from thalweg.solvers.step_control import (
    DESCENT,
    FACTOR,
    H_MAX,
    LENGTHEN,
    POOR,
    Accuracy,
    Descent,
    is_descent,
    is_flat,
    next_h,
    refuse_other_control,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow

MOST_GROWTH = 40.0  # exponent at which the growth of an unstable mode is cut off
MOST_ATTEMPTS = 60
SERIES = 1e-5  # below this |z|, φ₁ is taken from its series
SERIES_3 = 0.1  # and φ₃, which is only needed for an estimate
ESTIMATE_ORDER = 3  # the error estimate goes with h³
ESTIMATE_FORCING, ESTIMATE_LIMIT = 0.1, 20  # of the Krylov space for the estimate


def phi_1(z: jax.Array) -> jax.Array:
    """(1 - e⁻ᶻ)/z, with growth cut off at e^40; accurate near 0."""
    series = 1 - z / 2 + z * z / 6
    safe = jnp.where(jnp.abs(z) < SERIES, 1, z)
    return jnp.where(jnp.abs(z) < SERIES, series, -jnp.expm1(-jnp.maximum(z, -MOST_GROWTH)) / safe)


def phi_3(z: jax.Array) -> jax.Array:
    """(1 - z + z²/2 - e⁻ᶻ)/z³ to about 7 digits, with growth cut off at e^40."""
    series = 1 / 6 - z / 24 + z**2 / 120 - z**3 / 720
    safe = jnp.where(jnp.abs(z) < SERIES_3, 1, z)
    whole = (1 - safe + safe**2 / 2 - jnp.exp(-jnp.maximum(safe, -MOST_GROWTH))) / safe**3
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
    """Exponential Euler with a Krylov space of its own size.

    Attributes:
        forcing: Relative residual of the resolvent at 1/h at which the space is large enough.
            Between 0 and 1; small values follow the flow, large ones descend cheaply.
        limit: The largest dimension of the space. At least 1.
        control: `Descent()`, or `Accuracy(...)` to follow the flow; the space is then as accurate
            as the tolerances ask for.

    Raises:
        ConfigError: A value is out of its range.

    Cost a step: one gradient, one Hessian product for each dimension, one loss for each attempt
    and each doubling; `limit` vectors of memory. Under accuracy control, for each attempt, one
    gradient, one Hessian product for each dimension and up to 21 for the estimate.
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
        """Any problem will do."""
        del flow
        refuse_other_control(self.control)

    def init(self, flow: Flow, theta: jax.Array) -> State | Pace:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        if isinstance(self.control, Accuracy):
            return first_pace(theta, jnp.zeros((), theta.dtype))
        return State(jnp.ones((), theta.dtype), jnp.asarray(jnp.nan, theta.dtype))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size, without control of any kind; shape `(n,)`."""
        slope = flow.hessian(data, theta)
        return theta + move(self._space(slope.product, slope.grad, h), h)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: Any) -> StepResult:
        """A step that lowers the loss, or one within the tolerances."""
        if isinstance(self.control, Accuracy):
            return self._follow(flow, data, theta, solver_state, rule=self.control)
        return self._descend(flow, data, theta, solver_state)

    def _follow(
        self, flow: Any, data: Any, theta: jax.Array, solver_state: Pace, *, rule: Accuracy
    ) -> StepResult:
        """Attempts until one is within the tolerances; each builds the space that it needs."""
        point, pace, spent = start_point(flow, data, theta, solver_state)
        slope = flow.hessian(data, theta)
        forcing = jnp.clip(
            rule.rtol * rule.factor(point.loss, pace.start_loss),
            10 * jnp.finfo(theta.dtype).eps,
            self.forcing,
        )
        size = min(self.limit, theta.size)

        def attempt(h: jax.Array, _: jax.Array) -> Trial:
            space = lanczos(
                slope.product, point.grad, limit=size, is_enough=forcing_test(h, forcing)
            )
            displacement = move(space, h)
            end = theta + displacement
            loss, grad = flow.value_and_grad(data, end)
            unexplained = grad - point.grad - slope.product(displacement)
            other = lanczos(
                slope.product,
                unexplained,
                limit=min(ESTIMATE_LIMIT, size),
                is_enough=forcing_test(h, ESTIMATE_FORCING),
            )
            products = space.used + other.used
            used = jnp.arange(size) < space.used
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
                own=jnp.max(jnp.where(used, jnp.abs(space.values), 0)),
            )

        return controlled_step(
            rule,
            point,
            pace,
            attempt,
            order=ESTIMATE_ORDER,
            curvature=pace.own,
            spent=spent,
        )

    def _descend(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Build the space, shorten the step until the loss falls, stretch it while it falls."""
        slope = flow.hessian(data, theta)
        space = self._space(slope.product, slope.grad, solver_state.h)
        start_loss = jnp.where(
            jnp.isnan(solver_state.start_loss), slope.loss, solver_state.start_loss
        )
        used = jnp.arange(len(space.values)) < space.used
        largest = jnp.max(jnp.where(used, jnp.abs(space.values), 0))
        flat = is_flat(
            loss=slope.loss, start_loss=start_loss, grad_norm=space.norm, largest=largest
        )
        short = _shorten(
            flow, data, theta, loss=slope.loss, space=space, h=solver_state.h, flat=flat
        )
        is_finite = jnp.isfinite(slope.loss) & jnp.isfinite(space.norm)
        is_taken = is_descent(short.gain) & is_finite
        long = _stretch(flow, data, theta, short, is_taken)
        failed = jnp.where(flat, CONVERGED, STALLED)
        code = jnp.where(is_finite, jnp.where(is_taken, RUNNING, failed), DIVERGED)
        rejected = short.attempts - jnp.where(is_taken, 1, 0)
        # A stretched step was too short by that factor; a poor one was too long.
        stretched = short.h * long.stretch
        h = jnp.where(long.stretch > 1, stretched, next_h(short.h, short.gain))
        return StepResult(
            theta=jnp.where(is_taken, long.theta, theta),
            loss=jnp.where(is_taken, long.loss, slope.loss),
            start_loss=slope.loss,
            grad_norm=space.norm,
            h=jnp.where(is_taken, stretched, 0),
            rejected=rejected,
            work=no_work(
                gradients=1,
                hessian_products=space.used,
                linear_iterations=space.used,
                rejected_steps=rejected,
                losses=short.attempts + long.losses,
            ),
            code=code.astype(jnp.int32),
            solver_state=State(jnp.minimum(h, H_MAX), start_loss),
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


class Short(NamedTuple):
    """The search for a step that lowers the loss; all scalars but the vectors."""

    displacement: jax.Array
    loss: jax.Array
    h: jax.Array
    next_h: jax.Array
    gain: jax.Array
    shortened: jax.Array
    attempts: jax.Array
    is_lost: jax.Array


def _shorten(
    flow: Any,
    data: Any,
    theta: jax.Array,
    *,
    loss: jax.Array,
    space: Krylov,
    h: jax.Array,
    flat: jax.Array,
) -> Short:
    """Halve the step until it lowers the loss, or until rounding hides what it could do."""
    eps = jnp.finfo(theta.dtype).eps

    def attempt(last: Short) -> Short:
        h = last.next_h
        displacement = move(space, h)
        trial = flow.loss(data, theta + displacement)
        inside = space.vectors.T @ (space.basis @ displacement)
        slope = -space.norm * jnp.vdot(space.vectors[0], inside)
        curvature = jnp.vdot(inside, jnp.where(inside == 0, 0, space.values) * inside)
        predicted = slope - 0.5 * curvature
        gain = jnp.where(predicted > 0, (loss - trial) / predicted, jnp.nan)
        taken = is_descent(gain)
        # A decrease too small to be seen: of a first attempt, h may just be too short.
        is_unseen = ~taken & (predicted <= eps * jnp.abs(loss))
        is_short = is_unseen & ~last.shortened & ~flat & (h < H_MAX)
        attempts = last.attempts + 1
        return Short(
            displacement=displacement,
            loss=trial,
            h=h,
            next_h=jnp.where(is_short, jnp.minimum(LENGTHEN * h, H_MAX), h / FACTOR),
            gain=gain,
            shortened=last.shortened | ~(taken | is_short),
            attempts=attempts,
            is_lost=(is_unseen & ~is_short) | (attempts >= MOST_ATTEMPTS),
        )

    def goes_on(last: Short) -> jax.Array:
        return ~is_descent(last.gain) & ~last.is_lost

    first = Short(
        displacement=jnp.zeros_like(theta),
        loss=loss,
        h=h,
        next_h=h,
        gain=jnp.full_like(loss, jnp.nan),
        shortened=jnp.zeros((), bool),
        attempts=jnp.zeros((), jnp.int32),
        is_lost=~jnp.isfinite(loss),
    )
    return jax.lax.while_loop(goes_on, attempt, first)


class Long(NamedTuple):
    """A step that was stretched while the loss fell."""

    theta: jax.Array
    loss: jax.Array
    stretch: jax.Array
    losses: jax.Array


def _stretch(flow: Any, data: Any, theta: jax.Array, short: Short, is_taken: jax.Array) -> Long:
    """Double the displacement while the loss falls."""
    one = jnp.ones((), theta.dtype)

    def lengthen(carry: tuple[Long, jax.Array]) -> tuple[Long, jax.Array]:
        best, _ = carry
        stretch = 2 * best.stretch
        trial = theta + stretch * short.displacement
        loss = flow.loss(data, trial)
        falls = (loss < best.loss) & jnp.isfinite(loss)
        new = Long(trial, loss, stretch, best.losses)
        kept = jax.tree.map(lambda a, b: jnp.where(falls, a, b), new, best)
        return kept._replace(losses=best.losses + 1), falls

    first = Long(theta + short.displacement, short.loss, one, jnp.zeros((), jnp.int32))
    tries = is_taken & (short.gain > POOR) & (short.attempts == 1)
    return jax.lax.while_loop(lambda carry: carry[1], lengthen, (first, tries))[0]
