"""Reaction: u_t = 5 u (1 - u) from a bell, on a circle. No term couples neighbouring places.

Source: Krishnapriyan et al. 2021, arXiv:2109.01050.
"""

import jax
import jax.numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main

RATE = 5.0


def start(x: jax.Array) -> jax.Array:
    """A bell around π."""
    return jnp.exp(-((x - jnp.pi) ** 2) / (2 * (jnp.pi / 4) ** 2))


def exact(x: jax.Array, t: jax.Array) -> jax.Array:
    """The solution."""
    grown = start(x) * jnp.exp(RATE * t)
    return grown / (grown + 1 - start(x))


def equation(u, x, t):
    """u_t - 5 u (1 - u)."""
    return pde.dt(u)(x, t) - RATE * u(x, t) * (1 - u(x, t))


def problem() -> pde.Problem:
    """The two ends have equal values by symmetry; slopes are not equal there."""
    return pde.Problem(
        domain=pde.Interval(0, 2 * jnp.pi),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(start, hard=True), pde.Periodic(hard=False, order=0)],
        reference=exact,
        name="Reaction, ρ = 5",
    )


SCRIPT = Script(
    "reaction",
    problem,
    {"network": pde.MLP(width=25, depth=2), "points": 2000, "edge_points": 100, "seconds": 40},
    Published(9.92e-3, "Rathore et al. 2024, arXiv:2402.01868, table 2", "one NVIDIA Titan V"),
    "hard start",
)

if __name__ == "__main__":
    main(SCRIPT)
