"""SciPy's L-BFGS-B and BFGS do behind our call what they do when called by hand."""

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
from thalweg.solvers.adapters.host_loop import termination
from thalweg.solvers.adapters.scipy_minimize import BFGS, LBFGS

START = np.array([-1.2, 1.0])
METHODS = {"l-bfgs": "L-BFGS-B", "bfgs": "BFGS"}
each = pytest.mark.parametrize("name", METHODS)


@functools.cache  # one problem for all tests, so that its functions are compiled once
def rosenbrock():
    """L = 50 (y - x²)² + ½ (1 - x)², least at (1, 1), where it is 0."""
    return Scalar(lambda p: 50 * (p[1] - p[0] ** 2) ** 2 + 0.5 * (1 - p[0]) ** 2)


def by_hand(p):
    """The same in NumPy, with its gradient."""
    bend, slip = p[1] - p[0] ** 2, 1 - p[0]
    return 50 * bend**2 + 0.5 * slip**2, np.array([-200 * p[0] * bend - slip, 100 * bend])


def scipy_alone(name):
    """SciPy called by hand, with the same options; returns its result and all its points."""
    points = []
    options = {"gtol": 0.0}
    if name == "l-bfgs":
        options |= {"ftol": 0.0, "maxcor": 50}
    result = scipy.optimize.minimize(
        by_hand,
        START,
        jac=True,
        method=METHODS[name],
        options=options,
        callback=lambda intermediate_result: points.append(intermediate_result.x.copy()),
    )
    return result, points


@each
def test_it_takes_scipys_steps(name):
    """Points and their losses are those of SciPy called by hand, until rounding parts them."""
    _, points = scipy_alone(name)
    seen = []
    stop = Stop(steps=15)
    solution = minimize(
        rosenbrock(), START, name, stop, callback=lambda s: seen.append(s.theta.copy()) and 0
    )
    np.testing.assert_allclose(seen, points[:15], rtol=1e-6)
    losses = [by_hand(p)[0] for p in [START, *seen]]
    grad_norms = [np.linalg.norm(by_hand(p)[1]) for p in [START, *seen]]
    np.testing.assert_allclose(solution.history["loss"], losses, rtol=1e-10)
    np.testing.assert_allclose(solution.history["grad_norm"], grad_norms, rtol=1e-10)
    assert np.isnan(solution.history["t"]).all()


@each
def test_the_gradients_are_scipys(name):
    """Every evaluation is counted once; an iteration's further trial points are its rejected."""
    result, points = scipy_alone(name)
    solution = minimize(rosenbrock(), START, name)
    # Rounding may part them at the very end.
    assert solution.work.gradients == pytest.approx(result.nfev, abs=3)
    assert solution.history["step"][-1] == pytest.approx(len(points), abs=3)
    rejected = solution.history["rejected"]
    assert solution.work.rejected_steps == rejected.sum() > 0
    trials = np.diff(solution.history["gradients"])
    np.testing.assert_array_equal(rejected[1:-1], np.maximum(trials - 1, 0)[:-1])
    assert trials[-1] - 1 <= rejected[-1] <= trials[-1]  # the last row may repeat its point


@each
def test_it_goes_on_until_rounding(name):
    """No tolerance stops it early: the known minimum is reached to machine precision."""
    solution = minimize(rosenbrock(), START, name)
    assert solution.outcome is Outcome.CONVERGED
    assert f"SciPy's {METHODS[name]} ended with" in solution.detail
    np.testing.assert_allclose(solution.params, [1, 1], rtol=1e-10)
    assert solution.loss < 1e-20


