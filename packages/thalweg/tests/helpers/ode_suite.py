"""Claims that hold for every ODE solver of another library, on flows with known solutions.

The linear flow's solution is a matrix exponential. The nonlinear one has its minimum at 0.
"""

import dataclasses
import functools
import os
import signal

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from thalweg import LeastSquares, Outcome, Stop, minimize
from thalweg._recorder import Recorder, RunEnded
from thalweg.flow import build_flow
from thalweg.flow.compiled import HostFunctions
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import forget_programs
from thalweg.solvers import REGISTRY
from thalweg.solvers.base import AbstractHostMethod, AbstractMethod

N = 4
CURVATURES = np.array([0.5, 2.0, 10.0, 40.0])
BASIS = np.linalg.qr(np.random.default_rng(3).normal(size=(N, N)))[0]
HESSIAN = BASIS @ np.diag(CURVATURES) @ BASIS.T
START = np.array([1.0, -2.0, 0.5, 1.5])


@functools.cache  # one problem for all tests, so that its functions are compiled once
def quadratic():
    """L = ½ θᵀ A θ, whose flow is exp(-At) θ₀."""
    root = np.diag(np.sqrt(CURVATURES)) @ BASIS.T
    return LeastSquares(lambda theta: jnp.asarray(root, theta.dtype) @ theta)


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
def walled(wall=0.03):
    """A flow towards 0 beside a wall at -`wall`, behind which the loss is NaN."""
    return LeastSquares(lambda theta: jnp.log1p(theta / jnp.asarray([wall, 1.0], theta.dtype)))


def watched(problem, start, method, stop):
    """A run, with t and θ after each step."""
    seen = []
    solution = minimize(
        problem, start, method, stop, callback=lambda s: seen.append((s.t, np.array(s.theta))) and 0
    )
    return solution, seen


def error_along(method, stop):
    """The largest distance from exp(-At) θ₀ along a run, and how many steps it had."""
    _, seen = watched(quadratic(), START, method, stop)
    errors = [np.abs(theta - scipy.linalg.expm(-HESSIAN * t) @ START).max() for t, theta in seen]
    return max(errors), len(seen)


class OdeSuite:
    """The claims. Subclasses are made by `ode_suite_for`.

    Each pair of a problem and a method compiles once, which for some takes seconds; so there are
    only four such pairs.

    Attributes:
        name: The name in the list of methods.
        method: The method of that name, with rtol = 1e-6 and atol = 1e-8.
        tight: The same with rtol = 1e-8 and atol = 1e-10.
        rough: The same with rtol = atol = 0.03.
        is_stiff: Whether it is made for stiff flows, and so comes to rest in a minimum.
    """

    name: str
    method: AbstractMethod
    tight: AbstractMethod
    rough: AbstractMethod
    is_stiff: bool

    def test_it_has_its_name(self):
        """The name in the list is the one that a solution bears."""
        assert self.method.name == self.name
        assert self.name in REGISTRY

    def test_the_tolerance_is_kept(self):
        """Errors along the linear flow stay near the tolerance, and fall with it."""
        stop = Stop(loss=1e-2)
        error, few = error_along(self.method, stop)
        less, many = error_along(self.tight, stop)
        assert error < 100 * 2e-6
        assert less < 100 * 2e-8
        assert less < error
        assert few < many

    def test_each_row_belongs_to_its_point(self):
        """Loss and |∇L| of a row are those at the row's point; t is the sum of the steps h."""
        solution, seen = watched(quadratic(), START, self.method, Stop(steps=20, grad_norm=0.0))
        history = solution.history
        points = [START, *(theta for _, theta in seen)]
        losses = [0.5 * theta @ HESSIAN @ theta for theta in points]
        norms = [np.linalg.norm(HESSIAN @ theta) for theta in points]
        np.testing.assert_allclose(history["loss"], losses, rtol=1e-11)
        np.testing.assert_allclose(history["grad_norm"], norms, rtol=1e-11)
        np.testing.assert_allclose(history["t"][1:], np.cumsum(history["h"][1:]), rtol=1e-12)
        np.testing.assert_allclose(history["t"][1:], [t for t, _ in seen], rtol=1e-15)

    def test_the_work_adds_up(self):
        """Counts never fall from row to row, and the columns agree with each other."""
        solution = minimize(quadratic(), START, self.method, Stop(steps=60))
        work, history = solution.work, solution.history
        assert work.rejected_steps == history["rejected"].sum()
        assert work.rejected_steps == work.newton_failures + work.error_test_failures
        for column in work._fields:
            assert (np.diff(history[column]) >= 0).all(), column
            assert history[column][-1] == getattr(work, column), column

    def test_targets_are_obeyed(self):
        """A run ends at the first row at or below the loss, or the gradient, asked for."""
        by_loss = minimize(quadratic(), START, self.method, Stop(loss=0.1))
        assert by_loss.outcome is Outcome.TARGET_REACHED
        assert by_loss.loss <= 0.1 < by_loss.history["loss"][-2]
        by_gradient = minimize(quadratic(), START, self.method, Stop(grad_norm=0.3))
        assert by_gradient.outcome is Outcome.CONVERGED
        assert by_gradient.history["grad_norm"][-1] <= 0.3 < by_gradient.history["grad_norm"][-2]
        by_steps = minimize(quadratic(), START, self.method, Stop(steps=7))
        assert by_steps.outcome is Outcome.BUDGET_SPENT
        assert by_steps.history["step"][-1] == 7

    @pytest.mark.parametrize("gradients", [1, 2, 5, 37])
    def test_the_budget_of_gradients_is_kept(self, gradients):
        """To the unit where the loop is on the host, and to the step where it is compiled."""
        solution = minimize(quadratic(), START, self.method, Stop(gradients=gradients))
        assert solution.outcome is Outcome.BUDGET_SPENT
        if isinstance(self.method, AbstractHostMethod):
            assert solution.work.gradients == gradients
        else:
            assert solution.history["gradients"][-2] < gradients <= solution.work.gradients

    def test_ctrl_c_keeps_the_best_so_far(self):
        """SIGINT during a run becomes an outcome, whenever it arrives."""

        def press(snapshot):
            if snapshot.step == 10:
                os.kill(os.getpid(), signal.SIGINT)

        solution = minimize(quadratic(), START, self.method, Stop(steps=80), callback=press)
        assert solution.outcome is Outcome.INTERRUPTED
        assert solution.history["step"][-1] < 80
        assert solution.loss < solution.history["loss"][0]

    def test_float32_stays_and_nan_is_left_behind(self):
        """In float32, and where steps end outside the domain of the loss, it arrives as well."""
        start = np.ones(2, np.float32)
        solution = minimize(walled(), start, self.rough, Stop(loss=1e-2, steps=5000))
        assert solution.outcome is Outcome.TARGET_REACHED
        assert solution.params.dtype == np.float32
        assert solution.work.rejected_steps > 0

    def test_it_comes_to_rest_and_a_second_run_compiles_nothing(self):
        """A stiff solver reaches the minimum in few steps and ends there; an explicit one goes on.

        Programs are kept, and the same run gives the same history.
        """
        problem = bent.__wrapped__(offset=0.2)
        forget_programs()
        first, second = (minimize(problem, START, self.name, Stop(steps=1500)) for _ in range(2))
        assert first.loss == pytest.approx(0.5 * 0.2**2, rel=1e-8)
        if self.is_stiff:
            assert first.outcome in (Outcome.CONVERGED, Outcome.STALLED)
            assert first.history["step"][-1] < 600
        else:
            assert first.outcome is Outcome.BUDGET_SPENT
        assert second.compile_seconds == 0.0 < first.compile_seconds
        for column in ("loss", "t", "gradients"):
            np.testing.assert_array_equal(first.history[column], second.history[column])


