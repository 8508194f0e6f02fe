"""`implicit-geodesic`: the shared suite, and a loss without any gradient."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from method_suite import suite_for
from thalweg import LeastSquares, Outcome, Stop, minimize, networks
from thalweg.flow import flow_of
from thalweg.flow.flatten import flatten
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic

TestImplicitGeodesic = suite_for(ImplicitGeodesic())


@pytest.mark.parametrize("real", ["float64", "float32"])
def test_a_gradient_of_exactly_zero_is_convergence(real):
    """Also where no parameter has any influence, so that there is no curvature either."""
    flat = LeastSquares(lambda p: 0 * p + 1)
    solution = minimize(flat, np.ones(2, real), "implicit-geodesic", Stop(steps=500, seconds=60))
    assert solution.outcome is Outcome.CONVERGED
    assert solution.loss == 1.0


def test_a_run_that_is_taken_over_begins_with_a_step_as_long_as_the_loss_has_fallen():
    """The first curved step has h = L₀/L; a run of its own begins with 1."""
    x = np.linspace(-1, 1, 40)

    def misfit(layers, at):
        return networks.apply(layers, at[None])[0] - jnp.sin(6 * at)

    problem = tw.LeastSquares(misfit, data=(x,))
    first = tw.SecantEuler(then=tw.ImplicitGeodesic(), patience=100)
    start = networks.init((1, 8, 1), seed=0)
    history = tw.minimize(problem, start, first, tw.Stop(steps=400)).history
    row = int(np.argmax(history["jacobians"] > 0))
    assert row > 0
    left = history["loss"][row - 1] / history["loss"][0]
    tried = history["h"][row] * 2.0 ** history["rejected"][row]
    assert left < 0.1
    assert tried == pytest.approx(1 / left)
    alone = tw.minimize(problem, start, tw.ImplicitGeodesic(), tw.Stop(steps=1)).history
    assert alone["h"][1] * 2.0 ** alone["rejected"][1] == 1


@pytest.mark.parametrize(
    ("algebra", "left", "h"),
    [
        ("parameters", 1e-3, 1e3),
        ("parameters", 4.0, 1.0),
        ("parameters", 1e-30, 1e20),
        ("parameters", 0.0, 1.0),
        ("parameters", math.nan, 1.0),
        ("krylov", 1e-3, 1.0),
    ],
)
def test_the_first_step_after_a_hand_over_is_bounded(algebra: str, left: float, h: float):
    """Between 1 and the largest; where nothing is known of the fall, and in a Krylov space, 1."""
    problem = tw.LeastSquares(lambda theta: theta - 1)
    theta, spec = flatten(np.zeros(3))
    flow = flow_of(problem, spec)
    method = tw.ImplicitGeodesic(algebra=algebra)
    state = method.taking_over(flow, method.init(flow, jnp.asarray(theta)), left)
    assert float(state.h) == pytest.approx(h)
    assert state.h.dtype == theta.dtype
