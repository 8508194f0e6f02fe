"""Optimistix's methods do behind our call what they do when called by hand."""

import functools
import os
import re
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest

from thalweg import LeastSquares, OptimistixSolver, Outcome, Scalar, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import forget_programs
from thalweg.solution import Work

NAMES = ("optimistix-lm", "optimistix-bfgs")
each = pytest.mark.parametrize("name", NAMES)
TIMES = np.linspace(0, 2, 15)
NOISY = 3.0 * np.exp(-1.5 * TIMES) + 0.05 * np.random.default_rng(5).normal(size=15)
START = np.array([1.0, -4.0])
EPS = float(np.finfo(float).eps)
CALLS = {"passes": 0}


def misfit(p, t, y):
    """The residual of one example."""
    return p[0] * jnp.exp(p[1] * t) - y


@functools.cache  # one problem for all tests, so that its functions are compiled once
def decay():
    """Fits a exp(b t) to 15 noisy values."""
    return LeastSquares(misfit, data=(TIMES, NOISY))


@functools.cache
def watched_decay():
    """The same, with a count on the host of how often its residuals are computed."""

    def count():
        CALLS["passes"] += 1

    def residuals(p):
        jax.debug.callback(count)
        return (p[0] * jnp.exp(p[1] * TIMES) - NOISY) / np.sqrt(15)

    return LeastSquares(residuals)


def residuals(p):
    """The same in NumPy, scaled so that ½ |r|² is half the mean square."""
    return (p[0] * np.exp(p[1] * TIMES) - NOISY) / np.sqrt(15)


def gradient(p):
    """Jᵀr, by hand."""
    grow = np.exp(p[1] * TIMES)
    jacobian = np.stack([grow, p[0] * TIMES * grow], axis=1) / np.sqrt(15)
    return jacobian.T @ residuals(p)


@functools.cache
def by_hand(name):
    """Optimistix called as its documentation has it."""

    def of(p, _):
        return (p[0] * jnp.exp(p[1] * TIMES) - NOISY) / np.sqrt(15)

    if name == "optimistix-lm":
        solver = optimistix.LevenbergMarquardt(rtol=EPS, atol=EPS)
        return optimistix.least_squares(of, solver, jnp.asarray(START), max_steps=500)
    solver = optimistix.BFGS(rtol=EPS, atol=EPS)
    return optimistix.minimise(
        lambda p, args: 0.5 * jnp.sum(of(p, args) ** 2), solver, jnp.asarray(START), max_steps=500
    )


@each
def test_it_ends_where_optimistix_ends(name):
    """The minimum is Optimistix's, after as many trial points."""
    alone = by_hand(name)
    solution = minimize(decay(), START, name)
    assert solution.outcome is Outcome.CONVERGED
    np.testing.assert_allclose(solution.params, alone.value, rtol=1e-7)
    trials = solution.work.gradients + solution.work.losses
    # Rounding may part them where the run ends.
    assert trials == pytest.approx(int(alone.stats["num_steps"]), rel=0.2)


@each
def test_each_row_belongs_to_its_point(name):
    """Loss and |∇L| of a row are those at its point, and the loss falls from row to row."""
    seen = []
    solution = minimize(decay(), START, name, callback=lambda s: seen.append(s.theta.copy()) and 0)
    assert len(seen) > 5
    points = [START, *seen]
    losses = [0.5 * np.sum(residuals(p) ** 2) for p in points]
    grad_norms = [np.linalg.norm(gradient(p)) for p in points]
    np.testing.assert_allclose(solution.history["loss"], losses, rtol=1e-10)
    np.testing.assert_allclose(solution.history["grad_norm"], grad_norms, rtol=1e-6, atol=1e-15)
    assert np.all(np.diff(solution.history["loss"]) <= 1e-16)
    assert np.isnan(solution.history["h"]).all()


