"""Self-scaled BFGS with a dense matrix, one gradient an attempt; for small networks.

The matrix H stands for (∇²L)⁻¹. After a step s along -H ∇L, with y the change of ∇L,

    H⁺ = (I - s yᵀ/yᵀs) H (I - y sᵀ/yᵀs) / τ + s sᵀ/yᵀs,   τ = min(1, yᵀs / sᵀH⁻¹s)

A scale τ below 1 enlarges H in all directions but s, so that large curvatures of earlier points do
not shorten later steps. There is no line search: the full step is tried first, and an attempt that
does not lower the loss enough is followed by a shorter one along the same line. A step costs one
gradient and two passes over H, and all steps are one compiled loop.

Flow time is that of gradient descent: h = |s| / |∇L|, the learning rate at which a step of gradient
descent would have been as long.

Small networks have many poor minima, and a method that takes long first steps ends in one of them
more often than one that follows the flow. With `then`, a run that ends anywhere but at a loss of 0,
or that no longer pays, begins again at the start with that method. The best point of both counts.

Source: Al-Baali 1998, Comput. Optim. Appl. 9, 191-203 (the scaling); Nocedal & Wright, *Numerical
Optimization*, 2nd ed., sections 3.5 (backtracking) and 6.1 (BFGS).
Decision: docs/decisions/0039-openings.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.solution import Outcome
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RESTARTED,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.step_control import (
    Period,
    Search,
    after_step,
    finite_code,
    is_flat,
    is_spent,
    judge_by_loss,
    refuse_patience,
    start_search,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

CURVED = 1e-12  # least cosine of s and y in an update
SHORTEST, LONGEST = 0.1, 0.5  # share of a rejected attempt that the next one has
FORGETTING = 0.9  # share of the largest curvature known that is kept from step to step


class Inverse(NamedTuple):
    """The matrix H.

    Attributes:
        matrix: Shape `(n, n)`; nothing reads it while `is_fresh`.
        scale: H is this times the identity while `is_fresh`.
        is_fresh: Whether no curvature has been seen since the start or the last reset.
        largest: A lower bound of the largest curvature near the point.
    """

    matrix: jax.Array
    scale: jax.Array
    is_fresh: jax.Array
    largest: jax.Array


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        loss: The loss at the point; NaN before it is known.
        grad: ∇L there, `(n,)`.
        direction: -H ∇L, `(n,)`.
        inverse: H.
        steepest: The largest |∇L| of the run.
        start_loss: The loss at the start of the run; NaN before it is known.
        period: The present period of `patience` gradients.
        verdict: The code of the last step, without what `then` makes of it.
    """

    loss: jax.Array
    grad: jax.Array
    direction: jax.Array
    inverse: Inverse
    steepest: jax.Array
    start_loss: jax.Array
    period: Period
    verdict: jax.Array


