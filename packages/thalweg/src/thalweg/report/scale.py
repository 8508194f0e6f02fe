"""Axes: from values to places on the page, and the ticks that make them readable."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.text import number, power_of_ten

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_TICKS = 7


@dataclasses.dataclass(frozen=True)
class Scale:
    """Maps `[low, high]` linearly, or by its logarithm, to `[start, end]` on the page.

    Attributes:
        low: The value at `start`.
        high: The value at `end`. Above `low`.
        start: A coordinate on the page.
        end: A coordinate on the page; below `start` for an axis that points up.
        log: Whether the axis is logarithmic; `low` is then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, values: np.ndarray) -> np.ndarray:
        """Coordinates of values; what lies outside is moved to the nearer end."""
        clipped = np.clip(values, self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            clipped, low, high = np.log10(clipped), math.log10(low), math.log10(high)
        return self.start + (clipped - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Values to mark, with their labels."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            every = max(1, math.ceil((last - first + 1) / MOST_TICKS))
            # Counted from 10⁰, so that a decade is marked whatever the range.
            marked = [e for e in range(first, last + 1) if e % every == 0]
            return [(10.0**e, power_of_ten(e)) for e in marked]
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [(k * step, number(k * step, digits=3)) for k in range(first, last + 1)]


def fitting(
    values: Iterable[np.ndarray], *, start: float, end: float, log: bool, decades: float = math.inf
) -> Scale:
    """A scale that shows all values and ends at round numbers.

    Args:
        values: What is to be shown; on a logarithmic axis only values above 0 count.
        start: Where the axis begins on the page.
        end: Where it ends.
        log: Whether it is logarithmic.
        decades: How far below the largest value a logarithmic axis may reach.
    """
    parts = [np.asarray(part, float).ravel() for part in values]
    together = np.concatenate(parts) if parts else np.empty(0)
    together = together[np.isfinite(together) & ((together > 0) | (not log))]
    if not together.size:
        return Scale(0.1 if log else 0.0, 1.0, start, end, log)
    low, high = float(together.min()), float(together.max())
    if log:
        top = math.ceil(math.log10(high) - 1e-9)
        bottom = max(math.floor(math.log10(low) + 1e-9), top - decades)
        return Scale(10.0 ** min(bottom, top - 1), 10.0**top, start, end, log)
    if low == high:
        low, high = min(low, 0.0), max(high, 1.0)
    step = _step(high - low)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, start, end, log)


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides a span into a handful of parts."""
    rough = span / (MOST_TICKS - 2)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
