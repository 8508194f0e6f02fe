"""The gradient flow dθ/dt = -∇L(θ) of a problem, in flat coordinates.

A `Flow` is what a method sees: θ is a vector of shape `(n,)`, and the loss, its derivatives and
its curvature products are pure functions of `(data, theta)`. Data are always an argument, never a
constant of a compiled program: constants are compiled into it, which is slow.

With data, everything is computed example by example under `vmap`, in chunks that keep to a memory
budget. One-example derivatives are the point: `jacrev` over a batch of N residuals runs N passes
over all N examples.

Source: Schraudolph 2002, "Fast curvature matrix-vector products", for the Gauss-Newton products.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.chunks import bytes_per_example, lay_out, sum_chunks
from thalweg.errors import ConfigError
from thalweg.problem import Composite, LeastSquares, Problem, Scalar
from thalweg.terms import LIVE_COPIES, ExampleTerm, WholeTerm, check_output, flat, residual_term

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.params import ParamSpec

MEMORY = 2**30  # bytes; the default budget of Jacobians and products


class Linearisation(NamedTuple):
    """The loss at a point with its slope and a curvature operator.

    Attributes:
        loss: L, a scalar.
        grad: ∇L, shape `(n,)`.
        product: v -> Cv for the curvature matrix C, both of shape `(n,)`.
    """

    loss: jax.Array
    grad: jax.Array
    product: Callable[[jax.Array], jax.Array]


class Flow(abc.ABC):
    """Base of the flows. Functions are pure; `data` is what they take as first argument.

    Attributes:
        spec: The layout of θ.
        data: A pytree of arrays, to be passed to every function.
        programs: Compiled programs of this flow, by name.
    """

    spec: ParamSpec
    data: Any

    def __init__(self, spec: ParamSpec, data: Any) -> None:
        self.spec = spec
        self.data = data
        self.programs: dict[Any, Any] = {}

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return self.spec.size

    @abc.abstractmethod
    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L, a scalar. Cost: one pass over the data."""

    @abc.abstractmethod
    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and ∇L of shape `(n,)`. Cost: about three passes."""

    @abc.abstractmethod
    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with the Hessian ∇²L. Cost of a product: about two gradients."""

    def dense_hessian(self, data: Any, theta: jax.Array) -> jax.Array:
        """∇²L of shape `(n, n)`, by n products. For small n."""
        product = self.hessian(data, theta).product
        return jax.lax.map(product, jnp.eye(self.size, dtype=theta.dtype), batch_size=64)


