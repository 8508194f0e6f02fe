"""Allen-Cahn: u_t = 0.0001 u_xx + 5 u - 5 u³ on a circle, from x² cos πx. Layers sharpen.

Source: Wight & Zhao 2020, arXiv:2007.04542; as in jaxpi.
"""

import numpy as np
from jax import numpy as jnp

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main
from thalweg_lab.problems import allen_cahn

DIFFUSION = allen_cahn.DIFFUSION


def equation(u, x, t):
    """u_t - 0.0001 u_xx - 5 u + 5 u³."""
    value, _, curvature = pde.taylor(u, 2)(x, t)
    return pde.dt(u)(x, t) - DIFFUSION * curvature - 5 * value + 5 * value**3


def problem() -> pde.Problem:
    """Compared with a cosine series; u is even."""
    t = np.linspace(0, 1, 51)
    x, values = allen_cahn.reference(t)
    return pde.Problem(
        domain=pde.Interval(-1, 1),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(lambda x: x**2 * jnp.cos(jnp.pi * x)), pde.Periodic()],
        reference=pde.Table.of_grid(x[::8], t, values[::8]),
        name="Allen-Cahn",
    )


SCRIPT = Script(
    "allen-cahn",
    problem,
    {"network": pde.MLP(width=25, depth=2, waves=4), "points": 2000, "windows": 4, "seconds": 160},
    Published(1.88e-6, "Toscano et al. 2025 (vRBA), notebook PINN/plots in their repository"),
    "periodic inputs, 4 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
