"""Flat is said of a smooth minimum, and not of a kink, where quotients of differences are huge."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw

KINKS = {
    "absolute values": lambda x: jnp.sum(jnp.abs(x)) + 1,
    "a maximum": lambda x: jnp.max(jnp.abs(x - 1)) + 0.1 * jnp.sum(x**2) + 1,
    "a lasso": lambda x: jnp.sum((x - jnp.arange(2.0)) ** 2) + 1.5 * jnp.sum(jnp.abs(x)),
}
SECANTS = ("secant-euler", "self-scaled-bfgs", "self-scaled-broyden")


@pytest.mark.parametrize("method", SECANTS)
@pytest.mark.parametrize("loss", KINKS)
def test_the_end_at_a_kink_is_not_called_converged(loss, method):
    """The gradient is as long as ever; two of the ends are no minimum of the function at all."""
    stop = tw.Stop(steps=3000, seconds=60)
    solution = tw.minimize(tw.Scalar(KINKS[loss]), np.array([0.3, -0.7]), method, stop)
    assert solution.history["grad_norm"][-1] > 0.5
    assert solution.outcome is tw.Outcome.STALLED


@pytest.mark.parametrize("method", SECANTS)
def test_a_smooth_minimum_above_zero_still_is(method):
    """Where the loss is 1, to its last digits; in double and in single precision."""

    def bowl(x):
        return 1 + jnp.sum(jnp.arange(1, 4) * (x - 1) ** 2 + (x - 1) ** 4)

    for real in (np.float64, np.float32):
        stop = tw.Stop(steps=3000, seconds=60)
        solution = tw.minimize(tw.Scalar(bowl), np.full(3, 3, real), method, stop)
        assert solution.outcome is tw.Outcome.CONVERGED
        assert np.allclose(solution.params, 1, atol=4 * np.sqrt(np.finfo(real).eps))
