"""Burgers: u_t + u u_x = 0.01/π u_xx. From -sin πx a layer of width 0.01 forms at the middle.

Source: Raissi, Perdikaris & Karniadakis 2019, J. Comput. Phys. 378, 686-707.
"""

import jax.numpy as jnp
import numpy as np

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main
from thalweg_lab.problems import burgers

VISCOSITY = burgers.VISCOSITY


def odd(u):
    """What is odd in x, as the solution is."""
    return lambda x, t: (u(x, t) - u(-x, t)) / 2


def crowded(x, t):
    """Points crowd at the layer."""
    del t
    return 1 / (jnp.abs(x) + 0.01)


def equation(u, x, t):
    """u_t + u u_x - ν u_xx."""
    value, slope, curvature = pde.taylor(u, 2)(x, t)
    return pde.dt(u)(x, t) + value * slope - VISCOSITY * curvature


def problem() -> pde.Problem:
    """Compared with Cole and Hopf's solution."""
    x, t = np.meshgrid(burgers.X, burgers.T, indexing="ij")
    values = burgers.exact(x.ravel(), t.ravel())
    return pde.Problem(
        domain=pde.Interval(-1, 1),
        time=(0, 1),
        equation=equation,
        conditions=[
            pde.Initial(lambda x: -jnp.sin(jnp.pi * x), hard=True),
            pde.Dirichlet(0.0, hard=True),
        ],
        reference=pde.Table(np.column_stack([x.ravel(), t.ravel()]), values),
        name="Burgers, ν = 0.01/π",
    )


SCRIPT = Script(
    "burgers",
    problem,
    {
        "network": pde.MLP(width=20, depth=3),
        "points": 2500,
        "density": crowded,
        "transform": odd,
        "seconds": 200,
    },
    Published(5.30e-9, "Toscano et al. 2025 (vRBA), notebook Sensitivity_Analysis/Burgers/plots"),
    "hard start and ends, made odd, points crowd at the layer",
)

if __name__ == "__main__":
    main(SCRIPT)
