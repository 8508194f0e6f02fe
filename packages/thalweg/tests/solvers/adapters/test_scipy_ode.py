"""SciPy's integrators follow the flow, end when they should, and report their work."""

import functools
import os
import re
import signal

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from thalweg import LeastSquares, Outcome, Stop, minimize
from thalweg._recorder import Recorder, RunEnded
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.compiled import HostFunctions
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import forget_programs
from thalweg.solvers.adapters.negative_gradient import NegativeGradient
from thalweg.solvers.adapters.scipy_ode import SciPyODESolver

NAMES = ("zvode", "vode", "lsoda", "dopri5")
MULTISTEP = NAMES[:3]
N = 4
CURVATURES = np.array([0.5, 2.0, 10.0, 40.0])
BASIS = np.linalg.qr(np.random.default_rng(3).normal(size=(N, N)))[0]
HESSIAN = BASIS @ np.diag(CURVATURES) @ BASIS.T
START = np.array([1.0, -2.0, 0.5, 1.5])

# Integrators and SciPy's versions; None is the one installed, where that is one in C.
OLD = "1.16.3"
IN_C = tuple(int(part) for part in scipy.__version__.split(".")[:2]) >= (1, 17)
ONE_AT_A_TIME = [*((name, OLD) for name in MULTISTEP), *([("dopri5", None)] if IN_C else [])]
RE_ENTRANT = [(name, None) for name in MULTISTEP] if IN_C else [("dopri5", None)]

each = pytest.mark.parametrize("name", NAMES)
each_multistep = pytest.mark.parametrize("name", MULTISTEP)


@functools.cache  # one problem for all tests, so that its functions are compiled once
def quadratic():
    """L = ½ θᵀ A θ, whose flow is exp(-At) θ₀."""
    root = np.diag(np.sqrt(CURVATURES)) @ BASIS.T
    return LeastSquares(lambda theta: jnp.asarray(root, theta.dtype) @ theta)


@functools.cache
def stiff():
    """A linear flow with curvatures from 1 to 10,000."""
    return LeastSquares(lambda theta: theta * jnp.array([1.0, 1.0, 30.0, 100.0]))


@functools.cache
def bent(offset=0.0):
    """A nonlinear flow with its minimum at 0, where L = ½ offset²."""
    root = np.diag(np.sqrt(CURVATURES)) @ BASIS.T

    def residuals(theta):
        real = theta.dtype
        r = jnp.asarray(root, real) @ theta + 0.3 * theta**3
        return jnp.append(r, jnp.asarray(offset, real))

    return LeastSquares(residuals)


@functools.cache
def bent_flow():
    """The flow of `bent`, and θ."""
    theta, spec = flatten(START)
    return build_flow(bent(), spec), theta


class Spy:
    """Makes SciPy's `ode` objects that count the calls of their functions, and keeps the last."""

    def __init__(self, monkeypatch):
        self.evaluations = self.jacobians = 0
        self.solver = None
        self._make = scipy.integrate.ode
        monkeypatch.setattr(scipy.integrate, "ode", self)

    def __call__(self, field, jacobian=None):
        """Stand in for `scipy.integrate.ode`."""

        def counted_field(t, theta):
            self.evaluations += 1
            return field(t, theta)

        def counted_jacobian(t, theta):
            self.jacobians += 1
            return jacobian(t, theta)

        self.solver = self._make(counted_field, None if jacobian is None else counted_jacobian)
        return self.solver

    @property
    def iwork(self):
        """The integer work array of the solver."""
        return self.solver._integrator.iwork  # noqa: SLF001 - SciPy shows it nowhere else


@each
def test_the_linear_flow_is_followed(name):
    """Every accepted point lies on exp(-At) θ₀ to within 100 times the tolerance."""
    seen = []
    stop = Stop(steps=80)
    minimize(
        quadratic(), START, name, stop, callback=lambda s: seen.append((s.t, s.theta.copy())) and 0
    )
    assert len(seen) == 80
    assert seen[-1][0] > 0.05
    for t, theta in seen:
        exact = scipy.linalg.expm(-HESSIAN * t) @ START
        np.testing.assert_allclose(theta, exact, rtol=0, atol=100 * 2e-6)


