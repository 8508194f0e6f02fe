"""CVODE of SUNDIALS on the gradient flow dθ/dt = -∇L(θ), by scikit-sundae, step by step.

BDF or Adams formulas of variable order and step,

    Σ αᵢ θₙ₋ᵢ = -h β ∇L(θₙ),

solved by Newton's method: with a dense Hessian that is reused while it serves, or by GMRES without
a matrix, with one Hessian product for each iteration.

scikit-sundae reports two of CVODE's counters, evaluations and Jacobians. The others are counted
from its calls: an iteration of Newton's method evaluates -∇L once, one of GMRES takes one product;
an attempt evaluates at the time of its end, and h is divided by 4 exactly after a Newton failure.
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
from thalweg.solvers.adapters.attempts import TimedField, failures_of
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.ode_run import (
    FIRST_TARGET,
    HORIZON,
    end_inside_step,
    reached_horizon,
    run_solver,
    with_extra,
)
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.dense import refuse_bytes
from thalweg.solvers.step_control import Accuracy

if TYPE_CHECKING:
    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome, Work
    from thalweg.solvers.adapters.negative_gradient import NegativeGradient, Point

METHODS = {"bdf": 5, "adams": 12}  # with their highest orders
JACOBIANS = ("exact", "finite-differences")
LINEAR_SOLVERS = ("dense", "krylov")
KRYLOV_DIM = 5  # CVODE's own default

MATRIX_BYTES = 24  # for each pair of parameters: the Jacobian twice, and Newton's matrix
LAPACK_FROM = 100  # parameters; for fewer, CVODE's own LU decomposition is faster
QUARTER = 0.25  # factor of h in CVODE after a Newton failure


@final
@dataclasses.dataclass(frozen=True)
class CVODE(AbstractHostMethod):
    """CVODE of SUNDIALS on the gradient flow. Needs the extra `cvode`.

    A row is an accepted step; its `rejected` counts attempts that failed the error test or whose
    Newton iteration did not converge. CVODE reaches an accepted point by a last Newton correction
    and does not evaluate there: a row costs one evaluation of the loss alone, counted in `losses`,
    and `grad_norm` is NaN. With `Stop(grad_norm=...)` a row costs one gradient instead, counted in
    `gradients`.

    In `work`, `factorizations` counts the LU decompositions with a new Jacobian. Those for a new h
    with an old Jacobian are several times as many, and scikit-sundae does not report them. The
    tolerances are constant: CVODE cannot change them without a restart.

    Attributes:
        rtol: Relative tolerance of a step, for each parameter. Not negative.
        atol: Absolute tolerance of a step. Positive.
        method: `bdf` or `adams`.
        max_order: Highest order of the formulas; None for the maximum, 5 with BDF and 12 with
            Adams. 2 keeps BDF A-stable.
        linear_solver: `dense`, or `krylov` for GMRES without a matrix or a preconditioner.
        krylov_dim: Most GMRES iterations in a Newton iteration. At least 1. For `krylov`.
        jacobian: `exact` for Hessian products; or, with `dense`, `finite-differences` of n + 1
            gradients.

    Raises:
        ConfigError: A value is out of its range, or does not apply.

    Cost: the evaluations counted in `work`. `dense`: a Jacobian costs n Hessian products, an LU
    decomposition O(n³). `krylov`: an iteration costs a Hessian product and O(n), so for any n.
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
        refuse_unknown("method", self.method, METHODS)
        refuse_unknown("linear_solver", self.linear_solver, LINEAR_SOLVERS)
        refuse_unknown("jacobian", self.jacobian, JACOBIANS)
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
        """Refuse if the library is missing or the matrices are too large.

        Raises:
            MissingExtraError: scikit-sundae is not installed.
            ConfigError: The matrices would not fit into memory.
        """
        _library(self.name)
        size = 0 if self.is_krylov else MATRIX_BYTES * flow.size**2
        refuse_bytes(self.name, size, flow, use="`cvode-krylov`")

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Integrate until the recorder or CVODE ends the run."""
        return run_solver(
            flow, theta, recorder, lambda field, first: self._integrate(field, first, recorder)
        )

    def _integrate(
        self, field: NegativeGradient, start: Point, recorder: Recorder
    ) -> tuple[Point, str]:
        """Take steps of CVODE. Returns the last point, and why it ended."""
        calls = _Calls(field, self)
        solver = calls.solver()
        point, t, work = start, 0.0, recorder.work
        while t < HORIZON:
            with contextlib.redirect_stdout(io.StringIO()):  # CVODE prints errors there, too
                result = solver.step(FIRST_TARGET if t == 0 else HORIZON, method="onestep")
            if field.ended is not None:
                end_inside_step(field, field.ended, recorder, point, work, t=t)
            before, work = work, calls.read(work, start=t, is_taken=result.success)
            if not result.success:
                work = with_extra(work, field)
                recorder.row(**point._asdict(), work=work, t=t, h=0.0)  # counts the last attempts
                return point, f"`{self.name}` ended at t = {t:.3g}: {result.message}"
            point, h, t = field.at(result.y), float(result.t) - t, float(result.t)
            work = with_extra(work, field)
            recorder.row(
                **point._asdict(),
                work=work,
                t=t,
                h=h,
                rejected=work.rejected_steps - before.rejected_steps,
            )
        return point, reached_horizon(self.name)


class _Calls:
    """The functions that CVODE calls, with counters; they write into CVODE's arrays."""

    def __init__(self, field: NegativeGradient, method: CVODE) -> None:
        self._field = field
        self._timed = TimedField(field)
        self._method = method
        self._has_begun = False
        self._start = field.accepted

    def solver(self) -> Any:
        """scikit-sundae's solver at t = 0."""
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
            solver = cvode.CVODE(self._field_into, **options)
        except ValueError:  # SUNDIALS can be built without LAPACK
            if options["linsolver"] != "lapackdense":
                raise
            solver = cvode.CVODE(self._field_into, **{**options, "linsolver": "dense"})
        solver.init_step(0.0, self._start)
        return solver

    def read(self, work: Work, *, start: float, is_taken: bool) -> Work:
        """The work so far, with the attempts of the step that began at time `start`."""
        # A first step without a linear solve was either accepted at once, its prediction being good
        # enough, or never attempted.
        self._begin(kept=1 if is_taken else 0)
        # CVODE evaluates at the start once before the first step, and after three failed error
        # tests.
        times = [t for t in self._timed.times if t != start]
        self._timed.times.clear()
        failures = failures_of(times, start=start, newton_factor=QUARTER, is_taken=is_taken)
        return failures.added_to(work)._replace(
            gradients=self._field.calls,
            jacobians=self._field.jacobians,
            factorizations=self._field.jacobians,
            hessian_products=self._field.products,
            linear_iterations=self._field.products,
            newton_iterations=work.newton_iterations + len(times),
        )

    def _field_into(self, t: float, theta: np.ndarray, out: np.ndarray) -> None:
        out[:] = self._timed(t, theta)

    def _jacobian(self, t: float, theta: np.ndarray, _: np.ndarray, out: np.ndarray) -> None:
        self._begin()
        is_exact = self._method.jacobian == "exact"
        out[:] = (self._field.jacobian if is_exact else self._field.differences)(t, theta)

    def _product(
        self, _t: float, theta: np.ndarray, _f: np.ndarray, v: np.ndarray, out: np.ndarray
    ) -> None:
        self._begin()
        out[:] = self._field.product(theta, v)

    def _begin(self, *, kept: int = 1) -> None:
        """At the first linear solve, drop the calls that chose the first step."""
        if not self._has_begun:
            self._has_begun = True
            del self._timed.times[: len(self._timed.times) - kept]


def _library(name: str) -> Any:
    """The module `sksundae.cvode`."""
    return import_extra("sksundae.cvode", library="scikit-sundae", extra="cvode", needed_by=name)


def cvode() -> CVODE:
    """BDF with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return CVODE()


def cvode_krylov() -> CVODE:
    """BDF with GMRES on exact Hessian products, atol 1e-8, rtol 1e-6."""
    return CVODE(linear_solver="krylov")
