"""SciPy's quasi-Newton minimisers: L-BFGS-B without bounds, and BFGS.

They build up the curvature from the gradients of their steps,

    θ⁺ = θ - α B ∇L(θ),   B ≈ (∇²L)⁻¹ from the pairs (Δθ, Δ∇L) of the steps so far,

with a line search for α under the strong Wolfe conditions. They have no flow time, so the columns
`t` and `h` are NaN.

L-BFGS-B calls BLAS on vectors and on matrices of 50 columns. OpenBLAS splits these among its
threads, and when other work keeps a core busy, the threads wait for each other 10 times as long as
one thread takes for the whole computation. So L-BFGS-B runs with one thread.

Source: Nocedal & Wright, *Numerical Optimization*, 2nd ed., chapters 6 and 7.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from thalweg.flow.compiled import HostFunctions
from thalweg.solvers.adapters.checks import refuse_below
from thalweg.solvers.adapters.host_loop import (
    Evaluations,
    blas_threads,
    end_of_run,
    unfinished_rows,
)
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.dense import refuse_bytes

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome

UNLIMITED = 2**31 - 1  # iterations and evaluations; the recorder watches the budget
MATRICES = 3  # of BFGS: its matrix, and two copies that it makes


@final
@dataclasses.dataclass(frozen=True)
class LBFGS(AbstractHostMethod):
    """SciPy's L-BFGS-B without bounds.

    By default it continues until rounding stops it. A row is an iteration; its `rejected` counts
    the trial points of the line search that were not taken, each of which costs a gradient.

    Attributes:
        maxcor: Number of pairs (Δθ, Δ∇L) kept. At least 1. SciPy's default is 10; 50 reach low
            losses in fewer gradients on ill-conditioned least squares, and the additional pairs
            cost 160 n multiplications a step, little next to a gradient over the data.
        maxls: Most trial points of a line search. At least 1.
        ftol: The run ends when the relative decrease of the loss in a step is at most this. Not
            negative; with 0 it ends when the loss no longer decreases.
        gtol: The run ends when no component of ∇L is larger in magnitude. Not negative.

    Raises:
        ConfigError: A value is out of its range.

    Cost: one gradient for each trial point, and about `4 maxcor n` multiplications for each step.
    """

    name: ClassVar[str] = "l-bfgs"
    summary: ClassVar[str] = "SciPy's L-BFGS-B, 50 pairs"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    maxcor: int = 50
    maxls: int = 20
    ftol: float = 0.0
    gtol: float = 0.0

    def __post_init__(self) -> None:
        refuse_below("maxcor", self.maxcor, 1)
        refuse_below("maxls", self.maxls, 1)
        refuse_below("ftol", self.ftol, 0)
        refuse_below("gtol", self.gtol, 0)

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def run(
        self, flow: Flow, theta: np.ndarray, recorder: Recorder, *, spent: int = 0
    ) -> tuple[Outcome, str]:
        """Minimise until the recorder or SciPy ends the run.

        Args:
            flow: The flow.
            theta: The start, shape `(n,)`.
            recorder: Takes the rows.
            spent: Gradients that the run has already spent, in another method.
        """
        options = {
            "maxcor": self.maxcor,
            "maxls": self.maxls,
            "ftol": self.ftol,
            "gtol": self.gtol,
            "maxiter": UNLIMITED,
            "maxfun": UNLIMITED,
        }
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return _minimize("L-BFGS-B", options, flow, theta, recorder, spent=spent)


@final
@dataclasses.dataclass(frozen=True)
class BFGS(AbstractHostMethod):
    """SciPy's BFGS, with a dense matrix. By default it continues until rounding stops it.

    Attributes:
        gtol: The run ends when no component of ∇L is larger in magnitude. Not negative.

    Raises:
        ConfigError: `gtol` is negative.

    Cost: one gradient for each trial point, and O(n³) for each step, as SciPy multiplies full
    matrices; O(n²) memory.
    """

    name: ClassVar[str] = "bfgs"
    summary: ClassVar[str] = "SciPy's BFGS with a dense matrix"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    gtol: float = 0.0

    def __post_init__(self) -> None:
        refuse_below("gtol", self.gtol, 0)

    def check(self, flow: Flow) -> None:
        """Refuse matrices that do not fit into memory.

        Raises:
            ConfigError: They would not fit.
        """
        refuse_bytes(self.name, MATRICES * 8 * flow.size**2, flow, use="`l-bfgs`")

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Minimise until the recorder or SciPy ends the run."""
        options = {"gtol": self.gtol, "maxiter": UNLIMITED}
        with blas_threads(flow.size):
            return _minimize("BFGS", options, flow, theta, recorder)


def _minimize(
    algorithm: str,
    options: dict[str, Any],
    flow: Flow,
    theta: np.ndarray,
    recorder: Recorder,
    *,
    spent: int = 0,
) -> tuple[Outcome, str]:
    from scipy.optimize import OptimizeResult, minimize

    functions = HostFunctions(flow, recorder)
    evaluations = Evaluations(functions, recorder, spent=spent)
    start = np.asarray(theta, np.float64)

    # SciPy decides by the argument's name what to pass.
    def after_iteration(intermediate_result: OptimizeResult) -> None:
        evaluations.row(np.array(intermediate_result.x, np.float64))

    with unfinished_rows(evaluations):
        evaluations.row(start)
        # The line search deals with trial points at which the loss overflows.
        with np.errstate(all="ignore"):
            result = minimize(
                evaluations,
                start,
                jac=True,
                method=algorithm,
                callback=after_iteration,
                options=options,
            )
    outcome, _ = end_of_run(flow, functions, recorder, result.x)
    return outcome, f"SciPy's {algorithm} ended with {result.status}: {result.message}"
