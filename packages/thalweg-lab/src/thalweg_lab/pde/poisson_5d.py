"""Poisson in five dimensions: -Δu = π² Σ sin πx_k on the unit cube.

Source: Müller & Zeinhofer 2023, arXiv:2302.13163, section 4.
"""

import jax
import jax.numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import NOT_READ, Script, main

DIMENSION = 5


def exact(x: jax.Array) -> jax.Array:
    """The solution."""
    return jnp.sum(jnp.sin(jnp.pi * x))


def equation(u, x):
    """Δu + π² Σ sin πx_k."""
    return pde.laplacian(u)(x) + jnp.pi**2 * exact(x)


def problem() -> pde.Problem:
    """The values of the solution on all ten faces."""
    return pde.Problem(
        domain=pde.Box((0.0,) * DIMENSION, (1.0,) * DIMENSION),
        equation=equation,
        conditions=[pde.Dirichlet(exact)],
        reference=exact,
        name="Poisson in 5 dimensions",
    )


SCRIPT = Script(
    "poisson-5d",
    problem,
    {"network": pde.MLP(width=64, depth=1), "points": 2000, "edge_points": 500, "seconds": 60},
    NOT_READ,
    "",
)

if __name__ == "__main__":
    main(SCRIPT)
