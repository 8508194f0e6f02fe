"""One fit from one or several starts: the method, and what completes it at bounds."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import DataError
from thalweg.fitting.batch import pushed
from thalweg.fitting.bounds import Bounds, inner_start, outer
from thalweg.fitting.covariance import column_norms
from thalweg.fitting.projected import descend
from thalweg.fitting.quick import run_quickly
from thalweg.fitting.short import NAME, REASON, REASON_LEAST, run_short
from thalweg.solution import Outcome, Solution, Start
from thalweg.solvers.base import AbstractJitMethod
from thalweg.solvers.integrators.scaled import ScaledGeodesic
from thalweg.solvers.step_control import has_no_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.fitting.engine import Engine
    from thalweg.fitting.residuals import Data
    from thalweg.fitting.short import ShortEnd
    from thalweg.stop import Stop

LARGE = 2 * 10**6  # entries of the Jacobian from which the clock is watched between steps
SAME = 1e-9  # relative difference of losses, up to which a proven minimum is preferred
DEAD = 1e-8  # size of a column of the Jacobian over that at the start, up to which it may be lost


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A fit.

    Attributes:
        theta: The free parameters, `(k,)`.
        residuals: S there, `(m,)`.
        jacobian: Its Jacobian, `(m, k)`.
        active: Which are at a bound that the loss pushes against, `(k,)`.
        solution: How it went; `params` is θ.
    """

    theta: np.ndarray
    residuals: np.ndarray
    jacobian: np.ndarray
    active: np.ndarray
    solution: Solution


