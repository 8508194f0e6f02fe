"""Implicit Euler with a curved step, for least squares and convex losses.

One step of size h solves, with the Gauss-Newton matrix C and a diagonal metric M,

    (C + M/h) c₁ = -∇L                       linearly implicit Euler
    (C + M/h) c₂ = -Jᵀ r⁽²⁾ / 2!             r⁽²⁾: second derivative of r(θ + c₁s) at s = 0
    (C + M/h) c₃ = -Jᵀ r⁽³⁾ / 3!             r⁽³⁾: third derivative of r(θ + c₁s + c₂s²)
    θ⁺ = θ + c₁ + c₂ + c₃

with one factorisation. The corrections are the Taylor coefficients of the curve along which the
residuals change as linearly as they can: in the geometry of the model manifold, its geodesic. c₂
alone is the geodesic acceleration of Transtrum & Sethna; the third coefficient nearly halves the
steps again at low losses. A coefficient is taken while the series shrinks.

The metric is `M = |J_i|`, the largest norm so far of the i-th column of the Jacobian: half way, in
powers, between no scaling and MINPACK's `|J_i|²`.

Source: Transtrum & Sethna 2012, arXiv:1201.5885; Moré 1978 (the scaling).
Decision: docs/decisions/0011-third-order-correction.md, 0012-metric-without-a-knob.md.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.flow import CompositeFlow, Flow, LeastSquaresFlow
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
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
from thalweg.solvers.step_control import GOOD, H_MAX, LENGTHEN, is_descent, is_flat, next_h

SHRINK_SECOND = 0.1875  # |c₂| <= this |c₁|: Transtrum & Sethna's 2|a| <= 0.75 |d| with c₂ = a/2
SHRINK = 0.375  # |c_k| <= this |c_(k-1)| from the third on
MOST_REJECTIONS = 60  # halvings after which no step is too long for any reason but rounding
SERIES = 3  # Taylor coefficients of a step
FLOPS_A_BYTE = 10  # of a matrix product in the time that a pass over the data moves a byte
WARM_UP = 8.0  # growth of h until an attempt was too long ...
WARM = 1e6  # ... or until it is this large
POOR_STEPS = 20  # steps in a row that rounding, not the model, decided


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        h: The step size to try first.
        columns: Running maxima of the squared column norms of J, shape `(n,)`.
        start_loss: The loss at the start of the run; NaN before it is known.
        poor_steps: Steps in a row whose gain was noise.
        is_fresh: Whether every attempt so far could have been longer.
    """

    h: jax.Array
    columns: jax.Array
    start_loss: jax.Array
    poor_steps: jax.Array
    is_fresh: jax.Array


