"""What is said of the ends of runs holds where it can be worked out otherwise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg import networks
from thalweg.analysis import minima
from thalweg.analysis.minima.inertia import bound_signs, count_signs
from thalweg.errors import ConfigError, ShapeError

SIZES = (2, 3, 1)
X = jnp.asarray(np.random.default_rng(5).normal(size=(12, 2)))


def network(seed, sizes=SIZES):
    """A network with biases that are not 0."""
    layers = networks.init(sizes, seed=seed)
    for number, layer in enumerate(layers):
        layer["biases"] = np.random.default_rng(seed + 7 * number).normal(
            size=layer["biases"].shape
        )
    return layers


def twin_of(layers, *, hidden, order, signs):
    """The network with the units of one hidden layer rearranged, written out."""
    twin = [{name: np.array(leaf) for name, leaf in layer.items()} for layer in layers]
    for new, old in enumerate(order):
        twin[hidden]["weights"][:, new] = signs[new] * layers[hidden]["weights"][:, old]
        twin[hidden]["biases"][new] = signs[new] * layers[hidden]["biases"][old]
        twin[hidden + 1]["weights"][new] = signs[new] * layers[hidden + 1]["weights"][old]
    return twin


def rearrangements(units):
    """All orders of some units, with all choices of their signs."""
    return itertools.product(
        itertools.permutations(range(units)), itertools.product((1.0, -1.0), repeat=units)
    )


# ------------------------------------------------------------------------------------ symmetries


@given(st.integers(0, 10_000), st.integers(0, 47))
@settings(max_examples=60)
def test_a_rearranged_network_is_brought_back(seed, which):
    """Permuting hidden units and flipping their signs is undone, whatever the rearrangement."""
    order, signs = list(rearrangements(3))[which]
    layers = network(seed)
    twin = twin_of(layers, hidden=0, order=order, signs=signs)
    back = minima.aligned(twin, to=layers)
    assert minima.weight_distance(back, layers) < 1e-12
    assert np.allclose(networks.apply(back, X), networks.apply(twin, X), atol=1e-12)


def test_there_are_as_many_twins_as_permutations_times_signs():
    """48 different weight vectors for three units, all the same function."""
    layers = network(3)
    twins = [twin_of(layers, hidden=0, order=o, signs=s) for o, s in rearrangements(3)]
    weights = {tuple(np.round(twin[0]["weights"].ravel(), 9)) for twin in twins}
    assert len(weights) == 48
    outputs = np.array([networks.apply(twin, X) for twin in twins])
    assert np.allclose(outputs, outputs[0], atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_with_one_hidden_layer_no_twin_is_nearer(seed):
    """The distance found is the least over all 48 twins, tried one by one."""
    layers, other = network(seed), network(seed + 100)
    least = min(
        minima.weight_distance(twin_of(layers, hidden=0, order=o, signs=s), other)
        for o, s in rearrangements(3)
    )
    found = minima.weight_distance(minima.aligned(layers, to=other), other)
    assert found == pytest.approx(least, rel=1e-12)
    assert found <= minima.weight_distance(layers, other)


@pytest.mark.parametrize("seed", range(4))
def test_with_two_hidden_layers_no_single_layer_brings_it_nearer(seed):
    """The function stays, the distance is not larger, and rearranging one layer gains nothing."""
    sizes = (2, 3, 3, 1)
    layers, other = network(seed, sizes), network(seed + 50, sizes)
    found = minima.aligned(layers, to=other)
    assert np.allclose(networks.apply(found, X), networks.apply(layers, X), atol=1e-12)
    distance = minima.weight_distance(found, other)
    assert distance <= minima.weight_distance(layers, other)
    for hidden in (0, 1):
        for order, signs in rearrangements(3):
            moved = twin_of(found, hidden=hidden, order=order, signs=signs)
            assert minima.weight_distance(moved, other) > distance - 1e-12


def test_networks_of_other_sizes_are_refused():
    """There is no twin to look for."""
    with pytest.raises(ShapeError, match="same sizes"):
        minima.aligned(network(0), to=network(0, (2, 4, 1)))


# --------------------------------------------------------------------------------------- barriers


def test_a_barrier_is_the_rise_over_the_chord():
    """Of a bump of known height on a slope; a sagging line has none; NaN is infinite."""
    s = np.linspace(0, 1, 101)
    assert minima.barrier_height(2 - s + 0.7 * np.sin(np.pi * s)) == pytest.approx(0.7)
    assert minima.barrier_height(2 - s - s * (1 - s)) == 0
    assert minima.barrier_height(np.array([1.0, np.nan, 0.0])) == np.inf


BITS = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
FIT = tw.LeastSquares(
    lambda p, x, y: networks.apply(p, x) - y, data=(BITS, np.array([[0.0], [1.0], [1.0], [0.0]]))
)


def test_twins_are_the_same_place_and_have_no_barrier():
    """Though as they stand they lie far apart."""
    end = network(9)
    land = minima.Landscape(FIT, end)
    twin = twin_of(end, hidden=0, order=(2, 0, 1), signs=(-1.0, 1.0, -1.0))
    found = minima.compare(land, land.flat(end), land.flat(twin), start_loss=1.0)
    assert found.relation is minima.Relation.SAME
    assert found.weights < 1e-12
    assert found.weights_as_they_stand > 0.1
    assert found.function < 1e-12
    assert found.barrier < 1e-12


DOUBLE_WELL = tw.LeastSquares(
    lambda p, x: (p[0]["weights"][0, 0] ** 2 - 1) * x + 0 * p[1]["weights"][0, 0],
    data=(np.ones(1),),
)


def well(*, at, floor):
    """A network of one unit whose loss is ½ (w² - 1)², level in its other weights."""
    return [
        {"weights": np.array([[at]]), "biases": np.zeros(1)},
        {"weights": np.array([[floor]]), "biases": np.zeros(1)},
    ]


def test_two_wells_are_apart_and_a_level_floor_is_one_valley():
    """The loss ½ (w² - 1)² has a barrier of ½ between its wells, none along its floor."""
    here = well(at=1.0, floor=0.1)
    land = minima.Landscape(DOUBLE_WELL, here)

    def relation(other):
        return minima.compare(land, land.flat(here), land.flat(other), start_loss=1.0)

    # A sign flip would turn -1 into 1; a large weight that tanh's symmetry turns over forbids it.
    far = relation(well(at=-1.0, floor=1.1 * 10))
    assert far.relation is minima.Relation.APART
    assert far.barrier == pytest.approx(0.5)
    level = relation(well(at=1.0, floor=5.0))
    assert level.relation is minima.Relation.VALLEY
    assert level.barrier == 0


def test_predictions_differ_by_the_root_mean_square():
    """For least squares by outputs, for a cross-entropy by probabilities."""
    a, b = network(1), network(2)
    land = minima.Landscape(FIT, a)
    wanted = np.sqrt(np.mean((networks.apply(a, BITS) - networks.apply(b, BITS)) ** 2))
    found = land.predictions(land.flat(a)) - land.predictions(land.flat(b))
    assert np.linalg.norm(found) == pytest.approx(wanted)

    sizes, y = (2, 3, 2), np.array([0, 1, 1, 0])
    a, b = network(1, sizes), network(2, sizes)
    problem = tw.Composite(
        networks.apply, lambda z, c: jnp.logaddexp(z[0], z[1]) - z[c], data=(BITS, y)
    )
    land = minima.Landscape(problem, a)

    def shares(layers):
        z = np.exp(networks.apply(layers, BITS))
        return z / z.sum(axis=1, keepdims=True)

    wanted = np.sqrt(np.mean(np.sum((shares(a) - shares(b)) ** 2, axis=1)))
    found = land.predictions(land.flat(a)) - land.predictions(land.flat(b))
    assert np.linalg.norm(found) == pytest.approx(wanted)


def test_predictions_are_those_of_the_problem_s_own_data():
    """Also where another problem of the same functions has asked before, as programs are shared."""
    layers, y = network(1, (2, 3, 2)), np.array([0, 1, 1, 0])

    def loss(z, c):
        return jnp.logaddexp(z[0], z[1]) - z[c]

    def predictions(x):
        land = minima.Landscape(tw.Composite(networks.apply, loss, data=(x, y)), layers)
        return land.predictions(land.flat(layers))

    before, after = predictions(BITS), predictions(BITS[::-1].copy())
    shares = jax.nn.softmax(networks.apply(layers, BITS[::-1]))
    np.testing.assert_allclose(after, (shares - np.eye(2)[y]).ravel() / 2, rtol=1e-12)
    assert not np.allclose(before, after)


def test_a_scalar_has_no_predictions():
    """The message says what has them."""
    land = minima.Landscape(tw.Scalar(lambda p: p @ p), np.ones(2))
    with pytest.raises(ConfigError, match="LeastSquares or Composite"):
        land.predictions(np.ones(2))


def test_parameters_of_another_layout_are_refused():
    """Flat vectors of one length might mean different weights."""
    land = minima.Landscape(FIT, network(0))
    with pytest.raises(ConfigError, match="layout"):
        land.flat(np.ones(3))


# ---------------------------------------------------------------------------------------- inertia


def symmetric(values, seed=0):
    """A matrix with given eigenvalues."""
    random = np.random.default_rng(seed).normal(size=(len(values), len(values)))
    turn, _ = np.linalg.qr(random)
    return turn @ np.diag(values) @ turn.T


@given(st.lists(st.sampled_from([-2.0, -0.3, 0.0, 1e-12, 0.7, 5.0]), min_size=2, max_size=9))
@settings(max_examples=50)
def test_signs_are_counted_as_sylvester_counts_them(values):
    """Against the LDLᵀ factorisations of the matrix shifted by the tolerance either way."""
    matrix = symmetric(np.array([*values, 6.0]))
    found = count_signs(np.linalg.eigvalsh(matrix))

    def below(shift):
        blocks = scipy.linalg.ldl(matrix - shift * np.eye(len(matrix)))[1]
        return int(np.sum(np.linalg.eigvalsh(blocks) < 0))

    assert found.negative == below(-found.tolerance)
    assert found.negative + found.zero == below(found.tolerance)
    assert found.negative + found.zero + found.positive == len(matrix)
    assert found.is_complete


def form(matrix):
    """The landscape of ½ θᵀAθ, whose Hessian is A everywhere."""
    problem = tw.Scalar(lambda p: 0.5 * p @ jnp.asarray(matrix) @ p)
    return minima.Landscape(problem, np.zeros(len(matrix)))


def test_lanczos_with_all_dimensions_finds_all_distinct_eigenvalues():
    """And its weights are the squares of the start's components: the moments agree."""
    values = np.array([-3.0, -0.1, 0.02, 0.5, 1.0, 4.0, 9.0])
    matrix, start = symmetric(values), np.random.default_rng(1).normal(size=7)
    ritz, components = form(matrix).ritz(np.zeros(7), start, dimensions=50)
    assert np.allclose(ritz, values, atol=1e-10)
    unit = start / np.linalg.norm(start)
    for power in range(4):
        moment = unit @ np.linalg.matrix_power(matrix, power) @ unit
        assert np.sum(components**2 * ritz**power) == pytest.approx(moment)


