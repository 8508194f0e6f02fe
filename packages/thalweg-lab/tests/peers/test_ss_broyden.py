"""The compiled self-scaled Broyden with Optax's search: it descends as the authors' code does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import rosen

import thalweg as tw
from thalweg_lab.peers.ss_broyden import SSBroyden

START = (-1.2, 1.0, 0.5)


def rosenbrock(x: jax.Array) -> jax.Array:
    """SciPy's `rosen`."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


# The authors' code is that of `thalweg/tests/solvers/integrators/test_self_scaled_broyden.py`.
def test_it_takes_about_as_many_gradients_as_the_authors():
    """Through Rosenbrock's valley, within a half of their count; the loss never rises."""
    stop = tw.Stop(loss=1e-18, steps=500)
    solution = tw.minimize(tw.Scalar(rosenbrock), np.array(START), SSBroyden(), stop)
    assert solution.outcome is tw.Outcome.TARGET_REACHED
    assert np.allclose(solution.params, 1, atol=1e-8)
    assert solution.loss == pytest.approx(float(rosen(np.asarray(solution.params))), rel=1e-6)
    assert 34 <= solution.work.gradients <= 102  # theirs: 68, to 1e-25
    assert (np.diff(solution.history["loss"]) <= 0).all()


def test_at_the_minimum_it_ends():
    """Where rounding stops the search, H begins again, and then the run is over."""
    quartic = tw.Scalar(lambda x: jnp.sum((x - 1) ** 2 + (x - 1) ** 4))
    solution = tw.minimize(quartic, np.zeros(3), SSBroyden(), tw.Stop(steps=2000))
    assert solution.outcome in {tw.Outcome.CONVERGED, tw.Outcome.STALLED}
    assert solution.loss < 1e-20
