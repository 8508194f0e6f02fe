"""Implicit Euler with a curved step, for least squares and convex losses.

One step of size h solves, with the Gauss-Newton matrix C and a diagonal metric M,

    (C + M/h) c₁ = -∇L                       linearly implicit Euler
    (C + M/h) c₂ = -Jᵀ r⁽²⁾ / 2!             r⁽²⁾: second derivative of r(θ + c₁s) at s = 0
    (C + M/h) c₃ = -Jᵀ r⁽³⁾ / 3!             r⁽³⁾: third derivative of r(θ + c₁s + c₂s²)
    θ⁺ = θ + c₁ + c₂ + c₃

with one factorisation. The corrections are the Taylor coefficients of the curve along which the
residuals change as linearly as possible, a geodesic of the model manifold. c₂ alone is the
geodesic acceleration of Transtrum & Sethna; the third coefficient nearly halves the number of steps
again at low losses. Coefficients are added while the series shrinks.

The metric is `M = |J_i|`, the largest norm so far of the i-th column of the Jacobian. In powers
this is half way between no scaling and MINPACK's `|J_i|²`.

Source: Transtrum & Sethna 2012, arXiv:1201.5885; Moré 1978 (the scaling).
Decision: docs/decisions/0011-third-order-correction.md, 0012-metric-without-a-knob.md.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow import CompositeFlow, Flow, LeastSquaresFlow
from thalweg.solvers.base import (
    CONVERGED,
    PLATEAU,
    RESTARTED,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.integrators.linearised import (
    System,
    krylov_system,
    parameter_system,
    residual_system,
    unit_metric,
)
from thalweg.solvers.step_control import (
    GOOD,
    H_MAX,
    POOR,
    Search,
    attempt_until_taken,
    finite_code,
    has_vanished,
    is_flat,
    is_spent,
    judge_by_loss,
    start_search,
    step_result,
)

SHRINK_SECOND = 0.1875  # |c₂| <= this |c₁|: Transtrum & Sethna's 2|a| <= 0.75 |d| with c₂ = a/2
SHRINK = 0.375  # |c_k| <= this |c_(k-1)| from the third on
SERIES = 3  # Taylor coefficients of a step
FLOPS_A_BYTE = 10  # of a matrix product in the time that a pass over the data moves a byte
WARM_UP = 8.0  # growth of h until an attempt was too long ...
WARM = 1e6  # ... or until it is this large
NOISY = 4.0  # a gain above it says that rounding, not the model, decided the step
FEW_REJECTIONS = 2  # up to which a step is not said to be decided by rounding
NOISY_STEPS = 20  # such steps in a row after which the run ends


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try first.
        columns: Running maxima of the squared column norms of J, shape `(n,)`.
        start_loss: The loss at the start of the run; NaN before it is known.
        noisy_steps: Steps in a row that rounding decided.
        is_warming_up: Whether every attempt so far could have been longer.
    """

    h: jax.Array
    columns: jax.Array
    start_loss: jax.Array
    noisy_steps: jax.Array
    is_warming_up: jax.Array


