"""SciPy's Radau, BDF and DOP853 follow the flow, and what they spent is counted to the unit."""

import re

import numpy as np
import pytest
import scipy.integrate
import scipy.integrate._ivp.bdf
import scipy.integrate._ivp.radau

from ode_suite import START, bent, ode_suite_for, quadratic, walled
from thalweg import LeastSquares, Outcome, SciPyODESolver, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.solvers.adapters.scipy_solve_ivp import STEPPERS

TestRadau = ode_suite_for("scipy-radau", SciPyODESolver("radau"))
TestBDF = ode_suite_for("scipy-bdf", SciPyODESolver("bdf"))
TestDOP853 = ode_suite_for("dop853", SciPyODESolver("dop853"), is_stiff=False)

each = pytest.mark.parametrize("integrator", STEPPERS)
each_implicit = pytest.mark.parametrize("integrator", ["radau", "bdf"])


class Watch:
    """SciPy's own solver, kept as the run makes it, with counts of its Newton iterations."""

    def __init__(self, integrator, monkeypatch):
        self.solver = None
        self.iterations = 0
        name = STEPPERS[integrator]
        make = getattr(scipy.integrate, name)
        monkeypatch.setattr(scipy.integrate, name, lambda *a, **k: self._keep(make(*a, **k)))
        modules = {"bdf": scipy.integrate._ivp.bdf, "radau": scipy.integrate._ivp.radau}  # noqa: SLF001 - the only place where they are
        solve = {"bdf": "solve_bdf_system", "radau": "solve_collocation_system"}
        if integrator in modules:
            module, function = modules[integrator], solve[integrator]
            honest = getattr(module, function)
            monkeypatch.setattr(module, function, lambda *a: self._solve(honest, *a))

    def _keep(self, solver):
        self.solver = solver
        return solver

    def _solve(self, honest, fun, *arguments):
        calls = []

        def counted(t, y):
            calls.append(t)
            return fun(t, y)

        result = honest(counted, *arguments)
        share = 3 if honest.__name__ == "solve_collocation_system" else 1
        self.iterations += len(calls) // share
        return result


@each
def test_it_is_scipys_own_run(integrator):
    """Points and times are those of `solve_ivp` with the same tolerances."""
    hessian = np.diag([1.0, 30.0])
    problem = LeastSquares(lambda theta: theta * np.sqrt(np.array([1.0, 30.0])))
    seen = []
    minimize(
        problem,
        np.array([2.0, 1.0]),
        SciPyODESolver(integrator),
        Stop(steps=25),
        callback=lambda s: seen.append(s.t) and 0,
    )
    options = {} if integrator == "dop853" else {"jac": -hessian}
    alone = scipy.integrate.solve_ivp(
        lambda _, y: -hessian @ y,
        (0, 1e20) if integrator != "dop853" else (0, 3),
        [2.0, 1.0],
        method=STEPPERS[integrator],
        rtol=1e-6,
        atol=1e-8,
        **options,
    )
    count = min(len(seen), len(alone.t) - 2)
    assert count > 10
    np.testing.assert_allclose(seen[:count], alone.t[1 : count + 1], rtol=1e-6)


@each
def test_the_work_is_what_the_solver_did(integrator, monkeypatch):
    """Evaluations, Jacobians and decompositions are SciPy's own; iterations are counted inside."""
    watch = Watch(integrator, monkeypatch)
    solution = minimize(bent(), START, SciPyODESolver(integrator), Stop(steps=150))
    work, solver = solution.work, watch.solver
    assert work.gradients == solver.nfev
    assert work.jacobians == solver.njev
    assert work.factorizations == solver.nlu
    assert work.newton_iterations == watch.iterations
    if integrator == "dop853":
        attempts = 150 + work.rejected_steps
        assert work.gradients == 2 + 12 * attempts
        assert work.rejected_steps > 0
        assert work.losses == work.newton_failures == 0
    elif integrator == "radau":
        assert work.losses == 0
        assert work.error_test_failures > 0
    else:
        assert work.losses == 150


