"""Helmholtz: Δu + u = q on a square, with one wave along x and four along y.

Source: Wang, Teng & Perdikaris 2021, SIAM J. Sci. Comput. 43, A3055.
"""

import jax
import jax.numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main

WAVES = jnp.pi * jnp.array([1.0, 4.0])


def exact(x: jax.Array) -> jax.Array:
    """The solution."""
    return jnp.prod(jnp.sin(WAVES * x))


def equation(u, x):
    """Δu + u - q."""
    return pde.laplacian(u)(x) + u(x) + (jnp.sum(WAVES**2) - 1) * exact(x)


def problem() -> pde.Problem:
    """A hard condition: 0 on the edge."""
    return pde.Problem(
        domain=pde.Box((-1, -1), (1, 1)),
        equation=equation,
        conditions=[pde.Dirichlet(0.0, hard=True)],
        reference=exact,
        name="Helmholtz, a₁ = 1, a₂ = 4",
    )


SCRIPT = Script(
    "helmholtz",
    problem,
    {
        "network": pde.MLP(width=20, depth=2, fourier=12, fourier_scale=5.0),
        "points": 3000,
        "seconds": 100,
    },
    Published(
        5.83e-6, "Anagnostopoulos et al. 2024, notebook helmholtz_fourier of their repository"
    ),
    "hard edge, random Fourier features",
)

if __name__ == "__main__":
    main(SCRIPT)
