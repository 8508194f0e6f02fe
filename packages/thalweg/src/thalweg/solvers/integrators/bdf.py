"""BDF of variable step, capped at order 2, with the exact Hessian.

A step of size h from θₙ, after one of size h₁ from θₙ₋₁, solves for θ = θₙ + d

    α d - β (θₙ - θₙ₋₁) + ∇L(θₙ + d) = 0,   α = 1/h + 1/(h + h₁),   β = h / (h₁ (h + h₁))

by Newton's method with a factorisation of H + α, H = ∇²L. Both are kept while Newton converges
well: H from step to step, the factorisation while α has changed little. Order 2 is the highest at
which BDF is A-stable. The first step, and any step for which h has grown by more than 2.4, is of
order 1 (α = 1/h, β = 0), as order 2 is not zero-stable there.

The error estimate is a share of the difference from the polynomial through the last three points.

Source: Hairer, Nørsett & Wanner, *Solving Ordinary Differential Equations I*, 2nd ed., III.5
(variable steps); Brown, Byrne & Hindmarsh 1989, "VODE", SIAM J. Sci. Stat. Comput. 10 (when to
evaluate Newton's matrix again).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from thalweg.solvers.base import AbstractJitMethod, StepResult, no_work
from thalweg.solvers.dense import curvature_along, refuse_large
from thalweg.solvers.integrators.controlled import (
    ControllerState,
    Point,
    Trial,
    controlled_step,
    init_controller,
    start_point,
)
from thalweg.solvers.step_control import DESCENT, Accuracy, Descent, refuse_other_control

if TYPE_CHECKING:
    from collections.abc import Callable

ESTIMATE_ORDER = 3  # the error of order 2 is proportional to h³
LONGEST = 2.0  # growth of h from step to step; 2.4 is the limit of zero-stability
ZERO_STABLE = 2.4  # 1 + √2, rounded down
MAX_ITERATIONS = 4  # of Newton's method with one matrix
SHARE = 0.1  # of the tolerance of a step that Newton's error may take
FORCING = 0.1  # Newton's error as a share of the step, under descent control
OFF = 0.3  # relative change of α above which H + α is factored again
SLOW = 0.3  # convergence rate above which H is evaluated again before the next step
OLD = 20  # steps after which H is evaluated again
EXACT = 1e-13  # relative correction at which a step without control ends Newton


class Matrices(NamedTuple):
    """Newton's matrix, and what it is made of.

    Attributes:
        hessian: H, shape `(n, n)`.
        factor: The Cholesky factor of H + α, shape `(n, n)`.
        alpha: The α in it; 0 where there is none yet.
        age: Steps since H was evaluated.
        is_stale: Whether Newton converged too slowly with it.
    """

    hessian: jax.Array
    factor: jax.Array
    alpha: jax.Array
    age: jax.Array
    is_stale: jax.Array


class History(NamedTuple):
    """The steps before, and Newton's matrix.

    Attributes:
        moves: θₙ - θₙ₋₁ and θₙ₋₁ - θₙ₋₂, shape `(2, n)`.
        sizes: Their step sizes, shape `(2,)`.
        known: How many of them are known, 0 to 2.
        matrices: Newton's matrix.
    """

    moves: jax.Array
    sizes: jax.Array
    known: jax.Array
    matrices: Matrices


class _Formula(NamedTuple):
    """One step's α, the constant part of its equation, and the predicted end."""

    alpha: jax.Array
    shift: jax.Array  # β (θₙ - θₙ₋₁), shape (n,)
    predicted: jax.Array  # d by extrapolation, shape (n,)
    share: jax.Array  # the error over the difference of the solution from the prediction


