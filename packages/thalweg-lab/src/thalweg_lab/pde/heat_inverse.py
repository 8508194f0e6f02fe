"""Heat with an unknown conductivity: u_t = k u_xx, and 200 measurements with noise 0.01.

The error of u is against the solution for the true k = 0.1, which the noise hides: the best
estimate possible is off by about its standard error.
"""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import pde
from thalweg_lab.pde.base import NOT_READ, Script, main

CONDUCTIVITY, NOISE, COUNT = 0.1, 0.01, 200


def start(x: jax.Array) -> jax.Array:
    """Two sines."""
    return jnp.sin(jnp.pi * x) + 0.5 * jnp.sin(3 * jnp.pi * x)


def exact(x, t):
    """The solution for the true conductivity."""
    rate = CONDUCTIVITY * jnp.pi**2 * t
    slow = jnp.exp(-rate) * jnp.sin(jnp.pi * x)
    return slow + 0.5 * jnp.exp(-9 * rate) * jnp.sin(3 * jnp.pi * x)


def equation(u, x, t, c):
    """u_t - k u_xx."""
    return pde.dt(u)(x, t) - c["k"] * pde.partial(u, order=2)(x, t)


def problem() -> pde.Problem:
    """The start and the ends are known; the guess of k is ten times too large."""
    random = np.random.default_rng(0)
    at = random.random((COUNT, 2))
    measured = np.asarray(exact(at[:, 0], at[:, 1])) + NOISE * random.standard_normal(COUNT)
    return pde.Problem(
        domain=pde.Interval(0, 1),
        time=(0, 1),
        equation=equation,
        conditions=[
            pde.Initial(start, hard=True),
            pde.Dirichlet(0.0, hard=True),
            pde.Data(at, measured, noise=NOISE),
        ],
        unknowns={"k": 1.0},
        reference=exact,
        name="Heat, unknown conductivity",
    )


SCRIPT = Script(
    "heat-inverse",
    problem,
    {"network": pde.MLP(width=12, depth=2), "points": 1500, "seconds": 20},
    NOT_READ,
    "hard start and ends",
)

if __name__ == "__main__":
    main(SCRIPT)
