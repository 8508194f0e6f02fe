"""`exponential-krylov`: the shared suite, exactness on quadratics, saddles, and its function φ₁."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from method_suite import suite_for
from thalweg import Outcome, Scalar, Stop, minimize
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.integrators.krylov import MAX_GROWTH, ExponentialKrylov, phi_1

TestExponentialKrylov = suite_for(
    ExponentialKrylov(), follower=ExponentialKrylov(forcing=1e-10), is_exact_on_quadratics=True
)

MAGNITUDES = np.geomspace(1e-12, 35, 97)


def oracle(z):
    """(1 - e⁻ᶻ)/z: by its series in 80-bit arithmetic where |z| < ½, else by its definition."""
    z = np.asarray(z, np.longdouble)
    term, total = np.ones_like(z), np.ones_like(z)
    for k in range(2, 25):
        term = -term * z / k
        total += term
    return np.where(np.abs(z) < 0.5, total, (1 - np.exp(-z)) / np.where(z == 0, 1, z))


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_phi_is_accurate_from_tiny_to_large_of_either_sign(real):
    """To a few roundings, without the cancellation of 1 - e⁻ᶻ near 0."""
    z = np.concatenate([-MAGNITUDES, [0.0], MAGNITUDES, [1e3, 1e8]]).astype(real)
    found = np.asarray(jax.jit(phi_1)(jnp.asarray(z)))
    assert found.dtype == real
    assert np.abs(found / oracle(z) - 1).max() <= 8 * np.finfo(real).eps


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_growth_is_cut_off_where_it_would_overflow(real):
    """φ₁ stops growing at e^40, so that a step far too long is a finite number and is rejected."""
    z = -np.geomspace(MAX_GROWTH, 1e20, 30).astype(real)
    found = np.asarray(phi_1(jnp.asarray(z)))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found[0] == pytest.approx(float(oracle(-MAX_GROWTH)), rel=1e-5)
    assert (found <= found[0]).all()


@pytest.mark.parametrize(
    ("values", "kind"), [((4.0, 1.0, 0.1), "definite"), ((4.0, -1.0, 0.0), "indefinite")]
)
def test_exponential_krylov_is_exact_on_quadratics(values, kind):
    """One step of any size is `expm`, and unstable modes grow as they do under the flow."""
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    hessian = (q * np.array(values)) @ q.T
    linear = hessian @ np.array([1.0, -1.0, 0.5])  # in the range of the Hessian
    problem = Scalar(lambda p: 0.5 * p @ jnp.asarray(hessian) @ p - jnp.asarray(linear) @ p)
    start = np.array([0.3, 2.0, -1.0])
    theta, spec = flatten(start)
    flow = build_flow(problem, spec)
    method = ExponentialKrylov(forcing=1e-12)
    advance = jax.jit(lambda at, h: method.advance(flow, flow.data, at, h))
    rest = np.array([1.0, -1.0, 0.5])
    for h in (0.01, 1.0, 8.0):
        expected = rest + scipy.linalg.expm(-h * hessian) @ (start - rest)
        found = advance(jnp.asarray(theta), h)
        assert np.abs(found - expected).max() <= 1e-11 * max(1, np.abs(expected).max())
    assert (np.abs(expected).max() > 100) == (kind == "indefinite")


def test_exponential_krylov_leaves_a_saddle():
    """From slightly off the ridge, |∇L| first falls and then rises; it ends in a minimum."""
    saddle = Scalar(lambda p: p["x"] ** 2 - p["y"] ** 2 + p["y"] ** 4)
    start = {"x": np.asarray(1.0), "y": np.asarray(1e-6)}
    solution = minimize(saddle, start, "exponential-krylov", Stop(steps=500, seconds=60))
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == pytest.approx(-0.25, rel=1e-12)
    assert float(solution.params["y"]) == pytest.approx(np.sqrt(0.5), rel=1e-6)


def test_a_loss_without_bound_returns_finite_parameters():
    """It falls forever: the solution is a point, not infinity."""
    solution = minimize(
        Scalar(lambda p: -p[0]), np.zeros(1), "exponential-krylov", Stop(steps=500, seconds=60)
    )
    assert solution.outcome in (Outcome.BUDGET_SPENT, Outcome.STALLED, Outcome.DIVERGED)
    assert solution.loss < -1e10
    assert np.isfinite(solution.loss)
    assert solution.loss == -solution.params[0]
