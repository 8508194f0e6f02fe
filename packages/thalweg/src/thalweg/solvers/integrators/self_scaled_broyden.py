"""Self-scaled Broyden with a dense matrix and a Wolfe line search, in one compiled loop.

The matrix H stands for (∇²L)⁻¹. After a step s along -H ∇L, with y the change of ∇L,

    H⁺ = (H - H y yᵀ H / yᵀHy + φ yᵀHy v vᵀ) / τ + s sᵀ / yᵀs,   v = s / yᵀs - H y / yᵀHy

with b = sᵀH⁻¹s / yᵀs, h = yᵀHy / yᵀs, a = b h - 1, n unknowns, and

    φ = (1 - θ) / (1 + a θ),   σ = 1 + a θ,   ρ = min(1, h (1 - √(a / (1+a)))),
    θ = max((ρ - 1) / a, min(1/ρ, (1 - b) / b)),
    τ = min(1, 1/b) min(σ^{1/(1-n)}, 1/θ) for θ > 0,   min(min(1, 1/b) σ^{1/(1-n)}, σ) else

A scale τ below 1 enlarges H in all directions but s, so that large curvatures of earlier points do
not shorten later steps. In the first update τ = h/σ: H begins with the curvature seen. The line
search meets the strong Wolfe conditions. Its first trial has the length that the last decrease
suggests, at most that of the whole step, and a length of 1 along -∇L:

    α = min(1, 2.02 (L₋ - L) / -dᵀ∇L)

When no length lowers the loss, H begins again; when that fails too, the run ends.

Flow time is that of gradient descent: h = |s| / |∇L|, the learning rate at which a step of gradient
descent would have been as long.

Source: Urbán, Stefanou & Pons 2025, "Unveiling the optimization process of physics informed neural
networks", J. Comput. Phys. 523, 113656 (their SSBroyden2); Nocedal & Wright, *Numerical
Optimization*, 2nd ed., sections 3.5 and 6.3.
Decision: docs/decisions/0039-openings.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.base import (
    CONVERGED,
    HANDED_OVER,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.dense import refuse_bytes
from thalweg.solvers.step_control import (
    LineSearch,
    Period,
    after_step,
    finite_code,
    first_length,
    is_flat,
    is_spent,
    narrowed,
    refuse_patience,
    start_line_search,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

STUCK = 0.9  # share of the loss left by a period that gained next to nothing
FORGETTING = 0.9  # share of the largest curvature known that is kept from step to step


class Point(NamedTuple):
    """θ and ∇L of shape `(n,)`, and L."""

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        loss: The loss at the point; NaN before it is known.
        grad: ∇L there, `(n,)`.
        direction: -H ∇L, `(n,)`.
        inverse: H, shape `(n, n)`.
        is_fresh: Whether H is the identity.
        fell: By how much the last step lowered the loss.
        largest: A lower bound of the largest curvature near the point.
        steepest: The largest |∇L| of the run.
        start_loss: The loss at the start of the run; NaN before it is known.
        period: The present period of `patience` gradients.
    """

    loss: jax.Array
    grad: jax.Array
    direction: jax.Array
    inverse: jax.Array
    is_fresh: jax.Array
    fell: jax.Array
    largest: jax.Array
    steepest: jax.Array
    start_loss: jax.Array
    period: Period


