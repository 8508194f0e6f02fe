"""Accuracy control: what the tolerances ask for is what the path keeps."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import thalweg as tw
from method_suite import CURVED, CURVED_START, DECAY, SIGN, X

# Two flows with closed forms side by side: decay at four rates, and θ' = -θ³.
RATES = np.array([0.5, 3.0, 40.0, 800.0])
KNOWN = tw.Scalar(
    lambda p: 0.5 * jnp.sum(jnp.asarray(RATES, p.dtype) * p[:4] ** 2) + jnp.sum(p[4:] ** 4) / 4
)
KNOWN_START = np.array([1.0, -2.0, 0.5, 1.0, 1.0, 0.3, -2.0])


def exact_known(t):
    """Each mode decays at its own rate; the others are θ₀ / √(1 + 2θ₀² t)."""
    modes, others = KNOWN_START[:4], KNOWN_START[4:]
    return np.concatenate([modes * np.exp(-RATES * t), others / np.sqrt(1 + 2 * others**2 * t)])


@functools.cache
def radau_path():
    """The logistic flow of the shared suite, written out, by SciPy's Radau at 1e-13."""

    def negative_gradient(_, theta):
        c, w = theta[0], theta[1:]
        u = np.tanh(X @ w)
        by_z = -SIGN / (1 + np.exp(SIGN * c * u)) / len(SIGN)
        by_w = (by_z * c * (1 - u**2)) @ X
        return -np.concatenate([[by_z @ u], by_w]) - DECAY * theta

    start = np.concatenate([[CURVED_START["c"]], CURVED_START["w"]])
    return scipy.integrate.solve_ivp(
        negative_gradient, (0, 12), start, method="Radau", rtol=1e-13, atol=1e-15, dense_output=True
    ).sol


def exact_logistic(t):
    """From the path, which is computed when it is first asked for."""
    return radau_path()(t)


FLOWS = {
    "known": (KNOWN, KNOWN_START, exact_known, 3.0),
    "logistic": (CURVED, CURVED_START, exact_logistic, 10.0),
}
METHODS = {
    "rosenbrock": tw.Rosenbrock,
    "bdf": tw.BDF,
    "chebyshev": tw.Chebyshev,
    "bogacki-shampine": tw.BogackiShampine,
    "switching": tw.Switching,
    "exponential-krylov": tw.ExponentialKrylov,
}
each_method = pytest.mark.parametrize("name", METHODS)


@functools.cache
def path(name, flow, rtol, *, loosest=None):
    """Time and θ after each step up to the flow's duration, and the solution."""
    problem, start, _, duration = FLOWS[flow]
    rule = tw.Accuracy(rtol=rtol, atol=1e-3 * rtol, loosest=loosest)
    seen = []

    def watch(snapshot):
        seen.append((snapshot.t, np.array(snapshot.theta)))
        return snapshot.t > duration

    method = METHODS[name](control=rule)
    found = tw.minimize(problem, start, method, tw.Stop(steps=20_000), callback=watch)
    return seen[:-1], found


def worst_error(name, flow, rtol):
    """The largest error in any θᵢ at any step."""
    exact = FLOWS[flow][2]
    return max(np.abs(theta - exact(t)).max() for t, theta in path(name, flow, rtol)[0])


@each_method
@pytest.mark.parametrize(("flow", "rtol"), [("known", 1e-4), ("known", 1e-6), ("logistic", 1e-5)])
def test_the_path_keeps_to_the_tolerance_of_a_step(name, flow, rtol):
    """At every step of the way, within a small multiple of what one step may err."""
    assert worst_error(name, flow, rtol) < 50 * rtol
    assert len(path(name, flow, rtol)[0]) > 5


@each_method
def test_a_tighter_tolerance_gives_a_smaller_error(name):
    """100 times tighter, at least 10 times smaller."""
    assert worst_error(name, "known", 1e-6) < 0.1 * worst_error(name, "known", 1e-4)