@each
def test_each_row_belongs_to_its_point(name):
    """Loss and |∇L| of a row are those at the row's point; t is the sum of the steps h."""
    seen = []
    stop = Stop(steps=30, grad_norm=0.0)
    solution = minimize(
        quadratic(), START, name, stop, callback=lambda s: seen.append(s.theta.copy()) and 0
    )
    history = solution.history
    losses = [0.5 * theta @ HESSIAN @ theta for theta in [START, *seen]]
    grad_norms = [np.linalg.norm(HESSIAN @ theta) for theta in [START, *seen]]
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(history["grad_norm"], grad_norms, rtol=1e-12)
    np.testing.assert_allclose(history["t"][1:], np.cumsum(history["h"][1:]), rtol=1e-12)


@pytest.mark.parametrize("jacobian", ["exact", "finite-differences"])
@each_multistep
def test_the_work_is_what_the_solver_did(name, jacobian, monkeypatch):
    """Counters from the work array equal our own counts of calls; the rest keeps its relations."""
    spy = Spy(monkeypatch)
    method = SciPyODESolver(name, jacobian=jacobian)
    solution = minimize(bent(), START, method, Stop(steps=250))
    work, history = solution.work, solution.history
    assert work.gradients == spy.evaluations
    assert work.losses <= 250
    steps = spy.iwork[10]
    assert steps == history["step"][-1] == 250
    if jacobian == "exact":
        assert work.jacobians == spy.jacobians
    else:
        assert spy.jacobians == 0
        least = (steps if name != "lsoda" else 0) + N * work.jacobians
        assert work.gradients >= least
    assert work.jacobians > 0
    assert work.factorizations >= work.jacobians
    assert work.rejected_steps == history["rejected"].sum()
    if name == "lsoda":  # reports no more
        assert work[4:7] == (0, 0, 0)
        assert work.newton_iterations == 0
        return
    attempts = steps + work.rejected_steps
    assert attempts <= work.newton_iterations <= 3 * (attempts + work.jacobians)
    spent = 0 if jacobian == "exact" else N * work.jacobians
    assert work.newton_iterations <= work.gradients - spent
    assert work.gradients - spent - work.newton_iterations <= 3 + work.error_test_failures


@pytest.mark.parametrize("name", ["zvode", "vode"])
def test_newton_failures_and_error_test_failures_are_distinguished(name, monkeypatch):
    """A useless Jacobian makes Newton's iteration fail; a good one leaves only error tests."""
    good = minimize(bent(), START, SciPyODESolver(name, jacobian="exact"), Stop(steps=100)).work
    assert good.newton_failures == 0
    assert good.error_test_failures > 0
    # Older wrappers look at the arguments' names, so there is no `*_` here.
    monkeypatch.setattr(NegativeGradient, "jacobian", lambda self, t, theta: np.full((N, N), 1e6))  # noqa: ARG005
    bad = minimize(bent(), START, SciPyODESolver(name, jacobian="exact"), Stop(steps=100)).work
    assert bad.newton_failures > 10
    assert bad.rejected_steps == bad.newton_failures + bad.error_test_failures


def test_dopri5_is_counted_as_its_work_array_says(monkeypatch):
    """Evaluations, accepted and rejected steps of the rows equal what DOPRI5 reports at its end."""
    spy = Spy(monkeypatch)
    solution = minimize(bent(), START, "dopri5", Stop(steps=200))
    evaluations, attempts, accepted = spy.iwork[16:19]
    assert solution.work.gradients == evaluations == spy.evaluations
    assert solution.work.losses == 0
    assert solution.history["step"][-1] == accepted == 200
    assert solution.work.rejected_steps == attempts - accepted > 0
    assert solution.work.error_test_failures == solution.work.rejected_steps


def test_dopri5_goes_on_where_the_flow_is_stiff():
    """Its own test for stiffness, which would end it after 1,000 steps, is off."""
    solution = minimize(stiff(), START, "dopri5", Stop(steps=1500))
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert solution.history["step"][-1] == 1500


