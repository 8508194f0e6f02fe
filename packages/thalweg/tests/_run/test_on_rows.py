"""`on_rows`: every row of the history is handed over once, in batches, and nothing else changes."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg import networks
from thalweg.errors import ConfigError

X = np.linspace(-1.0, 1.0, 20)[:, None]
Y = np.sin(3 * X)
START = networks.init((1, 5, 1), seed=0)


def residual(layers, x, y):
    """Of one example."""
    return networks.apply(layers, x) - y


FIT = tw.LeastSquares(residual, data=(X, Y))
SLOW = tw.OptaxOptimizer(optax.sgd(1e-3))


def loss_at(layers):
    """The loss of `FIT`."""
    return float(np.mean((networks.apply(layers, X) - Y) ** 2) / 2)


def same(found, history):
    """Whether batches are the rows of a history, to the last bit."""
    joined = {name: np.concatenate([rows[name] for rows in found]) for name in history}
    return all(np.array_equal(joined[name], history[name], equal_nan=True) for name in history)


@pytest.mark.parametrize("method", ["auto", SLOW, "l-bfgs"], ids=["own", "optax", "scipy"])
def test_the_batches_are_the_history(method):
    """With |∇L| of every row, the parameters after each batch, and one last batch."""
    found, ends = [], []

    def keep(rows):
        found.append(rows)
        ends.append(rows.is_last)
        if len(rows["loss"]):
            assert loss_at(rows.params) == pytest.approx(rows["loss"][-1], rel=1e-9)

    solution = tw.minimize(FIT, START, method, tw.Stop(steps=2000), on_rows=keep)
    assert same(found, solution.history)
    assert ends == [False] * (len(ends) - 1) + [True]
    if method is SLOW:  # the loop is not left after each step
        assert 2 < len(found) < 1000


def test_a_run_is_the_same_with_and_without():
    """Bit for bit."""
    plain = tw.minimize(FIT, START, stop=tw.Stop(steps=60))
    seen = tw.minimize(FIT, START, stop=tw.Stop(steps=60), on_rows=[len, list])
    assert np.array_equal(plain.history["loss"], seen.history["loss"])
    assert len(plain.history["loss"]) > 20


def test_a_true_result_ends_the_run():
    """After the call of the program in which it was found."""
    solution = tw.minimize(
        FIT, START, SLOW, tw.Stop(seconds=60), on_rows=lambda rows: rows["step"][-1] > 100
    )
    assert solution.outcome is tw.Outcome.STOPPED_BY_CALLBACK
    assert solution.history["step"][-1] > 100


def test_rows_of_several_starts_have_their_number():
    """Each start gets the whole of its history."""
    found = {0: [], 1: []}
    solution = tw.minimize(
        FIT,
        init=lambda seed: networks.init((1, 5, 1), seed=seed),
        starts=2,
        stop=tw.Stop(steps=40),
        on_rows=lambda rows: found[rows.start].append(rows),
    )
    for k, start in enumerate(solution.starts):
        assert same(found[k], start.history)


def test_a_run_that_goes_on_hands_over_its_new_rows(tmp_path):
    """Those before the interruption were handed over then."""
    found = []
    for steps in (10, 30):
        solution = tw.minimize(
            FIT,
            START,
            stop=tw.Stop(steps=steps),
            checkpoint=tmp_path / "run",
            on_rows=found.append,
        )
    steps = np.concatenate([rows["step"] for rows in found])
    assert np.array_equal(steps, solution.history["step"])


def test_something_else_than_a_function_is_refused():
    """Before anything runs."""
    with pytest.raises(ConfigError, match="`on_rows` is of type str"):
        tw.minimize(FIT, START, on_rows="tensorboard")


# --------------------------------------------------------------------------------- early stopping


def test_a_run_ends_when_the_validation_loss_makes_no_progress():
    """The way to the minimum at 0 passes 0.5, where the validation loss is least."""
    problem = tw.LeastSquares(lambda p: p["a"])
    stopping = tw.EarlyStopping(lambda p: (p["a"] - 0.5) ** 2 + 1, seconds=0.3)
    slow = tw.OptaxOptimizer(optax.sgd(1e-5))
    solution = tw.minimize(
        problem, {"a": jnp.ones(())}, slow, tw.Stop(seconds=60), on_rows=stopping
    )
    assert solution.outcome is tw.Outcome.STOPPED_BY_CALLBACK
    assert solution.history["seconds"][-1] < 50
    assert float(stopping.params["a"]) == pytest.approx(0.5, abs=0.2)
    assert stopping.loss == min(stopping.history["loss"])
    assert solution.history["seconds"][-1] > stopping.history["seconds"][0] + 0.3


def test_the_validation_loss_may_be_that_of_a_problem():
    """Of any kind, here held-out examples."""
    held_out = tw.LeastSquares(residual, data=(X[::2] + 0.05, np.sin(3 * (X[::2] + 0.05))))
    stopping = tw.EarlyStopping(held_out, seconds=30)
    tw.minimize(FIT, START, stop=tw.Stop(steps=50), on_rows=stopping)
    errors = networks.apply(stopping.params, X[::2] + 0.05) - np.sin(3 * (X[::2] + 0.05))
    assert stopping.loss == pytest.approx(float(np.mean(np.square(errors)) / 2), rel=1e-9)
    assert len(stopping.history["loss"]) >= 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"validation": 3, "seconds": 1}, "`validation` is of type int"),
        ({"validation": FIT, "seconds": 0}, "`seconds` is 0"),
    ],
    ids=["validation", "seconds"],
)
def test_wrong_arguments_of_early_stopping_are_said(arguments, says):
    """When it is made."""
    with pytest.raises(ConfigError, match=says):
        tw.EarlyStopping(**arguments)
