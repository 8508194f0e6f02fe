"""The test problems of Moré, Garbow and Hillstrom whose size can be chosen, 21 to 35.

The size is 10 where no other is said; it is one for which the article states the minimum.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg_lab.fits.mgh import MGH

N = 10
INNER = np.arange(1.0, N + 1.0)  # the index i of a parameter, from 1
GRID = INNER / (N + 1.0)  # the points of problems 28 and 29
BELOW, ABOVE = 5, 1  # the widths of the band of problem 31
PENALTY = 1e-5  # the weight `a` of problems 23 and 24


@MGH.add(
    "extended Rosenbrock", np.tile([-1.2, 1.0], 5), minimum=0.0, minimizer=np.ones(10), source="21"
)
def _extended_rosenbrock(x: jax.Array) -> jax.Array:
    odd, even = x[::2], x[1::2]
    return jnp.stack([10.0 * (even - odd**2), 1.0 - odd], axis=1).ravel()


@MGH.add(
    "extended Powell singular",
    np.tile([3.0, -1.0, 0.0, 1.0], 3),
    minimum=0.0,
    minimizer=np.zeros(12),
    source="22",
)
def _extended_powell_singular(x: jax.Array) -> jax.Array:
    a, b, c, d = x.reshape(3, 4).T
    first, second = a + 10.0 * b, np.sqrt(5.0) * (c - d)
    rows = [first, second, (b - 2.0 * c) ** 2, np.sqrt(10.0) * (a - d) ** 2]
    return jnp.stack(rows, axis=1).ravel()


@MGH.add("penalty I", INNER, minimum=7.08765e-5, source="23")
def _penalty_1(x: jax.Array) -> jax.Array:
    return jnp.append(np.sqrt(PENALTY) * (x - 1.0), x @ x - 0.25)


@MGH.add("penalty II", np.full(N, 0.5), minimum=2.93660e-4, source="24")
def _penalty_2(x: jax.Array) -> jax.Array:
    y = np.exp(INNER[1:] / 10.0) + np.exp(INNER[:-1] / 10.0)
    powers = jnp.exp(x / 10.0)
    weak = jnp.concatenate([powers[1:] + powers[:-1] - y, powers[1:] - np.exp(-0.1)])
    last = INNER[::-1] @ x**2 - 1.0
    return jnp.concatenate([x[:1] - 0.2, np.sqrt(PENALTY) * weak, last[None]])


@MGH.add("variably dimensioned", 1.0 - INNER / N, minimum=0.0, minimizer=np.ones(N), source="25")
def _variably_dimensioned(x: jax.Array) -> jax.Array:
    total = INNER @ (x - 1.0)
    return jnp.concatenate([x - 1.0, jnp.stack([total, total**2])])


@MGH.add("trigonometric", np.full(N, 1.0 / N), minimum=0.0, source="26")
def _trigonometric(x: jax.Array) -> jax.Array:
    return N - jnp.cos(x).sum() + INNER * (1.0 - jnp.cos(x)) - jnp.sin(x)


@MGH.add("Brown almost linear", np.full(N, 0.5), minimum=0.0, minimizer=np.ones(N), source="27")
def _brown_almost_linear(x: jax.Array) -> jax.Array:
    """The squares are 1 where all parameters but the last are 0 and that is 11."""
    return jnp.append(x[:-1] + x.sum() - (N + 1.0), jnp.prod(x) - 1.0)


def _neighbours(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The parameter before each and the one after it, zero beyond the ends."""
    padded = jnp.pad(x, 1)
    return padded[:-2], padded[2:]


@MGH.add("discrete boundary value", GRID * (GRID - 1.0), minimum=0.0, source="28")
def _boundary_value(x: jax.Array) -> jax.Array:
    before, after = _neighbours(x)
    return 2.0 * x - before - after + (x + GRID + 1.0) ** 3 / (2.0 * (N + 1.0) ** 2)


@MGH.add("discrete integral equation", GRID * (GRID - 1.0), minimum=0.0, source="29")
def _integral_equation(x: jax.Array) -> jax.Array:
    """Green's function of the second derivative is the smaller of t and s minus their product."""
    green = np.minimum(GRID[:, None], GRID) - np.outer(GRID, GRID)
    return x + green @ (x + GRID + 1.0) ** 3 / (2.0 * (N + 1.0))


@MGH.add("Broyden tridiagonal", np.full(N, -1.0), minimum=0.0, source="30")
def _broyden_tridiagonal(x: jax.Array) -> jax.Array:
    before, after = _neighbours(x)
    return (3.0 - 2.0 * x) * x - before - 2.0 * after + 1.0


@MGH.add("Broyden banded", np.full(N, -1.0), minimum=0.0, source="31")
def _broyden_banded(x: jax.Array) -> jax.Array:
    """Each equation holds up to five parameters before its own and one after it."""
    ahead = INNER[None, :] - INNER[:, None]
    band = ((ahead >= -BELOW) & (ahead <= ABOVE) & (ahead != 0.0)).astype(float)
    return x * (2.0 + 5.0 * x**2) + 1.0 - band @ (x * (1.0 + x))


@MGH.add("linear of full rank", np.ones(N), minimum=N, minimizer=np.full(N, -1.0), source="32")
def _linear(x: jax.Array) -> jax.Array:
    return jnp.pad(x, (0, N)) - x.sum() / N - 1.0  # twice as many residuals as parameters


@MGH.add("linear of rank 1", np.ones(N), minimum=190.0 / 41.0, source="33")
def _linear_rank_1(x: jax.Array) -> jax.Array:
    """With m = 20 residuals the minimum is m (m - 1) / (2 (2m + 1))."""
    return jnp.arange(1.0, 21.0) * (INNER @ x) - 1.0


@MGH.add("linear of rank 1 with zeros", np.ones(N), minimum=227.0 / 37.0, source="34")
def _linear_rank_1_zeros(x: jax.Array) -> jax.Array:
    """The first and the last parameter do not matter; the minimum is (m² + 3m - 6)/(2 (2m - 3))."""
    factors = jnp.append(jnp.arange(19.0), 0.0)
    return factors * (INNER[1:-1] @ x[1:-1]) - 1.0


@MGH.add("Chebyquad", np.arange(1.0, 9.0) / 9.0, minimum=3.51687e-3, source="35")
def _chebyquad(x: jax.Array) -> jax.Array:
    """Means of Chebyshev polynomials over eight points of [0, 1], minus their integrals."""
    y = 2.0 * x - 1.0
    values = [jnp.ones_like(y), y]
    for _ in range(7):
        values.append(2.0 * y * values[-1] - values[-2])
    means = jnp.stack(values[1:]).mean(axis=1)
    integrals = np.array([0.0, -1 / 3, 0.0, -1 / 15, 0.0, -1 / 35, 0.0, -1 / 63])
    return means - integrals
