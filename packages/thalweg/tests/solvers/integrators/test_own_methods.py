"""What `implicit-geodesic` and `exponential-krylov` both promise near minima."""

import numpy as np
import pytest

from thalweg import LeastSquares, Outcome, Stop, minimize
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.krylov import ExponentialKrylov

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


def test_parameters_and_residuals_make_the_same_steps():
    """Which space a step is solved in changes no more than rounding."""
    one, other = (minimize(TWICE, np.zeros(3), m, LIMITED).history for m in EVERY_OWN[:2])
    count = 5
    for column in ("loss", "h", "grad_norm"):
        assert one[column][1:count] == pytest.approx(other[column][1:count], rel=1e-9)
