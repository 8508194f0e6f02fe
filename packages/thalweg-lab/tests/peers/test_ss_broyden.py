"""The compiled self-scaled Broyden: its update is the authors', its search lowers the loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

import thalweg as tw
from thalweg.solvers.adapters.self_scaled import updated as host_updated
from thalweg_lab.peers.ss_broyden import SSBroyden, updated

# What the authors' code (github.com/jorgeurban/self_scaled_algorithms_pinns, `_minimize_bfgs` of
# `modified_optimize.py` with `method_bfgs="SSBroyden2"`, beside SciPy 1.17.1) passed through from
# (-1.2, 1, 0.5) on SciPy's `rosen`: three points, and H after them; without `initial_scale` and
# with it.
START = (-1.2, 1.0, 0.5)
AUTHORS = {
    False: (
        [
            (-0.86870045861868, 0.827896342139574, 0.6536639802325233),
            (-0.8815290768035544, 0.8023453429544408, 0.6623682206683486),
            (-0.858435454343587, 0.743137771166601, 0.5467189696265646),
        ],
        [
            (0.00874416512514505, -0.01675158582357884, -0.02976639525579874),
            (-0.01675158582357884, 0.03674611211426908, 0.0636848610573616),
            (-0.02976639525579874, 0.0636848610573616, 0.11409375151509962),
        ],
    ),
    True: (
        [
            (-0.86870045861868, 0.827896342139574, 0.6536639802325233),
            (-0.8956433433838838, 0.7892114988265596, 0.6651314967193691),
            (-0.8899467658830503, 0.8051482640039986, 0.6564114658094057),
        ],
        [
            (1.3250284737007425e-03, -3.6007720787057892e-04, 1.3480064405881718e-04),
            (-3.6007720787057892e-04, 1.2359808501767417e-03, 6.5557022313675101e-05),
            (1.3480064405881713e-04, 6.5557022313675101e-05, 1.6153009982729759e-03),
        ],
    ),
}


@pytest.mark.parametrize("initial_scale", [False, True])
def test_the_update_is_the_authors(*, initial_scale: bool):
    """Along the points that their code passed through, H is theirs; -H⁺∇L⁺ is the direction."""
    points, expected = AUTHORS[initial_scale]
    inverse, at = jnp.eye(3), np.array(START)
    for k, point in enumerate(points):
        step = np.array(point) - at
        # s = -α H ∇L, so sᵀH⁻¹s by solving with H.
        curvature = jnp.vdot(step, jnp.linalg.solve(inverse, step))
        inverse, direction = updated(
            inverse,
            jnp.asarray(step),
            jnp.asarray(rosen_der(point) - rosen_der(at)),
            curvature=curvature,
            grad=jnp.asarray(rosen_der(point)),
            scales_first=jnp.asarray(k == 0) if initial_scale else None,
        )
        at = np.array(point)
        assert np.allclose(direction, -inverse @ rosen_der(at), rtol=1e-11)
    assert np.allclose(inverse, expected, rtol=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_the_update_is_that_of_the_loop_on_the_host(seed: int):
    """On random symmetric matrices; and without positive curvature H stays as it is."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    matrix, step, change, grad = root @ root.T, *rng.normal(size=(3, 6))
    change *= np.sign(step @ change)
    curvature = float(step @ np.linalg.solve(matrix, step))
    found, _ = updated(
        jnp.asarray(matrix),
        jnp.asarray(step),
        jnp.asarray(change),
        curvature=jnp.asarray(curvature),
        grad=jnp.asarray(grad),
    )
    wanted = host_updated(
        np.asfortranarray(matrix), step, change, curvature=curvature, update="broyden"
    )
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9)
    kept, direction = updated(
        jnp.asarray(matrix),
        jnp.asarray(step),
        jnp.asarray(-change),
        curvature=jnp.asarray(curvature),
        grad=jnp.asarray(grad),
    )
    assert np.array_equal(kept, matrix)
    assert np.allclose(direction, -matrix @ grad)


def rosenbrock(x: jax.Array) -> jax.Array:
    """SciPy's `rosen`."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_it_takes_about_as_many_gradients_as_the_authors():
    """Through Rosenbrock's valley, within a half of theirs; the loss never rises."""
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
