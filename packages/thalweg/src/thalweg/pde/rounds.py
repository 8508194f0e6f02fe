"""The rounds of a window of time: when its points change, and the runs of a method in between.

In the first half of the budget points change after each round. Later they stay, and the residual
between them is looked at; where the equation holds at the points only, they change again.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

import thalweg as tw
from thalweg._recorder import Recorder
from thalweg._run.dispatch import run_starts
from thalweg._run.multistart import InitialPoint, start_of
from thalweg._run.progress import progress_line
from thalweg.flow import MEMORY_BUDGET, build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers import make

if TYPE_CHECKING:
    from thalweg.pde.rows import Window
    from thalweg.pde.training import Training

CHANGING = 0.5  # of the time, in which points and weights change; then they stay, to be fitted hard
LOOK = 0.05  # of the time, after which the residual between points that stay is looked at again


class Rounds:
    """The rounds of one window, which outlast the runs of a method."""

    def __init__(self, run: Training, window: Window) -> None:
        plan = run.plan
        self.run, self._window = run, window
        self._seconds = plan.seconds / plan.windows
        self._steps = None if plan.steps is None else max(plan.steps // plan.windows, 1)
        self._spent, self._taken, self._number = 0.0, 0, 0
        self._looks = 0

    def share(self, recorder: Recorder | None = None) -> float:
        """The share of the budget that is spent, with that of a run that is going on."""
        seconds, rows = (0.0, 0) if recorder is None else (recorder.seconds, recorder.rows)
        spent = (self._spent + seconds) / self._seconds
        return spent if self._steps is None else max(spent, (self._taken + rows) / self._steps)

    def due(self) -> float | None:
        """The share of the budget at which points may change next; None if they stay."""
        plan = self.run.plan
        if not plan.resample:
            return None
        if self._is_changing:
            return CHANGING * (self._number + 1) / (plan.rounds - 1)
        share = CHANGING + LOOK * (self._looks + 1)
        return share if share < 1 - LOOK / 2 else None

    def steps_left(self, recorder: Recorder) -> int | None:
        """How many steps are left to the end of the round, if steps are limited."""
        due = self.due()
        if due is None or self._steps is None:
            return None
        return max(math.ceil(due * self._steps) - self._taken - recorder.rows, 1)

    @property
    def _is_changing(self) -> bool:
        return self._number < self.run.plan.rounds - 1

    def must_begin_next(self) -> bool:
        """Whether points change where they may: later on, where they have proved too few."""
        if self._is_changing:
            return True
        self._looks += 1
        return self.run.holds_only_at_points(self._window, 2003 + self._looks)

    def begin_next(self) -> None:
        """Draw points and balance weights again, at the present parameters."""
        self._number += 1
        self.run.draw(self._window, round_number=self._number)

    def train(self, method: Any) -> tuple[Any, tw.Solution]:
        """One run, through as many rounds as there is time for; the method that made it."""
        run, plan = self.run, self.run.plan
        theta, spec = flatten(run.params)
        flow = build_flow(run.squares(), spec)
        method, reason = method_for(method, flow)
        steps = None if self._steps is None else max(self._steps - self._taken, 1)
        stop = tw.Stop(seconds=max(self._seconds - self._spent, 0.0), steps=steps)

        with progress_line(stop, label=method.name, enabled=plan.progress) as show:
            recorder = Recorder(stop, show=show)
            point = InitialPoint(None, run.params, theta)
            (end,) = run_starts(
                method,
                flow,
                [point],
                [recorder],
                checkpoint=None,
                memory_budget=MEMORY_BUDGET,
                between=_Redrawn(self, flow, spec, recorder),
            )
        solution = tw.Solution.of(
            (start_of(0, point, spec, recorder, end),),
            best=0,
            compile_seconds=recorder.compile_seconds,
            method=method.name,
            reason=reason,
            has_starts=False,
        )
        self._spent += recorder.seconds
        self._taken += max(recorder.rows - 1, 0)
        return method, solution


class _Redrawn:
    """New points at the end of a round, between two calls of the compiled program.

    Where steps are what is counted, a round ends after a given step, on any machine.
    """

    def __init__(self, rounds: Rounds, flow: Any, spec: Any, recorder: Recorder) -> None:
        self._rounds, self._flow, self._spec, self._recorder = rounds, flow, spec, recorder

    def __call__(self, theta: Any) -> Any:
        """New data at the end of a round; None before."""
        rounds = self._rounds
        due = rounds.due()
        if due is None or rounds.share(self._recorder) < due:
            return None
        rounds.run.params = self._spec.unravel(np.asarray(theta))
        if not rounds.must_begin_next():
            return None
        rounds.begin_next()
        return self._flow.laid_out(rounds.run.squares())

    def steps_left(self) -> int | None:
        """To the end of the round."""
        return self._rounds.steps_left(self._recorder)


def method_for(method: Any, flow: Any) -> tuple[Any, str]:
    """The method that trains, and why.

    Of what `auto` picks, the steps with the true curvature alone. A network for an equation is
    small, and gains more by them from the first on than by an opening of cheaper ones; and where
    they end, other points help more than another method from the start.
    """
    chosen, reason = make(method, flow)
    if method != "auto":
        return chosen, reason
    if isinstance(chosen, (tw.SecantEuler, tw.Sampled)) and chosen.then:
        chosen = chosen.then
    if isinstance(chosen, tw.ImplicitGeodesic):
        chosen = dataclasses.replace(chosen, then=None)
    return chosen, f"`{chosen.name}`, as networks for equations are small"
