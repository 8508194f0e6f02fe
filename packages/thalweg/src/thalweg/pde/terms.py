"""The terms of the loss of a problem: one for the equation, one for each soft condition.

Their weights are balanced by what the Jacobian knows. With κ the mean of |∂r/∂θ|² over the points
of a component of a term, each component gets the weight κ₀/κ, κ₀ that of the equation: then a
change of the parameters is seen as much by a condition as by the equation.

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
from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.pde.conditions import AbstractCondition, Condition, Data, Periodic
from thalweg.pde.rows import draw_condition, draw_inside, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.pde.problem import Ansatz, Problem
    from thalweg.pde.rows import Draw, Rows

ROWS = 64  # points that the balance of weights is measured at
NOISY = 1e-3  # of the balanced weight, at the end: noise must not bend the solution
SPREAD = 1e8  # the largest ratio of weights
LEAST_ROWS = 8  # points of a condition


@dataclasses.dataclass(eq=False)
class Term:
    """One term of the loss.

    Attributes:
        label: What messages and pages call it.
        function: `function(params, row)`: the residuals at one point, shape `(k,)`.
        draw: `draw(seed, window)`: rows of points.
        ansatz: What lays parameters out as one vector.
        condition: Where it comes from; None for the equation.
        rows: The present rows.
        scale: Factors of the residuals, `(k,)`.
    """

    label: str
    function: Callable[..., Any]
    draw: Draw
    ansatz: Ansatz
    condition: AbstractCondition | None = None
    rows: Rows = dataclasses.field(default_factory=dict)
    scale: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        def scaled(params: Any, row: Any, scale: Any) -> Any:
            return scale * self.function(params, row)

        def one(theta: Any, spec: Any, row: Any) -> Any:
            return self.function(spec.unravel(theta), row)

        def squares(theta: Any, spec: Any, row: Any) -> Any:
            return jnp.sum(jax.jacrev(one)(theta, spec, row) ** 2, axis=1)

        def over_rows(function: Callable[..., Any]) -> Any:
            return quick_jit(jax.vmap(function, (None, None, 0)), static_argnums=1)

        self._scaled = scaled  # one object, by which compiled programs are known
        self._residuals, self._squares = over_rows(one), over_rows(squares)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows["point"])

    def squares(self) -> tw.LeastSquares:
        """The term as a part of the loss."""
        scale = np.broadcast_to(self.scale, (self.count, len(self.scale)))
        return tw.LeastSquares(self._scaled, data=(self.rows, scale))

    def residuals(self, params: Any, rows: Rows | None = None) -> np.ndarray:
        """The residuals at some rows, without their scales, `(n, k)`."""
        theta, spec = self.ansatz.flat(params)
        return np.asarray(self._residuals(theta, spec, self.rows if rows is None else rows))

    def size(self, params: Any, rows: Rows | None = None) -> float:
        """The root of the mean square of the scaled residuals at some rows."""
        return float(np.sqrt(np.mean((self.residuals(params, rows) * self.scale) ** 2)))

    def sensitivity(self, params: Any) -> np.ndarray:
        """The mean of |∂r/∂θ|² over some rows, for each component, `(k,)`."""
        some = np.linspace(0, self.count - 1, min(ROWS, self.count)).astype(int)
        rows = {key: leaf[some] for key, leaf in self.rows.items()}
        theta, spec = self.ansatz.flat(params)
        return np.asarray(self._squares(theta, spec, rows)).mean(axis=0)


def balance(terms: Sequence[Term], params: Any, share: float = 1.0) -> None:
    """Set the scales of all terms from their sensitivities; see the module.

    Args:
        terms: All terms.
        params: The present parameters.
        share: Of the rounds that are over. Noisy measurements have their full weight at first: with
            little weight from the start, a network finds the nearest solution of the equation, and
            only creeps from there to the one that was measured.
    """
    squares = [term.sensitivity(params) for term in terms]
    reference = float(np.mean(squares[0])) or 1.0
    for term, kappa in zip(terms, squares, strict=True):
        own = 1.0 if term.condition is None else term.condition.weight
        if isinstance(term.condition, Data) and term.condition.noise != 0:
            own *= NOISY**share
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
    drawn = [c for c in problem.soft if getattr(c, "points", None) is None]
    share = max(edge_points // max(len(drawn), 1), LEAST_ROWS)

    def equation(params: Any, row: Any) -> Any:
        return equation_at(problem, ansatz, params, row["origin"], row["point"])

    inside = draw_inside(problem, points, density)
    labels = [c.label for c in problem.soft]
    conditions = (
        Term(
            label if labels.count(label) == 1 else f"{label}, {labels[: k + 1].count(label)}",
            _condition_at(problem, ansatz, c),
            draw_condition(problem, ansatz, c, share),
            ansatz,
            c,
        )
        for k, (c, label) in enumerate(zip(problem.soft, labels, strict=True))
    )
    return (Term("equation", equation, inside, ansatz), *conditions)


def equation_at(problem: Problem, ansatz: Ansatz, params: Any, origin: Any, point: Any) -> Any:
    """The residual of the equation at one point, `(k,)`."""
    extra = (ansatz.unknowns(params, origin),) if problem.unknowns else ()
    found = problem.equation(ansatz.field(params, origin), *problem.split(point), *extra)
    return _flat(found, "equation")


def _condition_at(problem: Problem, ansatz: Ansatz, condition: Any) -> Callable[..., Any]:
    """The residual of a condition at one row, a function of the parameters and the row."""

    def function(params: Any, row: Any) -> Any:
        u, point = ansatz.field(params, row["origin"]), problem.split(row["point"])
        normal = row.get("normal")
        if normal is not None and problem.domain.is_scalar:
            normal = normal[0]
        if isinstance(condition, Periodic):
            found = condition.residual(u, point, problem.split(row["other"]))
        elif isinstance(condition, Condition):
            extra = () if normal is None else (normal,)
            if problem.unknowns:
                extra = (*extra, ansatz.unknowns(params, row["origin"]))
            found = condition.residual(u, *point, *extra)
        else:
            _refuse_value(condition, jax.eval_shape(u, *point), row["value"])
            found = condition.residual(u, point, normal, row["value"])
        return _flat(found, condition.label)

    return function


def _flat(found: Any, name: str) -> jax.Array:
    """Residuals as one array `(k,)`.

    Raises:
        ConfigError: They are no numbers.
        ShapeError: An array of them has more than one axis.
    """
    leaves = jax.tree.leaves(found)
    if not leaves or not all(isinstance(leaf, (jax.Array, np.ndarray, float)) for leaf in leaves):
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
                hint="a row and a column may have been combined; return one number an equation",
            )
    return jnp.concatenate([jnp.atleast_1d(jnp.asarray(leaf, float)) for leaf in leaves])


def _refuse_value(condition: Any, output: Any, value: Any) -> None:
    """Refuse a value that does not fit what it is compared with.

    Raises:
        ShapeError: Naming both shapes.
    """
    wanted = () if condition.component is not None else output.shape
    if value.shape not in ((), wanted):
        raise ShapeError(
            f"value of {condition.label}",
            found=value.shape,
            expected=f"() or {wanted}" if wanted else "()",
            hint="give one number for each output of u, or name the `component` that is meant",
        )


def refuse_singular(terms: Sequence[Term], params: Any) -> None:
    """Refuse a term that is not finite at a point, or has no finite slope there.

    Raises:
        DataError: Naming the term and the point.
    """
    for term in terms:
        bad = np.flatnonzero(~np.isfinite(term.residuals(params)).all(axis=1))
        if bad.size:
            raise DataError(
                f"the residual of `{term.label}` is NaN or infinite at "
                f"{text_of(term.rows['point'][bad[0]])}; multiply the equation by what vanishes "
                "there, or cut the point out of the domain"
            )
        if not np.isfinite(term.sensitivity(params)).all():
            raise DataError(
                f"the residual of `{term.label}` has no finite derivative by the parameters at "
                "some points; look for a root or an absolute value of something that is 0 there"
            )
