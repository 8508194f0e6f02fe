"""A random sample of a flow's data, and the flow over data of that size.

A sample of R of N examples is stratified: one example of each of R stretches of about equal length,
with the weight of its stretch, so that loss and gradient are unbiased estimates of those over all
data; which also keeps the shares of classes or regions where the data are in order.

Source: Cochran 1977, *Sampling Techniques*, 3rd ed., chapter 5 (stratified sampling).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.flow.chunks import Chunked

if TYPE_CHECKING:
    from thalweg.flow.base import Flow

GAP = 2.0  # loss over all data, in units of the sample's, at which the sample tells no more
LEAST_GAIN = 0.25  # decrease over all data, in units of the sample's, for the same


def draw(data: Any, key: jax.Array, examples: int, turn: jax.Array | int = 0) -> Any:
    """A random sample of the data of a flow; what has no more than `examples` rows stays whole.

    Args:
        data: `flow.data`.
        key: A key of JAX's random numbers.
        examples: How many examples of each block are drawn. At least 1.
        turn: Which of the samples of this key. Those of `N // R` turns in a row share no example.

    Returns:
        Data that the functions of `sample_flow` take. Cost: R rows are copied.
    """
    blocks, structure = jax.tree.flatten(data, is_leaf=_is_chunked)
    keys = jax.random.split(key, max(len(blocks), 1))
    drawn = [
        _draw_block(block, one, examples, turn) for block, one in zip(blocks, keys, strict=False)
    ]
    return jax.tree.unflatten(structure, drawn)


def draw_in_turn(flow: Flow, data: Any, seed: int, examples: int, turn: jax.Array) -> Any:
    """The sample of a turn, counted from 0: no example comes twice until all were drawn.

    Args:
        flow: The flow.
        data: Its data.
        seed: Of the random samples.
        examples: How many examples of each block are drawn. At least 1.
        turn: A whole number.
    """
    turns = max(1, int(1 / sample_share(flow, examples)))
    key = jax.random.fold_in(jax.random.PRNGKey(seed), turn // turns)
    return draw(data, key, examples, turn % turns)


def still_tells(
    *, fell: jax.Array, sample_fell: jax.Array, loss: jax.Array, sample_loss: jax.Array
) -> jax.Array:
    """Whether steps on a sample went on to lower the loss over all data, and did not only fit it.

    Args:
        fell: The decrease of the loss over all data.
        sample_fell: That of the sample's loss meanwhile.
        loss: The loss over all data after it.
        sample_loss: The sample's.
    """
    return (fell >= LEAST_GAIN * sample_fell) & (loss <= GAP * sample_loss)


def refuse_unsampled(flow: Flow, name: str) -> None:
    """Refuse a flow that a method of this name cannot draw samples from.

    Raises:
        ConfigError: It has no examples, or they are divided over devices.
    """
    if flow.devices is not None:
        raise ConfigError(
            f"`{name}` was given examples on {flow.devices.count} devices, but draws its samples "
            "on one; leave `devices` out, or use `auto`"
        )
    if sample_share(flow, 1) == 1.0:
        raise ConfigError(
            f"`{name}` draws from the examples of a problem, but this one has none or only one; "
            "pass them as `data`, or use `auto`"
        )


def sample_flow(flow: Flow, examples: int) -> Flow:
    """The flow over samples of a size: the same functions, laid out for fewer examples.

    Methods ask a flow for the shape of its data; that of all data would mislead them.
    """
    key = jax.ShapeDtypeStruct((2,), jnp.uint32)
    return flow.resized(jax.eval_shape(lambda data, at: draw(data, at, examples), flow.data, key))


def sample_share(flow: Flow, examples: int) -> float:
    """What a pass over a sample costs of a pass over all data; 1.0 where nothing is left out."""
    taken = total = 0
    for block in _blocks(flow.data):
        total += block.scale.size
        taken += math.prod(_layout(block, examples))
    return taken / total if total else 1.0


def max_examples(flow: Flow) -> int:
    """The examples of the largest block of data, with what fills it up; 0 where there is none."""
    return max((block.scale.size for block in _blocks(flow.data)), default=0)


def _is_chunked(node: Any) -> bool:
    return isinstance(node, Chunked)


def _blocks(data: Any) -> list[Chunked]:
    return [leaf for leaf in jax.tree.leaves(data, is_leaf=_is_chunked) if _is_chunked(leaf)]


def _layout(block: Chunked, examples: int) -> tuple[int, int]:
    """Chunks of a block's sample and their length, which keeps to the budget of the block's."""
    chunks, length = block.scale.shape
    if examples >= chunks * length:
        return chunks, length
    pieces = math.ceil(examples / length)
    return pieces, math.ceil(examples / pieces)


def _draw_block(block: Any, key: jax.Array, examples: int, turn: jax.Array | int) -> Any:
    if not _is_chunked(block) or examples >= block.scale.size:
        return block
    shape = _layout(block, examples)
    taken = math.prod(shape)
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), block)
    count = jnp.count_nonzero(flat.scale)  # filling is at the end
    width = count / jnp.asarray(taken, flat.scale.dtype)
    edges = jnp.minimum((jnp.arange(taken + 1) * width).astype(jnp.int32), count)
    lengths = edges[1:] - edges[:-1]
    # Each stretch is walked through from a place of its own, round and round.
    first = (jax.random.uniform(key, (taken,), flat.scale.dtype) * lengths).astype(jnp.int32)
    index = jnp.minimum(edges[:-1] + (first + turn) % jnp.maximum(lengths, 1), count - 1)
    rows = jax.tree.map(lambda leaf: leaf[index].reshape(*shape, *leaf.shape[1:]), flat)
    # Each stands for its stretch; stretches are not all of one length.
    weights = jnp.sqrt(lengths.astype(rows.scale.dtype)).reshape(shape)
    return rows._replace(scale=rows.scale * weights)
