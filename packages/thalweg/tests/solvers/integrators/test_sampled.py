"""Samples of the data: drawn fairly, counted by their share, and left when they mislead."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.flow import LeastSquaresFlow, build_flow
from thalweg.flow.flatten import flatten
from thalweg.flow.sample import draw, sample_flow, sample_share
from thalweg.solvers.integrators.batch_euler import BatchEuler
from thalweg.solvers.integrators.sampled import Sampled

RNG = np.random.default_rng(2)
X = np.linspace(-1.0, 1.0, 1001)
Y = np.sin(3 * X) + 0.01 * RNG.normal(size=X.size)
WAVE = tw.LeastSquares(
    lambda p, x, y: jnp.vdot(p["out"], jnp.tanh(p["in"] * x + p["shift"])) - y,
    data=(X, Y),
)
START = {key: RNG.normal(size=4) for key in ("in", "shift", "out")}


@functools.cache
def flow_of(*, memory_budget: int = 2**30):
    """The flow of the wave, and its start as a vector."""
    theta, spec = flatten(START)
    return build_flow(WAVE, spec, memory_budget=memory_budget), jnp.asarray(theta)


@functools.cache
def rows_drawn(examples: int):
    """The x that a sample holds, by seed and turn."""
    flow, _ = flow_of()
    return jax.jit(
        lambda seed, turn: draw(flow.data, jax.random.PRNGKey(seed), examples, turn)[0].examples[0]
    )


@given(seed=st.integers(0, 2**31 - 1), examples=st.sampled_from([1, 7, 250, 1000]))
def test_turns_of_one_key_go_through_the_examples_without_a_repeat(seed, examples):
    """In as many turns as there are whole samples, no example comes twice, and none is made up."""
    turns = X.size // examples
    some = range(turns) if turns < 20 else range(20)
    drawn = np.concatenate([rows_drawn(examples)(seed, turn).ravel() for turn in some])
    assert drawn.size == examples * len(some)
    assert len(np.unique(drawn)) == drawn.size
    assert np.isin(drawn, X).all()


@pytest.mark.parametrize("memory", [2**30, 40_000], ids=["one chunk", "chunks with filling"])
def test_the_gradients_of_samples_average_to_that_of_all_data(memory):
    """The mean over a thousand samples is within four standard errors, in every component."""
    flow, theta = flow_of(memory_budget=memory)
    assert (flow.data[0].scale.shape[0] == 1) == (memory == 2**30)
    small = sample_flow(flow, 50)

    def one(key):
        return small.value_and_grad(draw(flow.data, key, 50), theta)[1]

    keys = jax.random.split(jax.random.PRNGKey(0), 1000)
    found = np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))
    exact = np.asarray(flow.value_and_grad(flow.data, theta)[1])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - exact) <= 4 * error + 1e-12).all()


def test_what_has_no_more_examples_than_a_sample_stays_whole():
    """And a share of 1 says so; a Jacobian of a sample has a row for each of its residuals."""
    flow, theta = flow_of()
    assert sample_share(flow, 1001) == 1.0
    assert sample_share(flow, 100) == pytest.approx(100 / 1001)
    whole = draw(flow.data, jax.random.PRNGKey(0), 1001)
    assert np.array_equal(whole[0].examples[0], flow.data[0].examples[0])
    small = sample_flow(flow, 100)
    assert isinstance(small, LeastSquaresFlow)
    r, jacobian = small.jacobian(draw(flow.data, jax.random.PRNGKey(0), 100), theta)
    assert (small.residual_count, r.shape, jacobian.shape) == (100, (100,), (100, 12))


def exact_loss(params):
    """The loss of the wave in NumPy."""
    z = np.tanh(X[:, None] * params["in"] + params["shift"]) @ params["out"]
    return 0.5 * np.mean((z - Y) ** 2)


def test_losses_are_over_all_data_and_only_fall():
    """The first and the best loss are those of NumPy over all examples; noise ends the sample."""
    solution = tw.minimize(WAVE, START, Sampled(batch=48, steps=3), tw.Stop(steps=150, seconds=60))
    history = solution.history
    assert history["loss"][0] == pytest.approx(exact_loss(START), rel=1e-9)
    assert solution.loss == pytest.approx(exact_loss(solution.params), rel=1e-9)
    assert (np.diff(history["loss"]) <= 0).all()
    assert "`implicit-geodesic` took over" in solution.message
    alone = tw.minimize(WAVE, START, "implicit-geodesic", tw.Stop(steps=300, seconds=60))
    assert solution.loss == pytest.approx(alone.loss, rel=1e-2)


def test_a_step_on_a_sample_costs_its_share():
    """Ten steps on a tenth of the data and a look count as two gradients and one Jacobian."""
    method = Sampled(batch=100, steps=10)
    work = tw.minimize(WAVE, START, method, tw.Stop(steps=1, seconds=60)).work
    assert work.gradients == 2  # the start, the end; 10 / 1001 * 100 is just short of a third
    assert work.jacobians == 0
    work = tw.minimize(WAVE, START, method, tw.Stop(steps=2, seconds=60)).work
    assert (work.gradients, work.jacobians) == (4, 1)


@pytest.mark.parametrize("method", [Sampled(), BatchEuler()], ids=lambda method: method.name)
@pytest.mark.parametrize(
    "problem", [tw.Scalar(lambda p: p @ p), tw.LeastSquares(lambda p: p - 1)], ids=["loss", "whole"]
)
def test_a_problem_without_examples_is_refused(problem, method):
    """The message says what to do."""
    with pytest.raises(ConfigError, match="pass them as `data`"):
        tw.minimize(problem, np.zeros(2), method)


@pytest.mark.parametrize(
    ("method", "option", "value"),
    [
        (Sampled, "batch", 0),
        (Sampled, "steps", 0),
        (BatchEuler, "batch", 0),
        (BatchEuler, "passes", 0.0),
    ],
)
def test_values_out_of_range_are_refused(method, option, value):
    """By name."""
    with pytest.raises(ConfigError, match=f"`{option}` is {value}"):
        method(**{option: value})