class Attempt(NamedTuple):
    """One attempt at a step; all scalars but `theta`."""

    theta: jax.Array
    loss: jax.Array
    h: jax.Array
    next_h: jax.Array
    gain: jax.Array
    shortened: jax.Array
    rejected: jax.Array
    code: jax.Array


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

    Raises:
        ConfigError: A value is out of its range.

    Cost a step: one Jacobian, one product m n min(m, n), and an attempt a third of min(m, n)³ and
    a few passes; with Krylov one gradient and a product for each dimension.
    """

    algebra: str = "auto"
    dense_limit: int = 2000
    krylov_limit: int = 150
    forcing: float = 0.1

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
            if small == "residuals" and not flow.keeps_jacobian:
                return "krylov"
        else:
            small, order = "parameters", flow.size
        return small if order <= self.dense_limit else "krylov"

    def coefficients(self, flow: Any) -> int:
        """How many Taylor coefficients a step has: 4 where they cost next to nothing, else 3.

        The fourth costs about 16 passes over the data. They cost next to nothing where a small
        network meets large matrices.
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
            poor_steps=jnp.zeros((), jnp.int32),
            is_fresh=jnp.ones((), bool),
        )

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size on the plain gradient flow (M = 1), without control.

        The matrices are dense; shape `(n,)`.
        """
        build = residual_system if self.space(flow) == "residuals" else parameter_system
        system = build(flow, data, theta, jnp.zeros_like(theta), unit_metric)
        return theta + _curve(system, h, SERIES)[0]

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Linearise once, then attempt until a step lowers the loss."""
        system = self._linearise(flow, data, theta, solver_state)
        order = self.coefficients(flow)
        real = theta.dtype
        eps = float(jnp.finfo(real).eps)
        start_loss = jnp.where(
            jnp.isnan(solver_state.start_loss), system.loss, solver_state.start_loss
        )
        grad_norm = jnp.linalg.norm(system.grad)
        flat = is_flat(
            loss=system.loss, start_loss=start_loss, grad_norm=grad_norm, largest=system.largest
        )

        def attempt(last: Attempt) -> Attempt:
            h = last.next_h
            displacement, predicted = _curve(system, h, order)
            trial = theta + displacement
            loss = flow.loss(data, trial)
            gain = (system.loss - loss) / predicted
            taken = is_descent(gain)
            # A decrease too small to be seen: of a first attempt, h may just be too short.
            is_unseen = ~taken & (predicted <= eps * system.loss)
            is_short = is_unseen & ~last.shortened & ~flat & (h < H_MAX)
            is_lost = (is_unseen & ~is_short) | (last.rejected >= MOST_REJECTIONS)
            code = jnp.where(taken | ~is_lost, RUNNING, jnp.where(flat, CONVERGED, STALLED))
            return Attempt(
                theta=trial,
                loss=loss,
                h=h,
                next_h=jnp.where(is_short, jnp.minimum(LENGTHEN * h, H_MAX), next_h(h, gain)),
                gain=gain,
                shortened=last.shortened | ~(taken | is_short),
                rejected=last.rejected + jnp.where(taken, 0, 1),
                code=code.astype(jnp.int32),
            )

        def goes_on(last: Attempt) -> jax.Array:
            return (last.code == RUNNING) & ~is_descent(last.gain)

        is_finite = jnp.isfinite(system.loss) & jnp.isfinite(grad_norm)
        first = Attempt(
            theta=theta,
            loss=system.loss,
            h=solver_state.h,
            next_h=solver_state.h,
            gain=jnp.asarray(jnp.nan, real),
            shortened=jnp.zeros((), bool),
            rejected=jnp.zeros((), jnp.int32),
            code=jnp.where(is_finite, RUNNING, DIVERGED).astype(jnp.int32),
        )
        last = jax.lax.while_loop(goes_on, attempt, first)
        is_taken = is_descent(last.gain)
        is_poor = (last.rejected > 2) & ~((last.gain > 0.25) & (last.gain < 4))  # noqa: PLR2004
        poor_steps = jnp.where(is_poor, solver_state.poor_steps + 1, 0)
        is_worn_out = is_taken & (poor_steps >= POOR_STEPS)
        code = jnp.where(is_worn_out, jnp.where(flat, CONVERGED, STALLED), last.code)
        is_fresh = solver_state.is_fresh & is_taken & (last.rejected == 0) & (last.gain > GOOD)
        is_fresh &= last.h < WARM
        attempts = last.rejected + jnp.where(is_taken, 1, 0)
        return StepResult(
            theta=jnp.where(is_taken, last.theta, theta),
            loss=jnp.where(is_taken, last.loss, system.loss),
            start_loss=system.loss,
            grad_norm=grad_norm,
            h=jnp.where(is_taken, last.h, 0),
            rejected=last.rejected,
            work=no_work(
                gradients=1,
                hessian_products=system.products + (order - 1) * attempts,
                jacobians=system.jacobians,
                factorizations=attempts if system.factors else 0,
                rejected_steps=last.rejected,
                linear_iterations=system.products,
                losses=attempts,
            ),
            code=code.astype(jnp.int32),
            solver_state=State(
                jnp.where(is_fresh, jnp.minimum(WARM_UP * last.h, H_MAX), last.next_h),
                system.columns,
                start_loss,
                poor_steps,
                is_fresh,
            ),
        )

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


def _curve(system: System, h: jax.Array, order: int) -> tuple[jax.Array, jax.Array]:
    """The displacement c₁ + … + c_order of a step, and the decrease that c₁ alone predicts."""
    solve = system.at(h)
    first = solve(system.force(()))

    def size(v: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.vdot(v, system.metric * v))

    def bend(coefficients: tuple[jax.Array, ...]) -> jax.Array:
        """The sum of the coefficients from here on; 0 from the first one that does not shrink."""
        k = len(coefficients) + 1
        if k > order:
            return jnp.zeros_like(first)
        new = solve(system.force(coefficients)) / math.factorial(k)
        limit = SHRINK_SECOND if k == 2 else SHRINK  # noqa: PLR2004 - the second coefficient
        return jax.lax.cond(
            size(new) <= limit * size(coefficients[-1]),
            lambda: new + bend((*coefficients, new)),
            lambda: jnp.zeros_like(first),
        )

    # -(g·c + ½ c·Cc) with Cc = -g - Mc/h: two terms of one sign, so nothing cancels.
    forced = jnp.vdot(system.grad, first)
    predicted = 0.5 * (jnp.vdot(first, system.metric * first) / h - forced)
    return first + bend((first,)), predicted
