"""What methods on samples of the data share: evaluations over all data, and counts of work.

A row of such a method is a block of steps on samples between two evaluations over all data. What
one evaluation on a sample costs is its share of one over all data, so counts of work are fractions;
a history holds whole numbers, and the fraction that is left waits for the next row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable

Block = TypeVar("Block")
Values = TypeVar("Values")


class Sampling(NamedTuple):
    """How steps are taken on samples; all scalars.

    Attributes:
        is_on: Whether the next steps are.
        steps: How many, before the loss over all data is evaluated.
        turn: How many samples were drawn so far.
        uncounted: The fraction of a gradient over all data that no count of work holds yet.
    """

    is_on: jax.Array
    steps: jax.Array
    turn: jax.Array
    uncounted: jax.Array


class Row(NamedTuple):
    """A block of steps between two evaluations over all data.

    Attributes:
        start: The values at the start of the block.
        block: The block.
        end: The values at its end.
        evaluations: How many were made here: 1, or 2 where the start was not known.
    """

    start: Any
    block: Any
    end: Any
    evaluations: jax.Array


def between_evaluations(
    run: Callable[[jax.Array], Block],
    evaluate: Callable[[Block], Values],
    *,
    no_block: Block,
    known: Values,
    is_new: jax.Array,
) -> Row:
    """Take a block of steps, and evaluate all data after it; at the start of a run before it too.

    Both evaluations are one compiled program: a loop of one or two turns, the first of which takes
    a block without steps.

    Args:
        run: Takes the block; or, where its argument is True, none of its steps.
        evaluate: From a block to a pytree of values over all data at its end.
        no_block: A pytree of the shapes that `run` returns.
        known: The values at the start, as the last row left them.
        is_new: Whether they are not known yet.
    """

    def turn(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        count, start, _, _ = carry
        is_start = count == 0
        block = run(is_start)
        end = evaluate(block)
        start = jax.tree.map(lambda old, new: jnp.where(is_start, new, old), start, end)
        return count + 1, start, block, end

    first = (jnp.where(is_new, 0, 1).astype(jnp.int32), known, no_block, known)
    _, start, block, end = jax.lax.while_loop(
        lambda carry: carry[0] < 2,  # noqa: PLR2004 - the evaluation after the block
        turn,
        first,
    )
    return Row(start, block, end, jnp.where(is_new, 2, 1))


def whole_counts(uncounted: Any, spent: Any) -> tuple[Any, Any]:
    """Split fractions of work into whole counts and what waits for the next row.

    Args:
        uncounted: What no count holds yet, a pytree of floats from 0 to 1.
        spent: What was spent since, a pytree of the same structure. Not negative.

    Returns:
        The whole counts as int32, and what they leave, in the dtypes of `uncounted`.
    """
    total = jax.tree.map(jnp.add, uncounted, spent)
    whole = jax.tree.map(jnp.floor, total)
    counts = jax.tree.map(lambda leaf: leaf.astype(jnp.int32), whole)
    rest = jax.tree.map(lambda t, w, u: (t - w).astype(u.dtype), total, whole, uncounted)
    return counts, rest
