"""SciPy's ODE integrators on the gradient flow dθ/dt = -∇L(θ), step by step.

`zvode` and `vode` (VODE: BDF or Adams with fixed leading coefficient), `lsoda` (switches between
both by itself) and `dopri5` (explicit Runge-Kutta) through `scipy.integrate.ode`; `radau`, `bdf`
and `dop853` through the classes behind `scipy.integrate.solve_ivp`. They follow the flow to their
tolerances; nothing in them knows that a loss falls.

`scipy_ode_walk` and `scipy_solve_ivp` drive them and read what they spent; `slope` is what they
integrate.

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
from thalweg.solvers.adapters.ode_run import HORIZON, follow
from thalweg.solvers.adapters.scipy_ode_steps import walk_dopri5, walk_multistep
from thalweg.solvers.adapters.scipy_solve_ivp import STEPPERS, walk_stepper
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.step_control import Accuracy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome
    from thalweg.solvers.adapters.negative_gradient import Point, Slope

INTEGRATORS = {
    "zvode": "VODE for complex θ, the article's way: BDF, Jacobian by finite differences",
    "vode": "VODE: BDF or Adams, exact Hessian",
    "lsoda": "LSODA: switches between Adams and BDF, exact Hessian",
    "dopri5": "explicit Runge-Kutta of order 5 by Dormand and Prince",
    "radau": "Radau IIA: implicit Runge-Kutta of order 5, exact Hessian",
    "bdf": "BDF of orders 1 to 5 in Python, exact Hessian",
    "dop853": "explicit Runge-Kutta of order 8 by Dormand and Prince",
}
NAMES = {"radau": "scipy-radau", "bdf": "scipy-bdf"}  # where the integrator's own would mislead
EXPLICIT = ("dopri5", "dop853")
JACOBIANS = ("exact", "finite-differences")
METHODS = {"bdf": 5, "adams": 12}  # with the highest order there is

UNLIMITED = 2**31 - 1
MOST_BYTES = 2**32  # what a solver may take for its matrices
# A pair of parameters, in the work array, or in J, the identity and the LU decompositions.
MATRIX_BYTES = {"zvode": 32, "vode": 16, "lsoda": 8, "radau": 48, "bdf": 32}
REWRITTEN = (1, 17)  # the SciPy that has its solvers in C

_one_run = threading.Lock()


@final
@dataclasses.dataclass(frozen=True)
class SciPyODESolver(AbstractHostMethod):
    """One of SciPy's ODE integrators on the gradient flow.

    A row is an accepted step; its `rejected` are attempts that failed the error test or whose
    Newton iteration did not converge. `gradients` in `work` are the solver's evaluations of ∇L,
    with those of finite differences; `jacobians` are its Jacobians, exact or not.

    The loss at an accepted point costs no evaluation where the solver has just been there, as
    `dopri5`, `dop853` and `radau` have. The multistep solvers arrive by a last Newton correction
    at a point that they do not evaluate: there a row costs one evaluation of the loss alone, booked
    as `losses`, and `grad_norm` is NaN, unless `Stop(grad_norm=...)` asks for it: then a row costs
    one gradient more, booked as such.

    With float32 parameters the solver still works in float64, but its own finite differences
    vanish in the rounding of the loss. Then the differences are taken here, with increments that
    float32 can see, and booked as gradients all the same. For `radau` and `bdf` they always are.

    Attributes:
        integrator: `zvode`, `vode`, `lsoda`, `dopri5`, `radau`, `bdf` or `dop853`.
        rtol: Relative tolerance of a step, for each parameter. Not negative.
        atol: Absolute tolerance of a step. Positive.
        max_order: Highest order of the formulas; None for the solver's own. 2 keeps BDF A-stable.
            At most 5 for BDF and 12 for Adams. For `zvode`, `vode` and `lsoda`.
        method: `bdf` or `adams`, for `zvode` and `vode`; `lsoda` switches by itself.
        jacobian: `exact`, the Hessian of the loss by n products, or `finite-differences`. None
            for `finite-differences` with `zvode`, which is the article's setting, and `exact`
            with the others.
        loosest: The relative tolerance that a schedule begins with; both tolerances then fall
            with the square root of the loss, as in `Accuracy`, down to `rtol` and `atol`. None
            for tolerances that stay. Not for `dopri5`, which SciPy runs in one call.

    Raises:
        ConfigError: A value is out of its range, or does not apply.

    Cost: evaluations as `work` tells; a Jacobian costs n Hessian products or n gradients, and an
    O(n³) LU decomposition (`radau` a real and a complex one); the explicit ones have neither. From
    SciPy 1.17 on `vode` takes a new Jacobian for each LU decomposition, several times as many as
    before.
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
        _one_of("integrator", self.integrator, tuple(INTEGRATORS))
        _one_of("method", self.method, tuple(METHODS))
        if self.jacobian is not None:
            _one_of("jacobian", self.jacobian, JACOBIANS)
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
                "`dopri5` makes its run in one call, with tolerances that stay; leave out "
                "`loosest`, or use `dop853`"
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
            ConfigError: The solver's matrices would take more than `MOST_BYTES`.
        """
        size = MATRIX_BYTES.get(self.integrator, 0) * flow.size**2
        if size > MOST_BYTES:
            raise ConfigError(
                f"`{self.name}` would take {size / 2**30:.0f} GiB for its matrices of "
                f"{flow.size} parameters, but at most {MOST_BYTES // 2**30} were expected; use a "
                "matrix-free method such as `exponential-krylov`, or `dopri5`"
            )

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Integrate until the recorder or the solver ends the run."""

        def walk(slope: Slope, first: Point) -> tuple[Point, str]:
            accuracy = self.accuracy
            if self.integrator in STEPPERS:
                return walk_stepper(
                    self.integrator,
                    slope,
                    first,
                    recorder,
                    accuracy=accuracy,
                    is_exact=self.is_exact,
                )
            solver = self.solver(slope, first.theta)
            if self.integrator == "dopri5":
                return walk_dopri5(self.integrator, solver, slope, first, recorder)
            return walk_multistep(
                self.integrator, solver, slope, first, recorder, accuracy=accuracy
            )

        with _one_at_a_time(self.integrator), _quiet(self.integrator):
            return follow(flow, theta, recorder, walk)

    def solver(self, slope: Slope, start: np.ndarray) -> Any:
        """SciPy's `ode` object, ready at t = 0."""
        from scipy.integrate import ode

        options: dict[str, Any] = {"rtol": self.rtol, "atol": self.atol}
        jacobian: Callable[..., np.ndarray] | None = None
        if self.integrator == "dopri5":
            options["nsteps"] = UNLIMITED  # one call makes the whole run
            options["max_step"] = HORIZON  # left out, SciPy 1.17.0 takes it for 1
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
                jacobian = slope.jacobian
            elif slope.is_coarse:
                jacobian = slope.differences
        solver = ode(slope, jacobian).set_integrator(self.integrator, **options)
        solver.set_initial_value(start.astype(complex) if self.integrator == "zvode" else start)
        if self.integrator == "vode" and _scipy_version() >= REWRITTEN:
            # A negative method flag: keep no copy of the Jacobian. The rewritten VODE (not ZVODE)
            # goes wrong with its copy: on a linear flow with curvatures from 0.1 to 100 Newton's
            # iteration fails in half of the steps, and it takes over 20 times more of them.
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


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"`{name}` is {value!r}, but one of {', '.join(known)} was expected")


def _scipy_version() -> tuple[int, ...]:
    import scipy

    return tuple(int(part) for part in scipy.__version__.split(".")[:2])


@contextlib.contextmanager
def _one_at_a_time(integrator: str) -> Iterator[None]:
    """Refuse a second run beside the first where SciPy mixes up the two.

    Before it was rewritten in C, VODE and LSODA kept their state in globals; since then DOPRI5,
    whose rows are logged from within its call, loses its callbacks to a nested run.
    """
    import scipy

    is_safe = (_scipy_version() >= REWRITTEN) != (integrator == "dopri5")
    if integrator in STEPPERS or is_safe:
        yield
        return
    if not _one_run.acquire(blocking=False):
        raise ConfigError(
            f"`{integrator}` of SciPy {scipy.__version__} can follow one flow at a time, and "
            "another run of it is going on; wait for that one, or use another integrator"
        )
    try:
        yield
    finally:
        _one_run.release()


@contextlib.contextmanager
def _quiet(integrator: str) -> Iterator[None]:
    """Without SciPy's warning at the end of a run: its text becomes the solution's detail."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f"{integrator}: ", category=UserWarning)
        yield
