"""Polygons: regions of the plane with straight, named sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import ConfigError
from thalweg.pde.domains import Domain, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Polygon(Domain):
    """A polygon without holes whose sides do not cross.

    Args:
        vertices: The corners in order, shape `(k, 2)`, in either direction.
        names: A name for each side, that from corner 1 to corner 2 first; equal names are one
            edge. By default "side 1", "side 2", ...

    Raises:
        ConfigError: There are fewer than three corners, sides cross, or names are missing.
    """

    def __init__(self, vertices: Any, names: Sequence[str] | None = None) -> None:
        corners = np.asarray(vertices, float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:  # noqa: PLR2004
            raise ConfigError(
                f"`vertices` has shape {corners.shape}, but at least three corners in the plane, "
                "`(k, 2)`, were expected"
            )
        self.names = [f"side {k + 1}" for k in range(len(corners))] if names is None else [*names]
        if len(self.names) != len(corners):
            raise ConfigError(
                f"`names` has {len(self.names)} names for {len(corners)} sides; give one for each"
            )
        self.starts, self.ends = corners, np.roll(corners, -1, axis=0)
        _refuse_crossing(self.starts, self.ends)
        twice = np.sum(_cross(self.starts, self.ends))  # twice the area, positive anticlockwise
        self._turn = np.sign(twice)
        self.low, self.high = corners.min(axis=0), corners.max(axis=0)

    @property
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """The sides by name."""
        parts: dict[str, list[Part]] = {name: [] for name in self.names}
        for name, start, end in zip(self.names, self.starts, self.ends, strict=True):
            parts[name].append(self._side(start, end))
        return parts

    def _side(self, start: np.ndarray, end: np.ndarray) -> Part:
        along = end - start
        length = float(np.hypot(*along))
        normal = self._turn * np.array([along[1], -along[0]]) / length

        def place(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return start + unit * along, np.tile(normal, (len(unit), 1))

        return Part(length, place)

    def contains(self, points: Any) -> np.ndarray:
        """Whether a ray to the right from each point meets the sides an odd number of times."""
        x, y = np.asarray(points, float)[..., None, :].T.swapaxes(1, -1)
        (x0, y0), (x1, y1) = self.starts.T, self.ends.T
        straddles = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            meets = x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
        return np.count_nonzero(straddles & meets, axis=-1) % 2 == 1


class LShape(Polygon):
    """A square without its upper right quarter; the corner that points in is in the middle.

    Args:
        low: The least coordinates of the square.
        high: The greatest.
    """

    def __init__(
        self, low: Sequence[float] = (-1.0, -1.0), high: Sequence[float] = (1.0, 1.0)
    ) -> None:
        (a, b), (c, d) = low, high
        x, y = (a + c) / 2, (b + d) / 2
        super().__init__([(a, b), (c, b), (c, y), (x, y), (x, d), (a, d)])


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _refuse_crossing(starts: np.ndarray, ends: np.ndarray) -> None:
    """Refuse sides that cross, or that have no length.

    Raises:
        ConfigError: Naming the sides.
    """
    lengths = np.hypot(*(ends - starts).T)
    if not np.all(lengths > 0):
        raise ConfigError("two corners of the polygon that follow each other are the same point")
    for i in range(len(starts)):
        for j in range(i + 1, len(starts)):
            a, b, c, d = starts[i], ends[i], starts[j], ends[j]
            if _cross(b - a, c - a) * _cross(b - a, d - a) < 0 and (
                _cross(d - c, a - c) * _cross(d - c, b - c) < 0
            ):
                raise ConfigError(
                    f"side {i + 1} and side {j + 1} of the polygon cross; give the corners in order"
                )
