"""Burgers' equation: a smooth wave that steepens into a shock of width 1/100.

    u_t + u u_x = ν u_xx on [-1, 1] x [0, 1],   ν = 0.01 / π,
    u(x, 0) = -sin πx,   u(±1, t) = 0

The network is 2-20-20-20-1 with tanh: 2,048 points inside, 100 at the start, 100 on the edges.
Those inside gather at the shock, x = ξ³ with ξ spread evenly over [-1, 1]: where x is, few are
where u falls, and a network can fit all 2,000 of them to a loss of 10⁻¹⁰ and be wrong by 3 %.

The Cole-Hopf transformation gives the solution by quadrature: with η = 2 √(νt) z,

    u = - ∫ sin(π(x-η)) w dz / ∫ w dz,   w = exp(-z² - cos(π(x-η)) / 2πν)

Source: Basdevant et al., Computers & Fluids 14 (1986) 23-41; as a test of networks Raissi,
Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import TrainingProblem

if TYPE_CHECKING:
    import jax

SIZES = (2, 20, 20, 20, 1)
VISCOSITY = 0.01 / np.pi
INSIDE, AT_START, ON_EDGES = 2048, 100, 100  # points
GRADING = 3  # the power of x by which points inside gather at the shock
# Where the error is measured: close together in x, for the shock.
X, T = np.linspace(-1, 1, 257), np.linspace(0, 1, 51)
# The integrand is below 1e-60 of its largest value at the ends, and the trapezoidal rule for a
# smooth one that decays at both ends is exact to rounding at this spacing.
Z = np.linspace(-18, 18, 721)


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The solution at points x and t, each `(k,)`, by quadrature; good to 1e-12."""
    at = np.pi * (x[:, None] - 2 * np.sqrt(VISCOSITY * t)[:, None] * Z)
    exponent = -(Z**2) - np.cos(at) / (2 * np.pi * VISCOSITY)
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return -(np.sin(at) * weight).sum(axis=1) / weight.sum(axis=1)


def defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """How far the network is from solving the equation at one point `(x, t)`."""
    u = lambda at: physics.value(layers, at)  # noqa: E731 - it has no name of its own
    # u_t + u u_x is one derivative, along (u, 1)
    slope_x = physics.along(u, point, direction=(1.0, 0.0))
    slope_t = physics.along(u, point, direction=(0.0, 1.0))
    return slope_t + u(point) * slope_x - VISCOSITY * physics.second(u, point, axis=0)


def misfit(layers: networks.Layers, point: jax.Array, u: jax.Array) -> jax.Array:
    """The network at one point minus what is known there."""
    return physics.value(layers, point) - u


def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points inside `(2048, 2)`, at the start and on the edges `(200, 2)`, and u there `(200,)`."""
    inside = physics.sobol(INSIDE, (-1.0, 0.0), (1.0, 1.0))
    inside[:, 0] **= GRADING
    x = np.linspace(-1, 1, AT_START)
    edges = physics.grid(np.array([-1.0, 1.0]), np.linspace(0, 1, ON_EDGES // 2))
    known = np.concatenate([physics.grid(x, np.zeros(1)), edges])
    return inside, known, np.concatenate([-np.sin(np.pi * x), np.zeros(ON_EDGES)])


def build() -> TrainingProblem:
    """The problem, ready to train."""
    inside, known, u = points()
    compared = physics.grid(X, T)
    return TrainingProblem(
        name="burgers",
        title="Differential equation: Burgers",
        kind="physics",
        source="Basdevant et al. (1986), Computers & Fluids 14, 23-41; Raissi et al. (2019).",
        network="2-20-20-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(defect, data=(inside,)) + LeastSquares(misfit, data=(known, u)),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        measure=physics.relative_error(lambda: exact(compared[:, 0], compared[:, 1]), compared),
    )
