"""SciPy's quasi-Newton minimisers: L-BFGS-B without bounds, and BFGS.

They build the curvature from the gradients along the way,

    θ⁺ = θ - α B ∇L(θ),   B ≈ (∇²L)⁻¹ from the pairs (Δθ, Δ∇L) of the steps so far,

with a line search for α that asks for the strong Wolfe conditions. They have no flow time, so the
columns `t` and `h` are NaN.

L-BFGS-B calls BLAS on vectors and on matrices of 50 columns. OpenBLAS splits these among its
threads, and where other work keeps a core busy, waiting for one another takes 10 times longer
than the whole computation on one thread. So L-BFGS-B runs with one.

Source: Nocedal & Wright, *Numerical Optimization*, 2nd ed., chapters 6 and 7.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from thalweg._recorder import RunEnded
from thalweg.errors import ConfigError
from thalweg.flow.compiled import HostFunctions
from thalweg.solution import Outcome
from thalweg.solvers.adapters.host_loop import Evaluations, blas_threads, judge
from thalweg.solvers.base import AbstractHostMethod

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow

UNLIMITED = 2**31 - 1  # iterations and evaluations: the budget is the recorder's business
MOST_BYTES = 2**32  # what BFGS may take for its matrix and the two copies it makes of it


@final
@dataclasses.dataclass(frozen=True)
class LBFGS(AbstractHostMethod):
    """SciPy's L-BFGS-B without bounds.

    By default it goes on until rounding stops it. A row is an iteration; its `rejected` are the
    trial points of the line search that were not taken, each of which costs a gradient.

    Attributes:
        maxcor: Pairs (Δθ, Δ∇L) kept. At least 1. SciPy's own default is 10; 50 reaches low losses
            in fewer gradients on ill-conditioned least squares, and the 40 pairs more cost 160 n
            multiplications a step, little next to a gradient over the data.
        maxls: Trial points a line search may take. At least 1.
        ftol: The run ends where a step lowers the loss by no more than this, relatively. Not
            negative; at 0 it ends where the loss falls no more.
        gtol: The run ends where no component of ∇L is larger. Not negative.

    Raises:
        ConfigError: A value is out of its range.

    Cost: one gradient a trial point, and about `4 maxcor n` multiplications a step.
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
        _at_least("maxcor", self.maxcor, 1)
        _at_least("maxls", self.maxls, 1)
        _at_least("ftol", self.ftol, 0)
        _at_least("gtol", self.gtol, 0)

    def check(self, flow: Flow) -> None:
        """Nothing is refused."""

    def run(
        self, flow: Flow, theta: np.ndarray, recorder: Recorder, *, spent: int = 0
    ) -> tuple[Outcome, str]:
        """Minimise until the recorder or SciPy ends the run.

        Args:
            flow: The flow.
            theta: The start, shape `(n,)`.
            recorder: Takes the rows.
            spent: Gradients that the run has spent before, in another method.
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
    """SciPy's BFGS, with a dense matrix. By default it goes on until rounding stops it.

    Attributes:
        gtol: The run ends where no component of ∇L is larger. Not negative.

    Raises:
        ConfigError: `gtol` is negative.

    Cost: one gradient a trial point, and O(n³) a step, as SciPy multiplies full matrices; O(n²)
    memory.
    """

    name: ClassVar[str] = "bfgs"
    summary: ClassVar[str] = "SciPy's BFGS with a dense matrix"
    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    gtol: float = 0.0

    def __post_init__(self) -> None:
        _at_least("gtol", self.gtol, 0)

    def check(self, flow: Flow) -> None:
        """Refuse matrices that do not fit into memory.

        Raises:
            ConfigError: The matrices would take more than `MOST_BYTES`.
        """
        size = 3 * 8 * flow.size**2
        if size > MOST_BYTES:
            raise ConfigError(
                f"`bfgs` would take {size / 2**30:.0f} GiB for {flow.size} parameters, but at "
                f"most {MOST_BYTES // 2**30} were expected; use `l-bfgs`"
            )

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Minimise until the recorder or SciPy ends the run."""
        options = {"gtol": self.gtol, "maxiter": UNLIMITED}
        with blas_threads(flow.size):
            return _minimize("BFGS", options, flow, theta, recorder)


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(f"`{name}` is {value!r}, but a number of at least {least} was expected")


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

    # SciPy looks at the argument's name to know what to pass.
    def after_iteration(intermediate_result: OptimizeResult) -> None:
        evaluations.row(np.array(intermediate_result.x, np.float64))

    try:
        evaluations.row(start)
        with np.errstate(all="ignore"):  # a loss that overflows on trial is the line search's job
            result = minimize(
                evaluations,
                start,
                jac=True,
                method=algorithm,
                callback=after_iteration,
                options=options,
            )
    except RunEnded as ended:
        if ended.outcome is Outcome.BUDGET_SPENT:
            evaluations.unfinished_row()
        raise
    evaluations.unfinished_row()
    outcome, _ = judge(
        functions,
        result.x,
        start_loss=float(recorder.history()["loss"][0]),
        eps=float(np.finfo(flow.spec.dtype).eps),
    )
    return outcome, f"SciPy's {algorithm} ended with {result.status}: {result.message}"
