"""A cavity whose lid moves: the steady Navier-Stokes equations, Re = 100, beside Ghia's table.

The velocity jumps where the lid meets a wall. Taylor's flow at a scraping corner jumps in the same
way; the network has it as a unit at both corners, and its coefficients are trained.

Source: Ghia, Ghia & Shin 1982, J. Comput. Phys. 48, 387-411.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import pde
from thalweg_lab.pde import references
from thalweg_lab.pde.base import NOT_READ, Script, main

REYNOLDS = 100.0
D = 1 / (1 - np.pi**2 / 4)
C, A = D * np.pi / 2, -D * np.pi**2 / 4


def scraper(along: jax.Array, below: jax.Array) -> jax.Array:
    """Creeping flow at the left corner: velocity along the lid and down from it, pressure.

    Source: Taylor 1962; stream function r (A sin θ + C θ sin θ + D θ cos θ).
    """
    r, angle = jnp.sqrt(along**2 + below**2 + 1e-300), jnp.arctan2(below, along)
    s, c = jnp.sin(angle), jnp.cos(angle)
    f = A * s + C * angle * s + D * angle * c
    slope = A * c + C * (s + angle * c) + D * (c - angle * s)
    pressure = 2 / REYNOLDS / r * (C * s + D * c)
    return jnp.stack([slope * c + f * s, slope * s - f * c, pressure])


@dataclasses.dataclass(frozen=True)
class WithScrapers:
    """A network of u, v and p, and the flow at both corners of the lid."""

    network: pde.MLP

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """Those of the network, and a coefficient for each corner and output."""
        return {"network": self.network.init(inputs, outputs, seed), "corners": np.ones((2, 3))}

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """Inputs are the coordinates, scaled from [0, 1]² to [-1, 1]²."""
        x, y = (z + 1) / 2
        left = scraper(x, 1 - y) * jnp.array([1.0, -1.0, 1.0])
        right = scraper(1 - x, 1 - y) * jnp.array([1.0, 1.0, -1.0])
        smooth = self.network.apply(params["network"], z)
        return smooth + jnp.sum(params["corners"] * jnp.stack([left, right]), axis=0)


def equation(w, x):
    """Momentum, weighted down at the corners, and mass."""
    slopes = pde.jacobian(w)(x)
    viscous = jnp.stack([pde.laplacian(pde.component(w, k))(x) for k in (0, 1)])
    momentum = slopes[:2] @ w(x)[:2] + slopes[2] - viscous / REYNOLDS
    apart = [jnp.linalg.norm(x - jnp.array(corner)) for corner in ((0.0, 1.0), (1.0, 1.0))]
    tame = jnp.minimum(apart[0] / 0.2, 1) * jnp.minimum(apart[1] / 0.2, 1)
    return tame * momentum, slopes[0, 0] + slopes[1, 1]


def lid(x: jax.Array) -> jax.Array:
    """The speed along the edge: 1 on the lid."""
    return jnp.where(x[1] > 1 - 1e-9, 1.0, 0.0)


def compared() -> tuple[np.ndarray, np.ndarray]:
    """The points of Ghia's tables: upright through the middle for u, level for v."""
    half = lambda values: np.full(len(values), 0.5)  # noqa: E731 - it has no name of its own
    upright = np.column_stack([half(references.GHIA_Y), references.GHIA_Y])
    level = np.column_stack([references.GHIA_X, half(references.GHIA_X)])
    return upright, level


def problem() -> pde.Problem:
    """The pressure is given at no point: any constant may be added."""
    return pde.Problem(
        domain=pde.Box((0, 0), (1, 1)),
        equation=equation,
        conditions=[
            pde.Dirichlet(lid, component=0),
            pde.Dirichlet(0.0, component=1),
        ],
        outputs=3,
        name="Lid-driven cavity, Re = 100",
    )


def measure(result: pde.Result) -> float:
    """The relative L2 error against Ghia's 34 numbers."""
    upright, level = compared()
    u, v = result.u(upright)[:, 0], result.u(level)[:, 1]
    known = np.array([*references.GHIA_U, *references.GHIA_V])
    return float(np.linalg.norm(np.concatenate([u, v]) - known) / np.linalg.norm(known))


SCRIPT = Script(
    "cavity",
    problem,
    {
        "network": WithScrapers(pde.MLP(width=20, depth=2)),
        "points": 1000,
        "edge_points": 400,
        "seconds": 60,
    },
    NOT_READ,
    "Taylor's flow at the corners of the lid as units",
    measure,
)

if __name__ == "__main__":
    main(SCRIPT)