class Trial(NamedTuple):
    """Where the search for a step stands.

    Attributes:
        theta: The end of the last attempt, `(n,)`.
        loss: The loss there.
        grad: ∇L there, `(n,)`.
        length: The attempt's share of the full step.
        start_loss: The loss where the step begins.
        start_grad: ∇L there, `(n,)`.
        direction: -H ∇L there, `(n,)`.
        is_fresh: Whether H is a multiple of the identity.
        evaluations: Of loss and gradient, in this step.
    """

    theta: jax.Array
    loss: jax.Array
    grad: jax.Array
    length: jax.Array
    start_loss: jax.Array
    start_grad: jax.Array
    direction: jax.Array
    is_fresh: jax.Array
    evaluations: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfScaledBFGS(AbstractJitMethod):
    """Self-scaled BFGS with a dense matrix, in one compiled loop.

    Attributes:
        then: What begins again at the start where the run ends above a loss of 0, or where the loss
            no longer falls; None for the end.
        patience: The number of gradients within which the loss has to fall to `share` of its value,
            or `then` begins. At least 1.
        share: Between 0 and 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost an attempt: one gradient; a step also reads the matrix twice, 2 n² multiplications and
    more. Memory: n² numbers.
    """

    then: AbstractJitMethod | None = None
    patience: int = 300
    share: float = 0.9

    name: ClassVar[str] = "self-scaled-bfgs"
    summary: ClassVar[str] = "self-scaled BFGS with a dense matrix; for small networks"
    needs: ClassVar[str] = "any problem with up to some hundred parameters"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        refuse_patience(self.patience, self.share)

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """What begins again, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Refuse what `then` refuses."""
        if self.then is not None:
            self.then.check(flow)

    def outcome_before_restart(self, solver_state: State) -> Outcome:
        """Converged where the gradient was as small as rounding allows."""
        is_flat_there = int(solver_state.verdict) == CONVERGED
        return Outcome.CONVERGED if is_flat_there else Outcome.STALLED

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Nothing is known yet; the first evaluation is made in the first step."""
        del flow
        unknown = jnp.asarray(jnp.nan, theta.dtype)
        zero = jnp.zeros((), theta.dtype)
        matrix = jnp.zeros((theta.size, theta.size), theta.dtype)
        return State(
            loss=unknown,
            grad=jnp.zeros_like(theta),
            direction=jnp.zeros_like(theta),
            inverse=Inverse(matrix, zero, jnp.ones((), bool), zero),
            steepest=zero,
            start_loss=unknown,
            period=Period(unknown, jnp.zeros((), jnp.int32)),
            verdict=jnp.zeros((), jnp.int32),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Shorten the step until it lowers the loss; then learn from it."""
        state = solver_state
        trial, search = _search(flow, data, theta, state)
        start_norm = jnp.linalg.norm(trial.start_grad)
        step = trial.theta - theta
        taken = search.is_taken
        start_loss = jnp.where(jnp.isnan(state.start_loss), trial.start_loss, state.start_loss)
        inverse, direction = _learned(state.inverse, trial, step)
        steepest = jnp.maximum(state.steepest, start_norm)
        flat = is_flat(
            loss=trial.start_loss,
            start_loss=start_loss,
            grad_norm=start_norm,
            largest=state.inverse.largest,
            steepest=steepest,
        )
        code = jnp.where(search.code == STALLED, jnp.where(flat, CONVERGED, STALLED), search.code)
        verdict = code.astype(jnp.int32)
        loss = jnp.where(taken, trial.loss, trial.start_loss)
        period, is_slow = after_step(
            state.period,
            start_loss=trial.start_loss,
            loss=loss,
            spent=trial.evaluations,
            patience=self.patience,
            share=self.share,
        )
        if self.then is not None:
            ends = (code == CONVERGED) | (code == STALLED) | is_slow
            code = jnp.where(ends & ~is_spent(loss, start_loss), RESTARTED, code)
        return StepResult(
            theta=jnp.where(taken, trial.theta, theta),
            loss=loss,
            start_loss=trial.start_loss,
            grad_norm=start_norm,
            h=jnp.where(taken, jnp.linalg.norm(step) / start_norm, 0),
            rejected=search.rejected,
            work=no_work(gradients=trial.evaluations, rejected_steps=search.rejected),
            code=code.astype(jnp.int32),
            solver_state=State(
                loss=loss,
                grad=jnp.where(taken, trial.grad, trial.start_grad),
                direction=jnp.where(taken, direction, trial.direction),
                inverse=inverse,
                steepest=steepest,
                start_loss=start_loss,
                period=period,
                verdict=verdict,
            ),
        )


def _search(flow: Any, data: Any, theta: jax.Array, state: State) -> tuple[Trial, Search]:
    """Attempts along one line, until one lowers the loss or none can."""
    zero = jnp.zeros((), jnp.int32)
    trial = Trial(
        theta=theta,
        loss=state.loss,
        grad=state.grad,
        length=jnp.zeros_like(state.loss),
        start_loss=state.loss,
        start_grad=state.grad,
        direction=state.direction,
        is_fresh=state.inverse.is_fresh,
        evaluations=zero,
    )

    def goes_on(carry: tuple[Trial, Search]) -> jax.Array:
        return (carry[1].code == RUNNING) & ~carry[1].is_taken

    return jax.lax.while_loop(
        goes_on,
        lambda carry: _attempt(flow, data, theta, state.inverse, *carry),
        (trial, start_search(jnp.ones_like(state.loss))),
    )


