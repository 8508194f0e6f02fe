"""SciPy's `least_squares` with the exact Jacobian: MINPACK's `lm`, `trf` and `dogbox`.

All solve `min |J d + r|` within a trust region, with J computed example by example. Each evaluates
J once a step, at the accepted point, so that a row is logged there: with r and J known, the loss
and |∇L| = |Jᵀr| are exact and cost nothing. They have no flow time, so `t` and `h` are NaN.

Source: Moré 1978, "The Levenberg-Marquardt algorithm" (lm); Branch, Coleman & Li 1999 (trf);
Voglis & Lagaris 2004 (dogbox).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from thalweg._recorder import RunEnded
from thalweg.errors import ConfigError
from thalweg.flow import LeastSquaresFlow
from thalweg.flow.compiled import HostFunctions
from thalweg.solution import Outcome, Work
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.host_loop import (
    blas_threads,
    check_budget,
    end_of_run,
    unfinished_rows,
)
from thalweg.solvers.base import AbstractHostMethod

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow

UNLIMITED = 2**31 - 1  # evaluations; the recorder watches the budget
ALGORITHMS = {
    "lm": "SciPy's least_squares, MINPACK's Levenberg-Marquardt",
    "trf": "SciPy's least_squares, trust region reflective",
    "dogbox": "SciPy's least_squares, dogleg steps in a box",
}


@final
@dataclasses.dataclass(frozen=True)
class SciPyLeastSquares(AbstractHostMethod):
    """SciPy's `least_squares` with the exact Jacobian.

    A row is an accepted step; its `rejected` counts the trial points before it that were not taken.
    In `work`, `jacobians` and `gradients` count Jacobians, `losses` evaluations of the residuals
    alone.

    Attributes:
        algorithm: `lm`, which needs at least as many residuals as parameters, `trf` or `dogbox`.
        tolerance: SciPy's `ftol` and `xtol` (and `gtol` of `lm`): relative changes below which
            the run ends. None for the spacing of the parameters' dtype: the run continues until
            rounding stops it. Not below the spacing of float64.

    Raises:
        ConfigError: An unknown algorithm, or a tolerance out of its range.

    Cost: a Jacobian for each step and the residuals for each trial point; O(m n²) for each step
    (`lm` a QR factorisation, `trf` a singular value decomposition, `dogbox` a least-squares solve).
    """

    kind: ClassVar[str] = "baseline"

    algorithm: str = "lm"
    _: dataclasses.KW_ONLY
    tolerance: float | None = None

    def __post_init__(self) -> None:
        refuse_unknown("algorithm", self.algorithm, ALGORITHMS)
        least = float(np.finfo(np.float64).eps)
        if self.tolerance is not None and not self.tolerance >= least:
            raise ConfigError(
                f"`tolerance` is {self.tolerance!r}, but a number of at least {least:.3g} was "
                "expected, as SciPy takes no smaller one; leave it out to continue until rounding "
                "stops the run"
            )

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - one class, three
        """`scipy-lm`, `scipy-trf` or `scipy-dogbox`."""
        return f"scipy-{self.algorithm}"

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it is, in a few words."""
        return ALGORITHMS[self.algorithm]

    @property
    def needs(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it needs of the problem."""
        return "LeastSquares" + (", m >= n" if self.algorithm == "lm" else "")

    def check(self, flow: Flow) -> None:
        """Refuse other problems than least squares, and for `lm` fewer residuals than parameters.

        Raises:
            ConfigError: With what the method needs.
        """
        if not isinstance(flow, LeastSquaresFlow):
            raise ConfigError(
                f"`{self.name}` needs residuals, but the problem is not a `LeastSquares`; choose "
                "`l-bfgs` or another method, or state the problem by its residuals"
            )
        if self.algorithm == "lm" and flow.residual_count < flow.size:
            raise ConfigError(
                f"`scipy-lm` needs at least as many residuals as parameters, but the problem has "
                f"{flow.residual_count} residuals and {flow.size} parameters; use `scipy-trf`"
            )

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Minimise until the recorder or SciPy ends the run."""
        from scipy.optimize import least_squares

        functions = HostFunctions(flow, recorder)
        evaluations = _Evaluations(functions, recorder)
        tolerance = self.tolerance or float(np.finfo(flow.spec.dtype).eps)
        start = np.asarray(theta, np.float64)
        is_lm = self.algorithm == "lm"
        with unfinished_rows(evaluations):
            evaluations.jacobian(start)
            # trf divides by a derivative that may be 0.
            with np.errstate(all="ignore"), blas_threads(flow.size):
                result = least_squares(
                    evaluations.residuals,
                    start,
                    jac=evaluations.jacobian,  # pyright: ignore[reportArgumentType] - may be one
                    method=self.algorithm,
                    ftol=tolerance,
                    xtol=tolerance,
                    # For the others it would be absolute, in the units of the loss.
                    gtol=tolerance if is_lm else None,  # pyright: ignore[reportArgumentType]
                    x_scale="jac" if is_lm else 1.0,  # each one's default in SciPy since 1.16
                    max_nfev=UNLIMITED,
                )
        outcome, _ = end_of_run(flow, functions, recorder, result.x)
        return outcome, f"SciPy's {self.algorithm} ended with {result.status}: {result.message}"


class _Evaluations:
    """r and J for SciPy, with counters; a row for each Jacobian at a new point."""

    def __init__(self, functions: HostFunctions, recorder: Recorder) -> None:
        self._functions = functions
        self._recorder = recorder
        self._jacobians = 0
        self._losses = 0
        self._trials = 0
        self._rejected = 0
        self._at: np.ndarray | None = None  # the point of the last row, with ...
        self._there: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty((0, 0)))  # ... r, J
        self._grad_norm = np.nan

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """The residuals r, shape `(m,)`."""
        if self._is_known(theta):
            return self._there[0].copy()
        check_budget(self._recorder, gradients=self._jacobians)
        self._losses += 1
        self._trials += 1
        return self._functions.residuals(theta)

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """J of shape `(m, n)`, which SciPy evaluates at accepted points."""
        if not self._is_known(theta):
            check_budget(self._recorder, gradients=self._jacobians)
            self._there = self._functions.jacobian(theta)
            self._at = np.array(theta, np.float64)
            self._jacobians += 1
            self._row(max(self._trials - 1, 0))
        return self._there[1]

    def _is_known(self, theta: np.ndarray) -> bool:
        return self._at is not None and np.array_equal(self._at, theta)

    def _row(self, rejected: int) -> None:
        r, jacobian = self._there
        self._trials = 0
        self._rejected += rejected
        self._grad_norm = float(np.linalg.norm(jacobian.T @ r))
        self._recorder.row(
            theta=self._at,
            loss=0.5 * float(r @ r),
            grad_norm=self._grad_norm,
            work=Work(
                gradients=self._jacobians,
                jacobians=self._jacobians,
                losses=self._losses,
                rejected_steps=self._rejected,
            ),
            rejected=rejected,
        )
        if self._grad_norm == 0:  # trf would divide by it and try NaN forever
            raise RunEnded(Outcome.CONVERGED)

    def unfinished_row(self) -> None:
        """Count the trial points of a step that was cut short or failed."""
        if self._at is not None and self._trials:
            self._row(self._trials)


def lm() -> SciPyLeastSquares:
    """MINPACK's Levenberg-Marquardt, until rounding stops it."""
    return SciPyLeastSquares("lm")


def trf() -> SciPyLeastSquares:
    """SciPy's trust region reflective algorithm, until rounding stops it."""
    return SciPyLeastSquares("trf")


def dogbox() -> SciPyLeastSquares:
    """SciPy's dogleg algorithm in a box, until rounding stops it."""
    return SciPyLeastSquares("dogbox")
