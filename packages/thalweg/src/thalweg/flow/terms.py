"""One block of a least-squares problem, seen from the flat vector θ.

A term computes the scaled residuals of its block, so that the block's loss is `½ |r|²`, and their
derivatives. `ExampleTerm` has data and works example by example; `WholeTerm` has none.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg._util.symmetric_product import symmetric_product
from thalweg.flow.base import shapes_of
from thalweg.flow.chunks import (
    Chunked,
    bytes_of,
    chunk_lengths,
    example_shapes,
    finer,
    fitting_rows,
    lay_out,
    like_chunks,
    map_chunks,
    most_rows,
    sum_chunks,
)
from thalweg.flow.curve import derivative_along
from thalweg.flow.flatten import ravel_rows
from thalweg.flow.layers import Factors, chunk_factors
from thalweg.flow.outputs import check_output, flat_residual
from thalweg.flow.programs import fingerprint
from thalweg.flow.tracing import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.sharding import Devices
    from thalweg.problem import Block

# Without data, a Jacobian is taken by columns, a few at a time: all at once run out of the cache
# and took up to ten times longer. By rows it took two to forty times longer a row.
TANGENTS = 8
FORWARD_ADVANTAGE = 4  # by rows only where there are this many times more columns
LIVE_COPIES = 6  # intermediate values that a Hessian product keeps, in passes over the network


class Laid(NamedTuple):
    """A block as a term.

    Attributes:
        term: The term.
        part: Its part of the flow's data.
        trace: What its function computes, with the shapes of all its data; hashable.
        traced: The function, as `jax.make_jaxpr` returned it.
    """

    term: AbstractTerm
    part: Any
    trace: Hashable
    traced: Any


def lay_out_block(
    block: Block, spec: ParamSpec, *, memory_budget: int, devices: Devices | None
) -> Laid:
    """The term of a block, and its data cut so that it keeps to the budget of a device.

    Raises:
        ConfigError: The block's function returns what it should not.
    """
    kind = WholeTerm if block.data is None else ExampleTerm
    return kind.lay_out(block, spec, memory_budget=memory_budget, devices=devices)


class AbstractTerm(abc.ABC):
    """What a block computes from its part of the data and θ of shape `(n,)`.

    `part` is what `lay_out_block` gave with the term. Residuals are scaled by the root of their
    weight and have shape `(m,)`, m counted with filling.
    """

    @abc.abstractmethod
    def resized(self, part: Any) -> AbstractTerm:
        """The same term for a part with other numbers of chunks and examples, or its shapes."""

    @abc.abstractmethod
    def is_one_chunk(self, part: Any) -> bool:
        """Whether the part is computed at once."""

    @abc.abstractmethod
    def keeps_jacobian(self, part: Any) -> bool:
        """Whether the part's whole Jacobian fits the budget."""

    @abc.abstractmethod
    def residuals(self, part: Any, theta: jax.Array) -> jax.Array:
        """R of shape `(m,)`."""

    @abc.abstractmethod
    def value_and_grad(self, part: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """½|r|² and Jᵀr."""

    @abc.abstractmethod
    def jacobian(self, part: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """R and J of shape `(m, n)`."""

    @abc.abstractmethod
    def normal_equations(
        self, part: Any, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """r, Jᵀr and JᵀJ of shape `(n, n)`, never holding more than a chunk of J."""

    @abc.abstractmethod
    def along(self, part: Any, theta: jax.Array, coefficients: tuple[jax.Array, ...]) -> jax.Array:
        """The derivative of order k+1 of r along `θ + c₁s + … + c_k sᵏ` at s = 0."""

    @abc.abstractmethod
    def pull(self, part: Any, theta: jax.Array, cotangent: jax.Array) -> jax.Array:
        """Jᵀu for u of shape `(m,)`."""

    @abc.abstractmethod
    def gauss_newton(self, part: Any, theta: jax.Array, v: jax.Array) -> jax.Array:
        """JᵀJv."""

    @abc.abstractmethod
    def hessian(self, part: Any, theta: jax.Array, v: jax.Array) -> jax.Array:
        """∇²(½|r|²) v."""


@final
class ExampleTerm(AbstractTerm):
    """A block with data: everything per example under `vmap`, chunk by chunk.

    Args:
        function: The residual of one example.
        spec: The layout of θ.
        rows: How many examples a Jacobian is computed for at a time.
        devices: What the examples are divided over; None for one device.
    """

    def __init__(
        self, function: Callable[..., Any], spec: ParamSpec, *, rows: int, devices: Devices | None
    ) -> None:
        self._function = function
        self._spec = spec
        self._rows = rows
        self._devices = devices

    @classmethod
    def lay_out(
        cls, block: Block, spec: ParamSpec, *, memory_budget: int, devices: Devices | None
    ) -> Laid:
        """See `lay_out_block`."""
        shapes = example_shapes(block.data, spec.dtype)
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)

        def one(theta: jax.Array, *example: Any) -> jax.Array:
            return flat_residual(block.function(spec.unravel(theta), *example))

        with explained("residual", examples=shapes):
            traced = jax.make_jaxpr(one)(theta, *shapes)
        width = check_output(traced.out_avals[0], spec, name="residual")
        length, rows = chunk_lengths(
            block.length,
            devices=1 if devices is None else devices.count,
            memory_budget=memory_budget,
            product_bytes=LIVE_COPIES * bytes_of(traced, shared=1),
            most_rows=most_rows(traced),
            jacobian_bytes=2 * width * spec.size * spec.dtype.itemsize,
        )
        part = lay_out(
            block.data,
            weight=block.weight / block.length,
            length=length,
            dtype=spec.dtype,
            devices=devices,
        )
        term = cls(block.function, spec, rows=rows, devices=devices)
        return Laid(term, part, (fingerprint(traced), shapes_of(block.data)), traced)

    def resized(self, part: Chunked) -> ExampleTerm:
        rows = fitting_rows(self._rows, part)
        return ExampleTerm(self._function, self._spec, rows=rows, devices=self._devices)

    def is_one_chunk(self, part: Chunked) -> bool:
        return part.scale.shape[0] == 1

    def keeps_jacobian(self, part: Chunked) -> bool:
        return part.scale.shape == (1, self._rows)

    def _one(self, theta: jax.Array, *example: Any) -> jax.Array:
        return flat_residual(self._function(self._spec.unravel(theta), *example))

    def _chunk(self, examples: Any, scale: jax.Array, theta: jax.Array) -> jax.Array:
        r = jax.vmap(lambda *example: self._one(theta, *example))(*examples)
        return (scale[:, None] * r).reshape(-1)

    def residuals(self, part: Chunked, theta: jax.Array) -> jax.Array:
        return map_chunks(self._chunk, part, theta, devices=self._devices)

    def value_and_grad(self, part: Chunked, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        def chunk_loss(examples: Any, scale: jax.Array, at: jax.Array) -> jax.Array:
            r = self._chunk(examples, scale, at)
            return 0.5 * jnp.vdot(r, r)

        return sum_chunks(jax.value_and_grad(chunk_loss, argnums=2), part, theta)

    def _chunk_jacobian(
        self, examples: Any, scale: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        spec = self._spec
        width = jax.eval_shape(self._one, theta, *jax.tree.map(lambda leaf: leaf[0], examples)).size
        if spec.size <= width:
            return self._chunk_columns(examples, scale, theta)
        arrays = spec.split(theta)

        def one(*example: Any) -> tuple[jax.Array, jax.Array]:
            # By the arrays, not by θ: the transpose of taking a slice writes a whole row of zeros.
            r, pull = jax.vjp(
                lambda at: flat_residual(self._function(spec.join(at), *example)), arrays
            )
            rows = jax.vmap(lambda seed: pull(seed)[0])(jnp.eye(r.size, dtype=r.dtype))
            return r, ravel_rows(rows)

        r, jacobian = jax.vmap(one)(*examples)
        scaled = scale[:, None, None] * jacobian
        return (scale[:, None] * r).reshape(-1), scaled.reshape(-1, spec.size)

    def _chunk_columns(
        self, examples: Any, scale: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The same by columns, for examples that have more residuals than there are weights."""
        r, push = jax.linearize(lambda at: self._chunk(examples, scale, at), theta)
        return r, jax.vmap(push, out_axes=1)(jnp.eye(theta.size, dtype=theta.dtype))

    def jacobian(self, part: Chunked, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        pieces = finer(part, self._rows, self._devices)
        return map_chunks(self._chunk_jacobian, pieces, theta, devices=self._devices)

    def factors(self, part: Chunked, theta: jax.Array) -> tuple[jax.Array, Factors]:
        """R of shape `(m,)` and the factors of J, for a part that is one chunk.

        Raises:
            NotDenseError: The residual is not made of dense layers.
        """
        spec, function = self._spec, self._function

        def one(arrays: list[jax.Array], *example: Any) -> jax.Array:
            return flat_residual(function(spec.join(arrays), *example))

        return chunk_factors(one, part, spec.split(theta))

    def normal_equations(
        self, part: Chunked, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        is_divided = self._devices is not None

        def products(*chunk: Any) -> tuple[jax.Array, jax.Array]:
            r, jacobian = self._chunk_jacobian(*chunk)
            return jacobian.T @ r, symmetric_product(jacobian, is_divided=is_divided)

        pieces = finer(part, self._rows, self._devices)
        gradient, matrix = sum_chunks(products, pieces, theta)
        return self.residuals(part, theta), gradient, matrix

    def along(
        self, part: Chunked, theta: jax.Array, coefficients: tuple[jax.Array, ...]
    ) -> jax.Array:
        def chunk_along(
            examples: Any, scale: jax.Array, theta: jax.Array, *coefficients: jax.Array
        ) -> jax.Array:
            return derivative_along(
                lambda at: self._chunk(examples, scale, at), theta, coefficients
            )

        return map_chunks(chunk_along, part, theta, *coefficients, devices=self._devices)

    def pull(self, part: Chunked, theta: jax.Array, cotangent: jax.Array) -> jax.Array:
        split = like_chunks(cotangent, part, self._devices)
        bundle = Chunked((part.examples, split), part.scale)

        def chunk_pull(pair: Any, scale: jax.Array, theta: jax.Array) -> jax.Array:
            examples, seed = pair
            _, pull = jax.vjp(lambda at: self._chunk(examples, scale, at), theta)
            return pull(seed.reshape(-1))[0]

        return sum_chunks(chunk_pull, bundle, theta)

    def gauss_newton(self, part: Chunked, theta: jax.Array, v: jax.Array) -> jax.Array:
        def chunk_product(
            examples: Any, scale: jax.Array, theta: jax.Array, v: jax.Array
        ) -> jax.Array:
            _, push = jax.linearize(lambda at: self._chunk(examples, scale, at), theta)
            return jax.linear_transpose(push, theta)(push(v))[0]

        return sum_chunks(chunk_product, part, theta, v)

    def hessian(self, part: Chunked, theta: jax.Array, v: jax.Array) -> jax.Array:
        def chunk_product(
            examples: Any, scale: jax.Array, theta: jax.Array, v: jax.Array
        ) -> jax.Array:
            def gradient(at: jax.Array) -> jax.Array:
                r, pull = jax.vjp(lambda inner: self._chunk(examples, scale, inner), at)
                return pull(r)[0]

            return jax.jvp(gradient, (theta,), (v,))[1]

        return sum_chunks(chunk_product, part, theta, v)


@final
class WholeTerm(AbstractTerm):
    """A block without data: one function of all residuals, of unknown structure.

    Args:
        function: All residuals.
        spec: The layout of θ.
    """

    def __init__(self, function: Callable[..., Any], spec: ParamSpec) -> None:
        self._function = function
        self._spec = spec

    @classmethod
    def lay_out(
        cls, block: Block, spec: ParamSpec, *, memory_budget: int, devices: Devices | None
    ) -> Laid:
        """See `lay_out_block`."""
        del memory_budget  # nothing to cut into chunks
        theta = jax.ShapeDtypeStruct((spec.size,), spec.dtype)
        with explained("residual"):
            traced = jax.make_jaxpr(lambda at: flat_residual(block.function(spec.unravel(at))))(
                theta
            )
        check_output(traced.out_avals[0], spec, name="residuals")
        root = jnp.sqrt(jnp.asarray(block.weight, spec.dtype))
        part = root if devices is None else devices.everywhere(root)
        return Laid(cls(block.function, spec), part, fingerprint(traced), traced)

    def resized(self, part: jax.Array) -> WholeTerm:
        del part
        return self

    def is_one_chunk(self, part: jax.Array) -> bool:
        del part
        return True

    def keeps_jacobian(self, part: jax.Array) -> bool:
        del part
        return True

    def residuals(self, part: jax.Array, theta: jax.Array) -> jax.Array:
        return part * flat_residual(self._function(self._spec.unravel(theta)))

    def value_and_grad(self, part: jax.Array, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        r, pull = jax.vjp(lambda at: self.residuals(part, at), theta)
        return 0.5 * jnp.vdot(r, r), pull(r)[0]

    def jacobian(self, part: jax.Array, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        r, push = jax.linearize(lambda at: self.residuals(part, at), theta)
        if theta.size <= FORWARD_ADVANTAGE * r.size:
            seeds = jnp.eye(theta.size, dtype=theta.dtype)
            return r, jax.lax.map(push, seeds, batch_size=TANGENTS).T
        pull = jax.linear_transpose(push, theta)
        seeds = jnp.eye(r.size, dtype=r.dtype)
        return r, jax.lax.map(lambda seed: pull(seed)[0], seeds, batch_size=TANGENTS)

    def normal_equations(
        self, part: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        r, jacobian = self.jacobian(part, theta)
        return r, jacobian.T @ r, symmetric_product(jacobian)

    def along(
        self, part: jax.Array, theta: jax.Array, coefficients: tuple[jax.Array, ...]
    ) -> jax.Array:
        return derivative_along(lambda at: self.residuals(part, at), theta, coefficients)

    def pull(self, part: jax.Array, theta: jax.Array, cotangent: jax.Array) -> jax.Array:
        return jax.vjp(lambda at: self.residuals(part, at), theta)[1](cotangent)[0]

    def gauss_newton(self, part: jax.Array, theta: jax.Array, v: jax.Array) -> jax.Array:
        _, push = jax.linearize(lambda at: self.residuals(part, at), theta)
        return jax.linear_transpose(push, theta)(push(v))[0]

    def hessian(self, part: jax.Array, theta: jax.Array, v: jax.Array) -> jax.Array:
        return jax.jvp(lambda at: self.value_and_grad(part, at)[1], (theta,), (v,))[1]