@each_method
def test_a_flow_at_rest_ends_the_run_converged(name):
    """Once rounding hides what is left, however long the flow would go on."""
    problem = tw.Scalar(lambda p: 1 + 0.5 * jnp.sum(jnp.array([1.0, 9.0]) * p**2))
    method = METHODS[name](control=tw.Accuracy(rtol=1e-3, atol=1e-9))
    found = tw.minimize(problem, np.array([1.0, 2.0]), method, tw.Stop(steps=5000))
    assert found.outcome is tw.Outcome.CONVERGED
    assert found.loss == pytest.approx(1, abs=1e-12)


@each_method
def test_errors_are_counted_where_they_cost_an_attempt(name):
    """The first step of 1 is too long for the stiff flow; what is refused shows in the work."""
    found = path(name, "known", 1e-6)[1]
    assert found.work.error_test_failures > 0
    assert found.work.rejected_steps == found.history["rejected"].sum()
    assert found.work.rejected_steps >= found.work.error_test_failures


@pytest.mark.parametrize("name", ["rosenbrock", "bdf", "chebyshev", "switching"])
def test_a_schedule_begins_loose_and_ends_tight(name):
    """With it fewer steps than at the tight tolerance, and the same end."""
    tight = path(name, "known", 1e-6)
    loose = path(name, "known", 1e-6, loosest=1e-2)
    assert len(loose[0]) < 0.8 * len(tight[0])
    assert loose[1].history["h"][1] >= tight[1].history["h"][1]


def test_the_switch_goes_to_implicit_steps_and_back():
    """Stiff while the steep mode lasts in the curvature, easy when it has left it."""
    # A steep valley that ends where the second parameter falls off its saddle into a well.
    problem = tw.Scalar(
        lambda p: 0.5 * jnp.exp(9 - 90 * p[1] ** 2) * p[0] ** 2 + (p[1] ** 2 - 1) ** 2 / 4 + 1
    )
    method = tw.Switching(control=tw.Accuracy(rtol=1e-6, atol=1e-8))
    found = tw.minimize(problem, np.array([1e-2, 1e-3]), method, tw.Stop(steps=4000))
    jacobians = np.diff(found.history["jacobians"])
    explicit = jacobians == 0
    assert explicit[0]
    assert (~explicit).any()
    assert explicit[np.argmin(explicit) :].any()


def test_explicit_steps_alone_need_many_times_more_on_a_stiff_flow():
    """That is what stiffness means: the implicit methods are not held down by stability."""
    counts = {name: len(path(name, "known", 1e-4)[0]) for name in METHODS}
    assert counts["bogacki-shampine"] > 5 * counts["rosenbrock"]
    assert counts["bogacki-shampine"] > 5 * counts["switching"]
    assert counts["bogacki-shampine"] > 2 * counts["bdf"]


def test_an_attempt_that_fails_is_too_long_and_not_too_short():
    """Where Newton fails, the point that it reached says nothing of rounding: h is halved."""
    kink = tw.Scalar(lambda p: jnp.abs(p[0] - 0.3) + 0.5 * p[0] ** 2)
    found = tw.minimize(kink, np.ones(1), tw.BDF(), tw.Stop(steps=150))
    assert found.work.newton_failures > 0
    assert found.loss == pytest.approx(0.5 * 0.3**2, rel=1e-9)


@each_method
def test_another_control_is_refused(name):
    """Not taken for one of the two."""
    with pytest.raises(tw.ThalwegError, match="`control` is 'accuracy', but"):
        tw.minimize(KNOWN, KNOWN_START, METHODS[name](control="accuracy"))


@pytest.mark.parametrize("name", ["rosenbrock", "bdf", "chebyshev"])
def test_float32_follows_too(name):
    """To what its rounding lets a tolerance be."""
    method = METHODS[name](control=tw.Accuracy(rtol=1e-3, atol=1e-5))
    seen = []

    def watch(snapshot):
        seen.append((snapshot.t, np.array(snapshot.theta)))
        return snapshot.t > 3

    start = KNOWN_START.astype(np.float32)
    tw.minimize(KNOWN, start, method, tw.Stop(steps=2000), callback=watch)
    assert seen[0][1].dtype == np.float32
    assert max(np.abs(theta - exact_known(t)).max() for t, theta in seen) < 2e-2
