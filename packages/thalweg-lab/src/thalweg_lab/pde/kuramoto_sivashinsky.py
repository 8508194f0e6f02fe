"""Kuramoto-Sivashinsky: u_t + 5 u u_x + 0.5 u_xx + 0.005 u_xxxx = 0 on a circle, from -sin πx.

The regime is regular: waves steepen and settle, and small errors do not grow without bound.

Source: Wang, Sankaran & Perdikaris 2022, arXiv:2203.07404, `KS/regular_KS.py` of their repository.
"""

import numpy as np
from jax import numpy as jnp

from thalweg import pde
from thalweg_lab.pde import references
from thalweg_lab.pde.base import NOT_READ, Script, main

ADVECTION, GROWTH, DAMPING = 5.0, 0.5, 0.005


def equation(u, x, t):
    """u_t + 5 u u_x + 0.5 u_xx + 0.005 u_xxxx."""
    value, slope, second, _, fourth = pde.taylor(u, 4)(x, t)
    return pde.dt(u)(x, t) + ADVECTION * value * slope + GROWTH * second + DAMPING * fourth


def problem() -> pde.Problem:
    """Compared with 512 Fourier modes and 5,000 steps."""
    x, t, values = references.periodic(
        lambda x: -np.sin(np.pi * x),
        lambda k: GROWTH * k**2 - DAMPING * k**4,
        (2, lambda k: -0.5j * ADVECTION * k),
        low=-1.0, length=2.0, end=1.0, steps=5000, shots=101,
    )  # fmt: skip
    return pde.Problem(
        domain=pde.Interval(-1, 1),
        time=(0, 1),
        equation=equation,
        conditions=[pde.Initial(lambda x: -jnp.sin(jnp.pi * x)), pde.Periodic()],
        reference=pde.Table.of_grid(x[::2], t, values[::2]),
        name="Kuramoto-Sivashinsky",
    )


SCRIPT = Script(
    "kuramoto-sivashinsky",
    problem,
    {"network": pde.MLP(width=25, depth=2, waves=4), "points": 2000, "windows": 10, "seconds": 280},
    NOT_READ,
    "periodic inputs, 10 windows of time",
)

if __name__ == "__main__":
    main(SCRIPT)
