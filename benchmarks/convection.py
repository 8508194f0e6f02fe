"""Convection at speed β on a periodic interval: a physics-informed network of 5,301 weights.

    u_t + β u_x = 0 on [0, 2π] x [0, 1],   u(x, 0) = sin x,   u(0, t) = u(2π, t)

2,500 points inside, 100 at the start, 100 on the edges; the network is 2-50-50-50-1 with tanh.

Source: Krishnapriyan et al. 2021, "Characterizing possible failure modes in physics-informed
neural networks", arXiv:2109.01050.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg import networks

BETA = 5.0
SIZES = (2, 50, 50, 50, 1)
LENGTH = 2 * np.pi


def problem() -> tw.LeastSquares:
    """The three blocks of the loss."""
    space = np.linspace(0, LENGTH, 50)
    time = np.linspace(0, 1, 50)
    inside = np.stack(np.meshgrid(space, time, indexing="ij"), axis=-1).reshape(-1, 2)
    start = np.stack([np.linspace(0, LENGTH, 100), np.zeros(100)], axis=1)
    edge = np.linspace(0, 1, 100)
    return (
        tw.LeastSquares(defect, data=(inside,))
        + tw.LeastSquares(start_defect, data=(start,))
        + tw.LeastSquares(jump, data=(edge,))
    )


def value(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """What the network takes u to be at a point `(x, t)`."""
    return networks.apply(layers, point)[0]


def defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """u_t + β u_x: one derivative along the characteristic."""
    along = jnp.asarray([BETA, 1.0], point.dtype)
    return jax.jvp(lambda at: value(layers, at), (point,), (along,))[1]


def start_defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """How far u is from sin x at t = 0."""
    return value(layers, point) - jnp.sin(point[0])


def jump(layers: networks.Layers, time: jax.Array) -> jax.Array:
    """u(0, t) - u(2π, t)."""
    left = jnp.stack([jnp.zeros_like(time), time])
    right = jnp.stack([jnp.full_like(time, LENGTH), time])
    return value(layers, left) - value(layers, right)


def start(seed: int) -> networks.Layers:
    """Weights drawn from a seed."""
    return networks.init(SIZES, seed=seed)