class _Newton(NamedTuple):
    d: jax.Array
    loss: jax.Array
    grad: jax.Array
    correction: jax.Array
    rate: jax.Array
    iterations: jax.Array
    evaluations: jax.Array
    is_done: jax.Array
    has_failed: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class BDF(AbstractJitMethod):
    """BDF of order 1 and 2, exact Hessian, factorisation kept while Newton converges well.

    Attributes:
        control: `Descent()`, or `Accuracy(...)` to follow the flow.

    Cost a step: two to five gradients; a dense Hessian, which is n Hessian products, every 20 steps
    and wherever Newton converged slowly; a factorisation of n³/3 multiplications where h has
    changed. Memory: four matrices of 8n² bytes.
    """

    control: Descent | Accuracy = DESCENT

    order: ClassVar[int] = 2
    name: ClassVar[str] = "bdf"
    summary: ClassVar[str] = "BDF up to order 2, exact Hessian kept while it serves"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "own"

    def check(self, flow: Any) -> None:
        """Refuse matrices that do not fit into memory."""
        refuse_other_control(self.control)
        refuse_large(self.name, flow)

    def init(self, flow: Any, theta: jax.Array) -> ControllerState:
        """Begin with h = 1 and no history."""
        del flow
        return init_controller(theta, no_history(theta))

    def advance(
        self, flow: Any, data: Any, state: tuple[jax.Array, History], h: jax.Array
    ) -> tuple[jax.Array, History]:
        """One step of the given size, without step control, from θ and the history to the same."""
        theta, history = state
        loss, grad = flow.value_and_grad(data, theta)
        point = Point(theta, loss, grad)

        def is_small(correction: jax.Array, d: jax.Array) -> jax.Array:
            return jnp.linalg.norm(correction) / (EXACT * jnp.linalg.norm(d))

        stale = history._replace(matrices=history.matrices._replace(is_stale=jnp.ones((), bool)))
        trial = _attempt(flow, data, point, h, stale, is_small=is_small, extrapolates=True)
        return trial.theta, _after(trial.solver_state, trial.theta - theta, h)

    def step(
        self, flow: Any, data: Any, theta: jax.Array, solver_state: ControllerState
    ) -> StepResult:
        """Attempt until a step is taken, then append it to the history."""
        point, state, spent = start_point(flow, data, theta, solver_state)
        control = self.control

        def in_tolerances(correction: jax.Array, d: jax.Array) -> jax.Array:
            if isinstance(control, Accuracy):
                units = control.factor(point.loss, state.start_loss)
                return control.size(correction, jnp.abs(theta), SHARE * units)
            return jnp.linalg.norm(correction) / (FORCING * jnp.linalg.norm(d))

        def attempt(h: jax.Array, history: History) -> Trial:
            return _attempt(
                flow,
                data,
                point,
                h,
                history,
                is_small=in_tolerances,
                extrapolates=isinstance(control, Accuracy),
            )

        result = controlled_step(
            control,
            point,
            state,
            attempt,
            order=ESTIMATE_ORDER,
            curvature=curvature_along(state.inner.matrices.hessian, point.grad),
            spent=spent,
            longest=LONGEST,
        )
        history = _after(result.solver_state.inner, result.theta - theta, result.h)
        return result._replace(solver_state=result.solver_state._replace(inner=history))


def no_history(theta: jax.Array) -> History:
    """Before the first step from θ of shape `(n,)`."""
    n, real = theta.size, theta.dtype
    zero = jnp.zeros((), jnp.int32)
    matrices = Matrices(
        hessian=jnp.zeros((n, n), real),
        factor=jnp.zeros((n, n), real),
        alpha=jnp.zeros((), real),
        age=zero,
        is_stale=jnp.ones((), bool),
    )
    return History(jnp.zeros((2, n), real), jnp.ones(2, real), zero, matrices)


def _after(history: History, move: jax.Array, h: jax.Array) -> History:
    """The history after a step."""
    matrices = history.matrices._replace(age=history.matrices.age + 1)
    return History(
        jnp.stack([move, history.moves[0]]),
        jnp.stack([jnp.where(h > 0, h, 1), history.sizes[0]]),
        jnp.minimum(history.known + 1, 2),
        matrices,
    )


def _formula(point: Point, history: History, h: jax.Array) -> _Formula:
    h1, h2 = history.sizes
    move, older = history.moves
    is_second = (history.known > 0) & (h <= ZERO_STABLE * h1)
    alpha = 1 / h + jnp.where(is_second, 1 / (h + h1), 0)
    beta = jnp.where(is_second, h / (h1 * (h + h1)), 0)
    # Extrapolated from the points that are known; with none, an explicit Euler step.
    line = (h / h1) * move
    bend = h * (h + h1) * (move / h1 - older / h2) / (h1 + h2)
    is_bent = is_second & (history.known > 1)
    predicted = jnp.where(history.known > 0, line + jnp.where(is_bent, bend, 0), -h * point.grad)
    third = h * (h + h1) / (2 * h + h1)
    share = jnp.where(
        history.known > 0,
        jnp.where(is_bent, third / (third + h + h1 + h2), h / (2 * h + h1)),
        0.5,
    )
    return _Formula(alpha, beta * move, predicted, share)


