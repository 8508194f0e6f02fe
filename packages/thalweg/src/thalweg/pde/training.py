"""`solve`: a network trained until it satisfies an equation and its conditions.

The loss is a sum of least squares, and `auto` picks the method. Training goes in rounds: after
each, points are drawn again, more of them where the residual is large, and the weights of the terms
are balanced again. Functions and shapes stay, so nothing is compiled twice. A long time can be cut
into windows, solved one after the other: each starts where the one before ended.

Source: Wu, Zhu, Tan, Kartha & Lu 2023, "A comprehensive study of non-adaptive and residual-based
adaptive sampling for physics-informed neural networks" (the distribution of points).
"""

from __future__ import annotations

import dataclasses
import time as clock
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.flow import flow_of
from thalweg.flow.flatten import flatten
from thalweg.pde.networks import MLP
from thalweg.pde.problem import Ansatz, Problem
from thalweg.pde.result import Result, Stage
from thalweg.pde.terms import Term, Window, arrays, balance, build_terms, inside, refuse_singular
from thalweg.solvers import make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.solvers.base import AbstractMethod

ROUNDS = 8
POOL = 4  # candidates for each point drawn again
POINTS_A_WEIGHT = 2  # points inside for each weight of the network ...
LEAST_POINTS, MOST_POINTS = 500, 8000  # ... within these limits
EDGE_SHARE = 0.25  # points of all conditions, for each point inside


def solve(  # noqa: PLR0913 - all but two are options that few calls name
    problem: Problem,
    *,
    seconds: float = 60.0,
    network: Any = None,
    points: int | None = None,
    edge_points: int | None = None,
    method: Any = "auto",
    seed: int = 0,
    rounds: int | None = None,
    windows: int = 1,
    resample: bool = True,
    params: Any = None,
    progress: bool = False,
) -> Result:
    """Train a network to solve a differential equation, in float64.

    Args:
        problem: The equation with its domain and conditions.
        seconds: Wall time of training, without compilation.
        network: `MLP(...)`, `ModifiedMLP(...)`, a module of Equinox or Flax, or anything with
            `init(inputs, outputs, seed)` and `apply(params, z)`.
        points: Points inside; by default two for each weight.
        edge_points: Points of all soft conditions together; by default a quarter of `points`.
        method: As in `thalweg.minimize`.
        seed: Of weights and points.
        rounds: How often points are drawn; by default 8 times.
        windows: Into how many windows the time is cut, each with a network of its own.
        resample: Whether points are drawn again after each round.
        params: Parameters to begin with, those of an earlier result; by default new ones.
        progress: Whether to show a live line on stderr.

    Returns:
        The solution with its error, if a reference is known.

    Raises:
        ConfigError: Something cannot be run as asked; nothing was run.
        DataError: A residual or value is not finite at a point, or a point lies outside.
        ShapeError: A residual or value has the wrong shape.
    """
    if not isinstance(problem, Problem):
        raise ConfigError(
            f"`problem` is of type {type(problem).__name__}, but `pde.Problem(...)` was expected"
        )
    _check(problem, seconds=seconds, windows=windows, rounds=rounds, points=points)
    with jax.enable_x64(True):  # derivatives of second order lose too many digits in float32
        run = _Run(problem, network or MLP(), seed=seed, windows=windows, params=params)
        run.lay_out(points, edge_points)
        plan = _Plan(seconds, rounds or (ROUNDS if resample else 1), method, progress, resample)
        return run.to_the_end(plan)


def _check(
    problem: Problem, *, seconds: float, windows: int, rounds: int | None, points: int | None
) -> None:
    """Refuse options that cannot be meant.

    Raises:
        ConfigError: Naming the option.
    """
    if not seconds > 0:
        raise ConfigError(f"`seconds` is {seconds}, but a time above 0 was expected")
    if windows < 1 or (rounds is not None and rounds < 1):
        raise ConfigError("`windows` and `rounds` must be at least 1")
    if windows > 1 and problem.time is None:
        raise ConfigError(f"`windows` is {windows}, but the problem has no `time` to cut")
    if windows > 1 and (problem.unknowns or problem.data):
        raise ConfigError("unknowns and measurements belong to the whole time; leave out `windows`")
    if windows > 1 and any(c.is_hard and hasattr(c, "value") for c in problem.conditions):
        raise ConfigError(
            "with `windows`, each but the first starts where the one before ended, which a hard "
            "condition does not know of; leave out `hard=True`, or `windows`"
        )
    least = 4 * problem.columns
    if points is not None and points < least:
        raise ConfigError(
            f"`points` is {points}, which is too few for {problem.columns} coordinates; give at "
            f"least {least}, and better two for each weight of the network"
        )


@dataclasses.dataclass(frozen=True)
class _Plan:
    """How a run is divided."""

    seconds: float
    rounds: int
    method: Any
    progress: bool
    resample: bool


