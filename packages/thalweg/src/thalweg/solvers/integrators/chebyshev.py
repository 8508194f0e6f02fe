"""RKC, a stabilised explicit Runge-Kutta-Chebyshev method of order 2.

A step of size h takes s evaluations of ∇L, arranged so that it is stable up to

    h ρ ≤ ⅔ (s² - 1)(1 - 2ε/15),   ρ the largest eigenvalue of ∇²L,   ε = 2/13

The stability limit grows with the square of the work; that of s explicit Euler steps is only 2s. So
a stiff flow is followed without any linear algebra, in the memory of six vectors. ρ comes from a
power iteration with Hessian products, which is repeated every 25 steps from its last vector.

Source: Sommeijer, Shampine & Verwer 1998, "RKC: an explicit solver for parabolic PDEs", J. Comput.
Appl. Math. 88 (formulas, error estimate, damping); Eftekhari, Vandereycken, Vilmart & Zygalakis
2021, "Explicit stabilised gradient descent", for descending with it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.base import AbstractJitMethod, StepResult, no_work
from thalweg.solvers.integrators.controlled import (
    ControllerState,
    Point,
    Trial,
    controlled_step,
    init_controller,
    start_point,
)
from thalweg.solvers.integrators.spectrum import (
    Spectrum,
    aged,
    power_iteration,
    refreshed,
    unknown_spectrum,
)
from thalweg.solvers.step_control import DESCENT, Accuracy, Descent, refuse_other_control

EPSILON = 2 / 13  # damping; without it the stability region has points of no width
REACH = 2 / 3 * (1 - 2 / 15 * EPSILON)  # hρ / (s² - 1)
ESTIMATE_ORDER = 3  # the error estimate is proportional to h³
MARGIN = 1.2  # a power iteration ends below the largest eigenvalue


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Chebyshev(AbstractJitMethod):
    """RKC of order 2: explicit, stable on stiff flows, matrix-free.

    Attributes:
        control: `Descent()`, or `Accuracy(...)` to follow the flow.
        most_stages: The largest number s of stages; it bounds h by about 0.65 s² / ρ. At least 2.

    Raises:
        ConfigError: `most_stages` is out of its range.

    Cost an attempt: one gradient a stage. Every 25 steps, and after a rejection, up to 50 Hessian
    products.
    """

    control: Descent | Accuracy = DESCENT
    most_stages: int = 200

    order: ClassVar[int] = 2
    name: ClassVar[str] = "chebyshev"
    summary: ClassVar[str] = "RKC, stabilised explicit of order 2, no linear algebra"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if self.most_stages < 2:  # noqa: PLR2004 - the formula has at least two
            raise ConfigError(f"`most_stages` is {self.most_stages}, but at least 2 was expected")

    def check(self, flow: Any) -> None:
        """Refuse an unknown control; any problem is accepted."""
        del flow
        refuse_other_control(self.control)

    def init(self, flow: Any, theta: jax.Array) -> ControllerState:
        """Begin with h = 1 and an unknown spectrum."""
        del flow
        return init_controller(theta, unknown_spectrum(theta))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size, without step control; shape `(n,)`."""
        spectrum, _ = power_iteration(flow, data, theta, jnp.zeros_like(theta))
        loss, grad = flow.value_and_grad(data, theta)
        return self._attempt(flow, data, Point(theta, loss, grad), spectrum, h).theta

    def step(
        self, flow: Any, data: Any, theta: jax.Array, solver_state: ControllerState
    ) -> StepResult:
        """Update ρ where it is old, then attempt until a step is taken."""
        point, state, spent = start_point(flow, data, theta, solver_state)
        spectrum, products = refreshed(flow, data, theta, state.inner)
        result = controlled_step(
            self.control,
            point,
            state._replace(inner=spectrum),
            lambda h, _: self._attempt(flow, data, point, spectrum, h),
            order=ESTIMATE_ORDER,
            curvature=spectrum.radius,
            spent=jax.tree.map(jnp.add, spent, no_work(hessian_products=products)),
        )
        spectrum = aged(spectrum, is_doubtful=result.rejected > 0)
        return result._replace(solver_state=result.solver_state._replace(inner=spectrum))

    def _attempt(
        self, flow: Any, data: Any, point: Point, spectrum: Spectrum, h: jax.Array
    ) -> Trial:
        radius = MARGIN * spectrum.radius
        farthest = REACH * (self.most_stages**2 - 1) / jnp.maximum(radius, 1e-30)
        h = jnp.minimum(h, farthest)
        stages = jnp.ceil(jnp.sqrt(1 + h * radius / REACH))
        stages = jnp.clip(stages, 2, self.most_stages).astype(jnp.int32)
        end = _stabilised(flow, data, point, h, stages)
        loss, grad = flow.value_and_grad(data, end)
        error = 0.8 * (point.theta - end) - 0.4 * h * (point.grad + grad)
        return Trial(
            theta=end,
            loss=loss,
            grad=grad,
            h=h,
            error=error,
            is_fine=jnp.isfinite(loss),
            work=no_work(gradients=stages),
            solver_state=spectrum,
        )


def _stabilised(flow: Any, data: Any, point: Point, h: jax.Array, stages: jax.Array) -> jax.Array:
    """The end of a step of s stages, shape `(n,)`. Costs s - 1 gradients."""
    real = point.theta.dtype
    s = stages.astype(real)
    excess = EPSILON / s**2  # w₀ - 1
    w0 = 1 + excess
    root = jnp.sqrt(excess * (2 + excess))  # √(w₀² - 1) without cancellation
    angle = s * jnp.log1p(excess + root)
    w1 = jnp.sinh(angle) * root**2 / (jnp.cosh(angle) * s * root - w0 * jnp.sinh(angle))

    # T, T′ and T″ at w₀ for j = 0 and 1; bⱼ = T″/T′², and b₀ = b₁ = b₂.
    b2 = 4 / (4 * w0) ** 2
    first = point.theta - b2 * w1 * h * point.grad

    def stage(_: Any, carry: Any) -> Any:
        (t0, d0, e0, b0, y0), (t1, d1, e1, b1, y1) = carry
        t2 = 2 * w0 * t1 - t0
        d2 = 2 * w0 * d1 - d0 + 2 * t1
        e2 = 2 * w0 * e1 - e0 + 4 * d1
        b = e2 / d2**2
        mu, nu = 2 * b * w0 / b1, -b / b0
        by_gradient = 2 * b * w1 / b1
        by_start = -(1 - b1 * t1) * by_gradient
        _, grad = flow.value_and_grad(data, y1)
        y2 = (
            (1 - mu - nu) * point.theta
            + mu * y1
            + nu * y0
            - h * (by_gradient * grad + by_start * point.grad)
        )
        return (t1, d1, e1, b1, y1), (t2, d2, e2, b, y2)

    one, zero = jnp.ones((), real), jnp.zeros((), real)
    start = (
        (one, zero, zero, b2, point.theta),
        (w0, one, zero, b2, first),
    )
    return jax.lax.fori_loop(2, stages + 1, stage, start)[1][-1]
