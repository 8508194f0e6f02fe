"""The test problems of Moré, Garbow and Hillstrom with a fixed number of parameters, 1 to 20.

`mgh_variable` has those whose size can be chosen, 21 to 35. The article prints problem 11 with a
product of y, m, i and x₂ where y - x₂ is meant; MINPACK and CUTEst have it right. Problem 20 has
nine parameters, one of its three published sizes.

Source: J. J. Moré, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization software",
ACM Transactions on Mathematical Software 7 (1981), 17-41.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg_lab.fits.collection import Collection, data

MGH = Collection("MGH", "Moré, Garbow and Hillstrom, ACM TOMS 7 (1981), problem {}.")


@MGH.add("Rosenbrock", (-1.2, 1.0), minimum=0.0, minimizer=(1.0, 1.0), source="1")
def _rosenbrock(x: jax.Array) -> jax.Array:
    return jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


@MGH.add("Freudenstein-Roth", (0.5, -2.0), minimum=0.0, minimizer=(5.0, 4.0), source="2")
def _freudenstein_roth(x: jax.Array) -> jax.Array:
    """Another minimum, 48.9842, lies at (11.41, -0.8968)."""
    first = x[0] - 13.0 + ((5.0 - x[1]) * x[1] - 2.0) * x[1]
    return jnp.stack([first, x[0] - 29.0 + ((x[1] + 1.0) * x[1] - 14.0) * x[1]])


@MGH.add("Powell badly scaled", (0.0, 1.0), minimum=0.0, source="3")
def _powell_badly_scaled(x: jax.Array) -> jax.Array:
    return jnp.stack([1e4 * x[0] * x[1] - 1.0, jnp.exp(-x[0]) + jnp.exp(-x[1]) - 1.0001])


@MGH.add("Brown badly scaled", (1.0, 1.0), minimum=0.0, minimizer=(1e6, 2e-6), source="4")
def _brown_badly_scaled(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0])


@MGH.add("Beale", (1.0, 1.0), minimum=0.0, minimizer=(3.0, 0.5), source="5")
def _beale(x: jax.Array) -> jax.Array:
    powers = jnp.stack([x[1], x[1] ** 2, x[1] ** 3])
    return jnp.array([1.5, 2.25, 2.625]) - x[0] * (1.0 - powers)


@MGH.add("Jennrich-Sampson", (0.3, 0.4), minimum=124.362, source="6")
def _jennrich_sampson(x: jax.Array) -> jax.Array:
    i = jnp.arange(1.0, 11.0)
    return 2.0 + 2.0 * i - (jnp.exp(i * x[0]) + jnp.exp(i * x[1]))


@MGH.add("Helical valley", (-1.0, 0.0, 0.0), minimum=0.0, minimizer=(1.0, 0.0, 0.0), source="7")
def _helical_valley(x: jax.Array) -> jax.Array:
    """The angle, in turns, is from -1/4 to 3/4."""
    turns = jnp.arctan(x[1] / x[0]) / (2.0 * jnp.pi) + jnp.where(x[0] < 0.0, 0.5, 0.0)
    radius = jnp.sqrt(x[0] ** 2 + x[1] ** 2)
    return jnp.stack([10.0 * (x[2] - 10.0 * turns), 10.0 * (radius - 1.0), x[2]])


@MGH.add("Bard", (1.0, 1.0, 1.0), minimum=8.21487e-3, source="8")
def _bard(x: jax.Array) -> jax.Array:
    """With x₂ and x₃ at minus infinity the squares tend to 17.4286."""
    u = np.arange(1.0, 16.0)
    v = 16.0 - u
    return data("Bard")["y"] - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


@MGH.add("Gaussian", (0.4, 1.0, 0.0), minimum=1.12793e-8, source="9")
def _gaussian(x: jax.Array) -> jax.Array:
    t = (8.0 - np.arange(1.0, 16.0)) / 2.0
    return x[0] * jnp.exp(-x[1] * (t - x[2]) ** 2 / 2.0) - data("Gaussian")["y"]


@MGH.add("Meyer", (0.02, 4000.0, 250.0), minimum=87.9458, source="10")
def _meyer(x: jax.Array) -> jax.Array:
    t = 45.0 + 5.0 * np.arange(1.0, 17.0)
    return x[0] * jnp.exp(x[1] / (t + x[2])) - data("Meyer")["y"]


@MGH.add("Gulf", (5.0, 2.5, 0.15), minimum=0.0, minimizer=(50.0, 25.0, 1.5), source="11")
def _gulf(x: jax.Array) -> jax.Array:
    t = np.arange(1.0, 100.0) / 100.0
    y = 25.0 + (-50.0 * np.log(t)) ** (2.0 / 3.0)
    return jnp.exp(-(jnp.abs(y - x[1]) ** x[2]) / x[0]) - t


@MGH.add("Box", (0.0, 10.0, 20.0), minimum=0.0, source="12")
def _box(x: jax.Array) -> jax.Array:
    """Zero at (1, 10, 1), at (10, 1, -1), and wherever x₁ = x₂ and x₃ = 0."""
    t = 0.1 * np.arange(1.0, 11.0)
    return jnp.exp(-t * x[0]) - jnp.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10.0 * t))


@MGH.add("Powell singular", (3.0, -1.0, 0.0, 1.0), minimum=0.0, minimizer=np.zeros(4), source="13")
def _powell_singular(x: jax.Array) -> jax.Array:
    return jnp.stack(
        [
            x[0] + 10.0 * x[1],
            np.sqrt(5.0) * (x[2] - x[3]),
            (x[1] - 2.0 * x[2]) ** 2,
            np.sqrt(10.0) * (x[0] - x[3]) ** 2,
        ]
    )


@MGH.add("Wood", (-3.0, -1.0, -3.0, -1.0), minimum=0.0, minimizer=np.ones(4), source="14")
def _wood(x: jax.Array) -> jax.Array:
    return jnp.stack(
        [
            10.0 * (x[1] - x[0] ** 2),
            1.0 - x[0],
            np.sqrt(90.0) * (x[3] - x[2] ** 2),
            1.0 - x[2],
            np.sqrt(10.0) * (x[1] + x[3] - 2.0),
            (x[1] - x[3]) / np.sqrt(10.0),
        ]
    )


@MGH.add("Kowalik-Osborne", (0.25, 0.39, 0.415, 0.39), minimum=3.07505e-4, source="15")
def _kowalik_osborne(x: jax.Array) -> jax.Array:
    """With x₁, x₃ and x₄ at infinity the squares tend to 1.02734e-3."""
    u, y = data("Kowalik-Osborne").values()
    return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


@MGH.add("Brown-Dennis", (25.0, 5.0, -5.0, -1.0), minimum=85822.2, source="16")
def _brown_dennis(x: jax.Array) -> jax.Array:
    t = np.arange(1.0, 21.0) / 5.0
    growth = x[0] + t * x[1] - np.exp(t)
    return growth**2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


@MGH.add("Osborne 1", (0.5, 1.5, -1.0, 0.01, 0.02), minimum=5.46489e-5, source="17")
def _osborne_1(x: jax.Array) -> jax.Array:
    t = 10.0 * np.arange(33.0)
    model = x[0] + x[1] * jnp.exp(-t * x[3]) + x[2] * jnp.exp(-t * x[4])
    return data("Osborne 1")["y"] - model


@MGH.add("Biggs EXP6", (1.0, 2.0, 1.0, 1.0, 1.0, 1.0), minimum=0.0, source="18")
def _biggs_exp6(x: jax.Array) -> jax.Array:
    """Zero at (1, 10, 1, 5, 4, 3); another minimum is 5.65565e-3."""
    t = 0.1 * np.arange(1.0, 14.0)
    y = np.exp(-t) - 5.0 * np.exp(-10.0 * t) + 3.0 * np.exp(-4.0 * t)
    first = x[2] * jnp.exp(-t * x[0]) - x[3] * jnp.exp(-t * x[1])
    return first + x[5] * jnp.exp(-t * x[4]) - y


@MGH.add(
    "Osborne 2",
    (1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5),
    minimum=4.01377e-2,
    source="19",
)
def _osborne_2(x: jax.Array) -> jax.Array:
    t = np.arange(65.0) / 10.0
    peaks = (x[k] * jnp.exp(-x[k + 4] * (t - x[k + 7]) ** 2) for k in (1, 2, 3))
    return data("Osborne 2")["y"] - (x[0] * jnp.exp(-t * x[4]) + sum(peaks))


@MGH.add("Watson", np.zeros(9), minimum=1.39976e-6, source="20")
def _watson(x: jax.Array) -> jax.Array:
    t = np.arange(1.0, 30.0) / 29.0
    powers = t[:, None] ** np.arange(9.0)
    slopes = np.arange(1.0, 9.0) * powers[:, :-1]
    inner = slopes @ x[1:] - (powers @ x) ** 2 - 1.0
    return jnp.concatenate([inner, jnp.stack([x[0], x[1] - x[0] ** 2 - 1.0])])
