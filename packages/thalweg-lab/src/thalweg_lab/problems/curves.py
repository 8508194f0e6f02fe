"""What fits of a function of one variable share: the residual, the network's values, its error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg_lab.problems.base import Measure

if TYPE_CHECKING:
    from collections.abc import Callable

    import jax


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one point minus the value there."""
    return networks.apply(layers, x[None])[0] - y


def fitted(layers: networks.Layers, x: np.ndarray) -> np.ndarray:
    """The values of a network at points `(k,)`, shape `(k,)`."""
    return np.asarray(networks.apply(layers, jnp.asarray(x[:, None])))[:, 0]


def largest_error(
    name: str, exact: Callable[[np.ndarray], np.ndarray], *, points: int = 1001
) -> Measure:
    """The largest error over evenly spaced points of [-1, 1].

    Args:
        name: The function in a word or two.
        exact: The function, from `(k,)` to `(k,)`.
        points: How many points; best chosen so that most lie between the training points.
    """

    def largest(layers: networks.Layers) -> float:
        x = np.linspace(-1.0, 1.0, points)
        return float(np.max(np.abs(fitted(layers, x) - exact(x))))

    return Measure(f"error against {name} (largest)", "error", largest)
