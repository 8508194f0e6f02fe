"""Burgers' equation: a smooth wave that steepens into a shock of width 1/100.

    u_t + u u_x = ν u_xx on [-1, 1] x [0, 1],   ν = 0.01 / π,
    u(x, 0) = -sin πx,   u(±1, t) = 0

The network is 2-20-20-20-1 with tanh. There are 2,048 points in the interior, 100 at t = 0 and 100
on the edges. The interior points are denser at the shock: x = ξ³ with ξ uniform on [-1, 1]. With
uniform x only few points lie where u falls, and a network can fit all of them to a loss of 10⁻¹⁰
with an error of 3 %.

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
GRADING = 3  # the power of ξ that makes interior points denser at the shock
# Where the error is measured: closely spaced in x, for the shock.
X, T = np.linspace(-1, 1, 257), np.linspace(0, 1, 51)
# At the ends the integrand is below 1e-60 of its maximum. For a smooth integrand that decays at
# both ends, the trapezoidal rule with this spacing is exact to rounding.
Z = np.linspace(-18, 18, 721)


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The solution at points x and t, each `(k,)`, by quadrature; accurate to 1e-12."""
    at = np.pi * (x[:, None] - 2 * np.sqrt(VISCOSITY * t)[:, None] * Z)
    exponent = -(Z**2) - np.cos(at) / (2 * np.pi * VISCOSITY)
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return -(np.sin(at) * weight).sum(axis=1) / weight.sum(axis=1)


def defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """The residual of the equation at one point `(x, t)`."""
    u = lambda at: physics.value(layers, at)  # noqa: E731 - it has no name of its own
    du_dx = physics.along(u, point, direction=(1.0, 0.0))
    du_dt = physics.along(u, point, direction=(0.0, 1.0))
    return du_dt + u(point) * du_dx - VISCOSITY * physics.second(u, point, axis=0)


def misfit(layers: networks.Layers, point: jax.Array, u: jax.Array) -> jax.Array:
    """The network at one point minus the known value there."""
    return physics.value(layers, point) - u


def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interior points `(2048, 2)`, initial and edge points `(200, 2)`, and u there `(200,)`."""
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
        title="Differential equation: Burgers' equation",
        kind="physics",
        source="Basdevant et al. (1986), Computers & Fluids 14, 23-41; Raissi et al. (2019).",
        network="2-20-20-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(defect, data=(inside,)) + LeastSquares(misfit, data=(known, u)),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        measure=physics.relative_error(lambda: exact(compared[:, 0], compared[:, 1]), compared),
    )
