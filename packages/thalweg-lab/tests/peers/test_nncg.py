"""NNCG: steps as its authors' code takes them, the Nyström approximation, and the stages."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg_lab.peers.adam_lbfgs_nncg import AdamLbfgsNncg
from thalweg_lab.peers.nystrom_newton import NystromNewton, nystrom, solved

X = np.array([[1.0, 0.5, -0.3], [0.2, -1.0, 0.7], [0.9, 0.1, 0.4], [-0.6, 0.3, 1.2]])
Y = np.array([[0.3, -0.1], [0.6, 0.2], [-0.5, 0.9], [0.1, 0.4]])
START = {"b": np.array([0.1, -0.4]), "w": np.array([[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]])}
# What the authors' code (github.com/pratikrathore8/opt_for_pinns, `NysNewtonCG` with Armijo's rule)
# has after five steps on ½ mean |tanh(x wᵀ + b) - y|², with PyTorch 2.13 in float64. The rank is
# the number of parameters, so random numbers do not matter. μ, final loss, w, b; at μ = 0.5 the
# first step is halved once.
AUTHORS = [
    (
        1.0,
        0.12181806548182049,
        [
            [0.041903149572694975, -0.29968222729095356, 0.05788091820570399],
            [0.16828124442689346, 0.2871038249650297, 0.32429039290334655],
        ],
        [0.04810395751999654, 0.18236885087403437],
    ),
    (
        0.5,
        0.1828288491196015,
        [
            [-0.07637716614838298, -0.3227197923433002, -0.05931431134390725],
            [-1.5717473193670255, 0.37397900099913434, 2.965907538589995],
        ],
        [0.14852793354426064, 2.18984317083176],
    ),
]


def misfit(p: Any, x: Any, y: Any) -> jax.Array:
    """The residuals of a layer of two."""
    return jnp.tanh(p["w"] @ x + p["b"]) - y


PROBLEM = tw.LeastSquares(misfit, data=(X, Y))


@pytest.mark.parametrize(("damping", "loss", "w", "b"), AUTHORS)
def test_five_steps_are_those_of_the_authors(damping: float, loss: float, w: Any, b: Any):
    """Through a region that is not convex, with a step that is halved."""
    method = NystromNewton(damping=damping, rank=8)
    solution = tw.minimize(PROBLEM, START, method, tw.Stop(steps=5))
    assert solution.history["loss"][-1] == pytest.approx(loss, rel=1e-6)
    assert np.allclose(solution.params["w"], w, rtol=1e-5)
    assert np.allclose(solution.params["b"], b, rtol=1e-5)
    assert solution.work.gradients == 5


def matrix_of(values: np.ndarray) -> jax.Array:
    """A symmetric matrix with these eigenvalues."""
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.normal(size=(values.size, values.size)))[0]
    return jnp.asarray(turns * values @ turns.T)


def test_the_approximation_is_nearer_than_any_of_half_its_rank():
    """On average; and it is never above the matrix, nor nearer than the best of its rank."""
    size, rank = 40, 12
    values = 0.6 ** np.arange(size)
    matrix = matrix_of(values)

    @jax.jit
    def rest(seed: jax.Array) -> jax.Array:
        u, s = nystrom(matrix.__matmul__, jax.random.key(seed), jnp.zeros((size, rank)))
        return jnp.linalg.eigvalsh(matrix - u * s @ u.T)

    spectra = np.array([rest(seed) for seed in range(20)])
    assert spectra.min() > -1e-12
    assert values[rank] <= spectra.max(axis=1).mean() <= values[rank // 2]


def test_a_matrix_of_low_rank_is_found_whole_and_makes_its_system_easy():
    """So conjugate gradients need a few iterations where they would need dozens."""
    size = 60
    values = np.where(np.arange(size) < 20, 10.0 ** -np.linspace(0, 6, size), 0)
    matrix, right = matrix_of(values), jnp.ones(size)
    u, s = nystrom(matrix.__matmul__, jax.random.key(1), jnp.zeros((size, 25)))
    assert np.allclose(u * s @ u.T, matrix, atol=1e-12)
    damping = 1e-5
    x, _ = solved(
        matrix.__matmul__,
        right,
        jnp.zeros(size),
        preconditioner=(u, s),
        damping=damping,
        most=8,
    )
    wanted = np.linalg.solve(matrix + damping * np.eye(size), right)
    assert np.allclose(x, wanted, rtol=1e-8)
    none = (jnp.zeros((size, 1)), jnp.zeros(1))
    plain, _ = solved(
        matrix.__matmul__, right, jnp.zeros(size), preconditioner=none, damping=damping, most=8
    )
    assert not np.allclose(plain, wanted, rtol=1e-2)


def test_adam_then_l_bfgs_then_newton():
    """Each stage takes the steps it is given, and the work shows which they were."""
    method = AdamLbfgsNncg(adam_steps=5, learning_rate=0.01, lbfgs_steps=4, damping=0.3, rank=8)
    solution = tw.minimize(PROBLEM, START, method, tw.Stop(steps=12))
    products = np.diff(solution.history["hessian_products"])
    assert (products[:9] == 0).all()
    assert (products[9:] > 0).all()
    assert np.diff(solution.history["t"])[:5] == pytest.approx(0.01)
    assert (np.diff(solution.history["loss"])[5:] <= 0).all()
    assert solution.method == "adam-lbfgs-nncg"


def test_values_out_of_range_are_refused():
    """By name, of the last stage too."""
    with pytest.raises(ConfigError, match="`damping` is 0"):
        AdamLbfgsNncg(damping=0)
    with pytest.raises(ConfigError, match="`lbfgs_steps` is 0"):
        AdamLbfgsNncg(lbfgs_steps=0)