@pytest.mark.parametrize("dimensions", [3, 10, 25])
def test_lanczos_counts_are_lower_bounds(dimensions):
    """Whatever the dimension, no more signs are counted than there are; the rest is unresolved."""
    values = np.concatenate([-np.geomspace(1e-6, 1, 6), np.geomspace(1e-9, 50, 34)])
    matrix, start = symmetric(values), np.random.default_rng(2).normal(size=40)
    ritz, _ = form(matrix).ritz(np.zeros(40), start, dimensions=dimensions)
    found, exact = bound_signs(ritz, size=40), count_signs(values)
    assert (dimensions >= 10) <= found.negative <= exact.negative
    assert 1 <= found.positive <= exact.positive
    assert found.negative + found.positive + found.unresolved == 40
    assert found.smallest >= exact.smallest - 1e-9
    assert found.largest <= exact.largest + 1e-9
    assert not found.is_complete


def quadratic(values):
    """A loss with known curvatures, and no lower bound where one of them is negative."""
    return tw.Scalar(lambda p: 1 + 0.5 * jnp.sum(jnp.asarray(values) * p**2))


@pytest.mark.parametrize("dense_up_to", [100, 0], ids=["dense", "lanczos"])
@pytest.mark.parametrize(
    ("values", "at", "kind"),
    [
        ([1.0, 2.0, 30.0], [0.0, 0.0, 0.0], "MINIMUM"),
        ([1.0, 0.0, 30.0], [0.0, 7.0, 0.0], "MINIMUM"),
        ([1.0, -2.0, 30.0], [0.0, 0.0, 0.0], "SADDLE"),
        ([1.0, 2.0, 30.0], [0.5, 0.0, 0.0], "STILL_MOVING"),
        ([1.0, -2.0, 30.0], [0.5, 0.0, 0.0], "STILL_MOVING"),
    ],
)
def test_the_kind_of_point_is_that_of_the_quadratic(values, at, kind, dense_up_to):
    """Minimum, level minimum, saddle, slope; by full diagonalisation and by Lanczos' method."""
    problem = quadratic(values)
    land = minima.Landscape(problem, np.zeros(3))
    found = minima.examine(land, np.array(at), start_loss=10.0, dense_up_to=dense_up_to)
    assert found.kind is minima.Kind[kind]
    if dense_up_to:
        assert found.inertia.negative == sum(v < 0 for v in values)
        assert found.inertia.positive == sum(v > 0 for v in values)
    wanted = 0.5 * np.sum(np.abs(values) * np.square(at))
    assert found.decrement == pytest.approx(wanted, abs=1e-12)


