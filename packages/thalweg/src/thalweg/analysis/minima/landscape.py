"""The loss of a problem and its derivatives at points of parameter space, on the host.

The analysis of a run evaluates the same functions as the run did. It uses the same compiled
programs, which are kept with the problem, and so compiles little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np

from thalweg._recorder import Recorder
from thalweg.errors import ConfigError
from thalweg.flow import LeastSquaresFlow, flow_of
from thalweg.flow.compiled import HostFunctions, compiled
from thalweg.flow.flatten import flatten
from thalweg.problem import Composite
from thalweg.solvers.integrators.lanczos import lanczos, up_to_limit
from thalweg.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow
    from thalweg.problem import Problem


@final
class Landscape:
    """A problem at flat parameters θ of shape `(n,)`, float64 in and out.

    Args:
        problem: The problem.
        params: Any parameters of the problem, for their layout.

    Raises:
        ConfigError: The problem or the parameters are not what `thalweg.minimize` takes.
    """

    def __init__(self, problem: Problem, params: Any) -> None:
        _, spec = flatten(params)
        self._problem = problem
        self.flow: Flow = flow_of(problem, spec)  # as `minimize` keeps it
        self._recorder = Recorder(Stop())  # required for its compile clock, which is not read here
        self._functions = HostFunctions(self.flow, self._recorder)

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return self.flow.size

    def flat(self, params: Any) -> np.ndarray:
        """θ of shape `(n,)` for parameters as a pytree."""
        theta, spec = flatten(params)
        if spec != self.flow.spec:
            raise ConfigError(
                f"`params` hold {spec.size} numbers in {', '.join(spec.names)}, but the layout of "
                f"{', '.join(self.flow.spec.names)} was expected; compare parameters of one problem"
            )
        return np.asarray(theta, np.float64)

    def tree(self, theta: np.ndarray) -> Any:
        """The pytree of NumPy arrays for θ of shape `(n,)`."""
        return self.flow.spec.unravel(np.asarray(theta, self.flow.spec.dtype))  # pyright: ignore[reportArgumentType] - slices and shapes alone

    def loss(self, theta: np.ndarray) -> float:
        """L."""
        return self._functions.loss(theta)

    def value_and_grad(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """L and ∇L of shape `(n,)`."""
        return self._functions.value_and_grad(theta)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """∇²L of shape `(n, n)`, symmetric. Cost: n Hessian products."""
        matrix = self._functions.dense_hessian(theta)
        return (matrix + matrix.T) / 2

    def product(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        """∇²L v of shape `(n,)`. Cost: about three gradients."""
        return self._functions.hessian_product(theta, v)

    def ritz(
        self, theta: np.ndarray, start: np.ndarray, *, dimensions: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ritz values of ∇²L in the Krylov space of a vector, ascending.

        Args:
            theta: The point, shape `(n,)`.
            start: The vector, shape `(n,)`.
            dimensions: The largest dimension; the space may be invariant before.

        Returns:
            The k Ritz values, and the components in their Ritz vectors of `start` scaled to norm 1.

        Cost: k Hessian products, 4 k² n multiplications, and `dimensions` vectors of memory.
        """
        limit, flow = min(dimensions, self.size), self.flow

        def space(data: Any, theta: jax.Array, start: jax.Array) -> tuple[jax.Array, ...]:
            product = flow.hessian(data, theta).product
            found = lanczos(product, start, limit=limit, is_enough=up_to_limit)
            return found.values, found.vectors[0], found.used

        at, v = np.asarray(theta, flow.spec.dtype), np.asarray(start, flow.spec.dtype)
        program = compiled(flow, ("ritz", limit), space, at, v, recorder=self._recorder)
        values, components, used = program(flow.data, at, v)
        k = int(used)
        return np.asarray(values, np.float64)[:k], np.asarray(components, np.float64)[:k]

    def predictions(self, theta: np.ndarray) -> np.ndarray:
        """The network's predictions, up to a constant of the data, as one vector of shape `(k,)`.

        For least squares these are the residuals `f(x) - y`. For a loss ℓ of outputs z it is the
        gradient ∇ℓ(z), for a cross-entropy the predicted minus the true probabilities: scores that
        differ by one constant predict the same. They are scaled so that the norm of a difference
        is the root mean square over the examples.

        Raises:
            ConfigError: The problem is a `Scalar`, which has no predictions.
        """
        at = np.asarray(theta, self.flow.spec.dtype)
        function, examples = self._predictions()
        program = compiled(
            self.flow, "predictions", function, at, *examples, recorder=self._recorder
        )
        return np.asarray(program(self.flow.data, at, *examples), np.float64)

    def _predictions(self) -> tuple[Callable[..., jax.Array], tuple[Any, ...]]:
        """The function that `predictions` compiles, and what it takes beside data and θ.

        The examples are arguments, as another problem of the same functions shares the program.
        """
        flow, problem = self.flow, self._problem
        if isinstance(flow, LeastSquaresFlow):
            return flow.residuals, ()
        if not isinstance(problem, Composite):
            raise ConfigError(
                "`problem` is a Scalar, which has no predictions; write it as LeastSquares or "
                "Composite to compare what two networks predict"
            )

        def output_gradients(_: Any, theta: jax.Array, xs: Any, ys: Any) -> jax.Array:
            params = flow.spec.unravel(theta)
            outputs = jax.vmap(lambda x: problem.outputs(params, x))(xs)
            grads = jax.vmap(jax.grad(problem.loss))(outputs, ys)
            return grads.ravel() / len(grads) ** 0.5

        return output_gradients, problem.data
