"""Allen-Cahn: u_t = 0.0001 u_xx + 5 u - 5 u³ on a circle, from x² cos πx. Layers sharpen.

Source: Wight & Zhao 2020, arXiv:2007.04542; as in jaxpi.
"""

import numpy as np
from jax import numpy as jnp

from thalweg import pde
from thalweg_lab.pde import references
from thalweg_lab.pde.base import Published, Script, main

DIFFUSION = 1e-4


def equation(u, x, t):
    """u_t - 0.0001 u_xx - 5 u + 5 u³."""
    value, _, curvature = pde.taylor(u, 2)(x, t)
    return pde.dt(u)(x, t) - DIFFUSION * curvature - 5 * value + 5 * value**3


def problem() -> pde.Problem:
    """Compared with 4,096 Fourier modes and 500 steps; fewer miss the kink at the start."""
    x, t, values = references.periodic(
        lambda x: x**2 * np.cos(np.pi * x),
        lambda k: 5 - DIFFUSION * k**2,
        (3, lambda k: -5 + 0 * k),
        low=-1.0, length=2.0, end=1.0, steps=500, shots=101, modes=4096,
    )  # fmt: skip
    return pde.Problem(
        domain=pde.Interval(-1, 1),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(lambda x: x**2 * jnp.cos(jnp.pi * x)), pde.Periodic()],
        reference=pde.Table.of_grid(x[::16], t, values[::16]),
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
