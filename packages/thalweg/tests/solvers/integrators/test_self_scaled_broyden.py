"""`self-scaled-broyden`: its update is the authors', each trial costs a gradient, it hands over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

import thalweg as tw
from thalweg import networks
from thalweg.solvers.adapters.self_scaled import updated as host_updated
from thalweg.solvers.integrators.self_scaled_broyden import SelfScaledBroyden, updated

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
        inverse, direction, is_kept = updated(
            inverse,
            jnp.asarray(step),
            jnp.asarray(rosen_der(point) - rosen_der(at)),
            curvature=curvature,
            grad=jnp.asarray(rosen_der(point)),
            is_lower=jnp.ones((), bool),
            scales_first=jnp.asarray(k == 0) if initial_scale else None,
        )
        at = np.array(point)
        assert is_kept
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

    def after(change: np.ndarray, *, is_lower: bool):
        return updated(
            jnp.asarray(matrix),
            jnp.asarray(step),
            jnp.asarray(change),
            curvature=jnp.asarray(curvature),
            grad=jnp.asarray(grad),
            is_lower=jnp.asarray(is_lower),
        )

    wanted = host_updated(
        np.asfortranarray(matrix), step, change, curvature=curvature, update="broyden"
    )
    found, direction, _ = after(change, is_lower=True)
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9)
    assert np.allclose(direction, -wanted @ grad)
    kept, direction, is_kept = after(-change, is_lower=True)
    assert np.array_equal(kept, matrix)
    assert np.allclose(direction, -matrix @ grad)
    assert is_kept
    fresh, direction, is_kept = after(change, is_lower=False)
    assert np.array_equal(fresh, np.eye(6))
    assert np.array_equal(direction, -grad)
    assert not is_kept


def rosenbrock(x: jax.Array) -> jax.Array:
    """SciPy's `rosen`."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


VALLEY = tw.Scalar(rosenbrock)
NAME = "self-scaled-broyden"


@pytest.fixture(scope="module")
def valley():
    """Through Rosenbrock's valley to its end."""
    return tw.minimize(VALLEY, np.array(START), NAME, tw.Stop(steps=500))


def test_it_ends_in_the_minimum_of_a_curved_valley(valley):
    """To a loss of 1e-18 in about as many gradients as the authors' code takes; no step rises."""
    assert valley.outcome is tw.Outcome.CONVERGED
    assert np.allclose(valley.params, 1, atol=1e-9)
    assert valley.loss == pytest.approx(float(rosen(np.asarray(valley.params))), abs=1e-25)
    history = valley.history
    assert (np.diff(history["loss"]) <= 0).all()
    first = int(np.argmax(history["loss"] <= 1e-18))
    assert 34 <= history["gradients"][first] <= 102  # theirs: 68, to 1e-25


def test_each_trial_costs_one_gradient_and_nothing_else_is_computed(valley):
    """The start one more; so a step costs at least one."""
    work = valley.work
    assert work.gradients >= len(valley.history["loss"])
    assert work._replace(gradients=0, rejected_steps=0) == tw.Work()


def test_h_is_the_rate_of_a_gradient_step_of_the_same_length():
    """And t their sum."""
    solution = tw.minimize(VALLEY, np.array(START), NAME, tw.Stop(steps=1))
    length = np.linalg.norm(solution.params - np.array(START))
    assert solution.history["h"][1] == pytest.approx(length / solution.history["grad_norm"][0])
    assert solution.history["t"][1] == solution.history["h"][1]


def test_it_works_in_float32():
    """As far as that goes."""
    solution = tw.minimize(VALLEY, np.array(START, np.float32), NAME, tw.Stop(steps=300))
    assert solution.params.dtype == np.float32
    assert solution.loss < 1e-9


def test_where_no_length_lowers_the_loss_it_begins_again_and_then_ends():
    """Along -∇L, once more; at a kink both searches fail."""
    kink = tw.Scalar(lambda x: jnp.sum(jnp.abs(x)) + 1)
    history = tw.minimize(kink, np.array([0.3, -0.7]), NAME, tw.Stop(steps=1000)).history
    assert (history["h"][-2:] == 0).all()
    assert (history["rejected"][-2:] == 1).all()


