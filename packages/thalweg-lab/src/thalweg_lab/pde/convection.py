"""Convection: u_t + 40 u_x = 0 on a circle, from sin x. The wave passes more than six times.

Source: Krishnapriyan et al. 2021, arXiv:2109.01050.
"""

import jax.numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main

SPEED = 40.0


def exact(x, t):
    """The solution."""
    return jnp.sin(x - SPEED * t)


def equation(u, x, t):
    """u_t / 40 + u_x."""
    return pde.dt(u)(x, t) / SPEED + pde.partial(u)(x, t)


def problem() -> pde.Problem:
    """Periodic by the inputs of the network."""
    return pde.Problem(
        domain=pde.Interval(0, 2 * jnp.pi),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(jnp.sin), pde.Periodic()],
        reference=exact,
        name="Convection, β = 40",
    )


SCRIPT = Script(
    "convection",
    problem,
    {"network": pde.MLP(width=16, depth=2), "points": 1000, "windows": 8, "seconds": 60},
    Published(1.94e-3, "Rathore et al. 2024, arXiv:2402.01868, table 2", "one NVIDIA Titan V"),
    "periodic inputs, 8 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