class Attempt(NamedTuple):
    """Where the search for a step stands.

    Attributes:
        start: Where the step begins; its loss is NaN before the first evaluation of a run.
        best: The low end of the line search.
        direction: d, `(n,)`.
        line: The line search along d.
        evaluations: Of loss and gradient, in this step.
        code: RUNNING, or DIVERGED where the start of a run is not finite.
    """

    start: Point
    best: Point
    direction: jax.Array
    line: LineSearch
    evaluations: jax.Array
    code: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfScaledBroyden(AbstractJitMethod):
    """Self-scaled Broyden with a dense matrix and a Wolfe line search, in one compiled loop.

    Attributes:
        then: The method that takes over when the loss no longer falls; None for no other.
        patience: The number of gradients within which the loss has to fall to `share` of its
            value, or `then` takes over. At least 1.
        share: Between 0 and 1. Where more than `near` of the starting loss is left, falling to 0.9
            is enough: on the plateaus before a run nears a minimum, other methods are slow too.
        near: Between 0 and 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost: one gradient for each trial point; for each step three passes over H. Memory: n² numbers.
    """

    then: AbstractJitMethod | None = None
    patience: int = 300
    share: float = 0.2
    near: float = 0.1

    name: ClassVar[str] = "self-scaled-broyden"
    summary: ClassVar[str] = "self-scaled Broyden with a dense matrix and a Wolfe line search"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        refuse_patience(self.patience, self.share)
        if not 0 < self.near < 1:
            raise ConfigError(f"`near` is {self.near}, but a number between 0 and 1 was expected")

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The method that takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Refuse a matrix that does not fit into memory, and what `then` refuses."""
        refuse_bytes(
            self.name, 2 * flow.spec.dtype.itemsize * flow.size**2, flow, use="`secant-euler`"
        )
        if self.then is not None:
            self.then.check(flow)

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Nothing is known yet; the first evaluation is made in the first step."""
        del flow
        unknown, zero = jnp.asarray(jnp.nan, theta.dtype), jnp.zeros((), theta.dtype)
        return State(
            loss=unknown,
            grad=jnp.zeros_like(theta),
            direction=jnp.zeros_like(theta),
            inverse=jnp.eye(theta.size, dtype=theta.dtype),
            is_fresh=jnp.ones((), bool),
            fell=zero,
            largest=zero,
            steepest=zero,
            start_loss=unknown,
            period=Period(unknown, jnp.zeros((), jnp.int32)),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Search along the direction; then learn from the step."""
        state = solver_state
        attempt = _searched(flow, data, theta, state)
        start, best = attempt.start, attempt.best
        is_taken = best.loss < start.loss
        start_norm = jnp.linalg.norm(start.grad)
        start_loss = jnp.where(jnp.isnan(state.start_loss), start.loss, state.start_loss)
        inverse, direction, is_kept, curvature = _learned(state, attempt, is_taken)
        steepest = jnp.maximum(state.steepest, start_norm)
        flat = is_flat(
            loss=start.loss,
            start_loss=start_loss,
            grad_norm=start_norm,
            largest=state.largest,
            steepest=steepest,
        )
        # After a search without a step H begins again; after another one the run is over.
        is_over = ~is_taken & state.is_fresh & (attempt.code == RUNNING)
        code = jnp.where(is_over, jnp.where(flat, CONVERGED, STALLED), attempt.code)
        period, is_slow = after_step(
            state.period,
            start_loss=start.loss,
            loss=best.loss,
            spent=attempt.evaluations,
            patience=self.patience,
            share=jnp.where(best.loss <= self.near * start_loss, self.share, STUCK),
        )
        if self.then is not None:
            ends = (code == CONVERGED) | (code == STALLED) | is_slow
            code = jnp.where(ends & ~is_spent(best.loss, start_loss), HANDED_OVER, code)
        rejected = jnp.where(is_taken, 0, 1)
        return StepResult(
            theta=best.theta,
            loss=best.loss,
            start_loss=start.loss,
            grad_norm=start_norm,
            h=jnp.where(is_taken, jnp.linalg.norm(best.theta - theta) / start_norm, 0),
            rejected=rejected,
            work=no_work(gradients=attempt.evaluations, rejected_steps=rejected),
            code=code.astype(jnp.int32),
            solver_state=State(
                loss=best.loss,
                grad=best.grad,
                direction=direction,
                inverse=inverse,
                is_fresh=~is_kept,
                fell=start.loss - best.loss,
                largest=jnp.maximum(FORGETTING * state.largest, curvature),
                steepest=steepest,
                start_loss=start_loss,
                period=period,
            ),
        )


def _searched(flow: Any, data: Any, theta: jax.Array, state: State) -> Attempt:
    """Evaluations along one line, until one is a step or none can be."""
    start = Point(theta, state.loss, state.grad)
    attempt = Attempt(
        start=start,
        best=start,
        direction=state.direction,
        line=_line_search(start, state.direction, state.fell, is_fresh=state.is_fresh),
        evaluations=jnp.zeros((), jnp.int32),
        code=jnp.asarray(RUNNING, jnp.int32),
    )

    def goes_on(attempt: Attempt) -> jax.Array:
        return (attempt.code == RUNNING) & (attempt.line.goes_on | jnp.isnan(attempt.start.loss))

    return jax.lax.while_loop(
        goes_on, lambda attempt: _evaluated(flow, data, theta, attempt), attempt
    )


def _evaluated(flow: Any, data: Any, theta: jax.Array, last: Attempt) -> Attempt:
    """One evaluation: at the start while its loss is unknown, otherwise at a trial point.

    So there is one evaluation in the compiled program.
    """
    is_trial = ~jnp.isnan(last.start.loss)
    end = theta + jnp.where(is_trial, last.line.next_length, 0) * last.direction
    loss, grad = flow.value_and_grad(data, end)
    point = Point(end, loss, grad)
    line, is_low = narrowed(last.line, loss, jnp.vdot(grad, last.direction))
    code = jnp.where(is_trial, RUNNING, finite_code(loss, jnp.linalg.norm(grad)))
    first = Attempt(
        start=point,
        best=point,
        direction=-grad,
        line=_line_search(point, -grad, jnp.zeros_like(loss), is_fresh=jnp.ones((), bool)),
        evaluations=last.evaluations + 1,
        code=code.astype(jnp.int32),
    )
    later = first._replace(
        start=last.start,
        best=_chosen(is_low, point, last.best),
        direction=last.direction,
        line=line,
    )
    return jax.tree.map(lambda a, b: jnp.where(is_trial, a, b), later, first)


def _line_search(
    start: Point, direction: jax.Array, fell: jax.Array, *, is_fresh: jax.Array
) -> LineSearch:
    """The search along a direction, before its first trial."""
    slope = jnp.vdot(start.grad, direction)
    first = jnp.where(is_fresh, 1 / jnp.sqrt(-slope), first_length(fell, slope))
    return start_line_search(start.loss, slope, first)


def _learned(
    state: State, attempt: Attempt, is_taken: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """What `updated` returns, and the curvature along the step."""
    start, best = attempt.start, attempt.best
    step, change = best.theta - start.theta, best.grad - start.grad
    length = attempt.line.low.length
    learned = updated(
        state.inverse,
        step,
        change,
        # sᵀH⁻¹s = -α sᵀ∇L, as s = -α H ∇L
        curvature=-length * jnp.vdot(step, start.grad),
        grad=best.grad,
        is_lower=is_taken,
        scales_first=state.is_fresh,
    )
    along = jnp.vdot(step, change)
    curvature = jnp.vdot(change, change) / jnp.where(along > 0, along, 1)
    return *learned, jnp.where(along > 0, curvature, 0)


def updated(
    inverse: jax.Array,
    step: jax.Array,
    change: jax.Array,
    *,
    curvature: jax.Array,
    grad: jax.Array,
    is_lower: jax.Array,
    scales_first: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """H⁺ and -H⁺ ∇L⁺; with H in the place of H⁺ if `yᵀs` is not positive.

    Where that is no direction of descent, or there was no step, H begins again as the identity.

    Args:
        inverse: H, shape `(n, n)`, symmetric.
        step: s, shape `(n,)`.
        change: y, shape `(n,)`.
        curvature: sᵀH⁻¹s.
        grad: ∇L after the step, `(n,)`.
        is_lower: Whether there was a step that lowered the loss.
        scales_first: Whether H is to be scaled to the curvature first; None for never.

    Returns:
        H⁺, the direction, and whether H⁺ was learned from H.
    """
    image, on_grad = inverse @ change, inverse @ grad
    along, inner = jnp.vdot(step, change), jnp.vdot(change, image)  # yᵀs and yᵀHy
    phi, tau = _weights(curvature / along, inner / along, size=step.size, scales_first=scales_first)
    is_good = (along > 0) & (inner > 0) & (tau > 0) & jnp.isfinite(tau) & jnp.isfinite(phi)
    # The update as a matrix of rank 2 in the directions Hy and s.
    mixed = -phi / (tau * along)
    within = jnp.array(
        [
            [(phi - 1) / (tau * inner), mixed],
            [mixed, phi * inner / (tau * along**2) + 1 / along],
        ]
    )
    within, keeps = jnp.where(is_good, within, 0), jnp.where(is_good, 1 / tau, 1)
    left = jnp.where(is_good, jnp.stack([image, step]), 0)
    right = within @ left
    direction = -(keeps * on_grad + (right @ grad) @ left)
    is_kept = is_lower & (jnp.vdot(direction, grad) < 0)  # rounding can make H indefinite
    # Within the branch, so that H is read and written once.
    new = jax.lax.cond(
        is_kept,
        lambda: keeps * inverse + (left[0][:, None] * right[0] + left[1][:, None] * right[1]),
        lambda: jnp.eye(step.size, dtype=step.dtype),
    )
    return new, jnp.where(is_kept, direction, -grad), is_kept


def _weights(
    b: jax.Array, h: jax.Array, *, size: int, scales_first: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """φ and τ."""
    scale = jnp.minimum(1, 1 / b)
    a = jnp.maximum(b * h - 1, jnp.finfo(b.dtype).eps)  # at least 0 by Cauchy-Schwarz
    rho = jnp.minimum(1, h * (1 - jnp.sqrt(a / (1 + a))))
    theta = jnp.maximum((rho - 1) / a, jnp.minimum(1 / rho, (1 - b) / b))
    sigma = 1 + a * theta
    spread = jnp.abs(sigma) ** (1 / (1 - size)) if size > 1 else jnp.ones_like(sigma)
    tau = jnp.where(
        theta > 0,
        scale * jnp.minimum(spread, 1 / theta),
        jnp.minimum(scale * spread, sigma),
    )
    if scales_first is not None:
        tau = jnp.where(scales_first, h / sigma, tau)
    return (1 - theta) / sigma, tau


def _chosen(condition: jax.Array, first: Point, second: Point) -> Point:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)