class HostOdeSuite(OdeSuite):
    """Further claims for a loop on the host, which checks the clock within a step."""

    method: AbstractHostMethod  # pyright: ignore[reportIncompatibleVariableOverride]

    def test_time_that_runs_out_inside_a_step_is_noticed(self, monkeypatch):
        """A clock that advances at each call ends the run within a step; all work is counted."""
        spent = {"value_and_grad": 0, "dense_hessian": 0, "hessian_product": 0}

        def counted(name):
            honest = getattr(HostFunctions, name)

            def count(functions, *arguments):
                spent[name] += 1
                return honest(functions, *arguments)

            return count

        for name in spent:
            monkeypatch.setattr(HostFunctions, name, counted(name))
        theta, spec = flatten(START)
        flow = build_flow(quadratic(), spec)
        for seconds in (12, 33, 300):
            spent.update(dict.fromkeys(spent, 0))
            ticks = iter(range(10**6))
            recorder = Recorder(Stop(seconds=seconds), clock=lambda ticks=ticks: float(next(ticks)))
            with pytest.raises(RunEnded) as ended:
                self.method.run(flow, theta, recorder)
            assert ended.value.outcome is Outcome.BUDGET_SPENT
            work = recorder.work
            assert work.jacobians == spent["dense_hessian"]
            assert work.hessian_products == spent["hessian_product"]
            # One gradient after the run computes |∇L| of the last row. Where a solver asks again at
            # the same point, the stored value is returned, and is counted.
            assert work.gradients >= spent["value_and_grad"] - 1


def ode_suite_for(name: str, method: AbstractMethod, *, is_stiff: bool = True) -> type[OdeSuite]:
    """The suite for a method with attributes `rtol` and `atol`."""
    members = {
        "name": name,
        "method": method,
        "tight": dataclasses.replace(method, rtol=1e-8, atol=1e-10),  # pyright: ignore[reportCallIssue]
        "rough": dataclasses.replace(method, rtol=0.03, atol=0.03),  # pyright: ignore[reportCallIssue]
        "is_stiff": is_stiff,
    }
    base = HostOdeSuite if isinstance(method, AbstractHostMethod) else OdeSuite
    return type(f"Suite of {name}", (base,), members)
