"""System identification: predator and prey with an unknown interaction.

    x' = e^a x + N₁(x, y),   y' = -e^b y + N₂(x, y)

The unknowns are the rates a and b and the network N, 2-10-2 with tanh: 54 numbers, learned from
four trajectories of 31 points over 3 units of time. The model is integrated by the classical
Runge-Kutta method with step 0.05. The data come from the true equations

    x' = 1.3 x - 0.9 xy,   y' = -1.8 y + 0.8 xy

to 1e-12. The loss is `½ mean r²` over all values of the trajectories.

Source: Rackauckas et al. 2020, "Universal differential equations for scientific machine learning",
arXiv:2001.04385, which identifies the same equations; Lotka, *Elements of Physical Biology* (1925).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems.base import Measure, TrainingProblem

SIZES = (2, 10, 2)
BIRTH, PREDATION, DEATH, FEEDING = 1.3, 0.9, 1.8, 0.8
STARTS = np.array([[0.5, 4.5], [1.0, 1.0], [2.0, 2.0], [3.0, 0.8]])  # prey and predator
HELD_OUT = np.array([1.5, 3.0])
DURATION, POINTS = 3.0, 31
STEPS_BETWEEN = 2  # Runge-Kutta steps from one point to the next
TOLERANCE = 1e-12


def trajectory(start: np.ndarray) -> np.ndarray:
    """The true trajectory from a start `(2,)`, shape `(31, 2)`, accurate to 1e-11."""
    from scipy.integrate import solve_ivp

    def rate(_: float, at: np.ndarray) -> np.ndarray:
        x, y = at
        return np.array([BIRTH * x - PREDATION * x * y, FEEDING * x * y - DEATH * y])

    t = np.linspace(0, DURATION, POINTS)
    solution = solve_ivp(
        rate, (0, DURATION), start, "DOP853", t_eval=t, rtol=TOLERANCE, atol=TOLERANCE
    )
    return solution.y.T


def modelled(params: dict[str, Any], start: jax.Array) -> jax.Array:
    """The trajectory of the model from a start `(2,)`, shape `(31, 2)`."""
    h = DURATION / ((POINTS - 1) * STEPS_BETWEEN)
    rates = jnp.exp(params["log_rates"]) * jnp.asarray([1.0, -1.0], start.dtype)

    def rate(at: jax.Array) -> jax.Array:
        # The product of the first layer is written out: as a matrix product it is a call of its own
        # in each of 240 consecutive evaluations, and a gradient took 1.5 times as long.
        hidden, last = params["layers"]
        (prey, predator), weights = at, hidden["weights"]
        z = jnp.tanh(prey * weights[0] + predator * weights[1] + hidden["biases"])
        return rates * at + z @ last["weights"] + last["biases"]

    def step(_: int, at: jax.Array) -> jax.Array:
        k1 = rate(at)
        k2 = rate(at + h / 2 * k1)
        k3 = rate(at + h / 2 * k2)
        k4 = rate(at + h * k3)
        return at + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def point(at: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        for substep in range(STEPS_BETWEEN):
            at = step(substep, at)
        return at, at

    _, points = jax.lax.scan(point, start, None, length=POINTS - 1)
    return jnp.concatenate([start[None], points])


def residual(params: dict[str, Any], start: jax.Array, truth: jax.Array) -> jax.Array:
    """The model minus one trajectory `(31, 2)`, scaled so that the sum of squares is the mean."""
    return (modelled(params, start) - truth) / truth.size**0.5


def start(seed: int) -> dict[str, Any]:
    """Rates of 1, and a network drawn from a seed."""
    return {"log_rates": np.zeros(2), "layers": networks.init(SIZES, seed=seed)}


def build() -> TrainingProblem:
    """The problem, ready to train."""
    truth = np.stack([trajectory(at) for at in STARTS])
    held_out = trajectory(HELD_OUT)

    def error(params: dict[str, Any]) -> float:
        off = np.asarray(modelled(params, jnp.asarray(HELD_OUT))) - held_out
        return float(np.sqrt(np.mean(off**2)))

    return TrainingProblem(
        name="lotka-volterra",
        title="System identification: predator and prey",
        kind="least squares",
        source="Rackauckas et al. (2020), Universal differential equations, arXiv:2001.04385.",
        network="2-10-2 tanh and two rates in an ODE",
        size=networks.count(SIZES) + 2,
        problem=LeastSquares(residual, data=(STARTS, truth)),
        start=start,
        targets=(1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10),
        measure=Measure("error on a held-out trajectory (RMS)", "error", error),
    )
