"""Claims that hold for every method of thalweg's own.

A method joins by one line in a test file:

    TestMyMethod = suite_for(MyMethod())

The method needs `step`, and `advance`, one step of a given size without step control. `advance`
takes and returns θ, or for a method with a state of its own a tuple that begins with θ.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from thalweg import Composite, LeastSquares, Outcome, Stop, minimize
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.base import AbstractJitMethod

RNG = np.random.default_rng(4)
STEPS = (64, 128, 256, 512)

# A linear flow: L = ½ mean (Aw - y)².
A, B = RNG.normal(size=(6, 3)), RNG.normal(size=6)
LINEAR = LeastSquares(lambda w, a, b: a @ w - b, data=(A, B))
LINEAR_START = np.array([1.0, -2.0, 0.5])

# A nonlinear flow: a logistic loss of a network with one unit, and weight decay.
X = RNG.normal(size=(8, 2))
SIGN = np.where(X[:, 0] * X[:, 1] + 0.3 * RNG.normal(size=8) > 0, 1.0, -1.0)
DECAY, DURATION = 0.1, 4.0
CURVED = Composite(
    lambda p, x: p["c"] * jnp.tanh(p["w"] @ x),
    lambda z, y: jnp.logaddexp(0.0, -y * z),
    data=(X, SIGN),
    l2=DECAY,
)
CURVED_START = {"c": np.asarray(1.5), "w": np.array([0.8, -0.4])}

# A nonlinear fit: a network with four units to points of a sine.
POINTS = np.linspace(-1.0, 1.0, 12)
FIT = LeastSquares(
    lambda p, x, y: jnp.vdot(p["out"], jnp.tanh(p["in"] * x + p["shift"])) - y,
    data=(POINTS, np.sin(3 * POINTS)),
)
FIT_START = {
    "in": np.array([1.0, 2.0, -1.5, 0.5]),
    "shift": np.array([0.1, -0.7, 0.3, 1.0]),
    "out": np.array([0.5, -0.5, 0.3, 0.2]),
}

# A start where a step of size 1 overflows, and a region of NaN on the way to the minimum.
STEEP = LeastSquares(lambda p: {"exp": jnp.exp(p["a"]) - 100, "log": jnp.log(p["b"]) + 3})
STEEP_START = {"a": np.zeros(2), "b": np.array([9.0])}
STEEP_END = {"a": np.full(2, np.log(100.0)), "b": np.exp([-3.0])}


def cast(params, real):
    """The parameters in another dtype."""
    return jax.tree.map(lambda leaf: leaf.astype(real), params)


@functools.cache
def flow_of(problem, real="float64"):
    """The flow of one of the problems above, and its start as a vector."""
    starts = {LINEAR: LINEAR_START, CURVED: CURVED_START, FIT: FIT_START}
    theta, spec = flatten(cast(starts[problem], real))
    return build_flow(problem, spec), jnp.asarray(theta)


@functools.cache
def integrator(method, problem, first_state):
    """The compiled program that takes n steps of size h from the start; n and h are arguments."""
    flow, theta = flow_of(problem)
    start = first_state(theta)

    @jax.jit
    def advance(data, n, h):
        end = jax.lax.fori_loop(0, n, lambda _, at: method.advance(flow, data, at, h), start)
        return jax.tree.leaves(end)[0]

    return lambda n, duration: np.asarray(advance(flow.data, n, duration / n))


@functools.cache
def exact_linear_end():
    """The linear flow after a time of 1, by the matrix exponential."""
    rest = np.linalg.lstsq(A, B)[0]
    return rest + scipy.linalg.expm(-A.T @ A / len(B)) @ (LINEAR_START - rest)


@functools.cache
def exact_curved_end():
    """The nonlinear flow after DURATION, its gradient written out, by DOP853 at 1e-13."""

    def negative_gradient(_, theta):
        c, w = theta[0], theta[1:]
        u = np.tanh(X @ w)
        by_z = -SIGN / (1 + np.exp(SIGN * c * u)) / len(SIGN)
        by_w = (by_z * c * (1 - u**2)) @ X
        return -np.concatenate([[by_z @ u], by_w]) - DECAY * theta

    start = np.concatenate([[CURVED_START["c"]], CURVED_START["w"]])
    solved = scipy.integrate.solve_ivp(
        negative_gradient, (0, DURATION), start, method="DOP853", rtol=1e-13, atol=1e-14
    )
    return solved.y[:, -1]


@functools.cache
def run(method, name, real, *, watched=False):
    """A whole run on the fit or the steep problem, cached; `watched` runs it step by step."""
    problem, start, steps = {"fit": (FIT, FIT_START, 80), "steep": (STEEP, STEEP_START, 300)}[name]
    seen = []
    callback = (lambda snapshot: seen.append(snapshot.loss)) if watched else None
    solution = minimize(
        problem, cast(start, real), method, Stop(steps=steps, seconds=60), callback=callback
    )
    return solution, seen


def observed_orders(end_after, exact, duration, steps):
    """The orders that the errors show from one number of steps to the next."""
    errors = [np.abs(end_after(n, duration) - exact).max() for n in steps]
    return np.log2(np.divide(errors[:-1], errors[1:])), errors


class MethodSuite:
    """The claims that hold for every method. Subclasses are made by `suite_for`."""

    method: AbstractJitMethod
    follower: AbstractJitMethod
    is_exact_on_quadratics: bool
    steps: tuple[int, ...]
    first_state: Callable[[jax.Array], Any]

    def test_a_linear_flow_is_followed_at_the_stated_order(self):
        """Halving h divides the error by 2**order within 5 %, or there is no error at all."""
        end_after = integrator(self.follower, LINEAR, self.first_state)
        orders, errors = observed_orders(end_after, exact_linear_end(), 1.0, self.steps)
        if self.is_exact_on_quadratics:
            assert max(errors) < 1e-12
        else:
            assert orders == pytest.approx(self.method.order, rel=0.05)

    def test_a_nonlinear_flow_is_followed_at_the_stated_order(self):
        """Halving h divides the error by 2**order within 5 %."""
        end_after = integrator(self.follower, CURVED, self.first_state)
        orders, errors = observed_orders(end_after, exact_curved_end(), DURATION, self.steps)
        assert orders == pytest.approx(self.method.order, rel=0.05)
        assert errors[-1] < 1e-2

    @pytest.mark.parametrize("real", ["float64", "float32"])
    def test_accepted_losses_never_rise(self, real):
        """Row by row, along the whole run."""
        losses = run(self.method, "fit", real)[0].history["loss"]
        assert len(losses) > 10
        assert (np.diff(losses) <= 0).all()
        assert losses[-1] < 1e-2 * losses[0]

    @pytest.mark.parametrize("name", ["fit", "steep"])
    @pytest.mark.parametrize("real", ["float64", "float32"])
    def test_a_run_keeps_the_dtype_and_stays_finite(self, name, real):
        """No NaN is returned or logged, whatever the attempts met."""
        solution, _ = run(self.method, name, real)
        for leaf in jax.tree.leaves(solution.params):
            assert leaf.dtype == real
            assert np.isfinite(leaf).all()
        for column, values in solution.history.items():
            assert np.isfinite(values[1:]).all(), column

    def test_chunks_and_single_steps_make_the_same_run(self):
        """A callback brings the loop back to the host after each step, and changes no number."""
        whole, _ = run(self.method, "fit", "float64")
        single, seen = run(self.method, "fit", "float64", watched=True)
        for column in ("loss", "h", "t", "rejected", "gradients", "hessian_products"):
            assert np.array_equal(whole.history[column], single.history[column], equal_nan=True)
        assert np.allclose(whole.history["grad_norm"], single.history["grad_norm"], rtol=1e-9)
        assert seen == whole.history["loss"][1:].tolist()

    def test_a_step_is_the_same_jitted_or_not(self):
        """To rounding: nothing depends on tracing."""
        flow, theta = flow_of(LINEAR)
        state = self.method.init(flow, theta)
        jitted = jax.jit(lambda data, *at: self.method.step(flow, data, *at))
        fast = jitted(flow.data, theta, state)
        with jax.disable_jit():
            plain = self.method.step(flow, flow.data, theta, state)
        for one, other in zip(jax.tree.leaves(fast), jax.tree.leaves(plain), strict=True):
            assert np.allclose(one, other, rtol=1e-12, atol=1e-14)


class StiffMethodSuite(MethodSuite):
    """Further claims, which an explicit method could meet only with very many steps."""

    @pytest.mark.parametrize("real", ["float64", "float32"])
    def test_a_run_recovers_from_rejected_steps(self, real):
        """Attempts that end in infinity or NaN are rejected and counted, and the run arrives."""
        solution, _ = run(self.method, "steep", real)
        assert solution.history["rejected"][1] > 0
        assert solution.work.rejected_steps == solution.history["rejected"].sum()
        for found, exact in zip(
            jax.tree.leaves(solution.params), jax.tree.leaves(STEEP_END), strict=True
        ):
            assert np.abs(found / exact - 1).max() <= 20 * np.finfo(real).eps

    @pytest.mark.parametrize("real", ["float64", "float32"])
    def test_a_fit_without_residual_ends_converged_at_rounding(self, real):
        """Once rounding hides the descent that is left, the run ends, after few rejections."""
        solution, _ = run(self.method, "steep", real)
        assert solution.outcome is Outcome.CONVERGED
        assert solution.loss <= (100 * np.finfo(real).eps) ** 2 * solution.history["loss"][0]
        assert solution.history["rejected"].max() <= 200


def suite_for(
    method: AbstractJitMethod,
    *,
    follower: AbstractJitMethod | None = None,
    is_exact_on_quadratics: bool = False,
    is_for_stiff_flows: bool = True,
    steps: tuple[int, ...] = STEPS,
    first_state: Callable[[jax.Array], Any] = lambda theta: theta,
) -> type[MethodSuite]:
    """The suite for a method.

    Args:
        method: The method as it is by default.
        follower: The method set to follow the flow closely; by default the same.
        is_exact_on_quadratics: Whether a step of any size is exact on a linear flow.
        is_for_stiff_flows: Whether it reaches the end of a stiff flow.
        steps: Numbers of steps, each twice the last, from which the order is computed.
        first_state: From θ to the state that `advance` begins with.
    """
    suite = StiffMethodSuite if is_for_stiff_flows else MethodSuite
    members = {
        "method": method,
        "follower": follower or method,
        "is_exact_on_quadratics": is_exact_on_quadratics,
        "steps": steps,
        "first_state": staticmethod(first_state),
    }
    return type(f"Suite of {method.name}", (suite,), members)
