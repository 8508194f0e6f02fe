"""Factors of layers are the Jacobian: every product against the dense twin, other uses refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.flow.layers import separable
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(7, 2))
Y = RANDOM.normal(size=7)
LAYERS = networks.init((2, 24, 24, 3), seed=0)
ONE_OUT = networks.init((2, 44, 44, 1), seed=0)


def scaled(layers, x, y):
    """All three outputs, one of them through a function of its own."""
    out = networks.apply(layers, x)
    return jnp.stack([out[0] - y, out[1] * y, jnp.sin(out[2])])


def transposed(weights, x, y):
    """Matrices on the left, as in Equinox; the activation is compiled by itself."""
    hidden = jax.nn.silu(weights["w"] @ x + weights["b"])
    return weights["v"] @ hidden - y


def sloped(layers, x, y):
    """The derivative by the first input: each matrix but the last is used twice."""

    def at(x):
        return networks.apply(layers, x)[0]

    value, slope = jax.jvp(at, (x,), (jnp.array([1.0, 0.0]),))
    return slope + value * value - y


LEFT = {
    "w": RANDOM.normal(size=(40, 2)),
    "b": RANDOM.normal(size=40),
    "v": RANDOM.normal(size=(30, 40)),
}
PLAIN = tw.LeastSquares(scaled, data=(X, Y))
CASES = {
    "three outputs": (PLAIN, LAYERS),
    "two blocks": (PLAIN + 3.0 * tw.LeastSquares(scaled, data=(X[:3] + 1, Y[:3])), LAYERS),
    "matrices on the left": (tw.LeastSquares(transposed, data=(X, np.tile(Y, (30, 1)).T)), LEFT),
    "a derivative by the input": (tw.LeastSquares(sloped, data=(X, Y)), ONE_OUT),
}


@pytest.mark.parametrize("name", CASES)
def test_products_are_those_of_the_dense_jacobian(name):
    """J v, Jᵀu, the squares of the columns and J M⁻¹ Jᵀ, to rounding."""
    problem, params = CASES[name]
    theta, spec = flatten(params)
    flow = build_flow(problem, spec)
    at = jnp.asarray(theta)
    v, metric = RANDOM.normal(size=(2, at.size))

    @jax.jit
    def both(data, at):
        r, factors = flow.factors(data, at)
        u = jnp.cos(jnp.arange(r.size))
        by_array = separable(spec.split(jnp.exp(metric)))
        flat = jnp.concatenate([jnp.ravel(each) for each in by_array])
        found = (
            r,
            factors.push(spec.split(v)),
            factors.pull(u),
            factors.squares(),
            factors.gram(by_array),
        )
        r, jacobian = flow.jacobian(data, at)
        gram = (jacobian / flat) @ jacobian.T
        return found, (r, jacobian @ v, u @ jacobian, jnp.sum(jacobian**2, axis=0), gram)

    found, expected = both(flow.data, at)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())


def test_the_nearest_separable_matrix_is_a_product_and_leaves_products_as_they_are():
    """A matrix of rank 1 comes back; another gives one of rank 1; vectors stay."""
    rows, columns = RANDOM.uniform(1, 9, size=4), RANDOM.uniform(1, 9, size=6)
    product, other = np.outer(rows, columns), RANDOM.uniform(1, 9, size=(4, 6))
    same, near, vector = separable([jnp.asarray(each) for each in (product, other, rows)])
    assert np.allclose(same, product, rtol=1e-12)
    assert np.linalg.matrix_rank(np.asarray(near)) == 1
    assert np.array_equal(vector, rows)


def reused(layers, x, y):
    """The last matrix also has a penalty."""
    return jnp.append(networks.apply(layers, x) - y, 0.1 * jnp.sum(layers[-1]["weights"] ** 2))


def without_effect(layers, x, y):
    """The last biases are not used."""
    hidden = jnp.tanh(x @ layers[0]["weights"] + layers[0]["biases"])
    return hidden @ layers[1]["weights"] - y


@jax.custom_jvp
def with_own_slope(weights, x):
    """A product whose derivative is said to be half of what it is."""
    return x @ weights


with_own_slope.defjvp(
    lambda at, along: (with_own_slope(*at), 0.5 * (at[1] @ along[0]) + along[1] @ at[0])
)


WIDE = networks.init((2, 60, 30), seed=0)


@pytest.mark.parametrize(
    ("residual", "params"),
    [
        (reused, WIDE),
        (without_effect, WIDE),
        (lambda p, x, y: p["a"] * x[0] + p["b"] - y, {"a": np.ones(90), "b": np.ones(90)}),
        (lambda p, x, y: x[None] @ p - y, np.ones((2, 60))),
        (lambda p, x, y: (x @ p.T.T)[:5] - y, np.ones((2, 60))),
        (lambda p, x, y: x[0] * p - y, np.ones(90)),
        (lambda p, x, y: with_own_slope(p, x) - y, np.ones((2, 60))),
        (lambda p, x, y: jnp.sum(jnp.tensordot(x, p, 0), axis=0)[0] - y, np.ones((2, 60))),
    ],
    ids=[
        "penalty",
        "no effect",
        "factors",
        "rows",
        "transposed",
        "no matrix",
        "own slope",
        "outer",
    ],
)
def test_any_other_use_of_a_parameter_is_left_to_the_dense_jacobian(residual, params):
    """There are no factors then, and a run is what it was."""
    flow = build_flow(tw.LeastSquares(residual, data=(X, Y)), flatten(params)[1])
    assert not flow.has_factors


def test_small_layers_keep_the_dense_jacobian():
    """Factors pay from some width on."""
    wide, narrow = (
        build_flow(PLAIN, flatten(networks.init((2, width, width, 3), seed=0))[1])
        for width in (60, 8)
    )
    assert not narrow.has_factors
    assert wide.has_factors


def test_a_step_is_that_of_the_dense_jacobian():
    """Of the plain flow, M = 1, in the space of residuals; the run ends at the fit."""
    problem, params = CASES["a derivative by the input"]
    theta, spec = flatten(params)
    flow = build_flow(problem, spec)
    assert flow.has_factors

    def step(algebra):
        method = ImplicitGeodesic(algebra=algebra)
        return jax.jit(lambda data, at: method.advance(flow, data, at, 0.5))(
            flow.data, jnp.asarray(theta)
        )

    assert np.allclose(step("residuals"), step("parameters"), rtol=1e-9, atol=1e-12)
    solution = tw.minimize(problem, params, "implicit-geodesic", tw.Stop(loss=1e-20, steps=60))
    assert solution.outcome is tw.Outcome.TARGET_REACHED
