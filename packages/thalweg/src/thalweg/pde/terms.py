"""The terms of the loss of a problem: one for the equation, one for each soft condition.

Each is a residual at one row of points, and draws its rows anew from a seed, always as many. Their
weights are balanced by what the Jacobian knows. With κ the mean of |∂r/∂θ|² over the points of a
component of a term, each component gets the weight κ₀/κ, κ₀ that of the equation: then a change of
the parameters is seen as much by a condition as by the equation.

Source: Wang, Yu & Perdikaris 2022, "When and why PINNs fail to train: a neural tangent kernel
perspective", whose traces of the tangent kernel these are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.pde.conditions import AbstractCondition, Condition, Data, Initial, Periodic, value_at
from thalweg.pde.domains import as_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.pde.problem import Ansatz, Problem

ROWS = 64  # points that the balance of weights is measured at
CANDIDATES = 16  # for each point inside, where a density is asked for
NOISY = 1e-3  # of the balanced weight: noise must not bend the solution away from the equation
SPREAD = 1e8  # the largest ratio of weights


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of time, and the field before it.

    Attributes:
        start: Its first time; 0 for a problem without time.
        end: Its last.
        before: The field that ends where this window starts; None in the first window.
    """

    start: float = 0.0
    end: float = 1.0
    before: Any = None


@dataclasses.dataclass(eq=False)
class Term:
    """One term of the loss.

    Attributes:
        label: What messages and pages call it.
        function: `function(params, row)`: the residuals at one point, shape `(k,)`.
        draw: `draw(seed, window)`: rows of points, always as many.
        condition: Where it comes from; None for the equation.
        rows: The present rows, a dictionary of arrays.
        scale: Factors of the residuals, `(k,)`.
        factors: In place of 1: a factor for each row.
    """

    label: str
    function: Callable[..., Any]
    draw: Callable[[int, Window], dict[str, np.ndarray]]
    condition: AbstractCondition | None = None
    rows: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    scale: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        def scaled(params: Any, row: Any, scale: Any) -> Any:
            return scale * self.function(params, row)

        def sensitivity(params: Any, row: Any) -> Any:
            slopes = jax.jacrev(lambda p: self.function(p, row))(params)
            return sum(jnp.sum(leaf**2, axis=range(1, leaf.ndim)) for leaf in arrays(slopes))

        self._scaled = scaled  # one object, by which compiled programs are known
        self.residuals = jax.jit(jax.vmap(self.function, in_axes=(None, 0)))
        self._sensitivities = jax.jit(jax.vmap(sensitivity, in_axes=(None, 0)))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows["point"])

    def squares(self) -> tw.LeastSquares:
        """The term as a part of the loss."""
        scale = np.broadcast_to(self.scale, (self.count, len(self.scale)))
        return tw.LeastSquares(self._scaled, data=(self.rows, scale))

    def sensitivity(self, params: Any) -> np.ndarray:
        """The mean of |∂r/∂θ|² over some rows, for each component, `(k,)`."""
        some = np.linspace(0, self.count - 1, min(ROWS, self.count)).astype(int)
        rows = jax.tree.map(lambda leaf: leaf[some], self.rows)
        return np.asarray(self._sensitivities(params, rows)).mean(axis=0)


def arrays(tree: Any) -> list[Any]:
    """The arrays of a pytree, without what else a module holds."""
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, (np.ndarray, jax.Array))]


def balance(terms: Sequence[Term], params: Any) -> None:
    """Set the scales of all terms from their sensitivities; see the module."""
    squares = [term.sensitivity(params) for term in terms]
    reference = float(np.mean(squares[0])) or 1.0
    for term, kappa in zip(terms, squares, strict=True):
        own = 1.0 if term.condition is None else term.condition.weight
        if isinstance(term.condition, Data) and term.condition.noise != 0:
            own *= NOISY
        floor = max(float(kappa.max()), reference / SPREAD) / SPREAD
        term.scale = np.sqrt(own * reference / np.maximum(kappa, floor))


