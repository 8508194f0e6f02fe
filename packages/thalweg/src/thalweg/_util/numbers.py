"""Statistics of measured numbers, some of which may be missing."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def finite_median(values: Iterable[float]) -> float:
    """The median of the finite values; NaN where there is none.

    Examples:
        >>> finite_median([3.0, math.nan, 1.0, math.inf])
        2.0
    """
    finite = [value for value in values if math.isfinite(value)]
    return float(statistics.median(finite)) if finite else math.nan
