"""The problems are what they say: sizes, data, losses, exact solutions, splits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import networks
from thalweg.errors import ConfigError
from thalweg_lab import problems
from thalweg_lab.problems import bessel, classes, digits, poisson


def test_an_unknown_problem_is_answered_with_those_there_are():
    """The message names what was asked for and what exists."""
    with pytest.raises(ConfigError, match=r"`irises`.*`digits`, `poisson`, `bessel`, `iris`"):
        problems.load("irises")


def test_a_network_is_the_formula_in_its_header():
    """`apply` agrees with the layers written out in NumPy."""
    layers = networks.init((3, 5, 4, 2), seed=1)
    for layer in layers:
        layer["biases"] += 0.1
    x = np.random.default_rng(0).normal(size=(7, 3))
    first, second, last = ((layer["weights"], layer["biases"]) for layer in layers)
    hidden = np.tanh(np.tanh(x @ first[0] + first[1]) @ second[0] + second[1])
    assert np.allclose(networks.apply(layers, jnp.asarray(x)), hidden @ last[0] + last[1])


def test_starting_weights_have_the_variance_of_one_over_fan_in():
    """Within 5 % for a wide layer; biases are 0."""
    layer = networks.init((400, 300), seed=0)[0]
    assert np.var(layer["weights"]) == pytest.approx(1 / 400, rel=0.05)
    assert not layer["biases"].any()


@pytest.mark.parametrize("sizes", [(3,), (2, 0, 1), ()])
def test_sizes_that_are_no_network_are_refused(sizes: tuple[int, ...]):
    """The message shows what was passed."""
    with pytest.raises(ConfigError, match="`sizes` is"):
        networks.init(sizes, seed=0)


def test_the_defect_of_poissons_equation_uses_the_laplacian():
    """Nested directional derivatives agree with the trace of the whole Hessian."""
    layers = networks.init((2, 8, 1), seed=2)
    hessian = jax.jit(jax.hessian(lambda at: networks.apply(layers, at)[0]))
    defect = jax.jit(poisson.defect)
    for point in np.random.default_rng(0).uniform(size=(4, 2)):
        laplacian = jnp.trace(hessian(point))
        f = -2 * np.pi**2 * np.sin(np.pi * point[0]) * np.sin(np.pi * point[1])
        assert defect(layers, jnp.asarray(point)) == pytest.approx(float(laplacian - f))


def test_the_exact_solution_satisfies_poissons_equation():
    """Second differences of sin(πx) sin(πy) give the right side, and it is 0 on the edge."""
    eps, points = 1e-4, poisson.inside()
    east, north = np.array([eps, 0.0]), np.array([0.0, eps])
    around = sum(poisson.exact(points + step) for step in (east, -east, north, -north))
    laplacian = (around - 4 * poisson.exact(points)) / eps**2
    assert np.allclose(laplacian, -2 * np.pi**2 * poisson.exact(points), atol=1e-5)
    assert np.allclose(poisson.exact(poisson.edge()), 0)


def test_poisson_points_lie_where_they_should():
    """900 different points strictly inside; 30 on each side of the edge."""
    inside, edge = poisson.inside(), poisson.edge()
    assert len(np.unique(inside, axis=0)) == 900
    assert ((inside > 0) & (inside < 1)).all()
    for axis, side in ((0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)):
        assert (edge[:, axis] == side).sum() >= 30
    assert len(edge) == 120


def test_the_error_map_of_a_network_that_is_zero_is_the_solution():
    """Zero weights give the error |u|, whose root mean square on the grid is known."""
    zero = jax.tree.map(np.zeros_like, networks.init(poisson.SIZES, seed=0))
    errors = poisson.errors(zero)
    assert errors[30, 30] == pytest.approx(1.0)
    assert errors[0].max() < 1e-15
    mean_square = (30 / 61) ** 2  # the mean of sin² over 61 points, along each axis
    assert poisson.root_mean_square_error(zero) == pytest.approx(np.sqrt(mean_square))


def test_bessel_values_agree_with_bessels_integral():
    """J₀(z) = 1/π ∫ cos(z sin t) dt from 0 to π."""
    x = np.linspace(-1, 1, 13)
    t = (np.arange(2000) + 0.5) * np.pi / 2000
    integral = np.cos(20 * x[:, None] * np.sin(t)).mean(axis=1)
    assert np.allclose(bessel.exact(x), integral, atol=1e-12)


def test_the_largest_bessel_error_of_a_network_that_is_zero_is_one():
    """J₀(0) = 1 is the largest value of the function, and lies on the grid."""
    zero = jax.tree.map(np.zeros_like, networks.init(bessel.SIZES, seed=0))
    assert bessel.build().measure.of(zero) == pytest.approx(1.0)


def test_no_digit_is_trained_on_and_tested():
    """The two parts hold every image once, and a seed gives the same parts again."""
    train, test = digits.split(seed=5)
    images, _ = digits.images_and_labels()
    together = np.concatenate([train[0], test[0]])
    assert sorted(map(tuple, together)) == sorted(map(tuple, images))
    assert (len(train[1]), len(test[1])) == (1348, 449)
    assert (digits.split(seed=5)[0][1] == train[1]).all()
    assert not np.array_equal(digits.split(seed=6)[0][1], train[1])


def test_the_cross_entropy_is_minus_the_log_of_the_softmax():
    """Checked against the softmax written out."""
    scores, label = np.array([2.0, -1.0, 0.5]), 2
    softmax = np.exp(scores) / np.exp(scores).sum()
    loss = float(classes.cross_entropy(jnp.asarray(scores), jnp.asarray(label)))
    assert loss == pytest.approx(-np.log(softmax[label]))


def test_an_untrained_network_reads_about_one_digit_in_ten():
    """The measure of the digits is a share, and chance level without training."""
    task = problems.load("digits")
    shares = [task.measure.of(task.start(seed)) for seed in range(10)]
    assert 0.02 < np.mean(shares) < 0.25
