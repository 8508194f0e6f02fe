"""`solve`: a network trained until it satisfies an equation and its conditions.

The loss is a sum of least squares, and `auto` picks the method. Training goes in rounds: after
each, points are drawn again, half of them where the residual is large, and the weights of the
terms are balanced again. In the second half of the time both stay, unless the equation turns out to
hold at the points only. Functions and shapes stay throughout, so the compiled program goes on with
other data, from the step size that it had. A long time can be cut into windows, solved one after
the other: each starts where the one before ended.

Source: Wu, Zhu, Tan, Kartha & Lu 2023, "A comprehensive study of non-adaptive and residual-based
adaptive sampling for physics-informed neural networks" (the distribution of points).
"""

from __future__ import annotations

import dataclasses
import itertools
import time as clock
from typing import Any

import numpy as np

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.flow.flatten import flatten
from thalweg.pde.networks import MLP, float64
from thalweg.pde.problem import Ansatz, Problem, output_scale
from thalweg.pde.result import Result, Stage, is_only_at_points
from thalweg.pde.rounds import Rounds
from thalweg.pde.rows import Rows, Window, thinned
from thalweg.pde.terms import Term, balance, build_terms, refuse_singular

ROUNDS = 8
ENDS = (tw.Outcome.CONVERGED, tw.Outcome.STALLED, tw.Outcome.PLATEAU)  # new points help after them
MOST_RUNS = 4  # that end by themselves; a further one would end where they did
LEAST = 0.05  # of the budget, that must be left to begin again
POOL = 4  # candidates for each point drawn again
POINTS_A_WEIGHT = 3  # points inside for each weight of the network ...
LEAST_POINTS, MOST_POINTS = 500, 8000  # ... within these limits
EDGE_SHARE = 0.25  # points of all conditions, for each point inside


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Plan:
    """The options of `solve`, which says what they mean."""

    seconds: float
    steps: int | None
    method: Any
    points: int | None
    edge_points: int | None
    density: Any
    transform: Any
    rounds: int
    windows: int
    resample: bool
    seed: int
    progress: bool


def solve(  # noqa: PLR0913 - all but two are options that few calls name
    problem: Problem,
    *,
    seconds: float = 60.0,
    steps: int | None = None,
    network: Any = None,
    points: int | None = None,
    edge_points: int | None = None,
    density: Any = None,
    transform: Any = None,
    method: Any = "auto",
    rounds: int = ROUNDS,
    windows: int = 1,
    resample: bool = True,
    params: Any = None,
    seed: int = 0,
    progress: bool = False,
) -> Result:
    """Train a network to solve a differential equation, in float64.

    Args:
        problem: The equation with its domain and conditions.
        seconds: Wall time of training, without compilation.
        steps: Steps of the method that may be taken in all; None for no limit.
        network: `MLP(...)`, `ModifiedMLP(...)`, a module of Equinox or Flax, or anything with
            `init(inputs, outputs, seed)` and `apply(params, z)`.
        points: Points inside; by default three for each weight.
        edge_points: Points of all soft conditions together; by default a quarter of `points`.
        density: A function of one point: how densely points lie inside, relative to elsewhere.
        transform: `transform(u)`, a field made of that of the network, such as an odd one,
            `lambda u: lambda x, t: (u(x, t) - u(-x, t)) / 2`.
        method: As in `thalweg.minimize`.
        rounds: How often points are drawn in the first half of the time. Later they are drawn
            again only if the equation holds at them and not between them.
        windows: Into how many windows the time is cut, each with weights of its own.
        resample: Whether points are drawn again after each round.
        params: Parameters to begin with, those of an earlier result; by default new ones.
        seed: Of weights and points.
        progress: Whether to show a live line on stderr.

    Returns:
        The solution, with its error if a reference is known.

    Raises:
        ConfigError: Something cannot be run as asked; nothing was run.
        DataError: A residual or value is not finite at a point, or a point lies outside.
        ShapeError: A residual or value has the wrong shape.
    """
    if not isinstance(problem, Problem):
        raise ConfigError(
            f"`problem` is of type {type(problem).__name__}, but `pde.Problem(...)` was expected"
        )
    plan = _Plan(
        seconds=seconds,
        steps=steps,
        method=method,
        points=points,
        edge_points=edge_points,
        density=density,
        transform=transform,
        rounds=rounds,
        windows=windows,
        resample=resample,
        seed=seed,
        progress=progress,
    )
    _check(problem, plan)
    with float64():  # derivatives of second order lose too many digits in float32
        return Training(problem, plan, network or MLP(), params).to_the_end()


def _check(problem: Problem, plan: _Plan) -> None:
    """Refuse options that cannot be meant.

    Raises:
        ConfigError: Naming the option.
    """
    if not plan.seconds > 0:
        raise ConfigError(f"`seconds` is {plan.seconds}, but a time above 0 was expected")
    if plan.windows < 1 or plan.rounds < 1:
        raise ConfigError("`windows` and `rounds` must be at least 1")
    if plan.windows > 1:
        if problem.time is None:
            raise ConfigError("`windows` was given, but the problem has no `time` to cut")
        if problem.unknowns or problem.data:
            raise ConfigError(
                "unknowns and measurements belong to the whole time; leave out `windows`"
            )
        if any(
            c.is_hard and hasattr(c, "order") and hasattr(c, "value") for c in problem.conditions
        ):
            raise ConfigError(
                "with `windows`, each but the first starts where the one before ended, which a "
                "hard `Initial` does not know of; leave out its `hard=True`, or `windows`"
            )
    least = 4 * problem.columns
    if plan.points is not None and plan.points < least:
        raise ConfigError(
            f"`points` is {plan.points}, which is too few for {problem.columns} coordinate(s); "
            f"give at least {least}, and better three for each weight of the network"
        )


