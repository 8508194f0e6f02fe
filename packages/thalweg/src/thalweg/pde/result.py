"""What `solve` returns: the field, its error, and how far it can be trusted."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.pde.inverse import Curvature, Unknown, curvature, places_of
from thalweg.pde.networks import float64
from thalweg.pde.problem import Field
from thalweg.pde.reference import known_values
from thalweg.pde.rows import Window
from thalweg.pde.terms import equation_at
from thalweg.report.text import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import thalweg as tw
    from thalweg.pde.problem import Ansatz, Problem
    from thalweg.pde.terms import Term

FRESH = 4096  # points that a result is judged at
BATCH = 8192  # points evaluated at a time
HOLDS = 1e-2  # residual, relative to what it was without training, up to which it is called small
TIGHT = 1e-4  # up to which the points of training need not be as good as fresh ones
GAP = 10.0  # residual at fresh points over that at the points of training, up to which they agree
CLOSE = 1e-2  # relative L2 error up to which a solution is called one


@dataclasses.dataclass(frozen=True)
class Stage:
    """The parameters of one window of time."""

    start: float
    end: float
    params: Any


@dataclasses.dataclass(frozen=True)
class Error:
    """How far a solution is from its reference.

    Attributes:
        relative_l2: |u - reference| / |reference| over all points.
        largest: The largest |u - reference|.
        points: How many points were compared.
    """

    relative_l2: float
    largest: float
    points: int


@dataclasses.dataclass(frozen=True, repr=False)
class Result:
    """The solution of a problem.

    Attributes:
        problem: The problem.
        stages: The parameters of each window of time.
        error: The error against the reference; None without one.
        residuals: By term: root of the mean square at fresh points, relative to that of the
            network before training.
        gap: Residual of the equation at fresh points over that at the points of training.
        weights: By term: the largest weight of its components, as it was balanced last.
        points: By term: the number of points.
        unknowns: Unknown constants, with their standard errors.
        undetermined: Combinations of unknown constants that the data leave undetermined.
        curvature: What error bars come from; None without unknowns.
        solution: The `thalweg.Solution` of the last round.
        history: Equal-length arrays over all rounds and windows: `loss`, `grad_norm`, `h`,
            `seconds`, `window`.
        seconds: Wall time of training, with the drawing of points.
        compile_seconds: Wall time of all else, which is compilation above all.
    """

    problem: Problem
    ansatz: Ansatz
    stages: tuple[Stage, ...]
    error: Error | None
    residuals: Mapping[str, float]
    gap: float
    weights: Mapping[str, float]
    points: Mapping[str, int]
    unknowns: Mapping[str, Unknown]
    undetermined: Sequence[str]
    curvature: Curvature | None
    solution: tw.Solution
    history: Mapping[str, np.ndarray]
    seconds: float
    compile_seconds: float

    @classmethod
    def of(
        cls,
        problem: Problem,
        ansatz: Ansatz,
        stages: Sequence[Stage],
        *,
        terms: Sequence[Term],
        seed: int,
        **rest: Any,
    ) -> Result:
        """Judge a trained network. Called by `solve`."""
        residuals, gap = _judged(ansatz, stages, terms, seed)
        result = cls(
            problem=problem,
            ansatz=ansatz,
            stages=tuple(stages),
            error=None,
            residuals=residuals,
            gap=gap,
            weights={term.label: float(np.max(term.scale**2)) for term in terms},
            points={term.label: term.count for term in terms},
            unknowns={},
            undetermined=(),
            curvature=None,
            **rest,
        )
        result = dataclasses.replace(result, error=result.compare())
        return result.with_errors(terms, ansatz.init(seed)) if problem.unknowns else result

    def with_errors(self, terms: Sequence[Term], before: Any) -> Result:
        """The same, with what the curvature says of the unknowns; changes the terms."""
        found = curvature(terms, self.params, before)
        names = [name for name, value in self.params["unknowns"].items() if is_constant(value)]
        places = places_of(found.spec, names)
        gradients = np.eye(found.spec.size)[[places[name] for name in names]]
        values = [float(self.params["unknowns"][name]) for name in names]
        unknowns = dict(zip(names, found.unknowns(values, gradients), strict=True))
        blind = tuple(found.undetermined(places)) if names else ()
        return dataclasses.replace(self, unknowns=unknowns, undetermined=blind, curvature=found)

    def unknown(self, name: str, x: Any, t: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """An unknown field at points, and its standard errors; NaN where it is undetermined.

        Args:
            name: Its name among the unknowns of the problem.
            x: Points in space, as in `u`.
            t: Times, as in `u`.

        Raises:
            ConfigError: There is no unknown field of that name.
        """
        points, shape = self._points(x, t)
        if not isinstance(self.problem.unknowns.get(name), Field) or self.curvature is None:
            raise ConfigError(f"there is no unknown field {name!r} in this problem")
        spec, stage = self.curvature.spec, self.stages[-1]

        def value(theta: Any, row: Any) -> Any:
            fields = self.ansatz.unknowns(spec.unravel(theta), stage.start)
            return fields[name](*self.problem.split(row))

        with float64():
            theta = spec.ravel(self.params)
            both = quick_jit(jax.vmap(jax.value_and_grad(value), (None, 0)))
            values, gradients = map(np.asarray, both(theta, points))
        return values.reshape(shape), self.curvature.errors(gradients).reshape(shape)

    @property
    def params(self) -> Any:
        """The parameters of the last window."""
        return self.stages[-1].params

    @property
    def size(self) -> int:
        """The number of weights of the network, and of unknowns."""
        return self.ansatz.flat(self.params)[1].size

    @property
    def loss(self) -> float:
        """The loss of the last round."""
        return self.solution.loss

    @property
    def _judged(self) -> list[str]:
        """The terms that can vanish; noise cannot."""
        return [label for label in self.residuals if not label.startswith("Data")]

    @property
    def is_only_at_points(self) -> bool:
        """Whether the equation holds at the points of training, and not between them."""
        return is_only_at_points(self.gap, self.residuals["equation"])

    @property
    def has_converged(self) -> bool:
        """Whether equation and conditions hold, also between the points of training."""
        holds = all(self.residuals[label] <= HOLDS for label in self._judged)
        is_close = self.error is None or self.error.relative_l2 <= CLOSE
        return holds and is_close and not self.is_only_at_points

    @property
    def verdict(self) -> str:
        """What to make of it: "Solved." or "Not solved." first, then why."""
        worst = max(self._judged, key=lambda name: self.residuals[name])
        size = number(self.residuals[worst])
        facts = f"The residual of `{worst}` is {size} of what it was untrained."
        if self.error is not None:
            facts = f"The relative L2 error is {number(self.error.relative_l2)}. {facts}"
        if self.has_converged:
            return f"Solved. {facts}"
        if self.is_only_at_points:
            return (
                "Not solved. The equation holds at the points of training only, and "
                f"{self.gap:.0f} times less well between them; give more `points`. {facts}"
            )
        return (
            f"Not solved. {facts} Give more `seconds`, a larger `network`, or for a long time "
            "`windows`."
        )

    def __repr__(self) -> str:
        lines = [self.verdict]
        if self.error is not None:
            lines.append(
                f"largest error {number(self.error.largest)} at {self.error.points:,} points"
            )
        for name, unknown in self.unknowns.items():
            lines.append(f"{name} = {unknown.value:.6g}{unknown.spread}")
        lines += [f"the data do not determine {names}" for names in self.undetermined]
        lines.append(
            f"loss {number(self.loss)} after {self.seconds:.1f} s and {self.compile_seconds:.1f} s "
            f"of compilation, by {self.solution.method}"
        )
        return "\n".join(lines)

    def u(self, x: Any, t: Any = None) -> np.ndarray:
        """The solution at points.

        Args:
            x: Points in space, `(...)` on an interval and `(..., d)` elsewhere.
            t: Times, `(...)`, or one for all; None for a problem without time.

        Returns:
            `(...)`, or `(..., k)` for several outputs.

        Raises:
            DataError: A point lies outside of the domain or the time.
            ShapeError: The points have another shape.
        """
        points, shape = self._points(x, t)
        values = self.at(points)
        return values.reshape((*shape, *values.shape[1:]))

    def residual(self, x: Any, t: Any = None) -> np.ndarray:
        """The residual of the equation at points; shapes as in `u`, `(..., k)` for k equations."""
        points, shape = self._points(x, t)
        values = self.residual_at(points)
        return values.reshape((*shape, *values.shape[1:]))

    def at(self, points: np.ndarray) -> np.ndarray:
        """The solution at rows `(n, d)`, with time `(n, d + 1)`."""
        return self._by_stage(points, self._value)

    def residual_at(self, points: np.ndarray) -> np.ndarray:
        """The residual of the equation, `(n, k)`, at rows of points."""
        return self._by_stage(points, self._residual)

    @functools.cached_property
    def _value(self) -> Any:
        def one(theta: Any, spec: Any, origin: Any, row: Any) -> Any:
            u = self.ansatz.field(spec.unravel(theta), origin)
            return u(*self.problem.split(row))

        return quick_jit(jax.vmap(one, (None, None, None, 0)), static_argnums=1)

    @functools.cached_property
    def _residual(self) -> Any:
        def one(theta: Any, spec: Any, origin: Any, row: Any) -> Any:
            return equation_at(self.problem, self.ansatz, spec.unravel(theta), origin, row)

        return quick_jit(jax.vmap(one, (None, None, None, 0)), static_argnums=1)

    def _by_stage(self, points: np.ndarray, function: Any) -> np.ndarray:
        with float64():
            which = np.zeros(len(points), int)
            if self.problem.time is not None:
                ends = [stage.end for stage in self.stages[:-1]]
                which = np.searchsorted(ends, points[:, -1], "left")
            found = None
            for k, stage in enumerate(self.stages):
                index = np.flatnonzero(which == k)
                theta, spec = self.ansatz.flat(stage.params)
                for start in range(0, len(index), BATCH):
                    some = index[start : start + BATCH]
                    values = np.asarray(function(theta, spec, stage.start, points[some]))
                    if found is None:
                        found = np.empty((len(points), *values.shape[1:]))
                    found[some] = values
            return np.empty(0) if found is None else found

    def _points(self, x: Any, t: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        domain = self.problem.domain
        x = np.asarray(x, float)
        if not domain.is_scalar and (x.ndim == 0 or x.shape[-1] != domain.dimension):
            raise ShapeError(
                "x",
                found=x.shape,
                expected=f"(..., {domain.dimension})",
                hint="the last axis holds the coordinates",
            )
        if (t is None) != (self.problem.time is None):
            raise ShapeError(
                "t",
                found=None if t is None else np.shape(t),
                expected="a time for each point" if t is None else "None",
                hint="a problem with `time` takes `u(x, t)`, and any other `u(x)`",
            )
        x = x[..., None] if domain.is_scalar else x
        shape = x.shape[:-1]
        if t is not None:
            shape = np.broadcast_shapes(shape, np.shape(t))
            t = np.broadcast_to(np.asarray(t, float), shape)[..., None]
            x = np.concatenate([np.broadcast_to(x, (*shape, x.shape[-1])), t], axis=-1)
        points = x.reshape(-1, self.problem.columns)
        outside = np.flatnonzero(~self.problem.covers(points))
        if outside.size:
            raise DataError(
                f"{outside.size} of {len(points)} points lie outside of the domain, first "
                f"{tuple(points[outside[0]].tolist())}; a network knows nothing there"
            )
        return points, shape

    def compare(self, reference: Any = None, *, points: int = 10_000) -> Error | None:
        """The error against a formula of one point or a `Table`; by default that of the problem."""
        known = known_values(self.problem, reference or self.problem.reference, points)
        if known is None:
            return None
        gap = self.at(known.points).reshape(known.values.shape) - known.values
        norm = np.linalg.norm(known.values)
        return Error(
            relative_l2=float(np.linalg.norm(gap) / (norm or 1.0)),
            largest=float(np.max(np.abs(gap))),
            points=len(known.points),
        )

    def page(self, path: str | Path) -> Path:
        """Write a page with the solution, its error, the residual and the training."""
        from thalweg.pde.page import write_page

        return write_page(self, path)


def is_only_at_points(gap: float, residual: float) -> bool:
    """Whether the equation holds at the points of training, and not between them.

    Args:
        gap: Residual between the points over that at the points.
        residual: Residual between the points, relative to that without training.
    """
    return gap > GAP and residual > TIGHT


def is_constant(value: Any) -> bool:
    """Whether an unknown is a constant, and no field."""
    return isinstance(value, (np.ndarray, np.generic, jax.Array, float)) and np.ndim(value) == 0


def _judged(
    ansatz: Ansatz, stages: Sequence[Stage], terms: Sequence[Term], seed: int
) -> tuple[dict[str, float], float]:
    """Residuals of all terms at fresh points, relative to those before training; and the gap."""
    untrained = ansatz.init(seed)
    found: dict[str, float] = {}
    equation = terms[0]
    trained = equation.size(stages[-1].params)
    gap = 1.0
    for k, stage in enumerate(stages):
        before = (stages[k - 1].params, stages[k - 1].start) if k else None
        window = Window(stage.start, stage.end, before)
        for term in terms:
            rows = term.draw(seed + 991, window)
            now, then = term.size(stage.params, rows), term.size(untrained, rows)
            found[term.label] = max(found.get(term.label, 0.0), now / (then or 1.0))
            if term is equation and k == len(stages) - 1:
                gap = now / (trained or 1.0)
    return found, gap
