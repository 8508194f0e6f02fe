"""The flow of a convex loss ℓ of a network's outputs, `L = mean ℓ(z, y) + ½ l2 |θ|²`.

Its Gauss-Newton matrix is `Jᵀ ∇²ℓ J + l2`, with J the Jacobian of the outputs: positive
semidefinite, as ℓ is convex.

Source: Schraudolph 2002, "Fast curvature matrix-vector products".
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.flow.base import Flow, Linearisation, layout_facts, linearised_gradient, shapes_of
from thalweg.flow.chunks import (
    bytes_of,
    chunk_lengths,
    example_shapes,
    finer,
    fitting_rows,
    lay_out,
    most_rows,
    sum_chunks,
)
from thalweg.flow.curve import derivative_along
from thalweg.flow.flatten import ravel_rows
from thalweg.flow.on_disk import identity_of
from thalweg.flow.outputs import check_output, check_scalar, flat
from thalweg.flow.programs import fingerprint, shared_programs
from thalweg.flow.terms import LIVE_COPIES
from thalweg.flow.tracing import explained

if TYPE_CHECKING:
    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.sharding import Devices
    from thalweg.problem import Composite

MATRIX_COPIES = 4  # of an example's rows of the Jacobian: J, ∇²ℓJ, and both as they are made


@final
class CompositeFlow(Flow):
    """The flow of a convex loss of a network's outputs, with weight decay."""

    def __init__(
        self, problem: Composite, spec: ParamSpec, *, memory_budget: int, devices: Devices | None
    ) -> None:
        self._output_function, self._loss_function = problem.outputs, problem.loss
        self.spec = spec
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        x, y = example_shapes(problem.data, spec.dtype)
        with explained("outputs", examples=x):
            traced_outputs, shape = jax.make_jaxpr(
                lambda *at: flat(self._outputs(*at)), return_shape=True
            )(theta, x)
        self.output_size = check_output(shape, spec, name="outputs")
        with explained("loss", examples=y):
            traced, loss_shape = jax.make_jaxpr(self._one, return_shape=True)(theta, x, y)
        check_scalar(loss_shape, spec, name="loss")
        self.length = jax.tree.leaves(problem.data)[0].shape[0]
        length, self._rows = chunk_lengths(
            self.length,
            devices=1 if devices is None else devices.count,
            memory_budget=memory_budget,
            product_bytes=LIVE_COPIES * bytes_of(traced, shared=1),
            most_rows=most_rows(traced),
            jacobian_bytes=MATRIX_COPIES * self.output_size * spec.size * spec.dtype.itemsize,
        )
        examples = lay_out(
            problem.data,
            weight=1 / self.length,
            length=length,
            dtype=spec.dtype,
            devices=devices,
        )
        l2 = jax.device_put(np.asarray(problem.l2, spec.dtype))
        l2 = l2 if devices is None else devices.everywhere(l2)
        trace = (fingerprint(traced), shapes_of(problem.data))
        facts = layout_facts(spec, [trace], memory_budget=memory_budget, devices=devices)
        programs = shared_programs([problem.outputs, problem.loss], facts)
        # By the loss alone, one could not tell where the outputs end and the loss of them begins.
        identity = identity_of(
            "loss of outputs",
            lambda: (fingerprint(traced_outputs), facts),
            [traced_outputs, traced],
        )
        super().__init__(
            spec, (examples, l2), programs=programs, identity=identity, devices=devices
        )

    def resized(self, data: Any) -> CompositeFlow:
        """The same functions over other data."""
        new = copy.copy(self)
        new.data, new.programs, new.identity = data, {}, None
        new._rows = fitting_rows(self._rows, data[0])  # noqa: SLF001 - of this class
        return new

    @property
    def is_one_chunk(self) -> bool:
        """Whether the data are computed in one chunk."""
        return self.data[0].scale.shape[0] == 1

    @property
    def matrix_sizes(self) -> tuple[int, int]:
        """N and the number of rows of the outputs' Jacobian."""
        return self.size, self.length * self.output_size

    def _outputs(self, theta: jax.Array, x: Any) -> jax.Array:
        return self._output_function(self.spec.unravel(theta), x)

    def _one(self, theta: jax.Array, x: Any, y: Any) -> jax.Array:
        return self._loss_function(self._outputs(theta, x), y)

    def _chunk_loss(self, examples: Any, scale: jax.Array, theta: jax.Array) -> jax.Array:
        losses = jax.vmap(lambda x, y: self._one(theta, x, y))(*examples)
        return jnp.vdot(scale * scale, losses)

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L, the mean loss and the weight decay."""
        examples, l2 = data
        mean = sum_chunks(self._chunk_loss, examples, theta)
        return mean + 0.5 * l2 * jnp.vdot(theta, theta)

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and ∇L."""
        examples, l2 = data
        slope = jax.value_and_grad(self._chunk_loss, argnums=2)
        loss, grad = sum_chunks(slope, examples, theta)
        return loss + 0.5 * l2 * jnp.vdot(theta, theta), grad + l2 * theta

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with ∇²L."""
        if self.is_one_chunk:
            return linearised_gradient(self, data, theta)
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)

        def chunk_product(
            chunk: Any, scale: jax.Array, theta: jax.Array, v: jax.Array
        ) -> jax.Array:
            slope = jax.grad(lambda at: self._chunk_loss(chunk, scale, at))
            return jax.jvp(slope, (theta,), (v,))[1]

        return Linearisation(
            loss, grad, lambda v: sum_chunks(chunk_product, examples, theta, v) + l2 * v
        )

    def gauss_newton(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with Jᵀ ∇²ℓ J + l2, positive semidefinite as ℓ is convex."""
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)

        def chunk_product(
            chunk: Any, scale: jax.Array, theta: jax.Array, v: jax.Array
        ) -> jax.Array:
            xs, ys = chunk
            z, push = jax.linearize(lambda at: jax.vmap(lambda x: self._outputs(at, x))(xs), theta)
            bend = jax.vmap(self._output_hessian)(z, ys, push(v))
            weights = (scale * scale).reshape(-1, *(1,) * (bend.ndim - 1))
            return jax.linear_transpose(push, theta)(weights * bend)[0]

        return Linearisation(
            loss, grad, lambda v: sum_chunks(chunk_product, examples, theta, v) + l2 * v
        )

    def _output_hessian(self, z: jax.Array, y: Any, direction: jax.Array) -> jax.Array:
        """∇²ℓ(z) times a direction, of the shape of z."""
        slope = jax.grad(lambda at: self._loss_function(at, y))
        return jax.jvp(slope, (z,), (direction,))[1]

    def dense_gauss_newton(
        self, data: Any, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """L, ∇L and Jᵀ ∇²ℓ J + l2 of shape `(n, n)`, example by example in chunks.

        Cost: a Jacobian of the outputs, and two products with N q n² multiplications.
        """
        examples, l2 = data
        loss, grad = self.value_and_grad(data, theta)

        def chunk_matrix(chunk: Any, scale: jax.Array, theta: jax.Array) -> jax.Array:
            arrays = self.spec.split(theta)

            def one(x: Any, y: Any) -> tuple[jax.Array, jax.Array]:
                z, pull = jax.vjp(
                    lambda at: flat(self._output_function(self.spec.join(at), x)), arrays
                )
                seeds = jnp.eye(z.size, dtype=z.dtype)
                jacobian = ravel_rows(jax.vmap(lambda seed: pull(seed)[0])(seeds))
                shape = jax.eval_shape(self._outputs, theta, x).shape
                bend = jax.vmap(
                    lambda e: flat(self._output_hessian(z.reshape(shape), y, e.reshape(shape)))
                )(seeds)
                return jacobian, bend @ jacobian

            left, right = jax.vmap(one)(*chunk)
            right = (scale * scale)[:, None, None] * right
            return left.reshape(-1, self.size).T @ right.reshape(-1, self.size)

        pieces = finer(examples, self._rows, self.devices)
        matrix = sum_chunks(chunk_matrix, pieces, theta)
        return loss, grad, matrix + l2 * jnp.eye(self.size, dtype=theta.dtype)

    def pull_curve(
        self, data: Any, theta: jax.Array, coefficients: tuple[jax.Array, ...]
    ) -> jax.Array:
        """Jᵀ times the derivative of order k+1 of ∇ℓ(z(s)), z(s) = outputs along the curve.

        Differentiates the slope of the loss along `θ + c₁s + … + c_k sᵏ` with J held at θ, so it
        holds the terms of ℓ's third and higher orders too.
        """
        examples, _ = data

        def chunk_pull(
            chunk: Any, scale: jax.Array, theta: jax.Array, *coefficients: jax.Array
        ) -> jax.Array:
            xs, ys = chunk

            def slopes(at: jax.Array) -> jax.Array:
                z = jax.vmap(lambda x: self._outputs(at, x))(xs)
                return jax.vmap(jax.grad(self._loss_function))(z, ys)

            bend = derivative_along(slopes, theta, coefficients)
            _, pull = jax.vjp(lambda at: jax.vmap(lambda x: self._outputs(at, x))(xs), theta)
            weights = (scale * scale).reshape(-1, *(1,) * (bend.ndim - 1))
            return pull(weights * bend)[0]

        return sum_chunks(chunk_pull, examples, theta, *coefficients)
