"""A line search for the strong Wolfe conditions, one evaluation at a time.

Along θ + α d, with φ(α) the loss there and φ' its slope, a length α is looked for with

    φ(α) ≤ φ(0) + 1e-4 α φ'(0)     the loss falls by enough
    |φ'(α)| ≤ 0.9 |φ'(0)|          the slope has flattened, so yᵀs > 0

Trials grow by a factor of 2 until they enclose such a length, or meet both conditions. Then the
minimum of the cubic through both ends of the bracket is tried, kept away from the ends. The caller
evaluates loss and slope, so a search is one evaluation in the compiled program.

Source: Nocedal & Wright, *Numerical Optimization*, 2nd ed., algorithms 3.5 and 3.6, equation 3.59.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9
GROWTH = 2.0  # of trials that are too short
MARGIN = 0.1  # share of a bracket by which a trial keeps away from its ends
MOST_TRIALS = 30
GUESS = 2.02  # SciPy's, in the formula for the first trial


class End(NamedTuple):
    """An end of a bracket: α, the loss and the slope there; all scalars."""

    length: jax.Array
    loss: jax.Array
    slope: jax.Array


class LineSearch(NamedTuple):
    """Where a search stands.

    Attributes:
        start: α = 0.
        low: The end with the lowest loss, which fell by enough; `start` before there is one.
        high: The other end of the bracket; its length is infinite before there is one.
        next_length: The α to try next.
        trials: How many there were.
        is_found: Whether the last trial meets both conditions.
    """

    start: End
    low: End
    high: End
    next_length: jax.Array
    trials: jax.Array
    is_found: jax.Array

    @property
    def goes_on(self) -> jax.Array:
        """Whether another trial is to be made."""
        moves = self.next_length != self.low.length  # false once the bracket is empty
        return ~self.is_found & (self.trials < MOST_TRIALS) & moves


def first_length(fell: jax.Array, slope: jax.Array) -> jax.Array:
    """The length that the last decrease suggests, min(1, -2.02 fell / slope); 1 for a NaN.

    Args:
        fell: By how much the last step lowered the loss.
        slope: φ'(0).
    """
    guess = GUESS * fell / -slope
    return jnp.where((guess > 0) & (guess < 1), guess, 1)  # false for a NaN


def start_line_search(loss: jax.Array, slope: jax.Array, first: jax.Array) -> LineSearch:
    """Before the first trial, of length `first`; the slope has to be negative."""
    zero, infinite = jnp.zeros_like(loss), jnp.full_like(loss, jnp.inf)
    start = End(zero, loss, slope)
    no = jnp.zeros((), bool)
    return LineSearch(
        start, start, End(infinite, infinite, zero), first, jnp.zeros((), jnp.int32), no
    )


def narrowed(search: LineSearch, loss: jax.Array, slope: jax.Array) -> tuple[LineSearch, jax.Array]:
    """After a trial at `search.next_length`.

    Returns:
        The search; and whether the trial is its low end now, or meets both conditions.
    """
    start, low, high = search.start, search.low, search.high
    trial = End(search.next_length, loss, slope)
    is_finite = jnp.isfinite(loss) & jnp.isfinite(slope)
    enough = loss <= start.loss + SUFFICIENT_DECREASE * trial.length * start.slope
    is_lower = is_finite & enough & (loss <= low.loss)
    is_flatter = jnp.abs(slope) <= -CURVATURE * start.slope
    is_found = is_lower & is_flatter & (loss < start.loss)
    # A minimum lies between the trial and the old low end where the slope leads back to that end.
    leads_back = slope * (high.length - low.length) >= 0
    new_high = _chosen(is_lower, _chosen(leads_back, low, high), trial)
    new_low = _chosen(is_lower, trial, low)
    return LineSearch(
        start=start,
        low=new_low,
        high=new_high,
        next_length=_next_length(new_low, new_high),
        trials=search.trials + 1,
        is_found=is_found,
    ), is_lower


def _next_length(low: End, high: End) -> jax.Array:
    """Longer without a bracket; else the minimum of the cubic, away from the ends."""
    width = high.length - low.length
    first = low.slope + high.slope - 3 * (high.loss - low.loss) / width
    second = jnp.sign(width) * jnp.sqrt(first**2 - low.slope * high.slope)
    share = 1 - (high.slope + second - first) / (high.slope - low.slope + 2 * second)
    share = jnp.where(jnp.isfinite(share), jnp.clip(share, MARGIN, 1 - MARGIN), 0.5)
    # Beyond a loss that is not finite nothing is known, not even where it begins.
    share = jnp.where(jnp.isfinite(high.loss), share, MARGIN)
    return jnp.where(jnp.isinf(high.length), GROWTH * low.length, low.length + share * width)


def _chosen(condition: jax.Array, first: End, second: End) -> End:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)