class _Run:
    """A problem with its network and points, while it is trained."""

    def __init__(
        self, problem: Problem, network: Any, *, seed: int, windows: int, params: Any
    ) -> None:
        self.problem, self.seed = problem, seed
        span = problem.interval
        edges = (
            np.linspace(0, 1, 2) if span is None else np.linspace(span.start, span.end, windows + 1)
        )
        self.spans = [*zip(edges[:-1], edges[1:], strict=True)]
        self.ansatz = Ansatz(
            problem,
            network,
            scale=output_scale(problem),
            duration=float(edges[1] - edges[0]),
        )
        self.params = self.ansatz.init(seed) if params is None else params
        self.terms: tuple[Term, ...] = ()
        self.history: dict[str, list[np.ndarray]] = {}
        self.compile_seconds = 0.0
        self.solution: tw.Solution | None = None
        self._began = clock.perf_counter()

    @property
    def weights(self) -> int:
        """The number of parameters."""
        return sum(leaf.size for leaf in arrays(self.params))

    def lay_out(self, points: int | None, edge_points: int | None) -> None:
        """The terms with their points, checked at the first parameters."""
        enough = int(np.clip(POINTS_A_WEIGHT * self.weights, LEAST_POINTS, MOST_POINTS))
        count = points or enough
        on_edges = edge_points or int(EDGE_SHARE * count)
        self.terms = build_terms(self.problem, self.ansatz, points=count, edge_points=on_edges)
        self.draw(Window(*self.spans[0]), round_number=0)
        refuse_singular(self.terms, self.params)

    def draw(self, window: Window, *, round_number: int) -> None:
        """Draw the points of all terms again; those inside where the residual is large."""
        seed = self.seed + 17 * round_number
        for term in self.terms:
            term.rows = term.draw(seed, window)
        if round_number:
            self.terms[0].rows = self._where_large(seed, window)

    def _where_large(self, seed: int, window: Window) -> dict[str, np.ndarray]:
        """Points inside with a density that grows with the residual."""
        equation = self.terms[0]
        pools = [equation.draw(seed + 3 + k, window) for k in range(POOL)]
        sizes = [
            np.abs(np.asarray(equation.residuals(self.params, pool)) * equation.scale)
            for pool in pools
        ]
        size = np.concatenate([each.sum(axis=1) for each in sizes])
        mean = size.mean()
        density = size / mean + 1 if np.isfinite(mean) and mean > 0 else np.ones_like(size)
        random = np.random.default_rng(seed)
        taken = random.choice(len(size), equation.count, replace=False, p=density / density.sum())
        return {key: np.concatenate([pool[key] for pool in pools])[taken] for key in pools[0]}

    def to_the_end(self, plan: _Plan) -> Result:
        """All windows, one after the other."""
        stages: list[Stage] = []
        for k, span in enumerate(self.spans):
            before = stages[-1].field(self.ansatz) if stages else None
            window = Window(*map(float, span), before)
            self._one_window(plan, window, k)
            stages.append(Stage(window.start, window.end, self.params))
        history = {key: np.concatenate(columns) for key, columns in self.history.items()}
        if self.solution is None:
            raise AssertionError("there is at least one round")
        return Result.of(
            self.problem,
            self.ansatz,
            stages,
            terms=self.terms,
            solution=self.solution,
            history=history,
            seconds=clock.perf_counter() - self._began - self.compile_seconds,
            compile_seconds=self.compile_seconds,
            seed=self.seed,
        )

    def _one_window(self, plan: _Plan, window: Window, k: int) -> None:
        method = plan.method
        share = plan.seconds / len(self.spans)
        spent = 0.0
        for number in range(plan.rounds):
            if plan.resample or number == 0:
                self.draw(window, round_number=number)
            balance(self.terms, self.params)
            squares = sum(term.squares() for term in self.terms)
            left = (share - spent) / (plan.rounds - number)
            solution = tw.minimize(
                squares, self.params, method, tw.Stop(seconds=left), progress=plan.progress
            )
            method = _later(method, squares, self.params)
            spent += solution.seconds
            self._keep(solution, k, number)
            if solution.outcome is tw.Outcome.INTERRUPTED:
                return

    def _keep(self, solution: tw.Solution, window: int, number: int) -> None:
        self.solution, self.params = solution, solution.params
        self.compile_seconds += solution.compile_seconds
        before = self.history["seconds"][-1][-1] if self.history else 0.0
        rows = len(solution.history["loss"])
        columns = {
            **{key: solution.history[key] for key in ("loss", "grad_norm", "h")},
            "seconds": before + solution.history["seconds"],
            "round": np.full(rows, number),
            "window": np.full(rows, window),
        }
        for key, values in columns.items():
            self.history.setdefault(key, []).append(values)


def _later(method: Any, squares: Any, params: Any) -> AbstractMethod:
    """The method of later rounds: without the opening that only a new start needs."""
    flow = flow_of(squares, flatten(params)[1])
    chosen = make(method, flow)[0]
    if chosen.name in ("secant-euler", "sampled") and chosen.then is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return chosen.then  # pyright: ignore[reportAttributeAccessIssue]
    return chosen


def output_scale(problem: Problem) -> np.ndarray:
    """The size of each output, from the values that are given; 1 where nothing is known."""
    scale = np.zeros(problem.outputs)
    span = problem.interval
    for condition in problem.conditions:
        if not hasattr(condition, "value") and not hasattr(condition, "values"):
            continue
        if getattr(condition, "order", 0) or type(condition).__name__ in ("Neumann", "Robin"):
            continue
        values = getattr(condition, "values", None)
        if values is None:
            values = _some_values(problem, condition, span)
        sizes = np.sqrt(np.mean(np.asarray(values, float).reshape(len(values), -1) ** 2, axis=0))
        k = condition.component
        target = slice(None) if k is None else slice(k, k + 1)
        scale[target] = np.maximum(scale[target], sizes)
    return np.where((scale > 0) & np.isfinite(scale), scale, 1.0)


def _some_values(problem: Problem, condition: Any, span: Any) -> list[Any]:
    from thalweg.pde.conditions import Initial, value_at

    count = 32
    if isinstance(condition, Initial):
        return [
            value_at(condition.value, problem.split(row)[:1])
            for row in np.column_stack([problem.domain.points(count), np.zeros(count)])
        ]
    points = problem.domain.edge_points(count, on=condition.on)[0]
    if span is not None:
        points = np.repeat(points, max(count // len(points), 1), axis=0)
        points = np.column_stack([points, np.linspace(span.start, span.end, len(points))])
    return [value_at(condition.value, problem.split(row)) for row in points]
