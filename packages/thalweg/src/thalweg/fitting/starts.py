"""Several starts of a fit, spread over its bounds."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.fitting.bounds import Bounds

WIDE = 100.0  # upper over lower bound, from which a parameter is spread by its logarithm


def sampled_starts(
    first: np.ndarray, bounds: Bounds, names: Sequence[str], *, count: int, seed: int
) -> list[np.ndarray]:
    """The given start and `count - 1` points of a Latin hypercube within the bounds.

    Args:
        first: The first start, `(k,)`.
        bounds: Bounds of the k parameters, all finite where `count` is above 1.
        names: Their names.
        count: How many starts, at least 1.
        seed: Of the random numbers.

    Raises:
        ConfigError: `count` is not a whole number from 1, or a parameter lacks a bound.
    """
    try:
        number = operator.index(count)
    except TypeError:
        number = 0
    if number < 1:
        raise ConfigError(f"`starts` is {count!r}, but a whole number of at least 1 was expected")
    is_open = ~(np.isfinite(bounds.low) & np.isfinite(bounds.high))
    if number > 1 and is_open.any():
        name = names[int(np.flatnonzero(is_open)[0])]
        raise ConfigError(
            f"`starts={number}` spreads starts over the bounds, but `{name}` lacks a lower or an "
            "upper one; give both, or put it into `fixed`"
        )
    rng = np.random.default_rng(seed)
    rest = number - 1
    rows = np.array([rng.permutation(rest) for _ in names]).T.reshape(rest, len(names))
    shares = (rows + rng.random(rows.shape)) / max(rest, 1)
    return [first, *(_at(share, bounds) for share in shares)]


def _at(share: np.ndarray, bounds: Bounds) -> np.ndarray:
    low, high = bounds.low, bounds.high
    is_wide = (low > 0) & (high > WIDE * low)
    safe_low, safe_high = np.where(is_wide, low, 1.0), np.where(is_wide, high, 1.0)
    by_logarithm = safe_low * (safe_high / safe_low) ** share
    return np.where(is_wide, by_logarithm, low + share * (high - low))