def _attempt(
    flow: Any,
    data: Any,
    point: Point,
    h: jax.Array,
    history: History,
    *,
    is_small: Callable[[jax.Array, jax.Array], jax.Array],
    extrapolates: bool,
) -> Trial:
    """Newton with the present matrix, and with a new Hessian where that fails.

    Args:
        flow: The flow.
        data: Its data.
        point: θₙ.
        h: The step size.
        history: The steps before.
        is_small: From a correction and the present d to the size of the correction; 1 is small
            enough.
        extrapolates: Whether Newton begins at the predicted point, or at θₙ, where ∇L is known.
    """
    formula = _formula(point, history, h)
    start = formula.predicted if extrapolates else jnp.zeros_like(point.theta)

    def newton(carry: Any) -> Any:
        matrices, _, work, tries = carry
        is_due = (tries > 0) | matrices.is_stale | (matrices.age >= OLD)
        matrices, counted = _renewed(
            flow, data, point.theta, matrices, formula.alpha, is_due=is_due
        )
        found = _iterate(
            flow,
            data,
            point,
            formula,
            matrices,
            start=start,
            is_small=is_small,
            knows_start=not extrapolates,
        )
        spent = no_work(
            gradients=found.evaluations,
            newton_iterations=found.iterations,
            newton_failures=jnp.where(found.has_failed, 1, 0),
        )
        work = jax.tree.map(lambda *counts: sum(counts), work, counted, spent)
        worn = found.has_failed | (found.rate > SLOW)
        return matrices._replace(is_stale=worn), found, work, tries + 1

    def goes_on(carry: Any) -> jax.Array:
        matrices, found, _, tries = carry
        # Where the Hessian is already that of this point, only a smaller step can help.
        return (tries == 0) | ((tries == 1) & found.has_failed & (matrices.age > 0))

    zero = jnp.zeros((), jnp.int32)
    nothing = _first_newton(point, start)
    matrices, found, work, _ = jax.lax.while_loop(
        goes_on, newton, (history.matrices, nothing, no_work(), zero)
    )
    return Trial(
        theta=point.theta + found.d,
        loss=found.loss,
        grad=found.grad,
        h=h,
        error=formula.share * (found.d - formula.predicted),
        is_fine=~found.has_failed & jnp.isfinite(found.loss),
        work=work,
        solver_state=history._replace(matrices=matrices),
    )


def _renewed(
    flow: Any, data: Any, theta: jax.Array, old: Matrices, alpha: jax.Array, *, is_due: jax.Array
) -> tuple[Matrices, Any]:
    """The matrices, with a new Hessian where due and a new factorisation where α has changed."""
    # The Hessian is of an older point, unless it was evaluated in this step.
    renews = is_due & ((old.age > 0) | (old.alpha == 0))
    hessian = jax.lax.cond(renews, lambda: flow.dense_hessian(data, theta), lambda: old.hessian)
    factors = renews | ~(jnp.abs(alpha / old.alpha - 1) <= OFF)
    factor = jax.lax.cond(
        factors,
        lambda: jnp.linalg.cholesky(hessian + alpha * jnp.eye(theta.size, dtype=theta.dtype)),
        lambda: old.factor,
    )
    new = Matrices(
        hessian=hessian,
        factor=factor,
        alpha=jnp.where(factors, alpha, old.alpha),
        age=jnp.where(renews, 0, old.age),
        is_stale=old.is_stale,
    )
    work = no_work(
        jacobians=jnp.where(renews, 1, 0),
        hessian_products=jnp.where(renews, theta.size, 0),
        factorizations=jnp.where(factors, 1, 0),
    )
    return new, work


def _first_newton(point: Point, start: jax.Array) -> _Newton:
    real, zero, false = point.theta.dtype, jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    none, one = jnp.asarray(jnp.inf, real), jnp.ones((), real)
    return _Newton(start, point.loss, point.grad, none, one, zero, zero, false, false)


def _iterate(
    flow: Any,
    data: Any,
    point: Point,
    formula: _Formula,
    matrices: Matrices,
    *,
    start: jax.Array,
    is_small: Callable[[jax.Array, jax.Array], jax.Array],
    knows_start: bool,
) -> _Newton:
    """Newton's iterations with one matrix, and loss and gradient where they end."""
    # The factorisation may be of another α. This scale is between those for stiff and slow modes.
    scale = 2 / (1 + formula.alpha / matrices.alpha)

    def iterate(last: _Newton) -> _Newton:
        residual = formula.alpha * last.d - formula.shift + last.grad
        correction = -scale * jax.scipy.linalg.cho_solve((matrices.factor, True), residual)
        d = last.d + correction
        size = is_small(correction, d)
        is_first = last.iterations == 0
        rate = jnp.where(is_first, last.rate, jnp.maximum(SLOW * last.rate, size / last.correction))
        is_done = (size * jnp.minimum(rate, 1) <= 1) | (size == 0)
        loss, grad = flow.value_and_grad(data, point.theta + d)
        iterations = last.iterations + 1
        is_lost = ~jnp.isfinite(loss) | ~jnp.isfinite(size) | (rate > 2)  # noqa: PLR2004
        return _Newton(
            d=d,
            loss=loss,
            grad=grad,
            correction=size,
            rate=jnp.where(is_first, SLOW, rate),
            iterations=iterations,
            evaluations=last.evaluations + 1,
            is_done=is_done,
            has_failed=is_lost | (~is_done & (iterations >= MAX_ITERATIONS)),
        )

    def goes_on(last: _Newton) -> jax.Array:
        return ~last.is_done & ~last.has_failed

    first = _first_newton(point, start)
    if not knows_start:
        loss, grad = flow.value_and_grad(data, point.theta + start)
        first = first._replace(loss=loss, grad=grad, evaluations=jnp.ones((), jnp.int32))
    return jax.lax.while_loop(goes_on, iterate, first)
