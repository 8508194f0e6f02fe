"""The points of each term: rows of arrays, drawn again from a seed, always as many.

What is given at points is computed by functions that are compiled once for a problem.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.xla import quick_jit
from thalweg.errors import DataError, ShapeError
from thalweg.pde.conditions import Condition, Data, Initial, Periodic, value_at
from thalweg.pde.domains import as_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.pde.problem import Ansatz, Problem

    Draw = Callable[[int, "Window"], dict[str, np.ndarray]]

Rows = dict[str, np.ndarray]  # of equal length, by what they hold: "point", "value", "normal", ...
CANDIDATES = 16  # for each point inside, where a density is asked for


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of time, and what comes before it.

    Attributes:
        start: Its first time; 0 for a problem without time.
        end: Its last.
        before: The parameters of the window before and its first time; None in the first window.
    """

    start: float = 0.0
    end: float = 1.0
    before: tuple[Any, float] | None = None


def draw_inside(problem: Problem, count: int, density: Callable[..., Any] | None) -> Draw:
    """Points inside, in space and time, as dense as `density` says or evenly."""
    at = None if density is None else _at_points(problem, density)

    def draw(seed: int, window: Window) -> Rows:
        if at is None:
            return _inside(problem, count, seed, window)
        pool = _inside(problem, CANDIDATES * count, seed, window)
        return thinned(pool, np.asarray(at(pool["point"])), count, seed)

    return draw


def thinned(rows: Rows, density: np.ndarray, count: int, seed: int) -> Rows:
    """Some of the rows, drawn with probabilities in proportion to a density."""
    if not (np.isfinite(density).all() and (density >= 0).all() and density.any()):
        density = np.ones(len(density))
    enough = np.maximum(density, density.max() * 1e-9)
    taken = np.random.default_rng(seed).choice(
        len(density), count, replace=False, p=enough / enough.sum()
    )
    return {key: leaf[taken] for key, leaf in rows.items()}


def draw_condition(problem: Problem, ansatz: Ansatz, condition: Any, count: int) -> Draw:
    """The points of a condition with their normals and values."""
    number = 1000 * (1 + problem.soft.index(condition))
    given = getattr(condition, "points", None)
    if given is not None:
        rows = _given(problem, condition, given)
        plain: Draw = lambda seed, window: dict(rows)  # noqa: ARG005, E731
    elif isinstance(condition, Initial):
        plain = _draw_start(problem, ansatz, condition, count)
    else:
        plain = _draw_edge(problem, condition, count)

    def draw(seed: int, window: Window) -> Rows:
        found = plain(seed + number, window)
        return found | {"origin": np.full(len(found["point"]), window.start)}

    return draw


def _inside(problem: Problem, count: int, seed: int, window: Window) -> Rows:
    has_time = problem.time is not None
    points, unit = problem.domain.inside_and(int(has_time), count, seed=seed)
    if has_time:
        points = np.column_stack([points, window.start + (window.end - window.start) * unit])
    return {"point": points, "origin": np.full(count, window.start)}


def _given(problem: Problem, condition: Any, given: Any) -> Rows:
    points = as_points(given, problem.columns, "points")
    _refuse_outside(problem, points, condition.label)
    if not isinstance(condition, Data):
        return {"point": points}
    values = np.asarray(condition.values, np.float64)
    if len(values) != len(points):
        raise ShapeError(
            "values",
            found=values.shape,
            expected=f"one row for each of the {len(points)} points",
            hint="pass one measurement a point",
        )
    return {"point": points, "value": finite(values, points, condition.label)}


def _draw_start(problem: Problem, ansatz: Ansatz, condition: Initial, count: int) -> Draw:
    """Points at the start of a window, with what was given or what the window before ends with."""
    at = _at_points(problem, lambda x, _: value_at(condition.value, (x,)))

    def ended(theta: Any, spec: Any, origin: Any, row: Any) -> Any:
        u = ansatz.field(spec.unravel(theta), origin)
        return condition.residual(u, problem.split(row), None, 0.0)

    at_end = quick_jit(jax.vmap(ended, (None, None, None, 0)), static_argnums=1)

    def draw(seed: int, window: Window) -> Rows:
        inside = problem.domain.points(count, seed=seed)
        points = np.column_stack([inside, np.full(count, window.start)])
        if window.before is None:
            return {"point": points, "value": finite(at(points), points, condition.label)}
        params, origin = window.before
        theta, spec = ansatz.flat(params)
        return {"point": points, "value": np.asarray(at_end(theta, spec, origin, points))}

    return draw


def _draw_edge(problem: Problem, condition: Any, count: int) -> Draw:
    domain, has_time = problem.domain, problem.time is not None
    region = getattr(condition, "inside", None) or domain
    is_periodic = isinstance(condition, Periodic)
    on = [*domain.parts][2 * condition.axis] if is_periodic else condition.on
    has_value = not isinstance(condition, (Condition, Periodic))
    at = _at_points(problem, lambda *point: value_at(condition.value, point)) if has_value else None

    def draw(seed: int, window: Window) -> Rows:
        points, normals, unit = region.edge_and(int(has_time), count, on=on, seed=seed)
        if has_time:
            points = np.column_stack([points, window.start + (window.end - window.start) * unit])
        if is_periodic:
            other = points.copy()
            other[:, condition.axis] = domain.high[condition.axis]
            return {"point": points, "other": other}
        rows = {"point": points, "normal": normals}
        if at is not None:
            rows["value"] = finite(at(points), points, condition.label)
        return rows

    return draw


def _at_points(problem: Problem, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one point at rows of points, compiled once."""
    return quick_jit(jax.vmap(lambda row: function(*problem.split(row))))


def finite(values: Any, points: np.ndarray, label: str) -> np.ndarray:
    """Values at points, as float64.

    Raises:
        DataError: One is NaN or infinite.
    """
    values = np.asarray(values, np.float64)
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if bad.size:
        raise DataError(
            f"the value of `{label}` is NaN or infinite at {text_of(points[bad[0]])}; "
            "write it so that it is finite at all its points"
        )
    return values


def _refuse_outside(problem: Problem, points: np.ndarray, label: str) -> None:
    """Refuse points outside of domain and time.

    Raises:
        DataError: Naming the first of them.
    """
    outside = np.flatnonzero(~problem.covers(points))
    if outside.size:
        raise DataError(
            f"{outside.size} of {len(points)} points of `{label}` lie outside of the domain, first "
            f"{text_of(points[outside[0]])}; leave them out, or make the domain or time larger"
        )


def text_of(point: np.ndarray) -> str:
    """A point as people write it."""
    return "(" + ", ".join(f"{value:.6g}" for value in point) + ")"
