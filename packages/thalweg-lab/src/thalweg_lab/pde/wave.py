"""Wave: u_tt = 4 u_xx between fixed ends, two standing waves that beat.

Source: Wang, Yu & Perdikaris 2022, J. Comput. Phys. 449, 110768; with β = 5 as in Rathore et al.
"""

import jax
import jax.numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main

FAST = 5


def start(x: jax.Array) -> jax.Array:
    """A slow sine and a fast one."""
    return jnp.sin(jnp.pi * x) + 0.5 * jnp.sin(FAST * jnp.pi * x)


def exact(x, t):
    """The solution."""
    slow = jnp.sin(jnp.pi * x) * jnp.cos(2 * jnp.pi * t)
    return slow + 0.5 * jnp.sin(FAST * jnp.pi * x) * jnp.cos(2 * FAST * jnp.pi * t)


def equation(u, x, t):
    """u_tt - 4 u_xx, in units of the fast wave."""
    return (pde.dt(u, 2)(x, t) - 4 * pde.partial(u, order=2)(x, t)) / (FAST * jnp.pi) ** 2


def problem() -> pde.Problem:
    """Place and velocity are given at the start."""
    return pde.Problem(
        domain=pde.Interval(0, 1),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(start), pde.Initial(0.0, order=1), pde.Dirichlet(0.0)],
        reference=exact,
        name="Wave, β = 5",
    )


SCRIPT = Script(
    "wave",
    problem,
    {"network": pde.MLP(width=25, depth=2), "points": 2000, "windows": 4, "seconds": 100},
    Published(1.27e-2, "Rathore et al. 2024, arXiv:2402.01868, table 2", "one NVIDIA Titan V"),
    "4 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
