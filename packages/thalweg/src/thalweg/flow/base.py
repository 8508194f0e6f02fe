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
import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.flow.chunks import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.programs import Programs
    from thalweg.flow.sharding import Devices

MEMORY_BUDGET = 2**30  # bytes; the default budget of Jacobians and products


class Linearisation(NamedTuple):
    """The loss at a point with its gradient and a curvature operator.

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
        devices: What the data are divided over; None for one device.
        programs: Compiled programs, shared with all flows of the same functions and shapes.
        identity: What the functions compute, as a text that other processes find too; None where
            no text can tell. See `flow.on_disk`.
    """

    spec: ParamSpec
    data: Any

    def __init__(
        self,
        spec: ParamSpec,
        data: Any,
        *,
        programs: Programs,
        identity: str | None,
        devices: Devices | None = None,
    ) -> None:
        self.spec = spec
        self.data = data
        self.programs = programs
        self.identity = identity
        self.devices = devices

    def jit(self, function: Callable[..., Any]) -> Any:
        """`jax.jit` of a function of `(data, ...)`; its results are whole on every device."""
        if self.spec.dtype == np.float32:
            function = _with_whole_products(function)
        return jax.jit(function) if self.devices is None else self.devices.jit(function)

    def everywhere(self, tree: Any) -> Any:
        """A pytree of arrays where the programs of this flow take it from."""
        return tree if self.devices is None else self.devices.everywhere(tree)

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return self.spec.size

    @functools.cached_property
    def pass_bytes(self) -> int:
        """Bytes of all intermediate values of one evaluation of the loss. Cost: a trace, once."""
        theta = jax.ShapeDtypeStruct((self.size,), self.spec.dtype)
        return bytes_of(jax.make_jaxpr(self.loss)(self.data, theta))

    @abc.abstractmethod
    def resized(self, data: Any) -> Flow:
        """The same functions over other data, with programs of its own.

        Args:
            data: As `self.data`, with other numbers of chunks and examples; or their shapes.
        """

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
        """∇²L of shape `(n, n)`, by n products. For small n.

        One product at a time: in batches, what lies between falls out of the cache, and 64 at a
        time took 1.4 to 3 times as long.
        """
        product = self.hessian(data, theta).product
        return jax.lax.map(product, jnp.eye(self.size, dtype=theta.dtype))


def _with_whole_products(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose float32 matrix products have full precision, unless JAX is configured.

    On GPUs and TPUs JAX takes them of numbers rounded to some three digits. A loss is then as
    rough, and what solves with its curvature ends where the roughness begins.
    """

    @functools.wraps(function)
    def whole(*arguments: Any) -> Any:
        if jax.config.jax_default_matmul_precision is not None:  # pyright: ignore[reportAttributeAccessIssue]
            return function(*arguments)
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return whole


def linearised_gradient(flow: Flow, data: Any, theta: jax.Array) -> Linearisation:
    """Products that reuse the forward pass: `linearize` keeps it, a `jvp` each would redo it."""

    def gradient(at: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss, grad = flow.value_and_grad(data, at)
        return grad, loss

    grad, product, loss = jax.linearize(gradient, theta, has_aux=True)
    return Linearisation(loss, grad, product)


def layout_facts(
    spec: ParamSpec, traces: Sequence[Any], *, memory_budget: int, devices: Devices | None
) -> Hashable:
    """All that the programs of a flow depend on beside its functions.

    Args:
        spec: The layout of θ.
        traces: What the functions compute, with the shapes of the data, as hashable values.
        memory_budget: Bytes that Jacobians and products may hold at a time, on each device.
        devices: What the data are divided over; None for one device.
    """
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    is_x64 = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    return (spec, tuple(traces), memory_budget, devices, precision, is_x64)


def shapes_of(data: Any) -> Hashable:
    """The structure of a pytree of arrays with their shapes and dtypes, as a key."""
    leaves, structure = jax.tree.flatten(data)
    return structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
