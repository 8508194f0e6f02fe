"""`batch-euler`: it fits without a learning rate, and hands over when batches no longer help."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.solvers.integrators.batch_euler import BatchEuler

RNG = np.random.default_rng(2)
POINTS = RNG.normal(size=(2000, 2))


SIGN = np.where(POINTS[:, 0] + POINTS[:, 1] ** 2 > 0.5, 1.0, -1.0)


SIDES = tw.Composite(
    lambda p, x: jnp.vdot(p["out"], jnp.tanh(p["in"] @ x + p["shift"])),
    lambda z, y: jnp.logaddexp(0.0, -y * z),
    data=(POINTS, SIGN),
)


SIDES_START = {"in": RNG.normal(size=(6, 2)), "shift": np.zeros(6), "out": 0.1 * np.ones(6)}


def test_random_batches_find_the_classes():
    """Losses are over all data; most examples are classified, without a learning rate."""
    method = BatchEuler(batch=20)
    solution = tw.minimize(SIDES, SIDES_START, method, tw.Stop(steps=30, seconds=60))
    p = solution.params
    z = np.tanh(POINTS @ p["in"].T + p["shift"]) @ p["out"]
    assert solution.loss == pytest.approx(np.mean(np.logaddexp(0, -SIGN * z)), rel=1e-9)
    assert solution.history["loss"][0] == pytest.approx(0.69, abs=0.2)
    assert solution.loss < 0.05
    assert np.mean(z * SIGN > 0) > 0.98
    assert np.isnan(solution.history["grad_norm"]).all()


def test_batches_that_no_longer_help_are_left_for_all_data():
    """The method that takes over brings the gradient to zero."""
    method = BatchEuler(batch=20, then=tw.ExponentialKrylov())
    problem = tw.Composite(SIDES.outputs, SIDES.loss, data=SIDES.data, l2=1e-2)
    solution = tw.minimize(problem, SIDES_START, method, tw.Stop(steps=300, seconds=60))
    assert "`exponential-krylov` took over" in solution.message
    assert solution.outcome is tw.Outcome.CONVERGED


def test_equal_seeds_give_equal_runs_and_others_do_not():
    """The random numbers are the method's own."""
    losses = [
        tw.minimize(SIDES, SIDES_START, BatchEuler(batch=20, seed=seed), tw.Stop(steps=3)).history[
            "loss"
        ]
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(losses[0], losses[1])
    assert not np.array_equal(losses[0][1:], losses[2][1:])
