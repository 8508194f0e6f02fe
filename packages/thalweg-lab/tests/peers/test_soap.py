"""SOAP: nine steps as its authors' code takes them, and Adam where there is no basis."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer
from thalweg_lab.peers.soap import Soap

X = np.array([[1.0, 0.5, -0.3], [0.2, -1.0, 0.7], [0.9, 0.1, 0.4], [-0.6, 0.3, 1.2]])
Y = np.array([[0.3, -0.1], [0.6, 0.2], [-0.5, 0.9], [0.1, 0.4]])
START = {"b": np.array([0.1, -0.4]), "w": np.array([[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]])}
# What the authors' code (github.com/nikhilvyas/SOAP, `soap.py`) has after nine calls of `step` on
# ½ mean |tanh(x wᵀ + b) - y|², with PyTorch 2.13 in float64, also inside its decompositions, which
# the code itself would compute in float32.
AUTHORS = [
    (
        Soap(learning_rate=0.05, frequency=2),
        [
            [0.19211508952080558, -0.2916171078436363, 0.34803395364623396],
            [0.17440045276956512, 0.759729772416192, -0.1373105662120559],
        ],
        [-0.22477170314743897, 0.0003473582656155571],
    ),
    (
        Soap(learning_rate=0.05, frequency=3, weight_decay=0.0, b1=0.9, b2=0.99),
        [
            [0.21429901603445167, -0.2857080576232144, 0.34236777295913384],
            [0.1389153959371581, 0.7811737082329394, -0.11721133710999063],
        ],
        [-0.21749352013008502, 0.0008110807186241733],
    ),
]


def misfit(p: Any, x: Any, y: Any) -> jax.Array:
    """The residuals of a layer of two."""
    return jnp.tanh(p["w"] @ x + p["b"]) - y


@pytest.mark.parametrize(("method", "w", "b"), AUTHORS)
def test_nine_steps_are_those_of_the_authors(method: Soap, w: Any, b: Any):
    """With their defaults and with others; the bases change four times and twice."""
    problem = tw.LeastSquares(misfit, data=(X, Y))
    solution = tw.minimize(problem, START, method, tw.Stop(steps=9))
    last = solution.params
    assert np.allclose(last["w"], w, rtol=1e-9)
    assert np.allclose(last["b"], b, rtol=1e-7)


def test_without_matrices_it_is_adam_one_step_later():
    """Vectors have no basis, and the first step only builds the bases."""
    bowl = tw.Scalar(lambda p: jnp.sum((p - 3) ** 2 * jnp.array([1.0, 10.0, 100.0])))
    method = Soap(learning_rate=0.02, weight_decay=0.0)
    soap = tw.minimize(bowl, np.ones(3), method, tw.Stop(steps=8))
    adam = tw.minimize(
        bowl, np.ones(3), OptaxOptimizer(optax.adam(0.02, b1=0.95, b2=0.95)), tw.Stop(steps=7)
    )
    assert np.allclose(soap.params, adam.params, rtol=1e-12)
    assert soap.history["loss"][1] == soap.history["loss"][0]


def test_values_out_of_range_are_refused():
    """By name."""
    with pytest.raises(ConfigError, match="`learning_rate` is 0"):
        Soap(learning_rate=0)
    with pytest.raises(ConfigError, match="`frequency` is 0"):
        Soap(frequency=0)
