"""SciPy's ODE integrators on the gradient flow dθ/dt = -∇L(θ), step by step.

`zvode` and `vode` (VODE: BDF or Adams with fixed leading coefficient), `lsoda` (switches between
the two by itself) and `dopri5` (explicit Runge-Kutta) through `scipy.integrate.ode`; `radau`, `bdf`
and `dop853` through the classes behind `scipy.integrate.solve_ivp`. They follow the flow to within
their tolerances, and do not use that the loss falls along it.

`scipy_ode_steps` and `scipy_solve_ivp` drive them and count their work; `negative_gradient` is what
they integrate.

Source: Brown, Byrne & Hindmarsh 1989 (VODE); Petzold 1983 (LSODA); Hairer, Nørsett & Wanner,
*Solving Ordinary Differential Equations I*, 2nd ed., II.5 (DOPRI5).
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, final

from thalweg.errors import ConfigError
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.ode_run import HORIZON, run_solver
from thalweg.solvers.adapters.scipy_ode_steps import integrate_dopri5, integrate_multistep
from thalweg.solvers.adapters.scipy_solve_ivp import STEPPERS, integrate_stepper
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.dense import MATRIX_FREE, refuse_bytes
from thalweg.solvers.step_control import Accuracy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome
    from thalweg.solvers.adapters.negative_gradient import NegativeGradient, Point

INTEGRATORS = {
    "zvode": "VODE for complex θ, the article's way: BDF, Jacobian by finite differences",
    "vode": "VODE: BDF or Adams, exact Hessian",
    "lsoda": "LSODA: switches between Adams and BDF, exact Hessian",
    "dopri5": "explicit Runge-Kutta of order 5 by Dormand and Prince",
    "radau": "Radau IIA: implicit Runge-Kutta of order 5, exact Hessian",
    "bdf": "BDF of orders 1 to 5 in Python, exact Hessian",
    "dop853": "explicit Runge-Kutta of order 8 by Dormand and Prince",
}
NAMES = {"radau": "scipy-radau", "bdf": "scipy-bdf"}  # whose own names are ambiguous
EXPLICIT = ("dopri5", "dop853")
JACOBIANS = ("exact", "finite-differences")
METHODS = {"bdf": 5, "adams": 12}  # with their highest orders

UNLIMITED = 2**31 - 1
# Bytes for each pair of parameters: the work array, or J, the identity and the LU decompositions.
MATRIX_BYTES = {"zvode": 32, "vode": 16, "lsoda": 8, "radau": 48, "bdf": 32}
REWRITTEN = (1, 17)  # the first SciPy with its solvers in C

_one_run = threading.Lock()


@final
@dataclasses.dataclass(frozen=True)
class SciPyODESolver(AbstractHostMethod):
    """One of SciPy's ODE integrators on the gradient flow.

    A row is an accepted step; its `rejected` counts attempts that failed the error test or whose
    Newton iteration did not converge. In `work`, `gradients` counts the solver's evaluations of ∇L,
    including those of finite differences, and `jacobians` its Jacobians, exact or not.

    `dopri5`, `dop853` and `radau` evaluate at each accepted point, so that a row costs nothing. The
    multistep solvers reach it by a last Newton correction and do not evaluate there: a row costs
    one evaluation of the loss alone, counted in `losses`, and `grad_norm` is NaN. With
    `Stop(grad_norm=...)` a row costs one gradient instead, counted in `gradients`.

    With float32 parameters the solver still works in float64, but its own finite differences
    vanish in the rounding of the loss. Then the differences are taken here, with increments that
    suit float32, and counted as gradients as well. For `radau` and `bdf` this is always so.

    Attributes:
        integrator: `zvode`, `vode`, `lsoda`, `dopri5`, `radau`, `bdf` or `dop853`.
        rtol: Relative tolerance of a step, for each parameter. Not negative.
        atol: Absolute tolerance of a step. Positive.
        max_order: Highest order of the formulas; None for the solver's default. 2 keeps BDF
            A-stable. At most 5 for BDF and 12 for Adams. For `zvode`, `vode` and `lsoda`.
        method: `bdf` or `adams`, for `zvode` and `vode`; `lsoda` switches by itself.
        jacobian: `exact` for the Hessian of the loss by n products, or `finite-differences`. None
            means `finite-differences` for `zvode`, the article's setting, and `exact` for the
            others.
        loosest: The relative tolerance at the start of a schedule; both tolerances then fall with
            the square root of the loss, as in `Accuracy`, down to `rtol` and `atol`. None for
            constant tolerances. Not for `dopri5`, which SciPy runs in one call.

    Raises:
        ConfigError: A value is out of its range, or does not apply.

    Cost: the evaluations counted in `work`; a Jacobian costs n Hessian products or n gradients, and
    an O(n³) LU decomposition (`radau`: a real and a complex one). The explicit solvers have
    neither. From SciPy 1.17 on `vode` computes a new Jacobian for each LU decomposition, several
    times as many as before.
    """

    kind: ClassVar[str] = "baseline"

    integrator: str
    _: dataclasses.KW_ONLY
    rtol: float = 1e-6
    atol: float = 1e-8
    max_order: int | None = None
    method: str = "bdf"
    jacobian: str | None = None
    loosest: float | None = None

    def __post_init__(self) -> None:
        refuse_unknown("integrator", self.integrator, INTEGRATORS)
        refuse_unknown("method", self.method, METHODS)
        if self.jacobian is not None:
            refuse_unknown("jacobian", self.jacobian, JACOBIANS)
        _ = self.accuracy  # which refuses tolerances out of their range
        if self.integrator in EXPLICIT and (self.max_order, self.jacobian) != (None, None):
            raise ConfigError(
                f"`{self.integrator}` is explicit and of fixed order; leave out `max_order` and "
                "`jacobian`"
            )
        if self.integrator in STEPPERS and self.max_order is not None:
            raise ConfigError(
                f"SciPy's `{self.integrator}` has no option for its highest order; leave out "
                "`max_order`, or use `vode`"
            )
        if self.integrator == "dopri5" and self.loosest is not None:
            raise ConfigError(
                "SciPy runs `dopri5` in one call with constant tolerances; leave out `loosest`, or "
                "use `dop853`"
            )
        most = METHODS["adams" if self.integrator == "lsoda" else self.method]
        if self.max_order is not None and not 1 <= self.max_order <= most:
            raise ConfigError(
                f"`max_order` is {self.max_order!r}, but a whole number from 1 to {most} was "
                "expected"
            )

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - one class, many
        """The name in the list of methods."""
        return NAMES.get(self.integrator, self.integrator)

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it is, in a few words."""
        return f"SciPy's {INTEGRATORS[self.integrator]}"

    @property
    def needs(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it needs of the problem."""
        return "any problem" + ("" if self.integrator in EXPLICIT else ", n² memory")

    @property
    def accuracy(self) -> Accuracy:
        """The tolerances."""
        return Accuracy(rtol=self.rtol, atol=self.atol, loosest=self.loosest)

    @property
    def is_exact(self) -> bool:
        """Whether the Jacobian is the exact Hessian."""
        default = "finite-differences" if self.integrator == "zvode" else "exact"
        return (self.jacobian or default) == "exact"

    def check(self, flow: Flow) -> None:
        """Refuse matrices that do not fit into memory.

        Raises:
            ConfigError: They would not fit.
        """
        size = MATRIX_BYTES.get(self.integrator, 0) * flow.size**2
        refuse_bytes(self.name, size, flow, use=MATRIX_FREE)

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Integrate until the recorder or the solver ends the run."""

        def integrate(field: NegativeGradient, first: Point) -> tuple[Point, str]:
            accuracy = self.accuracy
            if self.integrator in STEPPERS:
                return integrate_stepper(
                    self.integrator,
                    field,
                    first,
                    recorder,
                    accuracy=accuracy,
                    is_exact=self.is_exact,
                )
            solver = self.solver(field, first.theta)
            if self.integrator == "dopri5":
                return integrate_dopri5(self.integrator, solver, field, first, recorder)
            return integrate_multistep(
                self.integrator, solver, field, first, recorder, accuracy=accuracy
            )

        with _one_at_a_time(self.integrator), _quiet(self.integrator):
            return run_solver(flow, theta, recorder, integrate)

    def solver(self, field: NegativeGradient, start: np.ndarray) -> Any:
        """SciPy's `ode` object, ready at t = 0."""
        from scipy.integrate import ode

        options: dict[str, Any] = {"rtol": self.rtol, "atol": self.atol}
        jacobian: Callable[..., np.ndarray] | None = None
        if self.integrator == "dopri5":
            options["nsteps"] = UNLIMITED  # one call is the whole run
            options["max_step"] = HORIZON  # SciPy 1.17.0 would default to 1
        elif self.integrator == "lsoda":
            if self.max_order is not None:
                options["max_order_ns"] = self.max_order
                options["max_order_s"] = min(self.max_order, METHODS["bdf"])
        else:
            options["method"] = self.method
            options["with_jacobian"] = True
            options["order"] = self.max_order or METHODS[self.method]
        if self.integrator != "dopri5":
            if self.is_exact:
                jacobian = field.jacobian
            elif field.is_float32:
                jacobian = field.differences
        solver = ode(field, jacobian).set_integrator(self.integrator, **options)
        solver.set_initial_value(start.astype(complex) if self.integrator == "zvode" else start)
        if self.integrator == "vode" and _scipy_version() >= REWRITTEN:
            # A negative method flag: keep no copy of the Jacobian. The rewritten VODE (not ZVODE)
            # misuses its copy: on a linear flow with curvatures from 0.1 to 100 Newton's iteration
            # fails in half of the steps, and there are over 20 times as many steps.
            arguments = solver._integrator.call_args  # noqa: SLF001 - SciPy has no option for it
            arguments[-1] = -abs(arguments[-1])
        return solver


def zvode() -> SciPyODESolver:
    """The article's setting: BDF, finite differences, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("zvode")


def vode() -> SciPyODESolver:
    """BDF with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("vode")


def lsoda() -> SciPyODESolver:
    """LSODA with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("lsoda")


def dopri5() -> SciPyODESolver:
    """Dormand and Prince's explicit formulas, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("dopri5")


def radau() -> SciPyODESolver:
    """Radau IIA with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("radau")


def bdf() -> SciPyODESolver:
    """SciPy's BDF with the exact Hessian, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("bdf")


def dop853() -> SciPyODESolver:
    """Dormand and Prince's formulas of order 8, atol 1e-8, rtol 1e-6."""
    return SciPyODESolver("dop853")


def _scipy_version() -> tuple[int, ...]:
    import scipy

    return tuple(int(part) for part in scipy.__version__.split(".")[:2])


@contextlib.contextmanager
def _one_at_a_time(integrator: str) -> Iterator[None]:
    """Refuse two runs at a time of a solver that SciPy cannot run twice at a time.

    Before they were rewritten in C, VODE and LSODA kept their state in globals; since then DOPRI5,
    whose rows are logged during its call, loses its callbacks to a nested run.
    """
    import scipy

    is_safe = (_scipy_version() >= REWRITTEN) != (integrator == "dopri5")
    if integrator in STEPPERS or is_safe:
        yield
        return
    if not _one_run.acquire(blocking=False):
        raise ConfigError(
            f"`{integrator}` of SciPy {scipy.__version__} can integrate one flow at a time, and "
            "another run of it has not ended; wait for that one, or use another integrator"
        )
    try:
        yield
    finally:
        _one_run.release()


@contextlib.contextmanager
def _quiet(integrator: str) -> Iterator[None]:
    """Suppress SciPy's warning at the end of a run; its text becomes the solution's detail."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f"{integrator}: ", category=UserWarning)
        yield
