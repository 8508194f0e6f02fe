"""Where an interval is sampled, reproducible by the generator that is passed in.

Even       uniform between two numbers
Floats     uniform among the floating-point numbers between two numbers, so that every power of
           two gets its share, subnormals included; with random signs where wanted
Beside     the floating-point numbers closest to given real numbers, such as zeros
Keeping    those points of another interval that a condition holds for
Together   one interval for each argument
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from libufunc.audit.oracle import Format, needed

EACH_SIDE = 4  # floating-point numbers on either side of a zero
ZERO_BITS = 160  # precision of a zero before it is rounded to the format


class Interval(Protocol):
    """A way to choose the points of one row of the report."""

    @property
    def label(self) -> str:
        """What the report calls it."""
        ...

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """One array of at most `count` points for each argument, in the dtype of `kind`."""
        ...


def _random(generator: np.random.Generator, count: int) -> np.ndarray:
    """Uniform on [0, 1) with all bits of a long double, shape `(count,)`."""
    fine = generator.random(count).astype(np.longdouble)
    return generator.random(count).astype(np.longdouble) + np.ldexp(fine, -53)


@final
@dataclass(frozen=True)
class Even:
    """Uniform between `low` and `high`, numbers of the format."""

    label: str
    low: float
    high: float

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """One array of `count` points."""
        points = self.low + (self.high - self.low) * _random(generator, count)
        return (points.astype(kind.type),)


@final
@dataclass(frozen=True)
class Floats:
    """Uniform among the floating-point numbers from `low` to `high`.

    Attributes:
        low: Not negative; 0 stands for the least subnormal number.
        high: Infinity stands for the largest number.
        signs: What the points are multiplied by, chosen at random.
    """

    label: str
    low: float
    high: float
    signs: tuple[int, ...] = (1,)

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """One array of `count` points."""
        start, stop = (self._position(end, kind) for end in (self.low, self.high))
        position = start + (stop - start) * _random(generator, count)
        exponent = np.floor(position)
        largest = np.longdouble(np.finfo(kind.dtype).max)
        least = np.ldexp(np.longdouble(1), kind.bottom)
        with np.errstate(over="ignore", under="ignore"):
            points = np.ldexp(1 + (position - exponent), exponent.astype(np.int64))
            points = np.clip(points, least, largest).astype(kind.type)
        signs = generator.choice(self.signs, count).astype(kind.type)
        return (np.minimum(points, kind.type(largest)) * signs,)

    @staticmethod
    def _position(end: float, kind: Format) -> float:
        """Exponent plus fraction: a scale on which the numbers of a format lie evenly."""
        if end in {0.0, np.inf}:
            return float(kind.top if end else kind.bottom)
        fraction, exponent = np.frexp(end)
        return float(exponent + 2 * fraction - 2)


@final
@dataclass(frozen=True)
class Beside:
    """The numbers of the format closest to each of some real numbers.

    Attributes:
        centres: Takes mpmath's context and returns the real numbers, none of them 0.
    """

    label: str
    centres: Callable[[Any], list[Any]]

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """One array; where there are more than `count` points, some are drawn."""
        mpmath = needed("mpmath")
        with mpmath.workprec(ZERO_BITS):
            rows = [_neighbours(mpmath.mp, centre, kind) for centre in self.centres(mpmath.mp)]
        points = np.array(rows, kind.type).ravel()
        return (generator.permutation(points)[:count],)


def _neighbours(mp: Any, centre: Any, kind: Format) -> list[Any]:
    """The `2 EACH_SIDE + 1` numbers of the format around `centre`."""
    mantissa, exponent = mp.frexp(centre)
    whole = int(mp.nint(mp.ldexp(mantissa, kind.digits)))
    nearest = np.ldexp(kind.type(whole), exponent - kind.digits)
    row = [nearest]
    for side in (-np.inf, np.inf):
        step = nearest
        for _ in range(EACH_SIDE):
            step = np.nextafter(step, kind.type(side))
            row.append(step)
    return row


@final
@dataclass(frozen=True)
class Keeping:
    """Those points of `interval` for which `condition` holds.

    Attributes:
        condition: Takes the points as long doubles, shape `(n,)`, and returns n booleans.
    """

    label: str
    interval: Even | Floats
    condition: Callable[[np.ndarray], np.ndarray]

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """One array, of fewer than `count` points as a rule."""
        (points,) = self.interval.sample(generator, count, kind)
        return (points[self.condition(points.astype(np.longdouble))],)


@final
@dataclass(frozen=True)
class Together:
    """One interval for each argument."""

    label: str
    parts: tuple[Even | Floats, ...]

    def sample(
        self, generator: np.random.Generator, count: int, kind: Format
    ) -> tuple[np.ndarray, ...]:
        """As many arrays as there are parts."""
        return tuple(part.sample(generator, count, kind)[0] for part in self.parts)
