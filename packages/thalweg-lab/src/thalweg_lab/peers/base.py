"""A method that is a gradient transformation of Optax, made for the layout of the parameters."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer
from thalweg.solvers.base import AbstractJitMethod

if TYPE_CHECKING:
    import jax

    from thalweg.flow import Flow
    from thalweg.flow.flatten import ParamSpec
    from thalweg.solvers.base import StepResult


class AbstractTransformation(AbstractJitMethod):
    """A method whose step is an update of Optax. Subclasses are frozen dataclasses."""

    kind: ClassVar[str] = "baseline"

    @abc.abstractmethod
    def transformation(self, spec: ParamSpec) -> Any:
        """The `optax.GradientTransformation` of a vector of parameters with this layout."""

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def init(self, flow: Flow, theta: jax.Array) -> Any:
        """Optax's initial state; loss and gradient are unknown."""
        return self._optimiser(flow).init(flow, theta)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: Any) -> StepResult:
        """Take one update."""
        return self._optimiser(flow).step(flow, data, theta, solver_state)

    def _optimiser(self, flow: Flow) -> OptaxOptimizer:
        return OptaxOptimizer(
            self.transformation(flow.spec),
            name=self.name,
            learning_rate=getattr(self, "learning_rate", None),
        )
