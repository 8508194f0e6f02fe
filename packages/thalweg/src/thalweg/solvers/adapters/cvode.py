"""CVODE of SUNDIALS on the gradient flow dθ/dt = -∇L(θ), by scikit-sundae, step by step.

BDF or Adams formulas of variable order and step,

    Σ αᵢ θₙ₋ᵢ = -h β ∇L(θₙ),

solved by Newton's method: densely, with the Hessian kept while it serves, or by GMRES without a
matrix, with one Hessian product an iteration.

scikit-sundae shows two of CVODE's counters, evaluations and Jacobians. The others are counted from
its calls: Newton's method asks for the slope once an iteration, GMRES for one product; an attempt
asks at the time where it would arrive, and h is divided by 4 exactly where Newton's method failed.
Only the LU decompositions that reuse a Jacobian leave no trace.

Source: Cohen & Hindmarsh 1996, "CVODE, a stiff/nonstiff ODE solver in C"; Hindmarsh et al. 2005,
"SUNDIALS: Suite of nonlinear and differential/algebraic equation solvers".
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from typing import TYPE_CHECKING, Any, ClassVar, final

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError
from thalweg.solvers.adapters.attempts import TimedSlope, failures_of
from thalweg.solvers.adapters.ode_run import (
    FIRST_TARGET,
    HORIZON,
    add_rows,
    at_rest,
    end_unfinished,
    follow,
)
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.step_control import Accuracy

if TYPE_CHECKING:
    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome, Work
    from thalweg.solvers.adapters.negative_gradient import Point, Slope

METHODS = {"bdf": 5, "adams": 12}  # with the highest order there is
JACOBIANS = ("exact", "finite-differences")
LINEAR_SOLVERS = ("dense", "krylov")
KRYLOV_DIM = 5  # CVODE's own default

MOST_BYTES = 2**32  # what the matrices may take
MATRIX_BYTES = 24  # a pair of parameters: the Jacobian twice, and the matrix of Newton's method
LAPACK_FROM = 100  # parameters; for fewer, CVODE's own LU decomposition is the quicker one
QUARTER = 0.25  # what CVODE multiplies h by where Newton's method failed


@final
@dataclasses.dataclass(frozen=True)
class CVODE(AbstractHostMethod):
    """CVODE of SUNDIALS on the gradient flow. Needs the extra `cvode`.

    A row is an accepted step; its `rejected` are attempts that failed the error test or whose
    Newton iteration did not converge. CVODE arrives by a last Newton correction at a point that it
    does not evaluate: there a row costs one evaluation of the loss alone, booked as `losses`, and
    `grad_norm` is NaN, unless `Stop(grad_norm=...)` asks for it: then a row costs one gradient
    more, booked as such.

    In `work`, `factorizations` are the LU decompositions with a new Jacobian; CVODE also makes some
    for a new h with an old one, several times as many, which scikit-sundae does not report. The
    tolerances stay: it has no way to change them without a restart.

    Attributes:
        rtol: Relative tolerance of a step, for each parameter. Not negative.
        atol: Absolute tolerance of a step. Positive.
        method: `bdf` or `adams`.
        max_order: Highest order of the formulas; None for 5 with BDF and 12 with Adams, which are
            the most there is. 2 keeps BDF A-stable.
        linear_solver: `dense`, or `krylov` for GMRES without a matrix or a preconditioner.
        krylov_dim: GMRES iterations at most, in each Newton iteration. At least 1. For `krylov`.
        jacobian: `exact`, that is Hessian products; or `finite-differences` with `dense`, taken
            here from n + 1 gradients.

    Raises:
        ConfigError: A value is out of its range, or does not apply.

    Cost: evaluations as `work` tells. `dense`: a Jacobian costs n Hessian products, an LU
    decomposition O(n³). `krylov`: a Hessian product and O(n) an iteration, so for any n.
    """

    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    rtol: float = 1e-6
    atol: float = 1e-8
    method: str = "bdf"
    max_order: int | None = None
    linear_solver: str = "dense"
    krylov_dim: int = KRYLOV_DIM
    jacobian: str = "exact"

    def __post_init__(self) -> None:
        Accuracy(rtol=self.rtol, atol=self.atol)  # which refuses values out of their range
        for name, known in (
            ("method", METHODS),
            ("linear_solver", LINEAR_SOLVERS),
            ("jacobian", JACOBIANS),
        ):
            if (value := getattr(self, name)) not in known:
                raise ConfigError(
                    f"`{name}` is {value!r}, but one of {', '.join(known)} was expected"
                )
        most = METHODS[self.method]
        if self.max_order is not None and not 1 <= self.max_order <= most:
            raise ConfigError(
                f"`max_order` is {self.max_order!r}, but a whole number from 1 to {most} was "
                "expected"
            )
        if self.krylov_dim < 1:
            raise ConfigError(
                f"`krylov_dim` is {self.krylov_dim!r}, but a whole number of at least 1 was "
                "expected"
            )
        if self.is_krylov and self.jacobian != "exact":
            raise ConfigError(
                "`krylov` takes exact Hessian products; leave out `jacobian`, or use `dense`"
            )

    @property
    def is_krylov(self) -> bool:
        """Whether no matrix is formed."""
        return self.linear_solver == "krylov"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - one class, two
        """`cvode` or `cvode-krylov`."""
        return "cvode-krylov" if self.is_krylov else "cvode"

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it is, in a few words."""
        solver = "GMRES on exact Hessian products" if self.is_krylov else "exact Hessian"
        return f"SUNDIALS CVODE: BDF or Adams, {solver}"

    @property
    def needs(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it needs of the problem, and which extra."""
        return "any problem" + ("" if self.is_krylov else ", n² memory") + "; extra `cvode`"

    def check(self, flow: Flow) -> None:
        """Refuse to run without the library, and matrices that do not fit into memory.

        Raises:
            MissingExtraError: scikit-sundae is not installed.
            ConfigError: The matrices would take more than `MOST_BYTES`.
        """
        _library(self.name)
        size = 0 if self.is_krylov else MATRIX_BYTES * flow.size**2
        if size > MOST_BYTES:
            raise ConfigError(
                f"`cvode` would take {size / 2**30:.0f} GiB for its matrices of {flow.size} "
                f"parameters, but at most {MOST_BYTES // 2**30} were expected; use `cvode-krylov`"
            )

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Integrate until the recorder or CVODE ends the run."""
        return follow(
            flow, theta, recorder, lambda slope, first: self._walk(slope, first, recorder)
        )

    def _walk(self, slope: Slope, start: Point, recorder: Recorder) -> tuple[Point, str]:
        """Steps of CVODE. Returns the last point, and why it ended."""
        calls = _Calls(slope, self)
        solver = calls.solver()
        point, t, work = start, 0.0, recorder.work
        while t < HORIZON:
            with contextlib.redirect_stdout(io.StringIO()):  # where its errors are printed, too
                result = solver.step(FIRST_TARGET if t == 0 else HORIZON, method="onestep")
            if slope.ended is not None:
                end_unfinished(slope, slope.ended, recorder, point, work, t=t)
            before, work = work, calls.read(work, start=t, is_taken=result.success)
            if not result.success:
                work = add_rows(work, slope)
                recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # books the last attempts
                return point, f"`{self.name}` ended at t = {t:.3g}: {result.message}"
            point, h, t = slope.at(result.y), float(result.t) - t, float(result.t)
            work = add_rows(work, slope)
            recorder.row(
                **point._asdict(),
                work=work,
                t=t,
                h=h,
                rejected=work.rejected_steps - before.rejected_steps,
            )
        return point, at_rest(self.name)


class _Calls:
    """What CVODE calls, counted; it wants its results written into arrays of its own."""

    def __init__(self, slope: Slope, method: CVODE) -> None:
        self._slope = slope
        self._asked = TimedSlope(slope)
        self._method = method
        self._has_begun = False
        self._start = slope.accepted

    def solver(self) -> Any:
        """scikit-sundae's solver, ready at t = 0."""
        cvode, method = _library(self._method.name), self._method
        options: dict[str, Any] = {
            "rtol": method.rtol,
            "atol": method.atol,
            "method": method.method.upper(),
            "max_order": method.max_order or METHODS[method.method],
        }
        if method.is_krylov:
            options["linsolver"] = "gmres"
            options["krylov_dim"] = method.krylov_dim
            options["jactimes"] = cvode.CVODEJacTimes(None, self._product)
        else:
            options["linsolver"] = "dense" if self._start.size < LAPACK_FROM else "lapackdense"
            options["jacfn"] = self._jacobian
        try:
            solver = cvode.CVODE(self._slope_into, **options)
        except ValueError:  # SUNDIALS can be built without LAPACK
            if options["linsolver"] != "lapackdense":
                raise
            solver = cvode.CVODE(self._slope_into, **{**options, "linsolver": "dense"})
        solver.init_step(0.0, self._start)
        return solver

    def read(self, work: Work, *, start: float, is_taken: bool) -> Work:
        """What was spent so far, with the attempts of the step that began at time `start`."""
        # A first step without a linear solve was taken at once, as its prediction was good enough,
        # or not tried at all.
        self._begin(kept=1 if is_taken else 0)
        # At the start it asks once before the first step, and after three failed error tests.
        times = [t for t in self._asked.times if t != start]
        self._asked.times.clear()
        failures = failures_of(times, start=start, newton_factor=QUARTER, is_taken=is_taken)
        return failures.booked(work)._replace(
            gradients=self._slope.calls,
            jacobians=self._slope.jacobians,
            factorizations=self._slope.jacobians,
            hessian_products=self._slope.products,
            linear_iterations=self._slope.products,
            newton_iterations=work.newton_iterations + len(times),
        )

    def _slope_into(self, t: float, theta: np.ndarray, out: np.ndarray) -> None:
        out[:] = self._asked(t, theta)

    def _jacobian(self, t: float, theta: np.ndarray, _: np.ndarray, out: np.ndarray) -> None:
        self._begin()
        is_exact = self._method.jacobian == "exact"
        out[:] = (self._slope.jacobian if is_exact else self._slope.differences)(t, theta)

    def _product(
        self, _t: float, theta: np.ndarray, _slope: np.ndarray, v: np.ndarray, out: np.ndarray
    ) -> None:
        self._begin()
        out[:] = self._slope.product(theta, v)

    def _begin(self, *, kept: int = 1) -> None:
        """At the first linear solve forget the calls that found the first step."""
        if not self._has_begun:
            self._has_begun = True
            del self._asked.times[: len(self._asked.times) - kept]


def _library(name: str) -> Any:
    """The module `sksundae.cvode`."""
    return import_extra("sksundae.cvode", library="scikit-sundae", extra="cvode", needed_by=name)


def cvode() -> CVODE:
    """BDF with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return CVODE()


def cvode_krylov() -> CVODE:
    """BDF with GMRES on exact Hessian products, atol 1e-8, rtol 1e-6."""
    return CVODE(linear_solver="krylov")
