"""Where an equation holds: regions of space with named edges, and points in and on them.

Points come from Sobol's sequence, which fills a box more evenly than random points do; those
outside of the region are left out. A domain knows its edges by name, and the whole boundary as
"edge". Unions and differences keep the names; a name that both parts have means both.

Source: Sobol' 1967, in the scrambled form of Owen 1998 that `scipy.stats.qmc` has.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EDGE = "edge"  # the name of the whole boundary
TRIES = 24  # doublings of the points tried, until a thin region is called empty


class Part(NamedTuple):
    """A named part of a boundary.

    Attributes:
        measure: Its length or area; 1 for a point.
        place: Numbers from 0 to 1, `(n, d - 1)`, to points `(n, d)` on it, evenly, and the outward
            normals there.
        distance: Of one point, smooth, 0 on this part alone and positive inside; None if unknown.
        is_round: Whether the distance is negative everywhere outside.
    """

    measure: float
    place: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    distance: Callable[[Any], Any] | None = None
    is_round: bool = False


def sobol(count: int, dimension: int, seed: int) -> np.ndarray:
    """Evenly spread points of the unit cube, shape `(count, dimension)`."""
    if dimension == 0:
        return np.zeros((count, 0))
    from scipy.stats import qmc

    engine = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(seed))
    return engine.random_base2(max(math.ceil(math.log2(max(count, 1))), 0))[:count]


class Domain(abc.ABC):
    """Base of the regions of space; `a + b` is a union, `a - b` a difference.

    Attributes:
        low: The least coordinates, shape `(d,)`.
        high: The greatest.
    """

    low: np.ndarray
    high: np.ndarray
    is_scalar = False  # whether a point is a number in place of an array

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.low)

    @property
    @abc.abstractmethod
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """The parts of the boundary by name."""

    @abc.abstractmethod
    def contains(self, points: Any) -> np.ndarray:
        """Whether each point, `(n, d)`, lies inside; points on the boundary may count as either."""

    def points(self, count: int, *, seed: int = 0) -> np.ndarray:
        """Points inside, `(count, d)`, spread evenly.

        Raises:
            ConfigError: The region is empty.
        """
        return self.inside_and(0, count, seed=seed)[0]

    def inside_and(self, extra: int, count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Points inside, and `extra` numbers from 0 to 1 for each, all spread evenly together."""

        def try_points(tried: int) -> tuple[np.ndarray, np.ndarray]:
            unit = sobol(tried, self.dimension + extra, seed)
            found = self.low + (self.high - self.low) * unit[:, extra:]
            kept = self.contains(found)
            return found[kept], unit[kept, :extra]

        return _enough(try_points, count, "the domain")

    def edge_points(
        self, count: int, *, on: str | Sequence[str] = EDGE, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points on named parts of the boundary, spread evenly over their length or area.

        Returns:
            Points and outward normals, both `(count, d)`. Where the parts are single points, as
            the ends of an interval, there is one row for each, whatever `count` is.

        Raises:
            ConfigError: There is no part of that name.
        """
        return self.edge_and(0, count, on=on, seed=seed)[:2]

    def edge_and(
        self, extra: int, count: int, *, on: str | Sequence[str] = EDGE, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `edge_points`, with `extra` numbers from 0 to 1 for each point."""
        parts = self.parts_on(on)
        if self.dimension == 1 and extra == 0:
            count = len(parts)  # one row for each end
        total = sum(part.measure for part in parts)
        shares = np.cumsum([0.0, *(part.measure / total for part in parts)])

        def try_points(tried: int) -> tuple[np.ndarray, ...]:
            # One number chooses the part, and what is left of it places the point there.
            unit = sobol(tried, max(self.dimension - 1, 1) + extra, seed)
            if self.dimension == 1 and extra == 0:
                unit[:, 0] = (np.arange(tried) + 0.5) / len(parts) % 1
            chosen = unit[:, extra]
            which = np.minimum(np.searchsorted(shares, chosen, "right") - 1, len(parts) - 1)
            chosen[:] = (chosen - shares[which]) / (shares[which + 1] - shares[which])
            points, normals = np.empty((2, tried, self.dimension))
            for k, part in enumerate(parts):
                at = unit[which == k, extra : extra + self.dimension - 1]
                points[which == k], normals[which == k] = part.place(at)
            kept = self._is_edge(points, normals)
            return points[kept], normals[kept], unit[kept, :extra]

        return _enough(try_points, count, f"the edge {on!r}")

    def _is_edge(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Whether points of the parts lie on the boundary; of combined regions not all do."""
        step = 1e-6 * float(np.max(self.high - self.low)) * normals
        return self.contains(points - step) & ~self.contains(points + step)

    def parts_on(self, on: str | Sequence[str]) -> list[Part]:
        """The parts that a name or several mean.

        Raises:
            ConfigError: There is no part of that name.
        """
        known = self.parts
        names = [on] if isinstance(on, str) else list(on)
        for name in names:
            if name != EDGE and name not in known:
                raise ConfigError(
                    f"there is no edge {name!r}; this domain has {', '.join(map(repr, known))}, "
                    f"and {EDGE!r} for all of them"
                )
        wanted = known if EDGE in names else names
        return [part for name in wanted for part in known[name]]

    def distance(self, on: str | Sequence[str] = EDGE) -> Callable[[Any], Any] | None:
        """A smooth function of one point, 0 on the edges and positive inside; None if unknown."""
        distances = [part.distance for part in self.parts_on(on)]
        if not distances or any(each is None for each in distances):
            return None
        return lambda x: math.prod(each(x) for each in distances)  # pyright: ignore[reportOptionalCall]

    def __add__(self, other: Domain) -> Domain:
        return _Combined(self, other, np.logical_or)

    def __sub__(self, other: Domain) -> Domain:
        return _Combined(self, other, lambda a, b: a & ~b)


def _enough(try_points: Callable[[int], tuple[np.ndarray, ...]], count: int, what: str) -> Any:
    """The first `count` rows of what is found, trying more points until there are enough."""
    tried = count
    for _ in range(TRIES):
        found = try_points(tried)
        if len(found[0]) >= count:
            return tuple(rows[:count] for rows in found)
        if tried > 2**21:
            break
        tried *= 2
    raise ConfigError(
        f"{what} holds hardly any point of the box around it; check that the parts overlap as "
        "you mean them to"
    )


class _Combined(Domain):
    """A union or a difference."""

    def __init__(self, first: Domain, second: Domain, join: Callable[[Any, Any], Any]) -> None:
        if first.dimension != second.dimension:
            raise ConfigError(
                f"regions of {first.dimension} and {second.dimension} coordinates were combined; "
                "both must have as many"
            )
        self._pair, self._join = (first, second), join
        self._is_difference = not bool(join(np.array([True]), np.array([True]))[0])
        self.is_scalar = first.is_scalar
        self.low, self.high = first.low, first.high
        if not self._is_difference:
            self.low = np.minimum(first.low, second.low)
            self.high = np.maximum(first.high, second.high)

    @property
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """Those of both regions, as far as they are boundary still."""
        first, second = (region.parts for region in self._pair)
        if self._is_difference:
            second = {name: [_turned(part) for part in parts] for name, parts in second.items()}
        else:  # a distance to a whole side would be 0 inside of the union, too
            first, second = (_without_distance(parts) for parts in (first, second))
        return {name: [*first.get(name, ()), *second.get(name, ())] for name in {**first, **second}}

    def contains(self, points: Any) -> np.ndarray:
        """See `Domain`."""
        first, second = (region.contains(points) for region in self._pair)
        return self._join(first, second)


def _turned(part: Part) -> Part:
    """A part of what was cut out: its normals point into the hole."""

    def place(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, normals = part.place(unit)
        return points, -normals

    inner = part.distance
    outer = None if inner is None or not part.is_round else (lambda x: -inner(x))
    return Part(part.measure, place, outer)


def _without_distance(parts: Mapping[str, Sequence[Part]]) -> dict[str, list[Part]]:
    return {name: [part._replace(distance=None) for part in each] for name, each in parts.items()}


@dataclasses.dataclass(frozen=True)
class TimeInterval:
    """The times from `start` to `end`."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end) and self.start < self.end):
            raise ConfigError(
                f"the time goes from {self.start} to {self.end}, but a finite start before a "
                "finite end was expected"
            )


def as_points(points: Any, columns: int, name: str) -> np.ndarray:
    """Points as an array `(n, columns)`; on a line also `(n,)`.

    Raises:
        ShapeError: They have another shape.
    """
    array = np.asarray(points, float)
    if array.ndim == 1 and columns == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != columns or not len(array):  # noqa: PLR2004 - a matrix
        raise ShapeError(
            name,
            found=np.shape(points),
            expected=f"one row a point and {columns} coordinate(s) a row",
            hint="pass the coordinates of space first, and the time last",
        )
    return array
