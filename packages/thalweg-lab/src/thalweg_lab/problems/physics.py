"""What physics-informed networks share: values, derivatives, points, the error of a solution.

A network `(x, t) ↦ u` is trained until a differential equation holds at points inside, and its
boundary values hold on the edge: `L = ½ mean r²` over each set of points, added up.

Source: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg_lab.problems.base import Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[[jax.Array], jax.Array]  # from a point `(d,)` to a value


def value(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """What the network takes u to be at one point of shape `(d,)`."""
    return networks.apply(layers, point)[0]


def along(u: Function, point: jax.Array, *, direction: Sequence[float]) -> jax.Array:
    """The derivative of u at a point along a direction of d numbers."""
    tangent = jnp.asarray(direction, point.dtype)
    return jax.jvp(u, (point,), (tangent,))[1]


def second(u: Function, point: jax.Array, *, axis: int) -> jax.Array:
    """∂²u along an axis by two nested directional derivatives, cheaper than a whole Hessian."""
    tangent = jnp.zeros_like(point).at[axis].set(1.0)
    slope = lambda at: jax.jvp(u, (at,), (tangent,))[1]  # noqa: E731 - it has no name of its own
    return jax.jvp(slope, (point,), (tangent,))[1]


def sobol(count: int, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """The first points of Sobol's sequence in a box, each in the middle of its cell.

    Boxes of equal area hold equal numbers of them, whatever their shape, where random points leave
    gaps: a network can hide there that it does not solve the equation.

    Source: Sobol, USSR Comput. Math. Math. Phys. 7 (1967) 86-112; for networks Wu et al., Comput.
    Methods Appl. Mech. Engrg. 403 (2023) 115671.

    Args:
        count: How many, a power of 2.
        low: The lower corner, d numbers.
        high: The upper corner, d numbers.

    Returns:
        Shape `(count, d)`, float64.
    """
    from scipy.stats import qmc

    unit = qmc.Sobol(len(low), scramble=False).random(count) + 0.5 / count
    return np.asarray(low) + unit * (np.asarray(high) - np.asarray(low))


def grid(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """All pairs of x `(a,)` and t `(b,)`, shape `(a b, 2)`, t running fastest."""
    return np.stack(np.meshgrid(x, t, indexing="ij"), axis=-1).reshape(-1, 2)


def relative_error(
    solution: Callable[[], np.ndarray], points: np.ndarray, *, network: Callable = value
) -> Measure:
    """The relative L2 error, |u - u*| / |u*| over points.

    Args:
        solution: Gives u* at the points, shape `(k,)`; asked once, when first needed.
        points: Shape `(k, d)`.
        network: `network(params, point)`, u at one point.
    """
    known: list[np.ndarray] = []

    def error(params: networks.Layers) -> float:
        if not known:
            known.append(solution())
        u = jax.vmap(lambda at: network(params, at))(jnp.asarray(points))
        return float(np.linalg.norm(np.asarray(u) - known[0]) / np.linalg.norm(known[0]))

    return Measure("error against the exact solution (relative L2)", "error", error)
