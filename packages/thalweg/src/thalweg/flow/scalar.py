"""The flow of a loss of which nothing is known but its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import jax

from thalweg.flow.base import Flow, Linearisation, layout_facts, linearised_gradient
from thalweg.flow.on_disk import identity_of
from thalweg.flow.outputs import check_scalar
from thalweg.flow.programs import fingerprint, shared_programs
from thalweg.flow.tracing import explained

if TYPE_CHECKING:
    from thalweg.flow.flatten import ParamSpec
    from thalweg.problem import Scalar


@final
class ScalarFlow(Flow):
    """The flow of a loss of which nothing is known."""

    def __init__(self, problem: Scalar, spec: ParamSpec) -> None:
        self._loss = problem.loss
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        with explained("loss"):
            traced, shape = jax.make_jaxpr(
                lambda at: self._loss(spec.unravel(at)), return_shape=True
            )(theta)
        check_scalar(shape, spec, name="loss")
        facts = layout_facts(spec, [fingerprint(traced)], memory_budget=0, devices=None)
        super().__init__(
            spec,
            (),
            programs=shared_programs([problem.loss], facts),
            identity=identity_of("loss", lambda: facts, [traced]),
        )

    def resized(self, data: Any) -> ScalarFlow:
        """Itself: there are no data."""
        del data
        return self

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
