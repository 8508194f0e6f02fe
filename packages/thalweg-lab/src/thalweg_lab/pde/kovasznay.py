"""Kovasznay flow: the steady Navier-Stokes equations behind a grid, Re = 20.

Source: Kovasznay 1948, Proc. Camb. Phil. Soc. 44, 58-62; domain and Re as in DeepXDE's demo.
"""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main

REYNOLDS = 20.0
RATE = REYNOLDS / 2 - np.sqrt(REYNOLDS**2 / 4 + 4 * np.pi**2)


def exact(x: jax.Array) -> jax.Array:
    """u, v and the pressure."""
    decay, angle = jnp.exp(RATE * x[0]), 2 * jnp.pi * x[1]
    v = RATE / (2 * jnp.pi) * decay * jnp.sin(angle)
    return jnp.stack([1 - decay * jnp.cos(angle), v, (1 - decay**2) / 2])


def equation(w, x):
    """Momentum in two directions, and mass."""
    slopes = pde.jacobian(w)(x)
    velocity = w(x)[:2]
    viscous = jnp.stack([pde.laplacian(pde.component(w, k))(x) for k in (0, 1)])
    momentum = slopes[:2] @ velocity + slopes[2] - viscous / REYNOLDS
    return momentum, slopes[0, 0] + slopes[1, 1]


def problem() -> pde.Problem:
    """The velocity on the edge; the pressure on the right side, where it is all but constant."""
    return pde.Problem(
        domain=pde.Box((-0.5, -0.5), (1.0, 1.5)),
        equation=equation,
        conditions=[
            pde.Dirichlet(lambda x: exact(x)[0], component=0),
            pde.Dirichlet(lambda x: exact(x)[1], component=1),
            pde.Dirichlet(lambda x: exact(x)[2], on="right", component=2),
        ],
        outputs=3,
        reference=exact,
        name="Kovasznay flow, Re = 20",
    )


SCRIPT = Script(
    "kovasznay",
    problem,
    {"network": pde.MLP(width=20, depth=2), "points": 800, "edge_points": 400, "seconds": 60},
    Published(
        None,
        "no figure read; Jnini, Vella & Zeinhofer 2024, arXiv:2402.10680, claim close to single "
        "precision in their abstract",
    ),
    "",
)

if __name__ == "__main__":
    main(SCRIPT)