@each
def test_every_evaluation_is_counted(name):
    """Passes over the data are the trial points; what was not taken is rejected."""
    theta, spec = flatten(np.array([-1.0, -8.0]))
    flow = build_flow(watched_decay(), spec)
    method = OptimistixSolver(name.removeprefix("optimistix-"))
    memory = method.init(flow, jnp.asarray(theta))
    step = jax.jit(lambda *arguments: method.step(flow, *arguments))
    step = step.lower(flow.data, theta, memory).compile()
    at, works = theta, []
    jax.effects_barrier()
    CALLS["passes"] = 0
    for _ in range(8):
        result = step(flow.data, at, memory)
        at, memory = result.theta, result.solver_state
        works.append(result.work)
    jax.effects_barrier()
    work = Work(*(int(sum(counts)) for counts in zip(*works, strict=True)))
    assert CALLS["passes"] == work.gradients + work.losses
    assert work.gradients + work.losses == 1 + 8 + work.rejected_steps
    assert work.rejected_steps > 0
    if name == "optimistix-lm":
        assert work.gradients == work.jacobians == work.factorizations
        assert work.losses == 0
    else:
        assert work.losses == work.rejected_steps
        assert work.jacobians == 0


@each
def test_targets_and_budgets_are_obeyed(name):
    """A run ends at the first row at or below what was asked for."""
    by_loss = minimize(decay(), START, name, Stop(loss=1e-2))
    assert by_loss.outcome is Outcome.TARGET_REACHED
    assert by_loss.history["loss"][-1] <= 1e-2 < by_loss.history["loss"][-2]
    by_gradient = minimize(decay(), START, name, Stop(grad_norm=1e-3))
    assert by_gradient.outcome is Outcome.CONVERGED
    assert by_gradient.history["grad_norm"][-1] <= 1e-3 < by_gradient.history["grad_norm"][-2]
    by_steps = minimize(decay(), START, name, Stop(steps=2))
    assert by_steps.outcome is Outcome.BUDGET_SPENT
    assert by_steps.history["step"][-1] == 2
    by_gradients = minimize(decay(), START, name, Stop(gradients=4))
    assert by_gradients.outcome is Outcome.BUDGET_SPENT
    assert by_gradients.history["gradients"][-2] < 4 <= by_gradients.work.gradients


@each
def test_ctrl_c_keeps_the_best_so_far(name):
    """SIGINT while a run goes on comes out as an outcome."""

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
    np.testing.assert_allclose(solution.params, by_hand(name).value, rtol=1e-3)


@each
def test_a_second_run_compiles_nothing(name):
    """Programs are kept, and the same run gives the same history."""
    problem = decay.__wrapped__()
    forget_programs()
    first, second = (minimize(problem, START, name, Stop(steps=5)) for _ in range(2))
    assert second.compile_seconds == 0.0 < first.compile_seconds
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


@each
def test_nan_is_left_behind(name):
    """Trial points outside the domain of the loss are thrown away, and it arrives."""
    walled = LeastSquares(lambda p: jnp.log1p(p / jnp.array([0.01, 1.0])))
    solution = minimize(walled, np.ones(2), name, Stop(loss=1e-10, steps=300))
    assert solution.outcome is Outcome.TARGET_REACHED
    assert solution.work.rejected_steps > 0


def test_a_tolerance_ends_the_run_early():
    """A coarse tolerance ends the run at a larger gradient."""
    early = minimize(decay(), START, OptimistixSolver("lm", tolerance=1e-2))
    late = minimize(decay(), START, "optimistix-lm")
    assert early.work.jacobians < late.work.jacobians
    assert early.history["grad_norm"][-1] > late.history["grad_norm"][-1]


def test_a_loss_without_residuals_is_for_bfgs():
    """`lm` says what it needs, and `bfgs` finds the minimum."""
    scalar = Scalar(lambda p: jnp.sum(jnp.cosh(p - 1.0)))
    with pytest.raises(ConfigError, match="needs residuals"):
        minimize(scalar, np.ones(3), "optimistix-lm")
    solution = minimize(scalar, np.zeros(3), "optimistix-bfgs")
    np.testing.assert_allclose(solution.params, 1.0, atol=1e-7)


def test_matrices_that_do_not_fit_are_refused():
    """The dense matrix of 50,000 parameters is refused before anything is allocated."""
    with pytest.raises(ConfigError, match="GiB"):
        minimize(LeastSquares(lambda p: p), np.ones(50_000), "optimistix-bfgs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algorithm": "dogleg"}, "`algorithm` is 'dogleg', but one of lm, bfgs was expected"),
        ({"tolerance": 0.0}, "`tolerance` is 0.0, but a number above 0 was expected"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """A setting that cannot be run is answered in one sentence."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        OptimistixSolver(**arguments)