@final
class LeastSquaresFlow(Flow):
    """The flow of a sum of least-squares blocks.

    Residuals are scaled so that `L = ½ |r|²`, and laid out in one vector of shape `(m,)`; with
    several chunks it has rows of filling, which are 0 and have no slope.

    Attributes:
        residual_count: m, with filling.
    """

    def __init__(
        self, problem: LeastSquares, spec: ParamSpec, *, memory: int, with_jacobian: bool
    ) -> None:
        self._terms = tuple(residual_term(block, spec) for block in problem.blocks)
        data = tuple(
            term.lay_out(block, memory=memory, with_jacobian=with_jacobian)
            for term, block in zip(self._terms, problem.blocks, strict=True)
        )
        super().__init__(spec, data)
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        self.residual_count: int = jax.eval_shape(self.residuals, data, theta).shape[0]

    @property
    def is_one_chunk(self) -> bool:
        """Whether no block is computed in more than one chunk."""
        return all(term.is_one_chunk(part) for term, part in self._pairs(self.data))

    def _pairs(self, data: Any) -> list[tuple[ExampleTerm | WholeTerm, Any]]:
        return list(zip(self._terms, data, strict=True))

    def residuals(self, data: Any, theta: jax.Array) -> jax.Array:
        """r of shape `(m,)`. Cost: one pass."""
        return jnp.concatenate([term.residuals(part, theta) for term, part in self._pairs(data)])

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L = ½ |r|²."""
        r = self.residuals(data, theta)
        return 0.5 * jnp.vdot(r, r)

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and Jᵀr."""
        parts = [term.value_and_grad(part, theta) for term, part in self._pairs(data)]
        return sum(v for v, _ in parts), sum(g for _, g in parts)  # pyright: ignore[reportReturnType]

    def jacobian(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """r of shape `(m,)` and J of shape `(m, n)`, example by example.

        Cost: with data about one gradient per residual of an example; without, min(m, n) passes.
        """
        parts = [term.jacobian(part, theta) for term, part in self._pairs(data)]
        return jnp.concatenate([r for r, _ in parts]), jnp.concatenate([j for _, j in parts])

    def normal_equations(
        self, data: Any, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """r of shape `(m,)`, Jᵀr of shape `(n,)` and JᵀJ of shape `(n, n)`, without storing J.

        Cost: a Jacobian, and m n² multiplications.
        """
        parts = [term.normal_equations(part, theta) for term, part in self._pairs(data)]
        return (
            jnp.concatenate([r for r, _, _ in parts]),
            sum(g for _, g, _ in parts),  # pyright: ignore[reportReturnType]
            sum(c for _, _, c in parts),
        )

    def along(
        self, data: Any, theta: jax.Array, coefficients: tuple[jax.Array, ...]
    ) -> jax.Array:
        """The derivative of order k+1 at s=0 of r(θ + c₁s + … + c_k sᵏ), shape `(m,)`.

        Cost: k+1 nested forward derivatives, no Jacobian and no third-order tensor.
        """
        parts = [term.along(part, theta, coefficients) for term, part in self._pairs(data)]
        return jnp.concatenate(parts)

    def pull(self, data: Any, theta: jax.Array, cotangent: jax.Array) -> jax.Array:
        """Jᵀu of shape `(n,)` for u of shape `(m,)`. Cost: a gradient."""
        total, start = jnp.zeros_like(theta), 0
        for term, part in self._pairs(data):
            count = jax.eval_shape(term.residuals, part, theta).shape[0]
            total += term.pull(part, theta, cotangent[start : start + count])
            start += count
        return total

    def gauss_newton(self, data: Any, theta: jax.Array) -> tuple[jax.Array, Linearisation]:
        """r, and L, ∇L and products with JᵀJ. Cost of a product: about a gradient."""
        if self.is_one_chunk:
            r, push = jax.linearize(lambda at: self.residuals(data, at), theta)
            pull = jax.linear_transpose(push, theta)
            return r, Linearisation(0.5 * jnp.vdot(r, r), pull(r)[0], lambda v: pull(push(v))[0])

        r = self.residuals(data, theta)
        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            return sum(term.gauss_newton(part, theta, v) for term, part in self._pairs(data))  # pyright: ignore[reportReturnType]

        return r, Linearisation(loss, grad, product)

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with JᵀJ + Σ r ∇²r."""
        if self.is_one_chunk:
            return _linearised_gradient(self, data, theta)
        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            return sum(term.hessian(part, theta, v) for term, part in self._pairs(data))  # pyright: ignore[reportReturnType]

        return Linearisation(loss, grad, product)


def _linearised_gradient(flow: Flow, data: Any, theta: jax.Array) -> Linearisation:
    """Products that reuse the forward pass: `linearize` keeps it, a `jvp` each would redo it."""

    def gradient(at: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss, grad = flow.value_and_grad(data, at)
        return grad, loss

    grad, product, loss = jax.linearize(gradient, theta, has_aux=True)
    return Linearisation(loss, grad, product)


@final
class CompositeFlow(Flow):
    """The flow of a convex loss of a network's outputs, with weight decay."""

    def __init__(self, problem: Composite, spec: ParamSpec, *, memory: int) -> None:
        self._problem = problem
        self.spec = spec
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape[1:], spec.dtype if leaf.dtype.kind == "f" else leaf.dtype
            ),
            problem.data,
        )
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        x, y = shapes
        self.output_size = check_output(
            jax.eval_shape(self._outputs, theta, x), spec, name="outputs"
        )
        loss_shape = jax.eval_shape(self._one, theta, x, y)
        if loss_shape.shape != ():
            raise ConfigError(
                f"`loss` returns shape {loss_shape.shape} for one example, but a scalar was "
                "expected; sum over the outputs"
            )
        need = LIVE_COPIES * bytes_per_example(self._one, theta, x, y)
        self.length = jax.tree.leaves(problem.data)[0].shape[0]
        length = max(1, min(self.length, memory // max(need, 1)))
        examples = lay_out(
            problem.data, weight=1 / self.length, length=length, dtype=spec.dtype
        )
        super().__init__(spec, (examples, jnp.asarray(problem.l2, spec.dtype)))

    @property
    def is_one_chunk(self) -> bool:
        """Whether the data are computed in one chunk."""
        return self.data[0].scale.shape[0] == 1

    def _outputs(self, theta: jax.Array, x: Any) -> jax.Array:
        return self._problem.outputs(self.spec.unravel(theta), x)

    def _one(self, theta: jax.Array, x: Any, y: Any) -> jax.Array:
        return self._problem.loss(self._outputs(theta, x), y)

    def _chunk_loss(self, theta: jax.Array, examples: Any, scale: jax.Array) -> jax.Array:
        losses = jax.vmap(lambda x, y: self._one(theta, x, y))(*examples)
        return jnp.vdot(scale * scale, losses)

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L, the mean loss and the weight decay."""
        examples, l2 = data
        mean = sum_chunks(lambda *chunk: self._chunk_loss(theta, *chunk), examples)
        return mean + 0.5 * l2 * jnp.vdot(theta, theta)

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and ∇L."""
        examples, l2 = data
        loss, grad = sum_chunks(
            lambda *chunk: jax.value_and_grad(self._chunk_loss)(theta, *chunk), examples
        )
        return loss + 0.5 * l2 * jnp.vdot(theta, theta), grad + l2 * theta

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with ∇²L."""
        if self.is_one_chunk:
            return _linearised_gradient(self, data, theta)
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            def chunk_product(*chunk: Any) -> jax.Array:
                return jax.jvp(
                    lambda at: jax.grad(self._chunk_loss)(at, *chunk), (theta,), (v,)
                )[1]

            return sum_chunks(chunk_product, examples) + l2 * v

        return Linearisation(loss, grad, product)

    def gauss_newton(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with Jᵀ ∇²ℓ J + l2, positive semidefinite as ℓ is convex."""
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            def chunk_product(chunk: Any, scale: jax.Array) -> jax.Array:
                xs, ys = chunk
                z, push = jax.linearize(
                    lambda at: jax.vmap(lambda x: self._outputs(at, x))(xs), theta
                )
                bend = jax.vmap(self._output_hessian)(z, ys, push(v))
                weights = (scale * scale).reshape(-1, *(1,) * (bend.ndim - 1))
                return jax.linear_transpose(push, theta)(weights * bend)[0]

            return sum_chunks(chunk_product, examples) + l2 * v

        return Linearisation(loss, grad, product)

    def _output_hessian(self, z: jax.Array, y: Any, direction: jax.Array) -> jax.Array:
        """∇²ℓ(z) times a direction, of the shape of z."""
        slope = jax.grad(lambda at: self._problem.loss(at, y))
        return jax.jvp(slope, (z,), (direction,))[1]

    def dense_gauss_newton(
        self, data: Any, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """L, ∇L and Jᵀ ∇²ℓ J + l2 of shape `(n, n)`, example by example in chunks.

        Cost: a Jacobian of the outputs, and two products with N q n² multiplications.
        """
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)
        params = self.spec.unravel(theta)

        def chunk_matrix(chunk: Any, scale: jax.Array) -> jax.Array:
            def one(x: Any, y: Any) -> tuple[jax.Array, jax.Array]:
                z, pull = jax.vjp(lambda at: flat(self._problem.outputs(at, x)), params)
                seeds = jnp.eye(z.size, dtype=z.dtype)
                jacobian = self.spec.ravel_rows(jax.vmap(lambda seed: pull(seed)[0])(seeds))
                shape = jax.eval_shape(self._outputs, theta, x).shape
                bend = jax.vmap(
                    lambda e: flat(
                        self._output_hessian(z.reshape(shape), y, e.reshape(shape))
                    )
                )(seeds)
                return jacobian, bend @ jacobian

            left, right = jax.vmap(one)(*chunk)
            right = (scale * scale)[:, None, None] * right
            return left.reshape(-1, self.size).T @ right.reshape(-1, self.size)

        matrix = sum_chunks(chunk_matrix, examples)
        return loss, grad, matrix + l2 * jnp.eye(self.size, dtype=theta.dtype)

    def pull_curve(
        self, data: Any, theta: jax.Array, coefficients: tuple[jax.Array, ...]
    ) -> jax.Array:
        """Jᵀ times the derivative of order k+1 of ∇ℓ(z(s)), z(s) = outputs along the curve.

        Differentiates the slope of the loss along `θ + c₁s + … + c_k sᵏ` with J held at θ, so it
        holds the terms of ℓ's third and higher orders too.
        """
        examples, _ = data

        def chunk_pull(chunk: Any, scale: jax.Array) -> jax.Array:
            xs, ys = chunk

            def slopes(at: jax.Array) -> jax.Array:
                z = jax.vmap(lambda x: self._outputs(at, x))(xs)
                return jax.vmap(jax.grad(self._problem.loss))(z, ys)

            bend = derivative_along(slopes, theta, coefficients)
            _, pull = jax.vjp(lambda at: jax.vmap(lambda x: self._outputs(at, x))(xs), theta)
            weights = (scale * scale).reshape(-1, *(1,) * (bend.ndim - 1))
            return pull(weights * bend)[0]

        return sum_chunks(chunk_pull, examples)


@final
class ScalarFlow(Flow):
    """The flow of a loss of which nothing is known."""

    def __init__(self, problem: Scalar, spec: ParamSpec) -> None:
        self._loss = problem.loss
        self.spec = spec
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        shape = jax.eval_shape(lambda at: self._loss(spec.unravel(at)), theta)
        if getattr(shape, "shape", None) != ():
            raise ConfigError(
                f"`loss` returns shape {getattr(shape, 'shape', shape)}, but a scalar was expected"
            )
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
        return _linearised_gradient(self, data, theta)


def build_flow(
    problem: Problem, spec: ParamSpec, *, memory: int = MEMORY, with_jacobian: bool = True
) -> LeastSquaresFlow | CompositeFlow | ScalarFlow:
    """The flow of a problem for parameters laid out as `spec`.

    Args:
        problem: What is minimised.
        spec: The layout of the parameters.
        memory: Bytes that Jacobians and products may hold at a time. Positive.
        with_jacobian: Whether chunks must leave room for rows of the Jacobian.

    Raises:
        ConfigError: A function of the problem returns what it should not.
    """
    match problem:
        case LeastSquares():
            return LeastSquaresFlow(problem, spec, memory=memory, with_jacobian=with_jacobian)
        case Composite():
            return CompositeFlow(problem, spec, memory=memory)
        case Scalar():
            return ScalarFlow(problem, spec)
        case _:
            raise ConfigError(
                f"`problem` is of type {type(problem).__name__}, but a LeastSquares, Composite "
                "or Scalar was expected"
            )
