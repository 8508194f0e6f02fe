"""The flow of a loss of which nothing is known but its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import jax

from thalweg.flow.base import Flow, Linearisation, linearised_gradient
from thalweg.flow.terms import check_scalar

if TYPE_CHECKING:
    from thalweg.flow.flatten import ParamSpec
    from thalweg.problem import Scalar


@final
class ScalarFlow(Flow):
    """The flow of a loss of which nothing is known."""

    def __init__(self, problem: Scalar, spec: ParamSpec) -> None:
        self._loss = problem.loss
        self.spec = spec
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        shape = jax.eval_shape(lambda at: self._loss(spec.unravel(at)), theta)
        check_scalar(shape, spec, name="loss")
        super().__init__(spec, ())

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L."""
        del data
        return self._loss(self.spec.unravel(theta))

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and ∇L."""
        return jax.value_and_grad(lambda at: self.loss(data, at))(theta)

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with ∇²L."""
        return linearised_gradient(self, data, theta)
