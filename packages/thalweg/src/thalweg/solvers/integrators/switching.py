"""Explicit steps at first, implicit ones while the flow is stiff.

Far from a minimum the flow is often not stiff, and an explicit step costs three gradients where an
implicit one costs a Hessian. Steps are Bogacki and Shampine's until h is repeatedly near the limit
that stability imposes, and then RODAS3's until h is repeatedly well within that limit. Each change
needs several such steps in excess of the others, so the method does not switch back and forth. The
limit depends on the spectral radius ρ of the Hessian: explicit steps estimate ρ by a power
iteration every 25 steps, implicit steps by the norm |H| of the Hessian that they evaluate.

Source: Petzold 1983, "Automatic selection of methods for solving stiff and nonstiff systems of
ordinary differential equations", SIAM J. Sci. Stat. Comput. 4 (the idea); Hairer & Wanner, *Solving
Ordinary Differential Equations II*, 2nd ed., IV.2 (the test).
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.solvers.base import AbstractJitMethod, StepResult, no_work
from thalweg.solvers.dense import refuse_large
from thalweg.solvers.integrators.controlled import ControllerState, init_controller
from thalweg.solvers.integrators.explicit import REACH, BogackiShampine
from thalweg.solvers.integrators.rosenbrock import Rosenbrock
from thalweg.solvers.integrators.spectrum import Spectrum, aged, refreshed, unknown_spectrum
from thalweg.solvers.step_control import DESCENT, Accuracy, Descent, refuse_other_control

STIFF = 0.5 * REACH  # hρ from which an explicit step counts as limited by stability
EASY = 0.25 * REACH  # h|H| up to which an implicit step could have been explicit
PATIENCE = 5  # such steps, in excess of the others, before the method changes


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        controller: Of whichever method is used.
        spectrum: The estimate of ρ.
        is_implicit: Whether steps are implicit now.
        votes: Steps in favour of a change, less those against it, at least 0.
    """

    controller: ControllerState
    spectrum: Spectrum
    is_implicit: jax.Array
    votes: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Switching(AbstractJitMethod):
    """Bogacki-Shampine steps where the flow is not stiff, RODAS3 steps where it is.

    Attributes:
        control: `Descent()`, or `Accuracy(...)` to follow the flow.

    Cost a step: three gradients, or what `Rosenbrock` costs.
    """

    control: Descent | Accuracy = DESCENT

    order: ClassVar[int] = 3
    name: ClassVar[str] = "switching"
    summary: ClassVar[str] = "explicit at first, implicit while the flow is stiff"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "own"

    def check(self, flow: Any) -> None:
        """Refuse matrices that do not fit into memory."""
        refuse_other_control(self.control)
        refuse_large(self.name, flow)

    def init(self, flow: Any, theta: jax.Array) -> State:
        """Begin explicit, with h = 1."""
        del flow
        controller = init_controller(theta, jnp.zeros((), theta.dtype))
        return State(
            controller, unknown_spectrum(theta), jnp.zeros((), bool), jnp.zeros((), jnp.int32)
        )

    def advance(self, flow: Any, data: Any, theta: jax.Array, h: jax.Array) -> jax.Array:
        """One explicit step of the given size, without step control; shape `(n,)`."""
        return BogackiShampine().advance(flow, data, theta, h)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """A step of the present method; then decide whether to change."""
        explicit = BogackiShampine(control=self.control)
        implicit = Rosenbrock(control=self.control)

        def explicit_step() -> tuple[StepResult, Spectrum, jax.Array]:
            spectrum, products = refreshed(flow, data, theta, solver_state.spectrum)
            result = explicit.step(flow, data, theta, solver_state.controller)
            work = jax.tree.map(jnp.add, result.work, no_work(hessian_products=products))
            votes_for = result.h * spectrum.radius >= STIFF
            spectrum = aged(spectrum, is_doubtful=result.rejected > 0)
            return result._replace(work=work), spectrum, votes_for

        def implicit_step() -> tuple[StepResult, Spectrum, jax.Array]:
            result = implicit.step(flow, data, theta, solver_state.controller)
            return result, solver_state.spectrum, result.h * result.solver_state.inner <= EASY

        result, spectrum, votes_for = jax.lax.cond(
            solver_state.is_implicit, implicit_step, explicit_step
        )
        votes = jnp.maximum(solver_state.votes + jnp.where(votes_for, 1, -1), 0)
        changes = votes >= PATIENCE
        after = State(
            result.solver_state,
            spectrum,
            solver_state.is_implicit ^ changes,
            jnp.where(changes, 0, votes).astype(jnp.int32),
        )
        return result._replace(solver_state=after)