def test_lanczos_and_the_whole_hessian_agree_on_a_network():
    """Signs, extremes and decrement of a network in mid-training."""
    layers = network(4, (2, 5, 1))
    land = minima.Landscape(FIT, layers)
    theta = land.flat(layers)
    whole = minima.examine(land, theta, start_loss=1.0)
    krylov = minima.examine(land, theta, start_loss=1.0, dense_up_to=0, dimensions=21)
    assert krylov.kind is whole.kind
    assert krylov.inertia.negative == whole.inertia.negative
    assert krylov.inertia.smallest == pytest.approx(whole.inertia.smallest, rel=1e-6)
    assert krylov.inertia.largest == pytest.approx(whole.inertia.largest, rel=1e-6)
    matrix = land.hessian(theta)
    differences = np.array(
        [
            land.value_and_grad(theta + 1e-5 * e)[1] - land.value_and_grad(theta - 1e-5 * e)[1]
            for e in np.eye(land.size)
        ]
    )
    assert np.allclose(matrix, differences / 2e-5, atol=1e-7)


def test_training_ends_in_a_minimum_and_its_start_still_moves():
    """Of a network that fits its data."""
    start = networks.init((2, 3, 1), seed=0)
    land = minima.Landscape(FIT, start)
    theta = land.flat(start)
    loss = land.loss(theta)
    assert minima.examine(land, theta, start_loss=loss).kind is minima.Kind.STILL_MOVING
    end = tw.minimize(FIT, start, stop=tw.Stop(seconds=5)).params
    found = minima.examine(land, land.flat(end), start_loss=loss)
    assert found.kind is minima.Kind.MINIMUM
    assert found.inertia.negative == 0