@each_multistep
def test_the_order_is_capped(name, monkeypatch):
    """`max_order=2` keeps the formulas at order 2, which costs steps."""
    spy = Spy(monkeypatch)
    orders = []

    def look(_):
        orders.append(int(spy.iwork[13]))

    minimize(bent(), START, SciPyODESolver(name, max_order=2), Stop(steps=100), callback=look)
    assert max(orders) == 2
    minimize(bent(), START, SciPyODESolver(name), Stop(steps=100), callback=look)
    assert max(orders) > 2


def test_adams_takes_more_steps_than_bdf_where_it_is_stiff():
    """`method` reaches the solver: BDF's steps grow without bound, those of Adams do not."""

    def longest(method):
        solver = SciPyODESolver("zvode", method=method)
        return np.nanmax(minimize(stiff(), START, solver, Stop(steps=500)).history["h"])

    assert 1e6 * longest("adams") < longest("bdf")


@each_multistep
def test_it_goes_on_to_rest(name):
    """A stiff solver runs into the minimum and stays; steps are few, and the outcome says so."""
    solution = minimize(bent(offset=0.2), START, name, Stop(steps=2000))
    assert solution.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    assert "nothing moves any more" in solution.detail
    assert solution.loss == pytest.approx(0.5 * 0.2**2, rel=1e-8)
    assert solution.history["step"][-1] < 600


def test_a_solver_that_gives_up_is_quoted():
    """A tolerance below rounding ends the run with the solver's own code and message."""
    solution = minimize(quadratic(), START, SciPyODESolver("vode", rtol=0.0, atol=1e-18))
    assert solution.outcome is Outcome.STALLED
    assert re.match(r"`vode` ended at t = 0 with code -[23]: (Excess|Illegal)", solution.detail)


@each
def test_targets_are_obeyed(name):
    """A run ends at the first row at or below the loss, or the gradient, that was asked for."""
    by_loss = minimize(quadratic(), START, name, Stop(loss=0.1))
    assert by_loss.outcome is Outcome.TARGET_REACHED
    assert by_loss.loss <= 0.1 < by_loss.history["loss"][-2]
    by_gradient = minimize(quadratic(), START, name, Stop(grad_norm=0.3))
    assert by_gradient.outcome is Outcome.CONVERGED
    assert by_gradient.history["grad_norm"][-1] <= 0.3 < by_gradient.history["grad_norm"][-2]


@pytest.mark.parametrize("gradients", [1, 2, 5, 37, 50])
@each
def test_the_budget_of_gradients_is_kept_to_the_unit(name, gradients, monkeypatch):
    """Not one gradient more is evaluated, and every one is counted, also of an unfinished step."""
    spy = Spy(monkeypatch)
    method = (
        SciPyODESolver(name)
        if name == "dopri5"
        else SciPyODESolver(name, jacobian="finite-differences")
    )
    solution = minimize(bent(), START, method, Stop(gradients=gradients))
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert solution.work.gradients == gradients
    assert spy.evaluations >= gradients - 1  # the start is evaluated before the solver's first call


@each
def test_the_clock_ends_a_run_inside_a_step(name):
    """Time that runs out between two rows is noticed at the next evaluation."""
    ticks = iter(range(10**6))
    recorder = Recorder(Stop(seconds=300), clock=lambda: float(next(ticks)))
    flow, theta = bent_flow()
    with pytest.raises(RunEnded) as ended:
        SciPyODESolver(name).run(flow, theta, recorder)
    assert ended.value.outcome is Outcome.BUDGET_SPENT
    assert 1 < recorder.rows < 300


