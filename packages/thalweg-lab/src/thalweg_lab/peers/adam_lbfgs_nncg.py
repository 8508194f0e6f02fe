"""Adam, then L-BFGS, then NNCG: the three stages that its authors recommend.

Adam finds a valley, L-BFGS descends along it until it stalls, and NNCG takes the solution on from
there. The authors give Adam 1,000 steps (11,000 on convection) and L-BFGS up to 2,000 calls of 20.

Source: Rathore, Lei, Frangella, Lu & Udell 2024, "Challenges in training PINNs: A loss landscape
perspective", arXiv:2402.01868, and their code.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.adapters.checks import refuse_below
from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer
from thalweg.solvers.base import (
    HANDED_OVER,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
)
from thalweg_lab.peers.nystrom_newton import NystromNewton

if TYPE_CHECKING:
    from thalweg.flow import Flow

MEMORY = 100  # pairs of L-BFGS, as the authors keep


class _Counted(NamedTuple):
    """A stage's own state, and how many steps it has taken."""

    state: Any
    steps: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class _Limited(AbstractJitMethod):
    """A method that hands over after a number of steps, or where it stalls."""

    method: OptaxOptimizer
    steps: int

    summary: ClassVar[str] = "a method that hands over"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - the method's
        """The method's name."""
        return self.method.name

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def init(self, flow: Flow, theta: jax.Array) -> _Counted:
        """The method's state."""
        return _Counted(self.method.init(flow, theta), jnp.zeros((), jnp.int32))

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: _Counted) -> StepResult:
        """One step of the method."""
        result = self.method.step(flow, data, theta, solver_state.state)
        count = solver_state.steps + 1
        is_over = (result.code == STALLED) | ((result.code == RUNNING) & (count >= self.steps))
        return result._replace(
            code=jnp.where(is_over, HANDED_OVER, result.code).astype(jnp.int32),
            solver_state=_Counted(result.solver_state, count),
        )


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamLbfgsNncg(AbstractJitMethod):
    """Adam, then Optax's L-BFGS, then `NystromNewton`, each in a compiled loop.

    Attributes:
        adam_steps: Steps of Adam. At least 1.
        learning_rate: Of Adam. Positive.
        lbfgs_steps: The most steps of L-BFGS; less where it stalls. At least 1.
        damping: As in `NystromNewton`.
        rank: As in `NystromNewton`.
        most_products: As in `NystromNewton`.

    Raises:
        ConfigError: A value is out of its range.

    Cost: that of the three methods; each compiles a program of its own.
    """

    name: ClassVar[str] = "adam-lbfgs-nncg"
    summary: ClassVar[str] = "Adam, then L-BFGS, then Nyström-preconditioned Newton-CG"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    adam_steps: int = 1000
    learning_rate: float = 1e-3
    lbfgs_steps: int = 1000
    damping: float = 1e-2
    rank: int = 60
    most_products: int = 1000

    def __post_init__(self) -> None:
        refuse_below("adam_steps", self.adam_steps, 1)
        refuse_below("lbfgs_steps", self.lbfgs_steps, 1)
        if not self.learning_rate > 0:
            raise ConfigError(
                f"`learning_rate` is {self.learning_rate!r}, but a number above 0 was expected"
            )
        self._newton()

    def _newton(self) -> NystromNewton:
        return NystromNewton(damping=self.damping, rank=self.rank, most_products=self.most_products)

    @property
    def _first(self) -> _Limited:
        return _Limited(method=_adam(self.learning_rate), steps=self.adam_steps)

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """L-BFGS and Newton."""
        return _Limited(method=_lbfgs(), steps=self.lbfgs_steps), self._newton()

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def init(self, flow: Flow, theta: jax.Array) -> Any:
        """Adam's state."""
        return self._first.init(flow, theta)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: Any) -> StepResult:
        """A step of Adam."""
        return self._first.step(flow, data, theta, solver_state)


# One object each, by which compiled programs are known.


@functools.cache
def _adam(rate: float) -> OptaxOptimizer:
    import optax

    return OptaxOptimizer(optax.adam(rate), name="adam", learning_rate=rate)


@functools.cache
def _lbfgs() -> OptaxOptimizer:
    import optax

    return OptaxOptimizer(optax.lbfgs(memory_size=MEMORY), name="optax-l-bfgs")