@each_implicit
def test_newton_failures_and_error_test_failures_are_distinguished(integrator, monkeypatch):
    """Newton's failures are those that the solver's own function for it reports."""
    failures = []
    module = {"bdf": scipy.integrate._ivp.bdf, "radau": scipy.integrate._ivp.radau}[integrator]  # noqa: SLF001 - as above
    function = {"bdf": "solve_bdf_system", "radau": "solve_collocation_system"}[integrator]
    honest = getattr(module, function)

    def reluctant(*arguments):
        """Newton's iteration, which now and then fails twice: SciPy takes a new J in between."""
        failures.append(len(failures) % 40 in (17, 18))
        result = honest(*arguments)
        return (False, *result[1:]) if failures[-1] else result

    monkeypatch.setattr(module, function, reluctant)
    work = minimize(bent(), START, SciPyODESolver(integrator), Stop(steps=100)).work
    assert work.newton_failures > 1
    assert work.newton_failures <= sum(failures) <= 2 * work.newton_failures
    assert work.rejected_steps == work.newton_failures + work.error_test_failures


def test_nan_taken_by_radau_ends_the_run():
    """SciPy takes a step of Radau whose error is NaN; the run says so and keeps the best."""
    reckless = SciPyODESolver("radau", rtol=0.1, atol=0.1)
    solution = minimize(walled(0.01), np.ones(2), reckless, Stop(loss=1e-2, steps=5000))
    assert solution.outcome is Outcome.DIVERGED
    assert np.isfinite(solution.loss)
    assert solution.loss == np.nanmin(solution.history["loss"])


@each_implicit
def test_differences_are_counted(integrator):
    """Finite differences lead along the same path, and cost n + 1 gradients a Jacobian."""
    exact = minimize(bent(), START, SciPyODESolver(integrator), Stop(steps=60))
    method = SciPyODESolver(integrator, jacobian="finite-differences")
    rough = minimize(bent(), START, method, Stop(steps=60))
    assert rough.work.jacobians > 0
    assert rough.work.gradients - 5 * rough.work.jacobians == pytest.approx(
        exact.work.gradients, rel=0.2
    )
    assert rough.loss == pytest.approx(exact.loss, rel=0.05)


@pytest.mark.parametrize("integrator", ["zvode", "vode", "lsoda", "radau", "bdf", "dop853"])
def test_a_schedule_begins_loose_and_ends_tight(integrator):
    """With `loosest` the first steps are long; at a low loss they are those of the tolerance."""
    target = Stop(loss=1e-3, steps=3000)
    loose = minimize(bent(), START, SciPyODESolver(integrator, rtol=1e-2, atol=1e-4), target)
    tight = minimize(bent(), START, SciPyODESolver(integrator, rtol=1e-8, atol=1e-10), target)
    method = SciPyODESolver(integrator, rtol=1e-8, atol=1e-10, loosest=1e-2)
    both = minimize(bent(), START, method, target)
    assert both.outcome is Outcome.TARGET_REACHED
    steps = [len(run.history["loss"]) for run in (loose, both, tight)]
    assert steps == sorted(steps)
    assert steps[1] < 0.8 * steps[2]


def test_a_schedule_ends_at_the_tolerance():
    """Below the loss at which the schedule ends, steps are as short as without it."""
    tail = {}
    for loosest in (None, 1e-4):
        method = SciPyODESolver("dop853", rtol=1e-6, atol=1e-12, loosest=loosest)
        history = minimize(quadratic(), START, method, Stop(loss=1e-9)).history
        late = history["loss"] < 1e-4 * 1e-4 * history["loss"][0]
        tail[loosest] = np.median(history["h"][late])
    assert tail[1e-4] == pytest.approx(tail[None], rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"integrator": "radau", "max_order": 2}, "no option for its highest order"),
        ({"integrator": "dop853", "jacobian": "exact"}, "`dop853` is explicit and of fixed order"),
        ({"integrator": "dopri5", "loosest": 1e-2}, "SciPy runs `dopri5` in one call"),
        ({"integrator": "radau", "loosest": 1e-9}, "`loosest` is 1e-09 and `rtol` 1e-06"),
        ({"integrator": "rk45"}, "`integrator` is 'rk45', but one of zvode, vode, lsoda"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """A setting that cannot be run is answered in one sentence."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        SciPyODESolver(**arguments)


@each_implicit
def test_matrices_that_do_not_fit_are_refused(integrator):
    """Dense matrices of 50,000 parameters are refused before anything is allocated."""
    big = LeastSquares(lambda theta: theta)
    with pytest.raises(ConfigError, match="GiB"):
        minimize(big, np.ones(50_000), SciPyODESolver(integrator))


@each_implicit
def test_a_tolerance_below_rounding_is_what_scipy_makes_of_it(integrator):
    """SciPy raises such an `rtol` to what float64 resolves, and no warning comes out."""
    solution = minimize(quadratic(), START, SciPyODESolver(integrator, rtol=1e-17), Stop(steps=3))
    assert solution.outcome is Outcome.BUDGET_SPENT