def test_a_gradient_that_is_not_finite_is_explained():
    """Of √p at 0."""
    root = tw.Scalar(lambda p: jnp.sum(jnp.sqrt(p)))
    with pytest.raises(tw.ThalwegError, match="derivative by `params` is not"):
        tw.minimize(root, np.zeros(2), NAME, tw.Stop(steps=5))


X = np.linspace(-3, 3, 60)
TABLE = tw.LeastSquares(
    lambda p, x, y: networks.apply(p, x) - y, data=(X[:, None], np.sin(2 * X)[:, None])
)


def relay(**options):
    """With the method that `auto` lets take over."""
    return SelfScaledBroyden(then=tw.ImplicitGeodesic(), **options)


@pytest.fixture(scope="module")
def handed_over():
    """A run that the successor ends."""
    stop = tw.Stop(loss=1e-16, seconds=60)
    return tw.minimize(TABLE, networks.init((1, 12, 12, 1), seed=1), relay(patience=60), stop)


def test_it_hands_over_where_it_stands(handed_over):
    """The successor goes on from there to the target."""
    assert handed_over.outcome is tw.Outcome.TARGET_REACHED
    assert "`implicit-geodesic` took over at step" in handed_over.detail
    assert "from the start" not in handed_over.detail
    assert (np.diff(handed_over.history["loss"]) <= 0).all()


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_run_in_parts_is_the_run_in_one(tmp_path, handed_over, offset):
    """Cut before, at and after the successor took over: to the last bit."""
    first = int(np.flatnonzero(handed_over.history["jacobians"])[0])
    for stop in (tw.Stop(steps=first + offset), tw.Stop(loss=1e-16, seconds=60)):
        solution = tw.minimize(
            TABLE,
            networks.init((1, 12, 12, 1), seed=1),
            relay(patience=60),
            stop,
            checkpoint=tmp_path / "run.state",
        )
    for column in ("loss", "h", "t", "gradients", "jacobians"):
        whole = handed_over.history[column]
        assert np.array_equal(whole, solution.history[column], equal_nan=True)
    assert solution.loss == handed_over.loss


def test_it_does_not_hand_over_on_the_plateau_before(handed_over):
    """A slow period far from the minimum is not enough, a period without progress is."""
    history = handed_over.history
    last = int(np.flatnonzero(history["jacobians"] == 0)[-1])
    assert history["loss"][last] <= 0.1 * history["loss"][0]
    start = networks.init((1, 12, 12, 1), seed=1)
    stop = tw.Stop(steps=last, seconds=60)
    # With `near` close to 1 each slow period counts, and there is one before.
    eager = tw.minimize(TABLE, start, relay(patience=60, near=0.999, share=0.01), stop)
    assert "took over" in eager.detail
    # Where nothing falls, `near` makes no difference.
    flat = tw.LeastSquares(lambda p: jnp.stack([1 + 1e-3 * p["w"][0, 0] ** 2, 2.0]))
    stuck = tw.minimize(flat, {"w": np.full((1, 1), 3.0)}, relay(patience=3), tw.Stop(steps=30))
    assert "`implicit-geodesic` took over" in stuck.detail


def test_a_loss_of_zero_is_enough():
    """Nothing is lower, so nothing takes over."""
    bowl = tw.Scalar(lambda p: jnp.sum(p["w"] ** 2))
    method = SelfScaledBroyden(then=tw.ExponentialKrylov())
    solution = tw.minimize(bowl, {"w": np.ones((2, 2))}, method, tw.Stop(seconds=60))
    assert solution.loss == 0
    assert solution.work.hessian_products == 0
    assert solution.outcome is tw.Outcome.CONVERGED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 0}, "`patience` is 0"),
        ({"share": 1.0}, "`share` is 1.0"),
        ({"near": 0.0}, "`near` is 0.0"),
    ],
)
def test_values_out_of_range_are_refused(options, words):
    """By name, with what was expected."""
    with pytest.raises(tw.ThalwegError, match=words):
        SelfScaledBroyden(**options)


def test_a_matrix_that_does_not_fit_into_memory_is_refused():
    """Before anything is allocated."""
    many = tw.Scalar(lambda p: jnp.sum(p**2))
    with pytest.raises(tw.ThalwegError, match="self-scaled-broyden"):
        tw.minimize(many, np.zeros(10**7), NAME, tw.Stop(steps=1))
