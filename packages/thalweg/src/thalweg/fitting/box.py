"""The least of a convex quadratic within a box, by block principal pivoting.

Each parameter is free, or held at its lower or its upper bound. The free ones are solved for; then
those that left the box are held at the bound they crossed, and those whose slope points inwards are
released, until neither occurs. That proves the KKT conditions. Exchanging all at once takes one to
three rounds as a rule; where the number of wrong ones has not fallen for some rounds, only the last
of them is exchanged, which ends after finitely many rounds.

Source: Júdice & Pires 1994, Computers & Operations Research 21, 587-596.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 3  # rounds without fewer wrong parameters, before they are exchanged one by one
ROUNDING = 4  # slopes up to this many roundings of the largest count as none


class Rounds(NamedTuple):
    """Where the pivoting is.

    Attributes:
        side: -1 for a parameter held at its lower bound, 1 at its upper bound, 0 for a free one;
            `(k,)`.
        found: What `solve` returned last; its first entry is the step, `(k,)`.
        fewest: The least number of wrong parameters so far.
        patience: Rounds that are left without fewer.
        count: Rounds so far.
        is_over: Whether none is wrong.
    """

    side: Any
    found: tuple[Any, ...]
    fewest: Any
    patience: Any
    count: Any
    is_over: Any


def first_side(slope: Any, low: Any, high: Any, *, arrays: Any = jnp) -> Any:
    """Which parameters begin held: those at a bound that the slope at no step pushes against."""
    return arrays.where((low >= 0) & (slope > 0), -1, arrays.where((high <= 0) & (slope < 0), 1, 0))


def least_in_box(
    solve: Callable[[Any], tuple[Any, ...]],
    slope_at: Callable[[Any], Any],
    side: Any,
    low: Any,
    high: Any,
    *,
    blank: tuple[Any, ...] = (),
    arrays: Any = jnp,
    repeat: Callable[..., Any] = jax.lax.while_loop,
) -> tuple[Any, tuple[Any, ...]]:
    """The step to the least value within a box, and which parameters are held there.

    Args:
        solve: For the sides of all parameters, the step `(k,)` that is least with these held at
            their bounds, and whatever else is to be returned of the last one.
        slope_at: The gradient of the quadratic at a step, `(k,)`.
        side: The sides to begin with, `(k,)`.
        low: Lower ends of the step, at most 0; -∞ for none.
        high: Upper ends, at least 0; ∞ for none.
        blank: Arrays like those that `solve` returns, where a compiled loop needs them.
        arrays: `jax.numpy`, or `numpy` on the host.
        repeat: `jax.lax.while_loop`, or `loop` on the host.

    Returns:
        The sides, and what `solve` returned for them.
    """
    places = arrays.arange(len(low))
    most = 3 * len(low) + 10
    eps = arrays.finfo(low.dtype).eps

    def onward(at: Rounds) -> Rounds:
        found = solve(at.side)
        step, slope = found[0], slope_at(found[0])
        none = ROUNDING * eps * arrays.max(arrays.abs(slope))
        leaves = arrays.where(step < low, -1, arrays.where(step > high, 1, 0))
        target = arrays.where(at.side == 0, leaves, 0)
        wrong = arrays.where(at.side == 0, leaves != 0, at.side * slope > none)
        number = arrays.sum(wrong)
        is_fewer = number < at.fewest
        patience = arrays.where(is_fewer, PATIENCE, at.patience - 1)
        is_last = places == arrays.max(arrays.where(wrong, places, -1))
        chosen = wrong & ((patience >= 0) | is_last)
        return Rounds(
            side=arrays.where(chosen, target, at.side),
            found=found,
            fewest=arrays.minimum(number, at.fewest),
            patience=patience,
            count=at.count + 1,
            is_over=number == 0,
        )

    def goes_on(at: Rounds) -> Any:
        return ~at.is_over & (at.count < most)

    fewest, patience, count = (arrays.asarray(number) for number in (len(low) + 1, PATIENCE, 0))
    first = Rounds(side, blank, fewest, patience, count, arrays.asarray(False))  # noqa: FBT003 - an entry
    end = repeat(goes_on, onward, first)
    return end.side, end.found


def loop(goes_on: Callable[[Any], Any], onward: Callable[[Any], Any], at: Any) -> Any:
    """`jax.lax.while_loop` on the host."""
    while goes_on(at):
        at = onward(at)
    return at
