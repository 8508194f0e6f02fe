"""Convection at speed β on a periodic interval, by a physics-informed network.

    u_t + β u_x = 0 on [0, 2π] x [0, 1],   u(x, 0) = sin x,   u(0, t) = u(2π, t);
    u = sin(x - βt)

    convection-5, convection-30   2-50-50-50-1       50 x 50 interior points, β = 5 and 30
    convection-large              2-100-100-100-1    100 x 100 interior points, β = 5

There are 100 points at t = 0 and 100 on the edges, 200 each for the large one. At β = 30,
first-order methods are known to end with u ≈ 0 at later times.

Source: Krishnapriyan et al. 2021, "Characterizing possible failure modes in physics-informed
neural networks", arXiv:2109.01050.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import TrainingProblem

if TYPE_CHECKING:
    import jax

SIZES, SIDE = (2, 50, 50, 50, 1), 50
LARGE_SIZES, LARGE_SIDE = (2, 100, 100, 100, 1), 100
LENGTH = 2 * np.pi
COMPARED_X, COMPARED_T = np.linspace(0, LENGTH, 128), np.linspace(0, 1, 101)


def exact(points: np.ndarray, *, speed: float) -> np.ndarray:
    """The solution at points `(x, t)` of shape `(..., 2)`."""
    return np.sin(points[..., 0] - speed * points[..., 1])


def defect(layers: networks.Layers, point: jax.Array, *, speed: float) -> jax.Array:
    """u_t + β u_x at one point: one derivative along the characteristic."""
    u = lambda at: physics.value(layers, at)  # noqa: E731 - it has no name of its own
    return physics.along(u, point, direction=(speed, 1.0))


def start_misfit(layers: networks.Layers, x: jax.Array) -> jax.Array:
    """u(x, 0) - sin x."""
    return physics.value(layers, jnp.stack([x, jnp.zeros_like(x)])) - jnp.sin(x)


def jump(layers: networks.Layers, time: jax.Array) -> jax.Array:
    """u(0, t) - u(2π, t)."""
    left = jnp.stack([jnp.zeros_like(time), time])
    right = jnp.stack([jnp.full_like(time, LENGTH), time])
    return physics.value(layers, left) - physics.value(layers, right)


def slow() -> TrainingProblem:
    """β = 5, ready to train."""
    return _problem("convection-5", kind="physics", speed=5.0, sizes=SIZES, side=SIDE)


def fast() -> TrainingProblem:
    """β = 30, ready to train."""
    return _problem("convection-30", kind="physics", speed=30.0, sizes=SIZES, side=SIDE)


def large() -> TrainingProblem:
    """β = 5 with 20,601 weights, ready to train."""
    return _problem("convection-large", kind="large", speed=5.0, sizes=LARGE_SIZES, side=LARGE_SIDE)


def _problem(
    name: str, *, kind: str, speed: float, sizes: tuple[int, ...], side: int
) -> TrainingProblem:
    inside = physics.grid(np.linspace(0, LENGTH, side), np.linspace(0, 1, side))
    on_edges = 2 * side
    compared = physics.grid(COMPARED_X, COMPARED_T)
    return TrainingProblem(
        name=name,
        title=f"Differential equation: convection at speed {speed:g}",
        kind=kind,
        source="Krishnapriyan et al. (2021), arXiv:2109.01050.",
        network=f"{'-'.join(map(str, sizes))} tanh",
        size=networks.count(sizes),
        problem=LeastSquares(functools.partial(defect, speed=speed), data=(inside,))
        + LeastSquares(start_misfit, data=(np.linspace(0, LENGTH, on_edges),))
        + LeastSquares(jump, data=(np.linspace(0, 1, on_edges),)),
        start=lambda seed: networks.init(sizes, seed=seed),
        targets=(1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
        measure=physics.relative_error(lambda: exact(compared, speed=speed), compared),
    )
