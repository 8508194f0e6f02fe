"""Operators of functions of one point, against derivatives taken by JAX one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import networks, pde
from thalweg.errors import ConfigError
from thalweg.pde.operators import _nested

X = jnp.array([0.3, -0.2, 0.5])
LAYERS = networks.init((3, 7, 7, 3), seed=1)


def vector(x):
    """A network times a formula, with three outputs."""
    weight = jnp.where(x[0] > 0, jnp.exp(x[0] * x[1]), x[2] ** 3) / jnp.sqrt(1 + x[2] ** 2)
    return networks.apply(LAYERS, x) * weight


def scalar(x):
    """One of them."""
    return vector(x)[0]


def plain_laplacian(u):
    """The trace of the Hessian."""
    return lambda x: jnp.trace(jax.hessian(u)(x))


@pytest.mark.parametrize("activation", sorted(set(networks.ACTIVATIONS) - {"relu"}))
def test_laplacian_of_every_activation(activation: str):
    """It is the trace of the Hessian, and has the same slope by the weights."""

    def of(laplacian):
        return lambda layers: laplacian(lambda x: networks.apply(layers, x, activation)[0])(X)

    value, slope = jax.value_and_grad(of(pde.laplacian))(LAYERS)
    expected, expected_slope = jax.value_and_grad(of(plain_laplacian))(LAYERS)
    assert float(value) == pytest.approx(float(expected), rel=1e-12, abs=1e-13)
    for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(expected_slope), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_operators_in_space():
    """Gradient, Jacobian, divergence, Laplacian of each component, bi-Laplacian."""
    np.testing.assert_allclose(pde.gradient(scalar)(X), jax.grad(scalar)(X), rtol=1e-12)
    jacobian = jax.jacrev(vector)(X)
    np.testing.assert_allclose(pde.jacobian(vector)(X), jacobian, rtol=1e-12)
    assert float(pde.divergence(vector)(X)) == pytest.approx(float(jnp.trace(jacobian)))
    each = [plain_laplacian(pde.component(vector, k))(X) for k in range(3)]
    np.testing.assert_allclose(pde.laplacian(vector)(X), each, rtol=1e-11)
    twice = plain_laplacian(plain_laplacian(scalar))(X)
    assert float(pde.bilaplacian(scalar)(X)) == pytest.approx(float(twice), rel=1e-10)


def test_operators_in_space_and_time_on_an_interval():
    """`x` is a number there; `dt` acts on t alone, all others on x alone."""

    def u(x, t):
        return jnp.sin(2 * x) * jnp.exp(-3 * t)

    x, t = 0.4, 0.2
    value = float(u(x, t))
    assert float(pde.dt(u)(x, t)) == pytest.approx(-3 * value)
    assert float(pde.dt(u, 2)(x, t)) == pytest.approx(9 * value)
    assert float(pde.laplacian(u)(x, t)) == pytest.approx(-4 * value)
    assert float(pde.bilaplacian(u)(x, t)) == pytest.approx(16 * value)
    assert float(pde.divergence(u)(x, t)) == pytest.approx(float(pde.gradient(u)(x, t)))
    series = [float(each) for each in pde.taylor(u, 4)(x, t)]
    slope = 2 * float(jnp.cos(2 * x) * jnp.exp(-3 * t))
    assert series == pytest.approx([value, slope, -4 * value, -4 * slope, 16 * value])
    assert [float(d) for d in pde.taylor(u, 2, "t")(x, t)] == pytest.approx(
        [value, -3 * value, 9 * value]
    )


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_taylor_mode_is_nested_derivatives(order: int):
    """Also where JAX has no series for an operation, such as the larger of two numbers."""
    for u in (scalar, lambda x: jnp.logaddexp(x[0] * x[1], x[2]) ** 3):
        series = pde.taylor(u, order, 1)(X)
        direction = jnp.zeros(3).at[1].set(1)
        expected = _nested(lambda s: u(X + s * direction), order)  # noqa: B023
        np.testing.assert_allclose(series, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: pde.dt(lambda x: x)(0.1), "give the problem a `time`"),
        (lambda: pde.partial(scalar, 3)(X), "a coordinate from 0 to 2"),
        (lambda: pde.partial(lambda x: x, 1)(0.1), "on an interval there is only 0"),
    ],
)
def test_coordinates_that_do_not_exist(use, words: str):
    """Refused in a sentence."""
    with pytest.raises(ConfigError, match=words):
        use()
