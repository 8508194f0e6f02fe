"""Bogacki and Shampine's explicit Runge-Kutta pair of order 3(2), for flows that are not stiff.

    k₁ = f(θ),   k₂ = f(θ + h/2 k₁),   k₃ = f(θ + 3h/4 k₂),   θ⁺ = θ + h (2k₁ + 3k₂ + 4k₃)/9
    error: h (-5k₁ + 6k₂ + 8k₃ - 9k₄)/72,   k₄ = f(θ⁺), the k₁ of the next step

Stable for hρ up to 2.51, ρ the largest eigenvalue of ∇²L.

Source: Bogacki & Shampine 1989, "A 3(2) pair of Runge-Kutta formulas", Appl. Math. Lett. 2.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp

from thalweg.solvers.base import AbstractJitMethod, StepResult, no_work
from thalweg.solvers.integrators.controlled import (
    ControllerState,
    Point,
    Trial,
    controlled_step,
    init_controller,
    start_point,
)
from thalweg.solvers.step_control import DESCENT, Accuracy, Descent, refuse_other_control

REACH = 2.51  # hρ up to which a step is stable
ESTIMATE_ORDER = 3  # the embedded formula has order 2: its error is proportional to h³


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class BogackiShampine(AbstractJitMethod):
    """Explicit Runge-Kutta of order 3 with an embedded error estimate.

    Attributes:
        control: `Descent()`, or `Accuracy(...)` to follow the flow.

    Cost: three gradients for each attempt.
    """

    control: Descent | Accuracy = DESCENT

    order: ClassVar[int] = 3
    name: ClassVar[str] = "bogacki-shampine"
    summary: ClassVar[str] = "explicit Runge-Kutta of order 3; for what is not stiff"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "own"

    def check(self, flow: Any) -> None:
        """Refuse an unknown control; any problem is accepted."""
        del flow
        refuse_other_control(self.control)

    def init(self, flow: Any, theta: jax.Array) -> ControllerState:
        """Begin with h = 1; the state holds the curvature met in the last step."""
        del flow
        return init_controller(theta, jnp.zeros((), theta.dtype))

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One step of the given size, without step control; shape `(n,)`."""
        loss, grad = flow.value_and_grad(data, theta)
        return _attempt(flow, data, Point(theta, loss, grad), h).theta

    def step(
        self, flow: Any, data: Any, theta: jax.Array, solver_state: ControllerState
    ) -> StepResult:
        """Attempt until a step is taken."""
        point, state, spent = start_point(flow, data, theta, solver_state)
        return controlled_step(
            self.control,
            point,
            state,
            lambda h, _: _attempt(flow, data, point, h),
            order=ESTIMATE_ORDER,
            curvature=state.inner,
            spent=spent,
        )


def _attempt(flow: Any, data: Any, point: Point, h: jax.Array) -> Trial:
    def flow_at(at: jax.Array) -> jax.Array:
        return -flow.value_and_grad(data, at)[1]

    theta, k1 = point.theta, -point.grad
    k2 = flow_at(theta + 0.5 * h * k1)
    late = theta + 0.75 * h * k2
    k3 = flow_at(late)
    end = theta + h * (2 * k1 + 3 * k2 + 4 * k3) / 9
    loss, grad = flow.value_and_grad(data, end)
    apart = jnp.linalg.norm(end - late)
    curvature = jnp.linalg.norm(grad + k3) / jnp.where(apart > 0, apart, 1)
    return Trial(
        theta=end,
        loss=loss,
        grad=grad,
        h=h,
        error=h * (-5 * k1 + 6 * k2 + 8 * k3 + 9 * grad) / 72,
        is_fine=jnp.isfinite(loss),
        work=no_work(gradients=3),
        solver_state=curvature,
    )
