"""SciPy's `lm`, `trf` and `dogbox` do behind our call what they do when called by hand."""

import functools
import os
import signal

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from thalweg import LeastSquares, Outcome, Scalar, Stop, minimize
from thalweg._recorder import Recorder, RunEnded
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.compiled import HostFunctions
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import forget_programs
from thalweg.solvers.adapters.scipy_least_squares import SciPyLeastSquares

NAMES = ("scipy-lm", "scipy-trf", "scipy-dogbox")
each = pytest.mark.parametrize("name", NAMES)
TIMES = np.linspace(0, 2, 15)
CLEAN = 3.0 * np.exp(-1.5 * TIMES)
NOISY = CLEAN + 0.05 * np.random.default_rng(5).normal(size=15)
START = np.array([1.0, -4.0])


@functools.cache  # one problem for all tests, so that its functions are compiled once
def decay(*, noisy=False):
    """Fits a exp(b t) to 15 values; the clean ones are those of a = 3, b = -1.5."""
    return LeastSquares(
        lambda p, t, y: p[0] * jnp.exp(p[1] * t) - y, data=(TIMES, NOISY if noisy else CLEAN)
    )


def residuals(p, values):
    """The same in NumPy, scaled so that ½ |r|² is half the mean square."""
    return (p[0] * np.exp(p[1] * TIMES) - values) / np.sqrt(15)


def jacobian(p, _):
    """Its Jacobian, by hand."""
    grow = np.exp(p[1] * TIMES)
    return np.stack([grow, p[0] * TIMES * grow], axis=1) / np.sqrt(15)


def scipy_alone(name, values):
    """SciPy called by hand with the same options."""
    eps = np.finfo(float).eps
    is_lm = name == "scipy-lm"
    return scipy.optimize.least_squares(
        residuals,
        START,
        jac=jacobian,
        args=(values,),
        method=name.removeprefix("scipy-"),
        x_scale="jac" if is_lm else 1.0,
        ftol=eps,
        xtol=eps,
        gtol=eps if is_lm else None,
        max_nfev=10_000,
    )


def counted(function, calls):
    """A method of `HostFunctions` that counts its calls."""
    honest = getattr(HostFunctions, function)

    def counting(self, theta):
        calls[function] += 1
        return honest(self, theta)

    return counting


@pytest.mark.parametrize("noisy", [False, True])
@each
def test_it_ends_where_scipy_ends(name, noisy, monkeypatch):
    """The minimum is SciPy's, by as many Jacobians; every evaluation on the way is counted."""
    calls = {"jacobian": 0, "residuals": 0}
    for function in calls:
        monkeypatch.setattr(HostFunctions, function, counted(function, calls))
    alone = scipy_alone(name, NOISY if noisy else CLEAN)
    solution = minimize(decay(noisy=noisy), START, name)
    assert solution.outcome is Outcome.CONVERGED
    np.testing.assert_allclose(solution.params, alone.x, rtol=1e-7)
    if not noisy:
        np.testing.assert_allclose(solution.params, [3, -1.5], rtol=1e-12)
    work = solution.work
    assert work.gradients == work.jacobians
    assert work.jacobians == pytest.approx(alone.njev, abs=2)  # rounding may part them at the end
    assert (work.jacobians, work.losses) == (calls["jacobian"], calls["residuals"])
    assert work.rejected_steps == solution.history["rejected"].sum()


@each
def test_each_row_belongs_to_its_point(name):
    """Loss and |∇L| = |Jᵀr| of a row are exact, and the loss falls from row to row."""
    seen = []
    solution = minimize(
        decay(noisy=True), START, name, callback=lambda s: seen.append(s.theta.copy()) and 0
    )
    assert len(seen) > 3
    points = [START, *seen]
    losses = [0.5 * np.sum(residuals(p, NOISY) ** 2) for p in points]
    grad_norms = [np.linalg.norm(jacobian(p, None).T @ residuals(p, NOISY)) for p in points]
    np.testing.assert_allclose(solution.history["loss"], losses, rtol=1e-10)
    np.testing.assert_allclose(solution.history["grad_norm"], grad_norms, rtol=1e-7, atol=1e-15)
    assert np.all(np.diff(solution.history["loss"]) <= 1e-16)


