"""The plain regions: interval, box, ball and disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.pde.domains import Domain, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = (("left", "right"), ("bottom", "top"), ("back", "front"))


class Interval(Domain):
    """The interval from `low` to `high`, with the edges "left" and "right".

    A point of it is a number.
    """

    is_scalar = True

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = _box(np.atleast_1d(low), np.atleast_1d(high))
        if self.dimension != 1:
            raise ConfigError("an `Interval` takes two numbers; use `Box` for more coordinates")

    @property
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """Both ends."""
        return _sides(self.low, self.high, is_scalar=True)

    def contains(self, points: Any) -> np.ndarray:
        """See `Domain`."""
        return _inside_box(points, self.low, self.high)


class Box(Domain):
    """A rectangle or box, with the edges "left", "right", "bottom", "top", "back" and "front".

    The edges of the fourth coordinate are "x4 low" and "x4 high", and so on.

    Args:
        low: The least coordinates.
        high: The greatest.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        self.low, self.high = _box(low, high)

    @property
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """Two sides for each coordinate."""
        return _sides(self.low, self.high, is_scalar=False)

    def contains(self, points: Any) -> np.ndarray:
        """See `Domain`."""
        return _inside_box(points, self.low, self.high)


class Ball(Domain):
    """A ball in any dimension from 2 on, whose boundary has the name `name`."""

    def __init__(self, center: Sequence[float], radius: float, *, name: str = "sphere") -> None:
        self.center = np.asarray(center, float)
        if self.center.ndim != 1 or self.center.size < 2 or not radius > 0:  # noqa: PLR2004
            raise ConfigError(
                f"`center` is {center} and `radius` {radius}, but at least two coordinates and a "
                "radius above 0 were expected"
            )
        self.radius = float(radius)
        self.name = name
        self.low, self.high = self.center - radius, self.center + radius

    @property
    def parts(self) -> Mapping[str, Sequence[Part]]:
        """The whole boundary under its name."""
        d = self.dimension
        measure = 2 * math.pi ** (d / 2) / math.gamma(d / 2) * self.radius ** (d - 1)
        return {self.name: [Part(measure, self._place, self._distance, is_round=True)]}

    def _place(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.dimension == 2:  # noqa: PLR2004 - a circle
            angle = 2 * np.pi * unit[:, 0]
            normals = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        elif self.dimension == 3:  # noqa: PLR2004 - a sphere: heights are spread evenly
            height, angle = 2 * unit[:, 0] - 1, 2 * np.pi * unit[:, 1]
            ring = np.sqrt(1 - height**2)
            normals = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
        else:
            seed = int(1e9 * unit.sum() % 1e9)  # directions of normal numbers are spread evenly
            normal = np.random.default_rng(seed).standard_normal((len(unit), self.dimension))
            normals = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        return self.center + self.radius * normals, normals

    def _distance(self, x: Any) -> Any:
        return (self.radius**2 - jnp.sum((x - self.center) ** 2)) / (2 * self.radius)

    def contains(self, points: Any) -> np.ndarray:
        """See `Domain`."""
        return np.sum((np.asarray(points) - self.center) ** 2, axis=-1) < self.radius**2


class Disk(Ball):
    """A disk, whose boundary has the name `name`."""

    def __init__(self, center: Sequence[float], radius: float, *, name: str = "circle") -> None:
        super().__init__(center, radius, name=name)
        if self.dimension != 2:  # noqa: PLR2004 - the plane
            raise ConfigError(f"`center` is {center}, but the two coordinates of a disk were meant")


def _box(low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.asarray(low, float), np.asarray(high, float)
    if low.shape != high.shape or low.ndim != 1 or not np.all(low < high):
        raise ConfigError(
            f"the domain goes from {low} to {high}, but as many finite lower as upper ends, each "
            "below its upper one, were expected"
        )
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ConfigError(f"the domain goes from {low} to {high}; cut it to finite ends")
    return low, high


def _inside_box(points: Any, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    points = np.asarray(points)
    return np.all((points > low) & (points < high), axis=-1)


def _sides(low: np.ndarray, high: np.ndarray, *, is_scalar: bool) -> dict[str, list[Part]]:
    parts = {}
    for axis in range(len(low)):
        names = NAMES[axis] if axis < len(NAMES) else (f"x{axis + 1} low", f"x{axis + 1} high")
        for sign, name in zip((-1, 1), names, strict=True):
            parts[name] = [_side(low, high, axis, sign, is_scalar=is_scalar)]
    return parts


def _side(low: np.ndarray, high: np.ndarray, axis: int, sign: int, *, is_scalar: bool) -> Part:
    """The side of a box at the low (-1) or high (+1) end of a coordinate."""
    others = np.delete(np.arange(len(low)), axis)
    end = (low if sign < 0 else high)[axis]
    width = high[axis] - low[axis]

    def place(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = np.full((len(unit), len(low)), end)
        points[:, others] = low[others] + (high - low)[others] * unit
        normals = np.zeros_like(points)
        normals[:, axis] = sign
        return points, normals

    def distance(x: Any) -> Any:
        return sign * (end - (x if is_scalar else x[axis])) / width

    return Part(float(np.prod((high - low)[others])), place, distance)
