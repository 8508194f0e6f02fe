"""What physics-informed networks share: values, derivatives, points, the error of a solution.

A network `(x, t) ↦ u` is trained to satisfy a differential equation at interior points and its
boundary conditions on the edges: L is the sum of `½ mean r²` over each set of points.

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
    """The network's u at one point of shape `(d,)`."""
    return networks.apply(layers, point)[0]


def along(u: Function, point: jax.Array, *, direction: Sequence[float]) -> jax.Array:
    """The derivative of u at a point along a direction of d numbers."""
    tangent = jnp.asarray(direction, point.dtype)
    return jax.jvp(u, (point,), (tangent,))[1]


def second(u: Function, point: jax.Array, *, axis: int) -> jax.Array:
    """∂²u along an axis by two nested directional derivatives, cheaper than a full Hessian."""
    tangent = jnp.zeros_like(point).at[axis].set(1.0)
    first = lambda at: jax.jvp(u, (at,), (tangent,))[1]  # noqa: E731 - it has no name of its own
    return jax.jvp(first, (point,), (tangent,))[1]


def sobol(count: int, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """The first points of the Sobol sequence in a box, each moved to the middle of its cell.

    Dyadic boxes of equal volume contain equal numbers of them. Random points leave gaps in which a
    network can violate the equation unnoticed.

    Source: Sobol, USSR Comput. Math. Math. Phys. 7 (1967) 86-112; for networks Wu et al., Comput.
    Methods Appl. Mech. Engrg. 403 (2023) 115671.

    Args:
        count: Number of points, a power of 2.
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
        solution: Returns u* at the points, shape `(k,)`; called once, when first needed.
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
