"""Korteweg-de Vries: u_t + u u_x + 0.022² u_xxx = 0 on a circle. cos πx breaks into solitons.

Source: Zabusky & Kruskal 1965, Phys. Rev. Lett. 15, 240-243; as in jaxpi.
"""

import numpy as np
from jax import numpy as jnp

from thalweg import pde
from thalweg_lab.pde import references
from thalweg_lab.pde.base import Published, Script, main

DISPERSION = 0.022**2


def equation(u, x, t):
    """u_t + u u_x + 0.022² u_xxx."""
    value, slope, _, third = pde.taylor(u, 3)(x, t)
    return pde.dt(u)(x, t) + value * slope + DISPERSION * third


def problem() -> pde.Problem:
    """Compared with 512 Fourier modes and 5,000 steps."""
    x, t, values = references.periodic(
        lambda x: np.cos(np.pi * x),
        lambda k: 1j * DISPERSION * k**3,
        (2, lambda k: -0.5j * k),
        low=-1.0, length=2.0, end=1.0, steps=5000, shots=101,
    )  # fmt: skip
    return pde.Problem(
        domain=pde.Interval(-1, 1),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(lambda x: jnp.cos(jnp.pi * x)), pde.Periodic()],
        reference=pde.Table.of_grid(x[::2], t, values[::2]),
        name="Korteweg-de Vries",
    )


SCRIPT = Script(
    "korteweg-de-vries",
    problem,
    {"network": pde.MLP(width=25, depth=2, waves=5), "points": 2000, "windows": 6, "seconds": 240},
    Published(2.17e-6, "Toscano et al. 2025 (vRBA), notebook PINN/plots in their repository"),
    "periodic inputs, 6 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
