"""Derivatives of a minimum: beside closed forms, and beside finite differences of whole runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import ConfigError

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(12, 3))
Y = RANDOM.normal(size=12)
START = {"w": jnp.zeros(3)}
X = np.linspace(0.0, 2.0, 15)


def ridge(args):
    """Ridge regression; half of its squares are a mean over the rows."""
    fit = tw.LeastSquares(lambda p, row, y: row @ p["w"] - y, data=(A, args["y"]))
    return fit + tw.LeastSquares(lambda p: jnp.sqrt(args["l2"]) * p["w"])


def closed_form(args):
    """The solution of its normal equations."""
    matrix = A.T @ A / len(A) + args["l2"] * np.eye(3)
    return jnp.linalg.solve(matrix, A.T @ args["y"] / len(A))


@pytest.mark.parametrize("mode", [jax.jacrev, jax.jacfwd])
def test_ridge_regression_has_the_derivatives_of_its_closed_form(mode):
    """By the data and by the weight of the penalty, in both modes."""
    args = {"y": jnp.asarray(Y), "l2": jnp.asarray(0.3)}
    found = mode(lambda a: tw.argmin(ridge, START, a)["w"])(args)
    right = jax.jacrev(closed_form)(args)
    np.testing.assert_allclose(tw.argmin(ridge, START, args)["w"], closed_form(args), rtol=1e-8)
    np.testing.assert_allclose(found["y"], right["y"], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(found["l2"], right["l2"], rtol=1e-6)


def test_second_derivatives_are_those_of_the_closed_form():
    """The rule differentiates itself."""

    def first(l2):
        return tw.argmin(ridge, START, {"y": jnp.asarray(Y), "l2": l2})["w"][0]

    def right(l2):
        return closed_form({"y": jnp.asarray(Y), "l2": l2})[0]

    np.testing.assert_allclose(
        jax.grad(jax.grad(first))(0.3), jax.grad(jax.grad(right))(0.3), rtol=1e-5
    )


def decay(args):
    """A nonlinear fit with residuals left."""
    return tw.LeastSquares(lambda p, x, y: p["a"] * jnp.exp(-p["b"] * x) - y, data=(X, args))


def logistic(args):
    """A classification with weight decay."""
    signs = np.where(RANDOM_ROWS[:, 0] > 0, 1.0, -1.0)
    return tw.Composite(
        lambda p, x: p["a"] * x[0] + p["b"] * x[1],
        lambda z, y: args[0] * jnp.logaddexp(0.0, -y * z),
        data=(RANDOM_ROWS, signs),
        l2=0.1,
    )


def mixed(args):
    """A sum of a scalar loss and least squares."""
    return tw.Scalar(lambda p: jnp.cosh(p["a"] - args[0])) + tw.LeastSquares(
        lambda p: p["b"] * p["a"] - args[1]
    )


RANDOM_ROWS = RANDOM.normal([0.3, 0.1], size=(40, 2))
NOISY = 2.0 * np.exp(-1.3 * X) + 0.05 * RANDOM.normal(size=X.size)


@pytest.mark.parametrize(
    ("problem_of", "args"),
    [(decay, NOISY), (logistic, np.array([1.7])), (mixed, np.array([0.8, 1.5]))],
)
def test_derivatives_are_those_of_finite_differences(problem_of, args):
    """For each kind of problem: the derivative of a run beside two more runs."""
    start = {"a": jnp.ones(()), "b": jnp.ones(())}
    direction = np.cos(np.arange(args.size) + 1.0)

    def at(t):
        return tw.argmin(problem_of, start, jnp.asarray(args) + t * direction)["b"]

    step = 3e-3
    difference = (at(step) - at(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(at)(0.0), difference, rtol=1e-3)


def test_where_it_cannot_work_a_sentence_says_so():
    """Under `jit` and `vmap`, and where a run ended early."""

    def first(l2):
        return tw.argmin(ridge, START, {"y": Y, "l2": l2})["w"][0]

    with pytest.raises(ConfigError, match=r"under `jax.jit` or `jax.vmap`"):
        jax.jit(first)(0.3)
    with pytest.raises(ConfigError, match=r"under `jax.jit` or `jax.vmap`"):
        jax.vmap(first)(jnp.array([0.3, 0.4]))
    with pytest.warns(RuntimeWarning, match="`argmin` ended with the outcome budget spent"):
        tw.argmin(decay, {"a": jnp.ones(()), "b": jnp.ones(())}, NOISY, stop=tw.Stop(steps=1))


def test_too_many_parameters_are_refused(monkeypatch):
    """The Hessian is dense."""
    monkeypatch.setattr("thalweg._argmin.MOST", 2)
    with pytest.raises(ConfigError, match="for up to 2 parameters, but there are 3"):
        jax.grad(lambda l2: tw.argmin(ridge, START, {"y": Y, "l2": l2})["w"][0])(0.3)
