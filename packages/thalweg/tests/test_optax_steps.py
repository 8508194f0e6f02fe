"""`thalweg.optax.secant_euler` in ordinary loops of Optax: its steps are those of the method."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg import networks
from thalweg.errors import ConfigError
from thalweg.optax import secant_euler

X = jnp.linspace(-1.0, 1.0, 30)[:, None]
Y = jnp.sin(3 * X)
START = networks.init((1, 6, 1), seed=0)


def loss(layers):
    """Half a mean square."""
    return 0.5 * jnp.mean((networks.apply(layers, X) - Y) ** 2)


def losses_of(solver, steps):
    """A loop as in Optax's own documentation; the loss before each step and after the last."""
    value_and_grad = optax.value_and_grad_from_state(loss)

    @jax.jit
    def step(carry, _):
        params, state = carry
        value, grad = value_and_grad(params, state=state)
        updates, state = solver.update(grad, state, params, value=value, grad=grad, value_fn=loss)
        return (optax.apply_updates(params, updates), state), value

    params = jax.tree.map(jnp.asarray, START)
    (params, _), values = jax.lax.scan(step, (params, solver.init(params)), length=steps)
    return np.append(values, loss(params))


def test_the_steps_are_those_of_the_method():
    """Up to rounding, which grows with the steps."""
    ours = losses_of(secant_euler(), 40)
    solution = tw.minimize(tw.Scalar(loss), START, tw.SecantEuler(), tw.Stop(steps=40))
    assert ours[:20] == pytest.approx(solution.history["loss"][:20], rel=1e-6)
    assert np.all(np.diff(ours) <= 1e-12)
    assert ours[-1] < ours[0] / 50


def test_it_stands_in_a_chain():
    """As other transformations do; extra arguments go to the loss."""
    solver = optax.chain(secant_euler(memory_size=5))
    params, shift = jnp.zeros(3), jnp.arange(3.0)

    def shifted(p, target):
        return jnp.sum((p - target) ** 2 * jnp.array([1.0, 10.0, 100.0]))

    state = solver.init(params)
    for _ in range(25):
        value, grad = jax.value_and_grad(shifted)(params, shift)
        updates, state = solver.update(
            grad, state, params, value=value, grad=grad, value_fn=shifted, target=shift
        )
        params = optax.apply_updates(params, updates)
    assert np.allclose(params, shift, atol=1e-5)


def test_the_end_is_a_step_of_zero():
    """At a minimum nothing moves, and nothing is NaN."""
    solver, params = secant_euler(), jnp.zeros(2)
    updates, state = solver.update(
        params, solver.init(params), params, value=0.0, grad=params, value_fn=lambda p: p @ p
    )
    assert np.array_equal(updates, np.zeros(2))
    assert np.isfinite(state.value)


def test_what_is_missing_is_said():
    """In one sentence."""
    solver = secant_euler()
    with pytest.raises(ConfigError, match="value_fn=loss"):
        solver.update(jnp.ones(2), solver.init(jnp.ones(2)), jnp.ones(2))
    with pytest.raises(ConfigError, match="`memory_size` is 0"):
        secant_euler(memory_size=0)