@each
def test_ctrl_c_keeps_the_best_so_far(name):
    """SIGINT while a run goes on comes out as an outcome, wherever it strikes."""

    def press(snapshot):
        if snapshot.step == 20:
            os.kill(os.getpid(), signal.SIGINT)

    solution = minimize(bent(), START, name, Stop(steps=100), callback=press)
    assert solution.outcome is Outcome.INTERRUPTED
    assert solution.loss < solution.history["loss"][0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@each
def test_an_exception_inside_a_callback_comes_out(name, error, monkeypatch):
    """What is raised while the solver calls back ends the run soon, and is not swallowed."""
    calls = []
    honest = HostFunctions.value_and_grad

    def failing(self, theta):
        calls.append(1)
        if len(calls) > 25:
            raise error
        return honest(self, theta)

    monkeypatch.setattr(HostFunctions, "value_and_grad", failing)
    flow, theta = bent_flow()
    recorder = Recorder(Stop(steps=1000))
    with pytest.raises(error):
        SciPyODESolver(name).run(flow, theta, recorder)
    assert len(calls) == 26
    assert recorder.rows > 1


@each
def test_float32_parameters_stay_float32(name):
    """With float32 the flow is followed as well, also by finite differences."""
    start = START.astype(np.float32)
    solution = minimize(bent(), start, name, Stop(loss=1e-2, steps=2000))
    assert solution.outcome is Outcome.TARGET_REACHED
    assert solution.params.dtype == np.float32


def test_float32_differences_are_counted(monkeypatch):
    """The gradients of our own differences are counted in addition to the solver's calls."""
    spy = Spy(monkeypatch)
    solution = minimize(bent(), START.astype(np.float32), "zvode", Stop(steps=60))
    assert spy.jacobians == solution.work.jacobians > 0
    assert solution.work.gradients == spy.evaluations + (N + 1) * spy.jacobians


@each
def test_a_second_run_compiles_nothing(name):
    """Programs are kept, and the same run gives the same history."""
    problem = bent.__wrapped__()
    forget_programs()
    first = minimize(problem, START, name, Stop(steps=20))
    second = minimize(problem, START, name, Stop(steps=20))
    assert second.compile_seconds == 0.0 < first.compile_seconds
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


@pytest.mark.parametrize(("name", "scipy"), [*ONE_AT_A_TIME, *RE_ENTRANT])
def test_a_run_inside_a_run_disturbs_neither(name, scipy, monkeypatch):
    """Where SciPy holds its solvers' states apart a nested run works, elsewhere it is refused."""
    if scipy is not None:
        monkeypatch.setattr("scipy.__version__", scipy)
    alone = minimize(bent(), START, name, Stop(steps=40))
    inner = []

    def nested(snapshot):
        if snapshot.step == 15:
            try:
                inner.append(minimize(quadratic(), START, name, Stop(steps=25)).history["loss"])
            except ConfigError as error:
                inner.append(str(error))

    outer = minimize(bent(), START, name, Stop(steps=40), callback=nested)
    np.testing.assert_array_equal(outer.history["loss"], alone.history["loss"])
    apart = minimize(quadratic(), START, name, Stop(steps=25))
    if (name, scipy) in RE_ENTRANT:
        np.testing.assert_array_equal(inner[0], apart.history["loss"])
    else:
        assert "can integrate one flow at a time" in inner[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"integrator": "rk45"}, "`integrator` is 'rk45', but one of zvode, vode, lsoda, dopri5"),
        ({"integrator": "vode", "method": "rk"}, "`method` is 'rk', but one of bdf, adams"),
        ({"integrator": "vode", "jacobian": "none"}, "`jacobian` is 'none', but one of exact"),
        ({"integrator": "vode", "rtol": -1.0}, "`rtol` is -1.0"),
        ({"integrator": "vode", "atol": 0.0}, "`atol` is 0.0"),
        (
            {"integrator": "vode", "max_order": 6},
            "`max_order` is 6, but a whole number from 1 to 5",
        ),
        ({"integrator": "dopri5", "max_order": 2}, "`dopri5` is explicit"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """A setting that cannot be run is answered in one sentence."""
    with pytest.raises(ConfigError, match=message):
        SciPyODESolver(**arguments)


@each_multistep
def test_matrices_that_do_not_fit_are_refused(name):
    """Dense matrices of 50,000 parameters are refused before anything is allocated."""
    big = LeastSquares(lambda theta: theta)
    with pytest.raises(ConfigError, match="GiB"):
        minimize(big, np.ones(50_000), name)
