"""The problem classes say what they minimise: each loss equals its formula written out in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import Composite, LeastSquares, Scalar
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(5, 2)), RNG.normal(size=5)
EDGE = RNG.normal(size=(3, 2))
P = {"w": RNG.normal(size=2), "c": np.asarray(0.7)}


def loss_of(problem, params) -> float:
    """The loss at `params` as thalweg computes it."""
    theta, spec = flatten(params)
    flow = build_flow(problem, spec)
    return float(flow.loss(flow.data, jnp.asarray(theta)))


def fit(p, x, y):
    """A residual of one example, a scalar."""
    return jnp.vdot(p["w"], x) + p["c"] - y


def edge(p, x):
    """Two residuals of one example."""
    return jnp.array([p["c"] * x[0], x[1] - p["w"][0]])


def whole(p):
    """Residuals without data, as a pytree."""
    return {"a": p["w"] - 1.0, "b": [p["c"], 2 * p["w"]]}


FIT = X @ P["w"] + P["c"] - Y
FIT_LOSS = 0.5 * (FIT**2).sum() / 5
EDGE_LOSS = 0.5 * ((P["c"] * EDGE[:, 0]) ** 2 + (EDGE[:, 1] - P["w"][0]) ** 2).sum() / 3
WHOLE_LOSS = 0.5 * (((P["w"] - 1) ** 2).sum() + P["c"] ** 2 + 4 * (P["w"] ** 2).sum())


def test_least_squares_with_data_is_half_the_mean_square():
    """`L = ½ mean over examples of Σ r²`, also where an example has several residuals."""
    assert loss_of(LeastSquares(fit, data=(X, Y)), P) == pytest.approx(FIT_LOSS, rel=1e-14)
    assert loss_of(LeastSquares(edge, data=(EDGE,)), P) == pytest.approx(EDGE_LOSS, rel=1e-14)


def test_least_squares_without_data_is_half_the_sum_of_squares():
    """`L = ½ Σ r²` over every leaf that the function returns."""
    assert loss_of(LeastSquares(whole), P) == pytest.approx(WHOLE_LOSS, rel=1e-14)


def test_blocks_add_up_and_factors_weigh_the_loss():
    """A factor multiplies the loss of its block (not its residuals), from either side, nested."""
    total = 3 * (LeastSquares(fit, data=(X, Y)) + 0.25 * LeastSquares(edge, data=(EDGE,)))
    total = total + LeastSquares(whole) * np.float64(2)
    expected = 3 * (FIT_LOSS + 0.25 * EDGE_LOSS) + 2 * WHOLE_LOSS
    assert loss_of(total, P) == pytest.approx(expected, rel=1e-14)
    assert [block.length for block in total.blocks] == [5, 3, 1]


def test_adding_leaves_the_parts_as_they_were():
    """A sum is a new problem: its parts keep their weights."""
    part = LeastSquares(fit, data=(X, Y))
    total = 5 * part + part
    assert [block.weight for block in part.blocks] == [1.0]
    assert [block.weight for block in total.blocks] == [5.0, 1.0]


def test_composite_is_the_mean_loss_and_the_weight_decay():
    """`L = mean loss(outputs(θ, x), y) + ½ l2 |θ|²`, for integer labels too."""
    labels = np.array([0, 1, 1, 0, 2])

    def outputs(p, x):
        return jnp.array([p["w"][0] * x[0], p["w"][1] * x[1], p["c"]])

    def cross_entropy(z, y):
        return jnp.log(jnp.exp(z).sum()) - z[y]

    z = np.stack([P["w"][0] * X[:, 0], P["w"][1] * X[:, 1], np.full(5, P["c"])], axis=1)
    by_hand = np.log(np.exp(z).sum(axis=1)) - z[np.arange(5), labels]
    decay = 0.5 * 0.3 * ((P["w"] ** 2).sum() + P["c"] ** 2)
    problem = Composite(outputs, cross_entropy, data=(X, labels), l2=0.3)
    assert loss_of(problem, P) == pytest.approx(by_hand.mean() + decay, rel=1e-14)


def test_scalar_is_the_function_itself():
    """`L = loss(params)`."""
    problem = Scalar(lambda p: jnp.sum(p["w"] ** 4) - p["c"])
    assert loss_of(problem, P) == pytest.approx((P["w"] ** 4).sum() - P["c"], rel=1e-14)


def test_data_may_be_any_pytree():
    """An argument of the residual may be a dict of arrays with one common length."""
    problem = LeastSquares(lambda p, x: fit(p, x["x"], x["y"][0]), data=({"x": X, "y": (Y,)},))
    assert loss_of(problem, P) == pytest.approx(FIT_LOSS, rel=1e-14)


def test_only_problems_add_up():
    """Other things added or multiplied are Python's usual TypeError."""
    block = LeastSquares(whole)
    with pytest.raises(TypeError):
        block + 1.0
    with pytest.raises(TypeError):
        block * "2"