def _attempt(
    flow: Any, data: Any, theta: jax.Array, inverse: Inverse, last: Trial, search: Search
) -> tuple[Trial, Search]:
    """One evaluation: at the point itself while its loss is unknown, otherwise at a trial point.

    So there is one evaluation in the compiled program.
    """
    is_trial = ~jnp.isnan(last.start_loss)
    length = search.next_h
    end = theta + jnp.where(is_trial, length, 0) * last.direction
    loss, grad = flow.value_and_grad(data, end)
    slope = jnp.vdot(last.start_grad, last.direction)
    judged = judge_by_loss(
        search,
        h=length,
        loss=last.start_loss,
        trial_loss=loss,
        predicted=-0.5 * length * slope,
        flat=~last.is_fresh,  # a full step that is too short to be seen will not be lengthened
    )
    # The minimum of the parabola through both losses and the slope.
    share = -0.5 * length * slope / (loss - last.start_loss - length * slope)
    share = jnp.where(jnp.isfinite(share), jnp.clip(share, SHORTEST, LONGEST), SHORTEST)
    shorter = jnp.where(judged.next_h > length, judged.next_h, share * length)
    # A line without a step to take: steepest descent is tried once, before the search is given up.
    resets = (judged.code != RUNNING) & ~last.is_fresh
    judged = judged._replace(
        next_h=jnp.where(resets, 1, shorter),
        was_too_long=judged.was_too_long & ~resets,
        code=jnp.where(resets, RUNNING, jnp.where(judged.code == RUNNING, RUNNING, STALLED)).astype(
            jnp.int32
        ),
    )
    norm = jnp.linalg.norm(grad)
    first = -grad / jnp.where(norm > 0, norm, 1)  # of length 1
    steepest = -inverse.scale * last.start_grad
    trial = Trial(
        theta=end,
        loss=loss,
        grad=grad,
        length=length,
        start_loss=jnp.where(is_trial, last.start_loss, loss),
        start_grad=jnp.where(is_trial, last.start_grad, grad),
        direction=jnp.where(is_trial, jnp.where(resets, steepest, last.direction), first),
        is_fresh=last.is_fresh | (is_trial & resets),
        evaluations=last.evaluations + 1,
    )
    code = jnp.where(finite_code(loss, norm) == DIVERGED, DIVERGED, RUNNING)
    evaluated = search._replace(code=code.astype(jnp.int32))
    return trial, jax.tree.map(lambda a, b: jnp.where(is_trial, a, b), judged, evaluated)


def _learned(inverse: Inverse, trial: Trial, step: jax.Array) -> tuple[Inverse, jax.Array]:
    """H after an attempt that was taken, and the next direction."""
    four = jnp.stack([step, trial.grad - trial.start_grad, trial.grad])
    table = four @ four.T  # all products at once: XLA compiles a kernel for each
    ss, sy, yy, sg = table[0, 0], table[0, 1], table[1, 1], table[0, 2]
    is_fresh = trial.is_fresh
    is_curved = sy > CURVED * jnp.sqrt(ss) * jnp.sqrt(yy)  # false for a NaN
    inverse_sy = 1 / jnp.where(is_curved, sy, 1)
    scale = jnp.where(is_fresh & is_curved, sy / jnp.where(yy > 0, yy, 1), inverse.scale)
    # H y = H ∇L⁺ + direction: one pass over H serves the update and the next direction.
    on_grad = jnp.where(is_fresh, scale * trial.grad, inverse.matrix @ trial.grad)
    on_change = jnp.where(is_fresh, scale * four[1], on_grad + trial.direction)
    slope = jnp.vdot(trial.start_grad, step)
    shrink = jnp.minimum(1, sy / jnp.maximum(-trial.length * slope, jnp.finfo(sy.dtype).tiny))
    tau = jnp.where(is_fresh, 1, shrink)
    yhy = jnp.vdot(four[1], on_change)
    # H⁺ = H/τ - w sᵀ - s wᵀ, written in place.
    w = inverse_sy / tau * on_change - 0.5 * inverse_sy * (yhy * inverse_sy / tau + 1) * step
    keeps, w = jnp.where(is_curved, 1 / tau, 1), jnp.where(is_curved, w, 0)
    kept = jnp.where(is_fresh, 0, inverse.matrix) * keeps
    every = jnp.arange(step.size)
    matrix = kept - (w[:, None] * step + step[:, None] * w)
    matrix = matrix.at[every, every].add(jnp.where(is_fresh, scale * keeps, 0))
    on_grad = keeps * on_grad - (w * sg + step * jnp.vdot(w, trial.grad))
    # Rounding can leave H indefinite; it then begins again.
    is_downhill = jnp.vdot(on_grad, trial.grad) > 0
    curvature = jnp.where(is_curved, yy * inverse_sy, 0)
    learned = Inverse(
        matrix=matrix,
        scale=jnp.where(is_curved, sy / jnp.where(yy > 0, yy, 1), scale),
        is_fresh=(is_fresh & ~is_curved) | ~is_downhill,
        largest=jnp.maximum(FORGETTING * inverse.largest, curvature),
    )
    return learned, -jnp.where(is_downhill, on_grad, learned.scale * trial.grad)
