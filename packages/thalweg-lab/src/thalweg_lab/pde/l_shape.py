"""Poisson on the L-shape: -Δu = 1, u = 0 on the edge. Slopes are infinite at the inner corner.

The network has units that carry the singular functions of the corners: r^(2k/3) sin(2kφ/3) at the
inner one, and Im(z² log z) at all. They are harmonic; their coefficients are trained.

Source: Lu et al. 2021, SIAM Review 63, 208-228 (the problem).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import pde
from thalweg_lab.pde import references
from thalweg_lab.pde.base import NOT_READ, Script, main

POWERS = 2 / 3 * np.array([1, 2, 4, 5, 7, 8])  # 3 and 6 are smooth


def singular(x: jax.Array) -> jax.Array:
    """The singular functions at a point, `(12,)`."""
    found = []
    for k, (corner, side, cut) in enumerate(references.L_CORNERS):
        at = x - jnp.array([np.real(corner), np.imag(corner)])
        r2 = jnp.sum(at**2) + 1e-300
        angle = jnp.mod(jnp.arctan2(at[1], at[0]) - side + cut, 2 * jnp.pi) - cut
        if k == 0:  # the inner corner
            found += [r2 ** (POWERS / 2) * jnp.sin(POWERS * angle)]
        wave = jnp.log(r2) / 2 * jnp.sin(2 * angle) + angle * jnp.cos(2 * angle)
        found += [(r2 * wave)[None]]
    return jnp.concatenate(found)


@dataclasses.dataclass(frozen=True)
class WithCorners:
    """A network and the singular functions; its inputs are the coordinates of [-1, 1]²."""

    network: pde.MLP

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """Those of the network, and coefficients of 0."""
        return {"network": self.network.init(inputs, outputs, seed), "corners": np.zeros(12)}

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """N(x) + Σ a_k s_k(x)."""
        smooth = self.network.apply(params["network"], z)
        return smooth + jnp.dot(params["corners"], singular(z))


def problem() -> pde.Problem:
    """Compared with a fit of singular functions that is good to nine digits."""
    x, y = np.meshgrid(np.linspace(-0.99, 0.99, 100), np.linspace(-0.99, 0.99, 100))
    inside = (x < 0) | (y < 0)
    x, y = x[inside], y[inside]
    return pde.Problem(
        domain=pde.LShape((-1, -1), (1, 1)),
        equation=lambda u, x: pde.laplacian(u)(x) + 1.0,
        conditions=[pde.Dirichlet(0.0)],
        reference=pde.Table(np.column_stack([x, y]), references.poisson_on_l_shape(x, y)),
        name="Poisson on the L-shape",
    )


SCRIPT = Script(
    "l-shape",
    problem,
    {
        "network": WithCorners(pde.MLP(width=16, depth=2)),
        "points": 1200,
        "edge_points": 400,
        "seconds": 40,
    },
    NOT_READ,
    "singular functions of the corners as units",
)

if __name__ == "__main__":
    main(SCRIPT)