def build_terms(
    problem: Problem, ansatz: Ansatz, *, points: int, edge_points: int, density: Any = None
) -> tuple[Term, ...]:
    """The terms of a problem, that of the equation first; rows are still to be drawn.

    Args:
        problem: The problem.
        ansatz: What turns parameters into fields.
        points: Points inside.
        edge_points: Points of all soft conditions together.
        density: Of the points inside, a function of one point; None for an even one.
    """
    soft = problem.soft
    drawn = [c for c in soft if not isinstance(c, Data) and getattr(c, "points", None) is None]
    share = max(edge_points // max(len(drawn), 1), 8)
    equation = _equation_term(problem, ansatz, points, density)
    return (equation, *(_condition_term(problem, ansatz, c, share) for c in soft))


def _equation_term(problem: Problem, ansatz: Ansatz, count: int, density: Any) -> Term:
    def function(params: Any, row: Any) -> Any:
        origin = row["origin"]
        extra = (ansatz.unknowns(params, origin),) if problem.unknowns else ()
        u = ansatz.field(params, origin)
        found = problem.equation(u, *problem.split(row["point"]), *extra)
        return flat(found, "equation")

    at = None if density is None else jax.jit(jax.vmap(lambda p: density(*problem.split(p))))

    def draw(seed: int, window: Window) -> dict[str, np.ndarray]:
        if at is None:
            return inside(problem, count, seed, window)
        pool = inside(problem, CANDIDATES * count, seed, window)
        return thinned(pool, np.asarray(at(pool["point"])), count, seed)

    return Term("equation", function, draw)


def thinned(
    rows: dict[str, np.ndarray], density: np.ndarray, count: int, seed: int
) -> dict[str, np.ndarray]:
    """Some of the rows, drawn with probabilities in proportion to a density."""
    if not (np.isfinite(density).all() and (density >= 0).all() and density.any()):
        density = np.ones(len(density))
    enough = np.maximum(density, density.max() * 1e-9)
    taken = np.random.default_rng(seed).choice(
        len(density), count, replace=False, p=enough / enough.sum()
    )
    return {key: leaf[taken] for key, leaf in rows.items()}


def _condition_term(problem: Problem, ansatz: Ansatz, condition: Any, count: int) -> Term:
    takes_unknowns = problem.has_residual_of_unknowns(condition)

    def function(params: Any, row: Any) -> Any:
        u, point = ansatz.field(params, row["origin"]), problem.split(row["point"])
        extra = (ansatz.unknowns(params, row["origin"]),) if takes_unknowns else ()
        normal = row.get("normal")
        if normal is not None and problem.domain.is_scalar:
            normal = normal[0]
        if isinstance(condition, Periodic):
            found = condition.residual(u, point, problem.split(row["other"]))
        elif isinstance(condition, Condition):
            sides = () if normal is None else (normal,)
            found = condition.residual(u, *point, *sides, *extra)
        else:
            found = condition.residual(u, point, normal, row["value"])
            _refuse_shape(condition, found, u, point, row["value"])
        return flat(found, condition.label)

    def draw(seed: int, window: Window) -> dict[str, np.ndarray]:
        rows = _rows_of(problem, condition, count, seed, window)
        rows["origin"] = np.full(len(rows["point"]), window.start)
        return rows

    return Term(condition.label, function, draw, condition)


def inside(problem: Problem, count: int, seed: int, window: Window) -> dict[str, np.ndarray]:
    """Rows of points inside, in space and time."""
    has_time = problem.time is not None
    points, unit = problem.domain.inside_and(int(has_time), count, seed=seed)
    if has_time:
        points = np.column_stack([points, window.start + (window.end - window.start) * unit])
    return {"point": points, "origin": np.full(count, window.start)}


def _rows_of(
    problem: Problem, condition: Any, count: int, seed: int, window: Window
) -> dict[str, np.ndarray]:
    """The rows of a condition, without their origin."""
    domain, has_time = problem.domain, problem.time is not None
    seed += 1000 * (1 + problem.soft.index(condition))
    given = getattr(condition, "points", None)
    if given is not None:
        points = as_points(given, problem.columns, "points")
        _refuse_outside(problem, points, condition.label)
        rows = {"point": points}
        if isinstance(condition, Data):
            rows["value"] = _measured(condition, len(points))
        return rows
    if isinstance(condition, Initial):
        points = np.column_stack(
            [domain.points(count, seed=seed), np.full(count, window.start)],
        )
        return {"point": points, "value": _initial_values(problem, condition, points, window)}
    on = condition.on if not isinstance(condition, Periodic) else low_side(domain, condition.axis)
    region = getattr(condition, "inside", None) or domain
    points, normals, unit = region.edge_and(int(has_time), count, on=on, seed=seed)
    if has_time:
        points = np.column_stack([points, window.start + (window.end - window.start) * unit])
    if isinstance(condition, Periodic):
        other = points.copy()
        other[:, condition.axis] = domain.high[condition.axis]
        return {"point": points, "other": other}
    rows = {"point": points, "normal": normals}
    if not isinstance(condition, Condition):
        rows["value"] = _values(problem, condition, points)
    return rows


def low_side(domain: Any, axis: int) -> str:
    """The name of the edge at the low end of a coordinate."""
    return [*domain.parts][2 * axis]


def _initial_values(problem: Problem, condition: Initial, points: Any, window: Window) -> Any:
    """What the start of a window has to be: what was given, or where the window before ended."""
    if window.before is None:
        in_space = points[:, 0] if problem.domain.is_scalar else points[:, :-1]
        return _finite(
            jax.jit(jax.vmap(lambda x: value_at(condition.value, (x,))))(in_space),
            points,
            condition.label,
        )
    zero = condition.residual
    at = jax.jit(jax.vmap(lambda row: zero(window.before, problem.split(row), None, 0.0)))
    return np.asarray(at(points))


def _values(problem: Problem, condition: Any, points: np.ndarray) -> np.ndarray:
    at = jax.jit(jax.vmap(lambda row: value_at(condition.value, problem.split(row))))
    return _finite(at(points), points, condition.label)


def _finite(values: Any, points: np.ndarray, label: str) -> np.ndarray:
    values = np.asarray(values, np.float64)
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if bad.size:
        raise DataError(
            f"the value of `{label}` is NaN or infinite at {_text(points[bad[0]])}; "
            "write it so that it is finite on the whole edge"
        )
    return values


def _measured(condition: Data, count: int) -> np.ndarray:
    values = np.asarray(condition.values, np.float64)
    if len(values) != count:
        raise ShapeError(
            "values",
            found=values.shape,
            expected=f"one row for each of the {count} points",
            hint="pass one measurement a point",
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
            f"{_text(points[outside[0]])}; leave them out, or make the domain or time larger"
        )


def _text(point: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in point) + ")"


def flat(found: Any, name: str) -> jax.Array:
    """Residuals as one array `(k,)`.

    Raises:
        ShapeError: They are not numbers or arrays of one axis.
    """
    leaves = jax.tree.leaves(found)
    if not leaves or any(
        not isinstance(leaf, (jax.Array, np.ndarray, float, int)) for leaf in leaves
    ):
        raise ConfigError(
            f"the residual of `{name}` returned {type(found).__name__}, but a number, an array or "
            "a tuple of them was expected; check that the function ends with `return`"
        )
    for leaf in leaves:
        if jnp.ndim(leaf) > 1:
            raise ShapeError(
                f"residual of {name}",
                found=jnp.shape(leaf),
                expected="a number or `(k,)`",
                hint="a vector and a column may have been combined; return one number an equation",
            )
    return jnp.concatenate([jnp.atleast_1d(jnp.asarray(leaf, float)) for leaf in leaves])


def _refuse_shape(condition: Any, found: Any, u: Any, point: Any, value: Any) -> None:
    """Refuse a value that does not fit what it is compared with.

    Raises:
        ShapeError: Naming both shapes.
    """
    output = u(*point)
    wanted = () if condition.component is not None else output.shape
    if found.shape != wanted:
        raise ShapeError(
            f"value of {condition.label}",
            found=jnp.shape(value),
            expected=f"() or {wanted}",
            hint="give one number for each output of u, or name the `component` that is meant",
        )


def refuse_singular(terms: Sequence[Term], params: Any) -> None:
    """Refuse a term that is not finite at a point, or has no finite slope there.

    Raises:
        DataError: Naming the term and the point.
    """
    for term in terms:
        values = np.asarray(term.residuals(params, term.rows))
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise DataError(
                f"the residual of `{term.label}` is NaN or infinite at "
                f"{_text(term.rows['point'][bad[0]])}; multiply the equation by what vanishes "
                "there, or cut the point out of the domain"
            )
        if not np.isfinite(term.sensitivity(params)).all():
            raise DataError(
                f"the residual of `{term.label}` has no finite derivative by the parameters at "
                "some points; look for a root or an absolute value of something that is 0 there"
            )
