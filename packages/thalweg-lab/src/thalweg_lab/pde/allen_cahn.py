"""Allen-Cahn: u_t = 0.0001 u_xx + 5 u - 5 u³ on a circle, from x² cos πx. Layers sharpen.

Source: Wight & Zhao 2020, arXiv:2007.04542; as in jaxpi.
"""

import numpy as np
from jax import numpy as jnp
from jax.scipy.special import erf

from thalweg import pde
from thalweg_lab.pde.base import Published, Script, main
from thalweg_lab.problems import allen_cahn

DIFFUSION = allen_cahn.DIFFUSION
TINY = 1e-16  # keeps the derivative by t finite at the start


def with_kink(u):
    """The network, plus the kink of the start at x = ±1 and how it decays.

    On the circle the slope of x² cos πx jumps there by 4, where u = -1. Close by, u + 1 satisfies
    the heat equation with a decay of 10, in which |d| becomes d erf(d/s) + s/√π exp(-(d/s)²) with
    s² = 4 Dt. `distance` is even, and smooth everywhere else.
    """

    def field(x, t):
        distance = 2 / jnp.pi * jnp.cos(jnp.pi * x / 2)
        width = jnp.sqrt(4 * DIFFUSION * t + TINY)
        ratio = distance / width
        kink = distance * erf(ratio) + width / jnp.sqrt(jnp.pi) * jnp.exp(-(ratio**2))
        return u(x, t) + 2 * jnp.exp(-10 * t) * kink

    return field


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
    {
        "network": pde.MLP(width=25, depth=2, waves=4),
        "points": 2000,
        "windows": 4,
        "transform": with_kink,
        "seconds": 160,
    },
    Published(1.88e-6, "Toscano et al. 2025 (vRBA), notebook PINN/plots in their repository"),
    "periodic inputs, the kink of the start as a summand, 4 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