class Fit:
    """A fit to be run: programs, data, bounds and method.

    Args:
        engine: The programs.
        data: The data.
        bounds: Bounds of the free parameters.
        names: Their names.
        method: A name of `thalweg.methods()`, or a configured method.
        stop: Budgets; None for none but the default.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        bounds: Bounds,
        names: Sequence[str],
        *,
        method: Any,
        stop: Stop | None,
    ) -> None:
        self._engine, self._data, self._bounds = engine, data, bounds
        self._names = names
        self._stop = stop
        self._asked = method
        if method != "auto":
            _ = self._chosen  # refused at once, where it is not known

    def run(self, starts: Sequence[np.ndarray]) -> Fitted:
        """Run from all starts; the best of them.

        Raises:
            DataError: The model is not finite at any start.
        """
        fits: list[Fitted] = []
        failure: DataError | None = None
        before = self._engine.compile_seconds
        for start in starts:
            try:
                fits.append(self._from(start))
            except DataError as error:
                failure = failure or error
        if failure is not None and not fits:
            raise failure
        best = min(fits, key=lambda fit: fit.solution.loss)
        compiling = best.solution.compile_seconds + self._engine.compile_seconds - before
        best = dataclasses.replace(
            best, solution=dataclasses.replace(best.solution, compile_seconds=compiling)
        )
        if len(starts) == 1:
            return best
        each = tuple(
            Start(
                k,
                None,
                fit.theta,
                fit.solution.loss,
                fit.solution.outcome,
                fit.solution.detail,
                fit.solution.history,
                fit.solution.work,
            )
            for k, fit in enumerate(fits)
        )
        return dataclasses.replace(best, solution=dataclasses.replace(best.solution, starts=each))

    @functools.cached_property
    def _chosen(self) -> tuple[Any, str]:
        """The method, and why it was picked."""
        return self._engine.method(self._asked, self._data)

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals `(m,)` and Jacobian `(m, k)`."""
        s, jacobian = self._engine.evaluate(self._data, theta)
        return np.asarray(s), np.asarray(jacobian)

    def _from(self, start: np.ndarray) -> Fitted:
        is_bounded = any(self._engine.form.kinds)
        short = self._short(start)
        if short is not None and short.explains:
            return self._ended(short)
        if is_bounded:
            return self._within_bounds(start, short)
        active = np.zeros(len(start), bool)
        solution = self._solve(start, self._chosen[0])
        s, jacobian = self.evaluate(solution.params)
        return Fitted(solution.params, s, jacobian, active, self._named(solution))

    def _within_bounds(self, start: np.ndarray, short: ShortEnd | None) -> Fitted:
        """A fit with bounds by a change of variables, and the best of it and a short run.

        At a bound the derivative by v vanishes, which a method must take for a plateau and try
        again. So its first trial is enough where the steps that complete the fit prove its end.
        """
        v = inner_start(start, self._bounds)
        method = self._chosen[0]
        methods = [method]
        if isinstance(method, ScaledGeodesic) and len(method.ways) > 1:
            methods = [ScaledGeodesic(ways=method.ways[:1]), method]
        fits = [] if short is None else [self._ended(short)]
        for method in methods:
            try:
                fits.append(self._completed(start, self._solve(v, method)))
            except DataError:  # a start on a bound is moved, maybe to where the model is not finite
                if not fits:
                    raise
                break
            if fits[-1].solution.outcome.is_success:
                break
        least = min(fit.solution.loss for fit in fits)
        as_low = [fit for fit in fits if fit.solution.loss <= least * (1 + SAME)]
        return min(as_low, key=lambda fit: (not fit.solution.outcome.is_success, fit.solution.loss))

    def _is_small(self, v: np.ndarray) -> bool:
        """Whether the fit may run without a look at the clock between calls."""
        return self._stop is None and v.size * self._data.y.size < LARGE

    def _short(self, start: np.ndarray) -> ShortEnd | None:
        """A short run, for `auto`; None where it did not end at a certain minimum."""
        if self._asked != "auto" or not self._is_small(start):
            return None
        return run_short(self._engine, self._data, start)

    def _ended(self, short: ShortEnd) -> Fitted:
        """A fit by a short run."""
        end, s, jacobian, explains = short
        active = pushed(end.params, jacobian.T @ s, (self._bounds.low, self._bounds.high))
        detail = f"{end.detail} {self._at_bounds(end.params, active)}".strip()
        solution = Solution.of(
            (dataclasses.replace(end, detail=detail),),
            best=0,
            compile_seconds=0.0,
            method=NAME,
            reason=REASON if explains else REASON_LEAST,
            has_starts=False,
        )
        return Fitted(end.params, s, jacobian, active, solution)

    def _at_bounds(self, theta: np.ndarray, active: np.ndarray) -> str:
        """Which parameters are at their bounds, in sentences."""
        low, high = self._bounds.low, self._bounds.high
        return " ".join(
            f"`{self._names[k]}` is at its "
            + (f"lower bound {low[k]:g}." if theta[k] <= low[k] else f"upper bound {high[k]:g}.")
            for k in np.flatnonzero(active).tolist()
        )

    def _solve(self, v: np.ndarray, method: Any) -> Solution:
        """Run a method in the variables without bounds; `params` is v at the end."""
        is_quick = (
            self._is_small(v) and isinstance(method, AbstractJitMethod) and not method.successors
        )
        if not is_quick:
            from thalweg._minimize import minimize  # most fits do without all that it imports

            self._refuse_start(v)
            problem = self._engine.problem(self._data)
            found = minimize(problem, v, method, self._stop)
            return dataclasses.replace(found, reason=self._chosen[1])
        is_judged = not any(self._engine.form.kinds)  # with bounds, `_completed` judges
        end = run_quickly(self._engine, method, self._data, v, is_judged=is_judged)
        if end.outcome is Outcome.DIVERGED and len(end.history["step"]) <= 2:  # noqa: PLR2004 - start and first step
            self._refuse_start(v)
        return Solution.of(
            (end,),
            best=0,
            compile_seconds=0.0,
            method=method.name,
            reason=self._chosen[1],
            has_starts=False,
        )

    def _refuse_start(self, v: np.ndarray) -> None:
        """Refuse a start where the model or its derivatives are not finite.

        Raises:
            DataError: Naming the parameters and the first measurement.
        """
        theta = outer(v, self._engine.form.kinds, *self._bounds.finite, arrays=np)
        s, jacobian = self.evaluate(theta)
        at = ", ".join(
            f"{name} = {value:g}" for name, value in zip(self._names, theta, strict=True)
        )
        bad = np.flatnonzero(~np.isfinite(s))
        if bad.size:
            raise DataError(
                f"the model is not finite at the start ({at}) for {bad.size} of {s.size} "
                f"measurements, the first of them number {bad[0]}; start elsewhere, or set bounds"
            )
        columns = np.flatnonzero(~np.isfinite(jacobian).all(axis=0))
        if columns.size:
            raise DataError(
                f"the model is finite at the start ({at}), but its derivative by "
                f"`{self._names[int(columns[0])]}` is not; start elsewhere, or rewrite the model "
                "where a root or a norm is differentiated at 0"
            )

    def _completed(self, start: np.ndarray, solution: Solution) -> Fitted:
        """A fit with bounds, completed by steps in the parameters themselves."""
        low, high = self._bounds.low, self._bounds.high
        v, kinds = np.asarray(solution.params), self._engine.form.kinds
        theta = outer(v, kinds, *self._bounds.finite, arrays=np)
        point = descend(self.evaluate, theta, low=low, high=high)
        norms = column_norms(self.evaluate(np.clip(start, low, high))[1])
        present = column_norms(point.jacobian)
        lost = ~point.active & (present <= DEAD * norms)
        lost &= has_no_effect(present * np.abs(point.theta), DEAD)
        outcome, detail = solution.outcome, ""
        if point.is_stationary and not lost.any():
            outcome = Outcome.CONVERGED
        elif outcome is Outcome.CONVERGED or (point.is_stationary and lost.any()):
            outcome = Outcome.PLATEAU if lost.any() else Outcome.STALLED
            names = ", ".join(f"`{self._names[k]}`" for k in np.flatnonzero(lost).tolist())
            detail = f"The loss does not depend on {names} here." if lost.any() else ""
        detail = f"{detail} {self._at_bounds(point.theta, point.active)}"
        done = dataclasses.replace(
            solution, params=point.theta, loss=point.loss, outcome=outcome, detail=detail.strip()
        )
        return Fitted(point.theta, point.residuals, point.jacobian, point.active, done)

    def _named(self, solution: Solution) -> Solution:
        """The solution with the names of the parameters in its detail."""

        def name(match: re.Match[str]) -> str:
            return self._names[int(match[1])]

        detail = re.sub(r"params\[(\d+)\]", name, solution.detail)
        return dataclasses.replace(solution, detail=detail)
