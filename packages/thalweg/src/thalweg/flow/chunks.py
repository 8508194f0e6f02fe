"""Examples in chunks, so that what is computed per example keeps to a memory budget.

Data of N examples are laid out as `(chunks, length, ...)`. The last chunk is filled up with
repeats of the last example whose weight is 0; a repeat, unlike a row of zeros, cannot produce a
NaN that the data do not hold. Where everything fits in one chunk there is no loop at all.

With several devices each holds the same share of every chunk, so lengths are multiples of their
number, and nothing that is cut finer moves from one to another.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from thalweg.problem import is_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow.sharding import Devices

CONVOLVED = 8  # examples whose Jacobians through a convolution are computed at a time


class Chunked(NamedTuple):
    """Examples laid out in chunks.

    Attributes:
        examples: A pytree of arrays `(chunks, length, ...)`.
        scale: Square roots of the weights of the examples in the loss, `(chunks, length)`; 0
            where an example is only filling.
    """

    examples: Any
    scale: jax.Array


def is_float(dtype: Any) -> bool:
    """Whether a dtype is one of real numbers."""
    return not is_key(dtype) and dtype.kind == "f"


def lay_out(
    data: Any, *, weight: float, length: int, dtype: np.dtype, devices: Devices | None = None
) -> Chunked:
    """Lay data out in chunks of `length` examples; floats are cast to `dtype`.

    Args:
        data: A pytree of arrays with N rows.
        weight: The weight of each example in the loss.
        length: Examples a chunk, at least 1; a multiple of the number of devices.
        dtype: float32 or float64, that of the parameters.
        devices: What each chunk is divided over; None for one device.
    """
    count = jax.tree.leaves(data)[0].shape[0]
    chunks = math.ceil(count / length)
    index = np.minimum(np.arange(chunks * length), count - 1)
    place = jax.device_put if devices is None else devices.split

    def arrange(leaf: Any) -> jax.Array:
        array = leaf if is_key(leaf.dtype) else np.asarray(leaf)
        if is_float(array.dtype):
            array = array.astype(dtype)
        return place(array[index].reshape(chunks, length, *array.shape[1:]))

    scale = np.where(np.arange(chunks * length) < count, math.sqrt(weight), 0.0)
    return Chunked(jax.tree.map(arrange, data), place(scale.reshape(chunks, length).astype(dtype)))


def example_shapes(data: Any, dtype: np.dtype) -> Any:
    """Shapes and dtypes of one example of the data, as `lay_out` will have them."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape[1:], dtype if is_float(leaf.dtype) else leaf.dtype
        ),
        data,
    )


def map_chunks(
    function: Callable[..., Any],
    data: Chunked,
    *shared: jax.Array,
    devices: Devices | None = None,
) -> Any:
    """`function(examples, scale, *shared)` of each chunk, concatenated along the first axis.

    Args:
        function: Computes a chunk; what it returns has an axis of examples first.
        data: The examples.
        *shared: Floats that all chunks take, such as θ.
        devices: With several, the rows of the first come first, those of all chunks, and so on.
    """
    if _is_one(data):
        return function(*_first(data), *shared)
    results = jax.lax.map(lambda chunk: function(*_inside(chunk, shared)), tuple(data))

    def joined(leaf: jax.Array) -> jax.Array:
        if devices is not None:
            shares = leaf.reshape(len(leaf), devices.count, -1, *leaf.shape[2:])
            leaf = jnp.swapaxes(shares, 0, 1).reshape(-1, *leaf.shape[1:])
        return leaf.reshape(-1, *leaf.shape[2:])

    return jax.tree.map(joined, results)


def like_chunks(rows: jax.Array, data: Chunked, devices: Devices | None = None) -> jax.Array:
    """Rows in the order of `map_chunks`, laid out as the examples: `(chunks, length, ...)`."""
    chunks, length = data.scale.shape
    if devices is None:
        return rows.reshape(chunks, length, -1)
    shares = rows.reshape(devices.count, chunks, length // devices.count, -1)
    return jnp.swapaxes(shares, 0, 1).reshape(chunks, length, -1)


def sum_chunks(function: Callable[..., Any], data: Chunked, *shared: jax.Array) -> Any:
    """The sum of `function(examples, scale, *shared)` over the chunks, a pytree of arrays.

    The arguments are those of `map_chunks`.
    """
    if _is_one(data):
        return function(*_first(data), *shared)
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(function, *_first(data), *shared),
    )

    def add(total: Any, chunk: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(*_inside(chunk, shared))), None

    return jax.lax.scan(add, zeros, tuple(data))[0]


def _is_one(data: Chunked) -> bool:
    return data.scale.shape[0] == 1


def _first(data: Chunked) -> tuple[Any, jax.Array]:
    examples, scale = jax.tree.map(lambda leaf: leaf[0], tuple(data))
    return examples, scale