@each
def test_a_minimum_with_a_loss_is_recognised(name):
    """Where some loss is left, the flat bottom counts as converged."""
    problem = LeastSquares(lambda p: jnp.array([p[0], 3 * p[1], p[0] - 1.0]))
    solution = minimize(problem, START, name)
    assert solution.outcome is Outcome.CONVERGED
    np.testing.assert_allclose(solution.params, [0.5, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("theta", "outcome"),
    [
        ([1.0, 0.3], Outcome.STALLED),  # on the kink, where one side falls
        ([0.0, 0.3 + 1e-15], Outcome.CONVERGED),  # next to nothing is left
        ([np.inf, 0.0], Outcome.DIVERGED),
    ],
)
def test_the_end_is_classified_by_what_a_step_could_still_gain(theta, outcome):
    """A run that its library ended has converged only if no step could lower the loss visibly."""
    problem = Scalar(lambda p: p[0] ** 2 + jnp.where(p[1] < 0.3, 1.0, 1.01) * (p[1] - 0.3) ** 2)
    _, spec = flatten(START)
    functions = HostFunctions(build_flow(problem, spec), Recorder(Stop()))
    classified, _ = termination(functions, np.array(theta), start_loss=1.0, eps=2.2e-16)
    assert classified is outcome


def test_the_tolerance_can_be_set():
    """A coarse `ftol` ends the run early."""
    early = minimize(rosenbrock(), START, LBFGS(ftol=1e-2))
    late = minimize(rosenbrock(), START, LBFGS())
    assert early.work.gradients < late.work.gradients
    assert early.loss > 1e3 * late.loss


def test_few_pairs_cost_steps():
    """`maxcor` reaches SciPy: with one pair an ill-conditioned quadratic takes more steps."""
    scales = np.geomspace(1, 100, 20)
    problem = LeastSquares(lambda theta: scales * theta)
    steps = {
        maxcor: minimize(problem, np.ones(20), LBFGS(maxcor=maxcor), Stop(loss=1e-8)).history[
            "step"
        ][-1]
        for maxcor in (1, 50)
    }
    assert steps[50] < 0.7 * steps[1]


@each
def test_targets_are_obeyed(name):
    """A run ends at the first row at or below what was asked for."""
    by_loss = minimize(rosenbrock(), START, name, Stop(loss=1e-3))
    assert by_loss.outcome is Outcome.TARGET_REACHED
    assert by_loss.history["loss"][-1] <= 1e-3 < by_loss.history["loss"][-2]
    by_gradient = minimize(rosenbrock(), START, name, Stop(grad_norm=1e-2))
    assert by_gradient.outcome is Outcome.CONVERGED
    assert by_gradient.history["grad_norm"][-1] <= 1e-2
    by_steps = minimize(rosenbrock(), START, name, Stop(steps=4))
    assert by_steps.outcome is Outcome.BUDGET_SPENT
    assert by_steps.history["step"][-1] == 4


@pytest.mark.parametrize("gradients", range(1, 12))
@each
def test_the_budget_of_gradients_is_kept_to_the_unit(name, gradients):
    """Not one gradient more than asked for is counted, also inside a line search."""
    solution = minimize(rosenbrock(), START, name, Stop(gradients=gradients))
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert solution.work.gradients == gradients
    assert solution.loss == solution.history["loss"].min()
    np.testing.assert_allclose(by_hand(solution.params)[0], solution.loss, rtol=1e-10)


@each
def test_the_clock_ends_a_run_inside_a_line_search(name):
    """Time that runs out between two rows is noticed at the next evaluation."""
    theta, spec = flatten(START)
    flow = build_flow(rosenbrock(), spec)
    method = LBFGS() if name == "l-bfgs" else BFGS()
    for seconds in range(20, 40):
        ticks = iter(range(10**6))
        recorder = Recorder(Stop(seconds=seconds), clock=lambda ticks=ticks: float(next(ticks)))
        with pytest.raises(RunEnded) as ended:
            method.run(flow, theta, recorder)
        assert ended.value.outcome is Outcome.BUDGET_SPENT
        assert recorder.rows > 1


@each
def test_ctrl_c_keeps_the_best_so_far(name):
    """SIGINT while a run goes on comes out as an outcome."""

    def press(snapshot):
        if snapshot.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    solution = minimize(rosenbrock(), START, name, callback=press)
    assert solution.outcome is Outcome.INTERRUPTED
    assert solution.history["step"][-1] == 5
    assert solution.loss < solution.history["loss"][0]


@each
def test_float32_parameters_stay_float32(name):
    """With float32 the minimum is found to float32's precision, and the run ends by itself."""
    solution = minimize(rosenbrock(), START.astype(np.float32), name, Stop(steps=500))
    assert solution.params.dtype == np.float32
    assert solution.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    np.testing.assert_allclose(solution.params, [1, 1], rtol=1e-2)


@each
def test_a_second_run_compiles_nothing(name):
    """Programs are kept, and the same run gives the same history."""
    problem = rosenbrock.__wrapped__()
    forget_programs()
    first = minimize(problem, START, name, Stop(steps=10))
    second = minimize(problem, START, name, Stop(steps=10))
    assert second.compile_seconds == 0.0 < first.compile_seconds
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


@pytest.mark.parametrize("arguments", [{"maxcor": 0}, {"maxls": 0}, {"ftol": -1}, {"gtol": -1}])
def test_nonsense_is_refused(arguments):
    """A setting out of its range is named, with what was expected."""
    with pytest.raises(ConfigError, match=f"`{next(iter(arguments))}` is .* was expected"):
        LBFGS(**arguments)


def test_a_matrix_that_does_not_fit_is_refused():
    """BFGS of 50,000 parameters is refused before anything is allocated."""
    with pytest.raises(ConfigError, match="GiB for its matrices of 50000 parameters"):
        minimize(LeastSquares(lambda theta: theta), np.ones(50_000), "bfgs")
