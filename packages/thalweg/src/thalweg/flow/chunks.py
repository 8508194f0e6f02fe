"""Examples in chunks, so that what is computed per example keeps to a memory budget.

Data of N examples are laid out as `(chunks, length, ...)`. The last chunk is filled up with
repeats of the last example whose weight is 0; a repeat, unlike a row of zeros, cannot produce a
NaN that the data do not hold. Where everything fits in one chunk there is no loop at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class Chunked(NamedTuple):
    """Examples laid out in chunks.

    Attributes:
        examples: A pytree of arrays `(chunks, length, ...)`.
        scale: Square roots of the weights of the examples in the loss, `(chunks, length)`; 0
            where an example is only filling.
    """

    examples: Any
    scale: jax.Array


def lay_out(data: Any, *, weight: float, length: int, dtype: np.dtype) -> Chunked:
    """Lay data out in chunks of `length` examples; floats are cast to `dtype`.

    Args:
        data: A pytree of arrays with N rows.
        weight: The weight of each example in the loss.
        length: Examples a chunk, from 1 to N.
        dtype: float32 or float64, that of the parameters.
    """
    count = jax.tree.leaves(data)[0].shape[0]
    chunks = math.ceil(count / length)
    index = np.minimum(np.arange(chunks * length), count - 1)

    def arrange(leaf: Any) -> jax.Array:
        array = np.asarray(leaf)
        if array.dtype.kind == "f":
            array = array.astype(dtype)
        return jnp.asarray(array[index].reshape(chunks, length, *array.shape[1:]))

    scale = np.where(np.arange(chunks * length) < count, math.sqrt(weight), 0.0)
    return Chunked(jax.tree.map(arrange, data), jnp.asarray(scale.reshape(chunks, length), dtype))


def example_shapes(data: Any, dtype: np.dtype) -> Any:
    """Shapes and dtypes of one example of the data, as `lay_out` will have them."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape[1:], dtype if leaf.dtype.kind == "f" else leaf.dtype
        ),
        data,
    )


def map_chunks(function: Callable[[Any, jax.Array], Any], data: Chunked) -> Any:
    """`function(examples, scale)` of each chunk, results concatenated along the first axis."""
    chunks = data.scale.shape[0]
    if chunks == 1:
        return function(*jax.tree.map(lambda leaf: leaf[0], tuple(data)))
    results = jax.lax.map(lambda chunk: function(*chunk), tuple(data))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), results)


def sum_chunks(function: Callable[[Any, jax.Array], Any], data: Chunked) -> Any:
    """The sum of `function(examples, scale)` over the chunks, a pytree of arrays."""
    chunks = data.scale.shape[0]
    first = jax.tree.map(lambda leaf: leaf[0], tuple(data))
    if chunks == 1:
        return function(*first)
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(function, *first)
    )

    def add(total: Any, chunk: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(*chunk)), None

    return jax.lax.scan(add, zeros, tuple(data))[0]


def finer(data: Chunked, rows: int) -> Chunked:
    """The same examples in chunks of `rows`, which divides the length of the chunks."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, rows, *leaf.shape[2:]), data)


def chunk_lengths(
    count: int, *, memory: int, product_bytes: int, jacobian_bytes: int
) -> tuple[int, int]:
    """How many examples to compute at a time: for products, and for rows of a Jacobian.

    Args:
        count: The number of examples.
        memory: The budget in bytes.
        product_bytes: What a curvature product holds for one example.
        jacobian_bytes: What the Jacobian holds for one example, beyond that.

    Returns:
        The length of a chunk, and the number of rows, which divides it.
    """
    length = max(1, min(count, memory // max(product_bytes, 1)))
    rows = max(1, min(length, memory // max(product_bytes + jacobian_bytes, 1)))
    if rows == length:
        return length, rows
    pieces = math.ceil(count / rows) if length == count else length // rows
    return pieces * rows, rows


def bytes_of(function: Callable[..., Any], *arguments: Any, shared: int = 0) -> int:
    """An upper bound on the bytes of all intermediate values of one call of `function`.

    Counts every value that appears in its jaxpr, those of loops times their lengths. This is what
    reverse-mode differentiation keeps at most.

    Args:
        function: A function of arrays.
        *arguments: Arrays or shapes, as for `jax.eval_shape`.
        shared: How many of the first arguments are arrays that all examples share. What is
            computed of them alone is not counted: under `vmap` it is there once.
    """
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    return _jaxpr_bytes(jaxpr, own=set(jaxpr.invars[shared:]))


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
