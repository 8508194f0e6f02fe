"""A physics-informed network for Poisson's equation on the unit square, with a known solution.

    u_xx + u_yy = -2π² sin(πx) sin(πy) inside,   u = 0 on the edge;   u = sin(πx) sin(πy)

The loss is `½ mean r²` over the centres of 30 x 30 cells, with `r` the residual of the equation,
plus `½ mean u²` over 30 points on each of the four sides. The network is 2-32-1 with tanh.

Source: the method is that of Lagaris, Likas & Fotiadis, IEEE Trans. Neural Networks 9 (1998)
987-1000, with the boundary in the loss (Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378
(2019) 686-707); the right-hand side is computed from the solution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import Maps, Measure, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = (2, 32, 1)
CELLS = 30  # along each side
MAP_POINTS = 61  # along each side of the error map: odd, so that edges and centre are on it


def exact(points: Any) -> Any:
    """The solution u at points of shape `(..., 2)`."""
    return np.sin(np.pi * points[..., 0]) * np.sin(np.pi * points[..., 1])


def defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """The residual of the equation at one point: u_xx + u_yy - f."""
    u = lambda at: physics.value(layers, at)  # noqa: E731 - it has no name of its own
    f = -2 * jnp.pi**2 * jnp.sin(jnp.pi * point[0]) * jnp.sin(jnp.pi * point[1])
    return physics.second(u, point, axis=0) + physics.second(u, point, axis=1) - f


def inside() -> np.ndarray:
    """The centres of the cells, shape `(900, 2)`."""
    centres = (np.arange(CELLS) + 0.5) / CELLS
    return np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)


def edge() -> np.ndarray:
    """The points on the four sides, shape `(120, 2)`."""
    along = np.linspace(0.0, 1.0, CELLS)
    low, high = np.zeros(CELLS), np.ones(CELLS)
    sides = ((along, low), (along, high), (low, along), (high, along))
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def grid() -> np.ndarray:
    """Points of the error map, shape `(61, 61, 2)`, edges included; row 0 is y = 0."""
    ticks = np.linspace(0.0, 1.0, MAP_POINTS)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1)


def errors(layers: networks.Layers) -> np.ndarray:
    """|network - u| on `grid`, shape `(61, 61)`."""
    points = grid()
    return np.abs(np.asarray(networks.apply(layers, jnp.asarray(points)))[..., 0] - exact(points))


def root_mean_square_error(layers: networks.Layers) -> float:
    """The root mean square of `errors`; u itself has 0.5 there."""
    return float(np.sqrt(np.mean(errors(layers) ** 2)))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    return TrainingProblem(
        name="poisson",
        title="Differential equation: Poisson's equation on a square",
        kind="physics",
        source="The method of Lagaris, Likas & Fotiadis (1998), with a manufactured solution.",
        story=(
            "A network with two inputs learns the solution of u_xx + u_yy = f inside a square, "
            "with u = 0 on its edge. Training never sees the solution, only the residuals of the "
            "equation at 900 interior points and the values at 120 edge points. The solution is "
            "known here, sin(πx) sin(πy), so the error can be measured."
        ),
        network="2-32-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(defect, data=(inside(),))
        + LeastSquares(physics.value, data=(edge(),)),
        start=lambda seed: networks.init(SIZES, seed=seed),
        rates={"gradient-descent": 3e-2, "adam": 3e-2},
        targets=(1e-2, 1e-4, 1e-6, 1e-8, 1e-10),
        measure=Measure("error against the exact solution (RMS)", "error", root_mean_square_error),
        pictures=_pictures,
    )


def _pictures(trained: Mapping[str, Any]) -> tuple[Maps, ...]:
    return (
        Maps(
            title="Error of each network",
            caption=(
                "The absolute error of each trained network at each point, all on the same "
                "logarithmic scale. The maximum of the solution is 1."
            ),
            values={method: errors(layers) for method, layers in trained.items()},
        ),
    )
