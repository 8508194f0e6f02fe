"""ENGD-W and SPRING: their steps are the minimisers that define them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg_lab.peers.engd_w import EngdW

DAMPING = 1e-3
X = np.linspace(-1, 1, 12)


def twisted(p: Any, x: Any) -> jax.Array:
    """A residual that is no dense network, so that it has a whole Jacobian."""
    return jnp.sum(p["a"] * jnp.sin(p["b"] * x)) - jnp.exp(x)


def wavy(layers: networks.Layers, x: Any) -> jax.Array:
    """A residual of dense layers, whose kernel is formed layer by layer."""
    return networks.apply(layers, jnp.atleast_1d(x))[0] - jnp.sin(3 * x)


def few() -> dict[str, np.ndarray]:
    """Four parameters, less than residuals."""
    return {"a": np.array([1.0, 0.5]), "b": np.array([0.3, 2.0])}


def many() -> dict[str, np.ndarray]:
    """Forty parameters, more than residuals."""
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=20), "b": rng.normal(size=20)}


CASES = {
    "parameters": (twisted, few()),
    "residuals": (twisted, many()),
    "layers": (wavy, networks.init((1, 40, 40, 1), seed=0)),
}


def dense(residual: Any, params: Any) -> Any:
    """θ, and r and J of it, scaled as the loss has them, by JAX alone."""
    theta, spec = flatten(params)

    def scaled(at: jax.Array) -> jax.Array:
        return jax.vmap(lambda x: residual(spec.unravel(at), x))(X) / np.sqrt(len(X))

    return jnp.asarray(theta), scaled, jax.jacfwd(scaled)


@pytest.mark.parametrize("case", CASES)
def test_each_step_minimises_what_defines_it_and_takes_the_best_of_the_grid(case: str):
    """By least squares of stacked matrices, three steps with momentum, in each of the spaces."""
    residual, params = CASES[case]
    theta, scaled, slope = dense(residual, params)
    flow: Any = build_flow(tw.LeastSquares(residual, data=(X,)), flatten(params)[1])
    space = "parameters" if flow.size <= len(X) else "layers" if flow.has_factors else "residuals"
    assert space == case
    method = EngdW(damping=DAMPING, momentum=0.9)
    state = method.init(flow, theta)
    take = jax.jit(lambda at, state: method.step(flow, flow.data, at, state))
    phi = np.zeros(theta.size)
    for k in (1, 2, 3):
        r, jacobian = np.asarray(scaled(theta)), np.asarray(slope(theta))
        stacked = np.vstack([jacobian, np.sqrt(DAMPING) * np.eye(theta.size)])
        phi = np.linalg.lstsq(stacked, np.concatenate([-r, np.sqrt(DAMPING) * 0.9 * phi]))[0]
        along = [theta + 0.5**j * phi / np.sqrt(1 - 0.9 ** (2 * k)) for j in range(31)]
        losses = [float(0.5 * np.sum(np.square(scaled(at)))) for at in along]
        result = take(theta, state)
        assert np.allclose(result.solver_state.phi, phi, rtol=1e-6, atol=1e-8)
        assert float(result.loss) == pytest.approx(min(losses), rel=1e-9)
        assert float(result.grad_norm) == pytest.approx(float(np.linalg.norm(jacobian.T @ r)))
        theta, state = result.theta, result.solver_state
        assert np.allclose(theta, along[int(np.argmin(losses))])


def test_a_linear_problem_is_solved_in_one_step():
    """With next to no damping the step of ENGD-W is the least-squares solution."""
    rng = np.random.default_rng(1)
    rows, wanted = rng.normal(size=(9, 4)), rng.normal(size=9)
    line = tw.LeastSquares(lambda p, a, y: a @ p - y, data=(rows, wanted))
    method = EngdW(damping=1e-14)
    solution = tw.minimize(line, np.zeros(4), method, tw.Stop(steps=1))
    assert np.allclose(solution.params, np.linalg.lstsq(rows, wanted)[0])
    assert (solution.work.jacobians, solution.work.losses) == (1, 31)
    ended = tw.minimize(line, np.zeros(4), method, tw.Stop(steps=50))
    assert ended.outcome in {tw.Outcome.CONVERGED, tw.Outcome.STALLED}


def test_what_it_cannot_solve_is_refused():
    """A loss without residuals, and values out of their ranges."""
    with pytest.raises(ConfigError, match="needs residuals"):
        tw.minimize(tw.Scalar(jnp.sum), np.zeros(2), EngdW(), tw.Stop(steps=1))
    with pytest.raises(ConfigError, match="`damping` is 0"):
        EngdW(damping=0)
    with pytest.raises(ConfigError, match="`momentum` is 1"):
        EngdW(momentum=1.0)
