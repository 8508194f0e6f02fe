"""`implicit-geodesic`: the shared suite, and a loss without any gradient."""

import numpy as np
import pytest

from method_suite import suite_for
from thalweg import LeastSquares, Outcome, Stop, minimize
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic

TestImplicitGeodesic = suite_for(ImplicitGeodesic())


@pytest.mark.parametrize("real", ["float64", "float32"])
def test_a_gradient_of_exactly_zero_is_convergence(real):
    """Also where no parameter has any influence, so that there is no curvature either."""
    flat = LeastSquares(lambda p: 0 * p + 1)
    solution = minimize(flat, np.ones(2, real), "implicit-geodesic", Stop(steps=500, seconds=60))
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == 1.0
