"""The methods of thalweg's own: each joins the shared suite by one line; then its own claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from method_suite import FIT, flow_of, suite_for
from thalweg import LeastSquares, Outcome, Scalar, Stop, minimize
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.krylov import ExponentialKrylov
from thalweg.solvers.integrators.linearised import (
    krylov_system,
    parameter_system,
    residual_system,
    unit_metric,
)

TestImplicitGeodesic = suite_for(ImplicitGeodesic())
TestExponentialKrylov = suite_for(
    ExponentialKrylov(), follower=ExponentialKrylov(forcing=1e-10), is_exact_on_quadratics=True
)

LIMITED = Stop(steps=500, seconds=60)
SPACES = ("parameters", "residuals", "krylov")
EVERY_OWN = [ImplicitGeodesic(algebra=space, forcing=1e-10) for space in SPACES]
EVERY_OWN += [ExponentialKrylov()]
each_own = pytest.mark.parametrize(
    "method", EVERY_OWN, ids=[*(f"geodesic, {space}" for space in SPACES), "exponential"]
)

# A line through noisy points whose slope is the sum of two parameters: J has rank 2, not 3.
POINTS = np.linspace(0.0, 1.0, 15)
NOISY = 2 * POINTS - 1 + 0.1 * np.sin(37 * POINTS)
TWICE = LeastSquares(lambda p, x, y: (p[0] + p[1]) * x + p[2] - y, data=(POINTS, NOISY))
BEST_LINE = np.polyfit(POINTS, NOISY, 1)
BEST_LOSS = 0.5 * np.mean((np.polyval(BEST_LINE, POINTS) - NOISY) ** 2)


@each_own
@pytest.mark.parametrize("start", [[0.0, 0.0, 0.0], [5.0, -9.0, 30.0]], ids=str)
def test_a_singular_noisy_fit_ends_in_the_solution_of_least_squares(method, start):
    """Rank-deficient, with residuals that stay: it ends by itself, converged, at the least loss."""
    solution = minimize(TWICE, np.array(start), method, LIMITED)
    a, b, c = solution.params
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == pytest.approx(BEST_LOSS, rel=1e-12)
    assert (a + b, c) == pytest.approx(tuple(BEST_LINE), rel=1e-6)


@each_own
def test_a_start_at_the_minimum_is_left_where_it_is(method):
    """Converged at once, or after steps that only polish rounding."""
    start = np.array([BEST_LINE[0], 0.0, BEST_LINE[1]])
    solution = minimize(TWICE, start, method, LIMITED)
    assert solution.outcome is Outcome.CONVERGED
    assert len(solution.history["loss"]) <= 5
    assert solution.params == pytest.approx(start, abs=1e-6)


by_name = pytest.mark.parametrize("name", ["implicit-geodesic", "exponential-krylov"])


@by_name
def test_small_units_are_no_minimum(name):
    """A step of size 1 moves a loss of 1e-18 by less than its rounding: a longer one is found."""
    target = np.array([0.5, 1.0, 2.0])
    problem = LeastSquares(lambda p: 1e-9 * (p - target))
    solution = minimize(problem, np.zeros(3), name, LIMITED)
    assert solution.outcome is Outcome.CONVERGED
    assert solution.params == pytest.approx(target, rel=1e-6)


@by_name
def test_a_degenerate_minimum_is_approached_without_waste(name):
    """Powell's singular function: all residuals reach 0 with a Jacobian that is singular there.

    The way has no end in floating point, so the run may go on; but no step is retried for long.
    """

    def powell(p):
        a, b, c, d = p
        return [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2]

    solution = minimize(LeastSquares(powell), np.array([3.0, -1.0, 0.0, 1.0]), name, LIMITED)
    assert solution.outcome in (Outcome.CONVERGED, Outcome.BUDGET_SPENT)
    assert solution.loss < 1e-20
    assert (np.diff(solution.history["loss"]) <= 0).all()
    assert solution.history["rejected"][:-1].max() <= 10


def test_parameters_and_residuals_walk_the_same_path():
    """Which space a step is solved in changes no more than rounding."""
    one, other = (minimize(TWICE, np.zeros(3), m, LIMITED).history for m in EVERY_OWN[:2])
    count = 5
    for column in ("loss", "h", "grad_norm"):
        assert one[column][1:count] == pytest.approx(other[column][1:count], rel=1e-9)


def test_three_linear_algebras_make_one_step():
    """First and second coefficient of the curve agree, from tiny steps to nearly Newton's.

    The Krylov space is as large as it gets; a smaller one resolves its own start alone, ∇L.
    """
    flow, theta = flow_of(FIT)
    zeros = jnp.zeros_like(theta)

    @jax.jit
    def coefficients(data, h):
        systems = (
            parameter_system(flow, data, theta, zeros, unit_metric),
            residual_system(flow, data, theta, zeros, unit_metric),
            krylov_system(flow, data, theta, zeros, h=h, limit=theta.size, forcing=1e-30),
        )
        found = []
        for system in systems:
            first = system.at(h)(system.force(()))
            second = system.at(h)(system.force((first,)))
            found.append((system.loss, system.grad, first, second))
        return found

    for h in (1e-2, 1.0, 1e3):
        expected, *others = coefficients(flow.data, h)
        for found in others:
            for one, other in zip(found, expected, strict=True):
                assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


@pytest.mark.parametrize(
    ("values", "kind"), [((4.0, 1.0, 0.1), "definite"), ((4.0, -1.0, 0.0), "indefinite")]
)
def test_exponential_krylov_is_exact_on_quadratics(values, kind):
    """One step of any size is `expm`, and unstable modes grow as they do under the flow."""
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    hessian = (q * np.array(values)) @ q.T
    slope = hessian @ np.array([1.0, -1.0, 0.5])  # in the range of the Hessian
    problem = Scalar(lambda p: 0.5 * p @ jnp.asarray(hessian) @ p - jnp.asarray(slope) @ p)
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


def test_exponential_krylov_walks_away_from_a_saddle():
    """From slightly off the ridge, |∇L| first falls and then rises; it ends in a minimum."""
    saddle = Scalar(lambda p: p["x"] ** 2 - p["y"] ** 2 + p["y"] ** 4)
    start = {"x": np.asarray(1.0), "y": np.asarray(1e-6)}
    solution = minimize(saddle, start, "exponential-krylov", LIMITED)
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == pytest.approx(-0.25, rel=1e-12)
    assert float(solution.params["y"]) == pytest.approx(np.sqrt(0.5), rel=1e-6)


def test_a_loss_without_bound_returns_finite_parameters():
    """It falls for ever: what is returned is a point, not infinity."""
    solution = minimize(Scalar(lambda p: -p[0]), np.zeros(1), "exponential-krylov", LIMITED)
    assert solution.outcome in (Outcome.BUDGET_SPENT, Outcome.STALLED, Outcome.DIVERGED)
    assert solution.loss < -1e10
    assert np.isfinite(solution.loss)
    assert solution.loss == -solution.params[0]


@pytest.mark.parametrize("real", ["float64", "float32"])
def test_a_gradient_of_exactly_zero_is_convergence(real):
    """Also where no parameter has any influence, so that there is no curvature either."""
    flat = LeastSquares(lambda p: 0 * p + 1)
    solution = minimize(flat, np.ones(2, real), "implicit-geodesic", LIMITED)
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == 1.0