class Training:
    """A problem with its network and points, while it is trained."""

    def __init__(self, problem: Problem, plan: _Plan, network: Any, params: Any) -> None:
        self.problem, self.plan = problem, plan
        span = problem.interval
        ends = (0.0, 1.0) if span is None else (span.start, span.end)
        edges = np.linspace(*ends, plan.windows + 1)
        self.spans = [*itertools.pairwise(edges)]
        self.ansatz = Ansatz(
            problem,
            network,
            scale=output_scale(problem),
            duration=float(edges[1] - edges[0]),
            transform=plan.transform,
        )
        self._untrained = self.ansatz.init(plan.seed)
        self.params = self._untrained if params is None else params
        self.history: dict[str, list[np.ndarray]] = {}
        self.solutions: list[tw.Solution] = []
        self._began = clock.perf_counter()
        weights = flatten(self.params)[1].size
        enough = int(np.clip(POINTS_A_WEIGHT * weights, LEAST_POINTS, MOST_POINTS))
        count = plan.points or enough
        self.terms: tuple[Term, ...] = build_terms(
            problem,
            self.ansatz,
            points=count,
            edge_points=plan.edge_points or int(EDGE_SHARE * count),
            density=plan.density,
        )
        self.draw(Window(float(edges[0]), float(edges[1])), round_number=0)
        refuse_singular(self.terms, self.params)

    def draw(self, window: Window, *, round_number: int) -> None:
        """Draw the points of all terms again; those inside where the residual is large."""
        seed = self.plan.seed + 17 * round_number
        for term in self.terms:
            term.rows = term.draw(seed, window)
        if round_number:
            self.terms[0].rows = self._where_large(seed, window)
        last = self.plan.rounds - 1
        balance(self.terms, self.params, min(round_number / last, 1.0) if last else 1.0)

    def _where_large(self, seed: int, window: Window) -> Rows:
        """Points inside: half of them as ever, half with a density that grows with the residual."""
        equation = self.terms[0]
        half = equation.count // 2
        pools = [equation.draw(seed + 3 + k, window) for k in range(POOL)]
        residuals = [equation.residuals(self.params, pool) for pool in pools]
        size = np.abs(np.concatenate(residuals) * equation.scale).sum(axis=1)
        together = {key: np.concatenate([pool[key] for pool in pools]) for key in pools[0]}
        large = thinned(together, size, equation.count - half, seed)
        return {key: np.concatenate([equation.rows[key][:half], large[key]]) for key in large}

    def holds_only_at_points(self, window: Window, seed: int) -> bool:
        """Whether the equation holds at the present points, and not at as many others."""
        equation = self.terms[0]
        other = equation.draw(self.plan.seed + seed, window)
        between, untrained = (
            equation.size(params, other) for params in (self.params, self._untrained)
        )
        return is_only_at_points(between / equation.size(self.params), between / untrained)

    def squares(self) -> tw.LeastSquares:
        """The loss as it is now."""
        return sum(term.squares() for term in self.terms)  # pyright: ignore[reportReturnType]

    def to_the_end(self) -> Result:
        """All windows, one after the other."""
        stages: list[Stage] = []
        for number, (start, end) in enumerate(self.spans):
            before = (stages[-1].params, stages[-1].start) if stages else None
            window = Window(float(start), float(end), before)
            if number:
                self.draw(window, round_number=0)
            is_interrupted = self._one_window(window, number)
            stages.append(Stage(window.start, window.end, self.params))
            if is_interrupted:
                break
        seconds = sum(solution.seconds for solution in self.solutions)
        return Result.of(
            self.problem,
            self.ansatz,
            stages,
            terms=self.terms,
            solution=self.solutions[-1],
            history={key: np.concatenate(parts) for key, parts in self.history.items()},
            seconds=seconds,
            compile_seconds=clock.perf_counter() - self._began - seconds,
            seed=self.plan.seed,
        )

    def _one_window(self, window: Window, number: int) -> bool:
        """Train from the present parameters for a share of the time; whether Ctrl-C ended it."""
        rounds = Rounds(self, window)
        method = self.plan.method
        for _ in range(MOST_RUNS):
            method, solution = rounds.train(method)
            self._keep(solution, number)
            if solution.outcome not in ENDS or rounds.share() > 1 - LEAST or not self.plan.resample:
                break
            rounds.begin_next()
        return self.solutions[-1].outcome is tw.Outcome.INTERRUPTED

    def _keep(self, solution: tw.Solution, window: int) -> None:
        self.solutions.append(solution)
        self.params = solution.params
        before = self.history["seconds"][-1][-1] if self.history else 0.0
        columns = {key: solution.history[key] for key in ("loss", "grad_norm", "h")}
        columns["seconds"] = before + solution.history["seconds"]
        columns["window"] = np.full(len(columns["loss"]), window)
        for key, values in columns.items():
            self.history.setdefault(key, []).append(values)
