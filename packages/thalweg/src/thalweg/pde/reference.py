"""What a solution is compared with: a formula, or values at points."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.pde.domains import as_points
from thalweg.pde.networks import float64

if TYPE_CHECKING:
    from thalweg.pde.problem import Problem


@dataclasses.dataclass(frozen=True)
class Table:
    """Values of the solution at points.

    Attributes:
        points: One row each with the time last; on a line without time also `(N,)`.
        values: `(N,)`, or `(N, k)` for k outputs.
    """

    points: Any
    values: Any

    def __post_init__(self) -> None:
        if len(self.points) != len(self.values):
            raise ShapeError(
                "values",
                found=np.shape(self.values),
                expected=f"one row for each of the {len(self.points)} points",
                hint="pass one value a point",
            )

    @classmethod
    def of_grid(cls, x: Any, t: Any, values: Any) -> Table:
        """A table from a grid in space and time.

        Args:
            x: Coordinates, `(a,)`.
            t: Times, `(b,)`.
            values: `(a, b)`, or `(a, b, k)`.
        """
        at = np.stack(np.meshgrid(x, t, indexing="ij"), axis=-1).reshape(-1, 2)
        values = np.asarray(values)
        return cls(at, values.reshape(len(at), *values.shape[2:]))


def known_values(problem: Problem, reference: Any, count: int) -> Table | None:
    """The reference as a table; a formula at points spread evenly over domain and time.

    Raises:
        ConfigError: It is neither a function nor a table.
        DataError: It is not finite somewhere, or a point lies outside.
    """
    if reference is None:
        return None
    if isinstance(reference, Table):
        points = as_points(reference.points, problem.columns, "points")
        values = np.asarray(reference.values, float)
        if not problem.covers(points).all():
            raise DataError("a point of the reference lies outside of the domain; leave it out")
    elif callable(reference):
        points = spread(problem, count)
        values = formula_at(problem, reference, points)
    else:
        raise ConfigError(
            f"`reference` is of type {type(reference).__name__}, but a function of one point or "
            "`pde.Table(points, values)` was expected"
        )
    if not np.isfinite(values).all():
        raise DataError("the reference is NaN or infinite at some points; leave them out")
    return Table(points, values)


def formula_at(problem: Problem, formula: Any, points: np.ndarray) -> np.ndarray:
    """A formula of one point at rows of points."""
    with float64():
        at = quick_jit(jax.vmap(lambda row: formula(*problem.split(row))))
        return np.asarray(at(points), float)


def spread(problem: Problem, count: int) -> np.ndarray:
    """Points over domain and time, `(count, columns)`."""
    span = problem.interval
    points, unit = problem.domain.inside_and(int(span is not None), count, seed=12345)
    if span is None:
        return points
    return np.column_stack([points, span.start + (span.end - span.start) * unit])