def _inside(chunk: tuple[Any, jax.Array], shared: tuple[jax.Array, ...]) -> tuple[Any, ...]:
    """The arguments of a chunk's function, inside the loop over the chunks.

    XLA moves what is computed of θ alone out of a loop, each value by a name of its own, and then
    takes equal ones for different: a third derivative along a curve took four times the products
    and the memory. So θ has to look as if it came with the chunk.
    """
    examples, scale = chunk
    shared, scale = jax.lax.optimization_barrier((shared, scale))
    return examples, scale, *shared


def finer(data: Chunked, rows: int, devices: Devices | None = None) -> Chunked:
    """The same examples in chunks of `rows`, which divides the length of the chunks.

    With devices each takes its part of a piece from the examples that it has; what `map_chunks`
    makes of them comes in the same order.
    """
    if devices is None or data.scale.shape[1] == rows:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, rows, *leaf.shape[2:]), data)

    def cut(leaf: jax.Array) -> jax.Array:
        shares = leaf.reshape(len(leaf), devices.count, -1, rows // devices.count, *leaf.shape[2:])
        return jnp.swapaxes(shares, 1, 2).reshape(-1, rows, *leaf.shape[2:])

    return jax.tree.map(cut, data)


def fitting_rows(rows: int, data: Any) -> int:
    """The most rows up to `rows` that divide the length of the chunks of `data`."""
    length = data.scale.shape[1]
    return next(count for count in range(min(rows, length), 0, -1) if length % count == 0)


def chunk_lengths(
    count: int,
    *,
    memory_budget: int,
    product_bytes: int,
    jacobian_bytes: int,
    most_rows: int | None = None,
    devices: int = 1,
) -> tuple[int, int]:
    """How many examples to compute at a time: for products, and for rows of a Jacobian.

    Args:
        count: The number of examples.
        memory_budget: The budget in bytes, of each device.
        product_bytes: What a curvature product holds for one example.
        jacobian_bytes: What the Jacobian holds for one example, beyond that.
        most_rows: No more rows of a Jacobian than this on each device; None for no such limit.
        devices: How many devices share the work; both lengths are multiples of it.

    Returns:
        The length of a chunk, and the number of rows, which divides it.
    """
    share = math.ceil(count / devices)
    length = max(1, min(share, memory_budget // max(product_bytes, 1)))
    rows = max(1, min(length, memory_budget // max(product_bytes + jacobian_bytes, 1)))
    rows = min(rows, most_rows or rows)
    if rows == length:
        return devices * length, devices * rows
    pieces = math.ceil(share / rows) if length == share else length // rows
    return devices * pieces * rows, devices * rows


def most_rows(traced: Any) -> int | None:
    """The limit that a function of one example sets to the rows of a Jacobian; None for none.

    The derivatives of a convolution by weights that differ from example to example are one
    convolution in which XLA lets every example meet every other: memory and time grow with the
    square of the number of examples.

    Args:
        traced: The function, traced by `jax.make_jaxpr`.
    """
    return CONVOLVED if _has_convolution(traced.jaxpr) else None


def _has_convolution(jaxpr: Any) -> bool:
    return any(
        equation.primitive.name == "conv_general_dilated"
        or any(map(_has_convolution, jax.extend.core.jaxprs_in_params(equation.params)))
        for equation in jaxpr.eqns
    )


def bytes_of(traced: Any, *, shared: int = 0) -> int:
    """An upper bound on the bytes of all intermediate values of one call of a function.

    Counts every value that appears in its jaxpr, those of loops times their lengths. This is what
    reverse-mode differentiation keeps at most.

    Args:
        traced: The function, traced by `jax.make_jaxpr`.
        shared: How many of the first arguments are arrays that all examples share. What is
            computed of them alone is not counted: under `vmap` it is there once.
    """
    return _jaxpr_bytes(traced.jaxpr, own=set(traced.jaxpr.invars[shared:]))


def _jaxpr_bytes(jaxpr: Any, own: set[Any]) -> int:
    """Bytes of what depends on the variables in `own`."""
    total, own = 0, set(own)
    for equation in jaxpr.eqns:
        # Literals are not hashable and depend on nothing.
        inputs = [v for v in equation.invars if isinstance(v, jax.extend.core.Var)]
        if own.isdisjoint(inputs):
            continue
        own.update(equation.outvars)
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            times = int(equation.params.get("length", 1))
            total += times * _jaxpr_bytes(inner, own=set(inner.invars))
        for variable in equation.outvars:
            shape = getattr(variable.aval, "shape", ())
            itemsize = getattr(getattr(variable.aval, "dtype", None), "itemsize", 8)
            total += math.prod(shape) * itemsize
    return total
