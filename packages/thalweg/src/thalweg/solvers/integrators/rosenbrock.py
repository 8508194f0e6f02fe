"""RODAS3, an L-stable Rosenbrock method of order 3, with the exact Hessian.

A step of size h solves four linear systems with one factorisation of `H + 2/h`, H = ∇²L(θ):

    (H + 2/h) K₁ = f(θ)                                         f = -∇L
    (H + 2/h) K₂ = f(θ) + 4/h K₁
    (H + 2/h) K₃ = f(θ + 2K₁) + (K₁ - K₂)/h
    (H + 2/h) K₄ = f(θ + 2K₁ + K₃) + (K₁ - K₂ - 8/3 K₃)/h
    θ⁺ = θ + 2K₁ + K₃ + K₄,   error: K₄

There is no Newton iteration, so only the factorisation can fail. It does where H has an eigenvalue
below -2/h: there the step is past the pole that the formula has for growing modes, and a smaller
one is tried.

Source: Sandu, Verwer, Blom, Spee, Carmichael & Potra 1997, "Benchmarking stiff ODE solvers for
atmospheric chemistry problems II", Atmospheric Environment 31 (the coefficients); Hairer & Wanner,
*Solving Ordinary Differential Equations II*, 2nd ed., IV.7.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

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

INVERSE_GAMMA = 2.0  # 1/γ
ESTIMATE_ORDER = 3  # the embedded formula has order 2: its error is proportional to h³


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Rosenbrock(AbstractJitMethod):
    """RODAS3: L-stable, order 3, exact Hessian, embedded error estimate.

    Attributes:
        control: `Descent()`, or `Accuracy(...)` to follow the flow.

    Cost a step: a dense Hessian, which is n Hessian products, and for each attempt one
    factorisation of n³/3 multiplications and three gradients. Memory: two matrices of 8n² bytes.
    """

    control: Descent | Accuracy = DESCENT

    order: ClassVar[int] = 3
    name: ClassVar[str] = "rosenbrock"
    summary: ClassVar[str] = "RODAS3, L-stable of order 3, with the exact Hessian"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "own"

    def check(self, flow: Any) -> None:
        """Refuse matrices that do not fit into memory."""
        refuse_other_control(self.control)
        refuse_large(self.name, flow)

    def init(self, flow: Any, theta: jax.Array) -> ControllerState:
        """Begin with h = 1; the state holds |H| of the last step."""
        del flow
        return init_controller(theta, jnp.zeros((), theta.dtype))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size, without step control; shape `(n,)`."""
        loss, grad = flow.value_and_grad(data, theta)
        point = Point(theta, loss, grad)
        return _attempt(flow, data, point, flow.dense_hessian(data, theta), h).theta

    def step(
        self, flow: Any, data: Any, theta: jax.Array, solver_state: ControllerState
    ) -> StepResult:
        """One Hessian, then attempts until a step is taken."""
        point, state, spent = start_point(flow, data, theta, solver_state)
        hessian = flow.dense_hessian(data, theta)
        counted = no_work(jacobians=1, hessian_products=theta.size)
        return controlled_step(
            self.control,
            point,
            state,
            lambda h, _: _attempt(flow, data, point, hessian, h),
            order=ESTIMATE_ORDER,
            curvature=curvature_along(hessian, point.grad),
            spent=jax.tree.map(jnp.add, spent, counted),
        )


def _attempt(flow: Any, data: Any, point: Point, hessian: jax.Array, h: jax.Array) -> Trial:
    theta = point.theta
    shifted = hessian + (INVERSE_GAMMA / h) * jnp.eye(theta.size, dtype=theta.dtype)
    factor = jnp.linalg.cholesky(shifted)

    def solve(right: jax.Array) -> jax.Array:
        return jax.scipy.linalg.cho_solve((factor, True), right)

    def flow_at(at: jax.Array) -> jax.Array:
        return -flow.value_and_grad(data, at)[1]

    k1 = solve(-point.grad)
    k2 = solve(4 * k1 / h - point.grad)
    k3 = solve(flow_at(theta + 2 * k1) + (k1 - k2) / h)
    embedded = theta + 2 * k1 + k3
    k4 = solve(flow_at(embedded) + (k1 - k2 - (8 / 3) * k3) / h)
    end = embedded + k4
    loss, grad = flow.value_and_grad(data, end)
    return Trial(
        theta=end,
        loss=loss,
        grad=grad,
        h=h,
        error=k4,
        is_fine=jnp.isfinite(k4).all(),
        work=no_work(gradients=3, factorizations=1),
        solver_state=jnp.linalg.norm(hessian),
    )