class Trial(NamedTuple):
    """One attempt: where it ends, the loss there, and its size."""

    theta: jax.Array
    loss: jax.Array
    h: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class ImplicitGeodesic(AbstractJitMethod):
    """Linearly implicit Euler with corrections of second and third order.

    Attributes:
        algebra: Where the linear systems are solved: `parameters` (n x n), `residuals` (m x m,
            least squares only), `krylov` (matrix-free), or `auto`, which takes the smaller
            dense space up to `dense_limit` and the Krylov space beyond.
        dense_limit: The largest order of a matrix that `auto` factors.
        krylov_limit: The largest dimension of the Krylov space.
        forcing: Relative residual at which a Krylov solve ends. Between 0 and 1.
        then: What begins again at the start where the run ends on a plateau; None for the end.

    Raises:
        ConfigError: A value is out of its range.

    Cost a step: one Jacobian and m n min(m, n) multiplications; for each attempt min(m, n)³/3
    multiplications and a few passes over the data. With `krylov`: one gradient, and one product a
    dimension.
    """

    algebra: str = "auto"
    dense_limit: int = 2000
    krylov_limit: int = 150
    forcing: float = 0.1
    # Left out of the text that checkpoints know a method by: they do without it.
    then: AbstractJitMethod | None = dataclasses.field(default=None, repr=False)

    order: ClassVar[int] = 1
    name: ClassVar[str] = "implicit-geodesic"
    summary: ClassVar[str] = "implicit Euler with a curved step; for least squares"
    needs: ClassVar[str] = "LeastSquares or Composite"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if self.algebra not in ("auto", "parameters", "residuals", "krylov"):
            raise ConfigError(
                f"`algebra` is {self.algebra!r}, but `auto`, `parameters`, `residuals` or "
                "`krylov` was expected"
            )
        if not 0 < self.forcing < 1:
            raise ConfigError(
                f"`forcing` is {self.forcing}, but a number between 0 and 1 was expected"
            )

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """What takes over, and those that it hands over to."""
        return () if self.then is None else (self.then, *self.then.successors)

    def check(self, flow: Flow) -> None:
        """Refuse a loss without Gauss-Newton structure."""
        if not isinstance(flow, (LeastSquaresFlow, CompositeFlow)):
            raise ConfigError(
                "`implicit-geodesic` needs a LeastSquares or Composite problem, but was given a "
                "Scalar; write the loss as residuals, or use `exponential-krylov`"
            )
        if self.algebra == "residuals" and not isinstance(flow, LeastSquaresFlow):
            raise ConfigError("`algebra='residuals'` needs a LeastSquares problem")

    def space(self, flow: Flow) -> str:
        """The space that the linear systems of a flow are solved in."""
        if self.algebra != "auto":
            return self.algebra
        if isinstance(flow, LeastSquaresFlow):
            small = "parameters" if flow.size <= flow.residual_count else "residuals"
            order = min(flow.size, flow.residual_count)
            if small == "residuals" and not (flow.keeps_jacobian or flow.has_factors):
                return "krylov"
        else:
            small, order = "parameters", flow.size
        return small if order <= self.dense_limit else "krylov"

    def coefficients(self, flow: Any) -> int:
        """The number of Taylor coefficients of a step: 4 where the fourth costs little, else 3.

        The fourth costs about 16 passes over the data. That is little where the network is small
        and the matrices are large.
        """
        if self.space(flow) == "krylov":
            return SERIES
        small, large = flow.matrix_sizes
        factoring = 2 * small**2 * large + small**3 / 3
        return SERIES + 1 if factoring >= FLOPS_A_BYTE * 16 * flow.pass_bytes else SERIES

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin with h = 1: one unit of t is one gradient step at learning rate 1."""
        del flow
        real = theta.dtype
        return State(
            h=jnp.ones((), real),
            columns=jnp.zeros_like(theta),
            start_loss=jnp.asarray(jnp.nan, real),
            noisy_steps=jnp.zeros((), jnp.int32),
            is_warming_up=jnp.ones((), bool),
        )

    def taking_over(self, flow: Flow, solver_state: State, left: float) -> State:
        """Begin with h = L₀/L instead of climbing there, as h grows about like that along a run.

        In a Krylov space short steps cost little, and h stays at 1.
        """
        if self.space(flow) == "krylov" or not left > 0:
            return solver_state
        h = np.clip(1 / left, 1, H_MAX)
        return solver_state._replace(h=np.asarray(h, flow.spec.dtype))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size on the plain gradient flow (M = 1), without step control.

        The matrices are dense; shape `(n,)`.
        """
        build = residual_system if self.space(flow) == "residuals" else parameter_system
        system = build(flow, data, theta, jnp.zeros_like(theta), unit_metric)
        return theta + _curve(system, h, SERIES)[0]

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Linearise once, then attempt until a step lowers the loss."""
        system = self._linearise(flow, data, theta, solver_state)
        order = self.coefficients(flow)
        start_loss = jnp.where(
            jnp.isnan(solver_state.start_loss), system.loss, solver_state.start_loss
        )
        grad_norm = jnp.linalg.norm(system.grad)
        flat = is_flat(
            loss=system.loss, start_loss=start_loss, grad_norm=grad_norm, largest=system.largest
        )

        def attempt(_: Trial, search: Search) -> tuple[Trial, Search]:
            trial, predicted = curved_attempt(
                flow, data, theta, system=system, h=search.next_h, order=order
            )
            return trial, judge_by_loss(
                search,
                h=trial.h,
                loss=system.loss,
                trial_loss=trial.loss,
                predicted=predicted,
                flat=flat,
            )

        trial, search = attempt_until_taken(
            attempt,
            Trial(theta, system.loss, solver_state.h),
            start_search(solver_state.h, finite_code(system.loss, grad_norm)),
        )
        attempts = search.rejected + jnp.where(search.is_taken, 1, 0)
        next_state = after_search(solver_state, trial, search)
        # Where rounding decides step after step, the loss only jitters.
        is_noise = search.is_taken & (next_state.noisy_steps >= NOISY_STEPS)
        code = jnp.where(is_noise, jnp.where(flat, CONVERGED, STALLED), search.code)
        code = self._end_code(code, system, start_loss)
        return step_result(
            search._replace(code=code.astype(jnp.int32)),
            start=(theta, system.loss, grad_norm),
            end=(trial.theta, trial.loss, trial.h),
            work=no_work(
                gradients=1,
                hessian_products=system.products + (order - 1) * attempts,
                jacobians=system.jacobians,
                factorizations=attempts if system.factors else 0,
                rejected_steps=search.rejected,
                linear_iterations=system.products,
                losses=attempts,
            ),
            solver_state=next_state._replace(columns=system.columns, start_loss=start_loss),
        )

    def _end_code(self, code: jax.Array, system: System, start_loss: jax.Array) -> jax.Array:
        """The code of a step, where a run does not end as a minimum only because J has died."""
        lost = has_vanished(system.squares, system.columns) & (system.columns > 0)
        is_plateau = jnp.any(lost) & ~is_spent(system.loss, start_loss)
        code = jnp.where((code == CONVERGED) & is_plateau, PLATEAU, code)
        if self.then is None:
            return code
        return jnp.where((code == PLATEAU) | (code == STALLED), RESTARTED, code)

    def _linearise(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> System:
        match self.space(flow):
            case "krylov":
                return krylov_system(
                    flow,
                    data,
                    theta,
                    solver_state.columns,
                    h=solver_state.h,
                    limit=self.krylov_limit,
                    forcing=self.forcing,
                )
            case "residuals":
                return residual_system(flow, data, theta, solver_state.columns)
            case _:
                return parameter_system(flow, data, theta, solver_state.columns)


def curved_attempt(
    flow: LeastSquaresFlow | CompositeFlow,
    data: Any,
    theta: jax.Array,
    *,
    system: System,
    h: jax.Array,
    order: int,
) -> tuple[Trial, jax.Array]:
    """A curved step of size h from θ, and the decrease that its first coefficient predicts.

    Args:
        flow: Least squares, or a convex loss of outputs.
        data: `flow.data`.
        theta: The point, `(n,)`.
        system: The problem linearised there.
        h: The step size. Positive.
        order: The number of Taylor coefficients.
    """
    displacement, predicted = _curve(system, h, order)
    end = theta + displacement
    return Trial(end, flow.loss(data, end), h), predicted


def after_search(solver_state: State, trial: Trial, search: Search) -> State:
    """The state after a search, but for what the linearisation says."""
    is_noisy = (search.rejected > FEW_REJECTIONS) & ~((search.gain > POOR) & (search.gain < NOISY))
    is_first_try = search.is_taken & (search.rejected == 0)
    is_warming_up = solver_state.is_warming_up & is_first_try & (search.gain > GOOD)
    is_warming_up &= trial.h < WARM
    longer = jnp.minimum(WARM_UP * trial.h, H_MAX)
    return solver_state._replace(
        h=jnp.where(is_warming_up, longer, search.next_h),
        noisy_steps=jnp.where(is_noisy, solver_state.noisy_steps + 1, 0),
        is_warming_up=is_warming_up,
    )


class Curve(NamedTuple):
    """The coefficients of a step so far.

    Attributes:
        coefficients: As rows, `(order, n)`; those not yet known are 0.
        k: The next one.
        size: The size of the last one.
        shrinks: Whether it was small enough beside the one before.
    """

    coefficients: jax.Array
    k: jax.Array
    size: jax.Array
    shrinks: jax.Array


def _curve(system: System, h: jax.Array, order: int) -> tuple[jax.Array, jax.Array]:
    """The displacement c₁ + … + c_order of a step, and the decrease that c₁ alone predicts.

    A loop: written out, the program would hold a solve and the residuals for each coefficient.
    """
    solve, real = system.at(h), system.grad.dtype
    factorials = jnp.asarray([math.factorial(k) for k in range(1, order + 1)], real)
    limits = jnp.asarray([1.0, SHRINK_SECOND, *(SHRINK,) * (order - 2)], real)

    def goes_on(curve: Curve) -> jax.Array:
        return (curve.k <= order) & curve.shrinks

    def extended(curve: Curve) -> Curve:
        k = curve.k
        new = solve(system.force(curve.coefficients, k)) / factorials[k - 1]
        size = jnp.sqrt(jnp.vdot(new, system.metric * new))
        shrinks = (k == 1) | (size <= limits[k - 1] * curve.size)
        kept = jnp.where(shrinks, new, 0)
        return Curve(curve.coefficients.at[k - 1].set(kept), k + 1, size, shrinks)

    start = Curve(
        coefficients=jnp.zeros((order, system.grad.size), real),
        k=jnp.ones((), jnp.int32),
        size=jnp.zeros((), real),
        shrinks=jnp.ones((), bool),
    )
    coefficients = jax.lax.while_loop(goes_on, extended, start).coefficients
    first = coefficients[0]
    # -(g·c + ½ c·Cc) with Cc = -g - Mc/h: both terms have the same sign, so nothing cancels.
    forced = jnp.vdot(system.grad, first)
    predicted = 0.5 * (jnp.vdot(first, system.metric * first) / h - forced)
    return jnp.sum(coefficients, axis=0), predicted