@each
def test_targets_are_obeyed(name):
    """A run ends at the first row at or below what was asked for."""
    by_loss = minimize(decay(), START, name, Stop(loss=1e-6))
    assert by_loss.outcome is Outcome.TARGET_REACHED
    assert by_loss.history["loss"][-1] <= 1e-6 < by_loss.history["loss"][-2]
    by_gradient = minimize(decay(), START, name, Stop(grad_norm=1e-3))
    assert by_gradient.outcome is Outcome.CONVERGED
    assert by_gradient.history["grad_norm"][-1] <= 1e-3 < by_gradient.history["grad_norm"][-2]
    by_steps = minimize(decay(), START, name, Stop(steps=2))
    assert by_steps.outcome is Outcome.BUDGET_SPENT
    assert by_steps.history["step"][-1] == 2


@pytest.mark.parametrize("gradients", [1, 2, 3, 4])
@each
def test_the_budget_of_gradients_is_kept_to_the_unit(name, gradients):
    """Not one Jacobian more than asked for is taken."""
    solution = minimize(decay(), START, name, Stop(gradients=gradients))
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert solution.work.gradients == solution.work.jacobians == gradients


@each
def test_the_clock_ends_a_run_between_rows(name):
    """Time that runs out between two rows is noticed, and the trial points are counted."""
    theta, spec = flatten(START)
    flow = build_flow(decay(), spec)
    for seconds in range(8, 16):
        ticks = iter(range(10**6))
        recorder = Recorder(Stop(seconds=seconds), clock=lambda ticks=ticks: float(next(ticks)))
        with pytest.raises(RunEnded) as ended:
            SciPyLeastSquares(name.removeprefix("scipy-")).run(flow, theta, recorder)
        assert ended.value.outcome is Outcome.BUDGET_SPENT
        history = recorder.history()
        assert recorder.work.rejected_steps == history["rejected"].sum()
        assert recorder.work.jacobians >= 1


@each
def test_ctrl_c_keeps_the_best_so_far(name):
    """SIGINT while a run goes on comes out as an outcome, through MINPACK too."""

    def press(snapshot):
        if snapshot.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    solution = minimize(decay(), START, name, callback=press)
    assert solution.outcome is Outcome.INTERRUPTED
    assert solution.history["step"][-1] == 2


@each
def test_float32_parameters_stay_float32(name):
    """With float32 the run ends by itself, at the minimum as far as float32 knows it."""
    solution = minimize(decay(), START.astype(np.float32), name, Stop(steps=200))
    assert solution.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    assert solution.params.dtype == np.float32
    np.testing.assert_allclose(solution.params, [3, -1.5], rtol=1e-5)


@each
def test_a_second_run_compiles_nothing(name):
    """Programs are kept, and the same run gives the same history."""
    problem = decay.__wrapped__()
    forget_programs()
    first, second = (minimize(problem, START, name, Stop(steps=5)) for _ in range(2))
    assert second.compile_seconds == 0.0 < first.compile_seconds
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


def test_a_tolerance_ends_the_run_early():
    """A coarse tolerance ends the run at a larger loss."""
    early = minimize(decay(noisy=True), START, SciPyLeastSquares("trf", tolerance=1e-2))
    late = minimize(decay(noisy=True), START, "scipy-trf")
    assert early.work.jacobians < late.work.jacobians
    assert early.loss > late.loss


@pytest.mark.parametrize("name", ["scipy-trf", "scipy-dogbox"])
def test_only_lm_refuses_fewer_residuals_than_parameters(name):
    """With m < n `lm` says what it needs, and the others reach a loss of 0."""
    wide = LeastSquares(lambda p: jnp.array([jnp.sum(p) - 1.0]))
    with pytest.raises(ConfigError, match="1 residuals and 3 parameters; use `scipy-trf`"):
        minimize(wide, np.ones(3), "scipy-lm")
    solution = minimize(wide, np.ones(3), name, Stop(steps=100))
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss < 1e-30


@each
def test_a_loss_without_residuals_is_refused(name):
    """Only least squares have the residuals that these methods work on."""
    with pytest.raises(ConfigError, match="needs residuals"):
        minimize(Scalar(lambda p: jnp.sum(p**2)), np.ones(3), name)


def test_nonsense_is_refused():
    """An unknown algorithm and a tolerance below rounding are answered in one sentence."""
    with pytest.raises(ConfigError, match="one of lm, trf, dogbox was expected"):
        SciPyLeastSquares("gauss-newton")
    with pytest.raises(ConfigError, match="`tolerance` is 1e-20"):
        SciPyLeastSquares("lm", tolerance=1e-20)
