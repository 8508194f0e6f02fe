"""Problems of CUTEst that are sums of squares, beyond those of NIST and of Moré and others.

CUTEst defines them in its files NAME.SIF. There a group's scale divides its square, not what is
squared.

Source: N. I. M. Gould, D. Orban and Ph. L. Toint, "CUTEst: a constrained and unconstrained testing
environment with safe threads", Computational Optimization and Applications 60 (2015), 545-557.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg_lab.fits.collection import Collection, data

CUTEST = Collection("CUTEst", "CUTEst: {}.")
DENNIS = "Dennis and Schnabel, Numerical Methods for Unconstrained Optimization (1983), p. {}"
OPTIMA = "the OPTIMA user manual, issue 8 (1989), p. {}"
HEART = "Dennis, Gay and Vu, A new nonlinear equations test problem (1985)"
GLASSER = "de Villiers and Glasser, SIAM Journal on Numerical Analysis 18 (1981), problem {}"
CIRCLE = "the SciPy cookbook's circle fit, case {}"


@CUTEST.add(
    "CUBE", (-1.2, 1.0), minimum=0.0, minimizer=(1.0, 1.0), source="Buckley (1989), problem 5"
)
def _cube(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] - 1.0, 10.0 * (x[1] - x[0] ** 3)])


@CUTEST.add("DENSCHNC", (2.0, 3.0), minimum=0.0, minimizer=(1.0, 1.0), source=DENNIS.format(98))
def _denschnc(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - 2.0, jnp.exp(x[0] - 1.0) + x[1] ** 3 - 2.0])


@CUTEST.add("DENSCHND", (10.0, 10.0, 10.0), minimum=0.0, source=DENNIS.format(83))
def _denschnd(x: jax.Array) -> jax.Array:
    """Zero along a line, where the Jacobian is zero too."""
    first = x[0] ** 2 + x[1] ** 3 - x[2] ** 4
    last = 2.0 * x[0] * x[1] - 3.0 * x[1] * x[2] + x[0] * x[2]
    return jnp.stack([first, 2.0 * x[0] * x[1] * x[2], last])


@CUTEST.add("DENSCHNE", (2.0, 3.0, -8.0), minimum=0.0, source=DENNIS.format(107))
def _denschne(x: jax.Array) -> jax.Array:
    """With x₃ at minus infinity the squares tend to 1."""
    return jnp.stack([x[0], x[1] + x[1] ** 2, jnp.exp(x[2]) - 1.0])


@CUTEST.add("DENSCHNF", (2.0, 0.0), minimum=0.0, source=DENNIS.format(107))
def _denschnf(x: jax.Array) -> jax.Array:
    first = 2.0 * (x[0] + x[1]) ** 2 + (x[0] - x[1]) ** 2 - 8.0
    return jnp.stack([first, 5.0 * x[0] ** 2 + (x[1] - 3.0) ** 2 - 9.0])


@CUTEST.add(
    "ENGVAL2",
    (1.0, 2.0, 0.0),
    minimum=0.0,
    minimizer=(0.0, 0.0, 1.0),
    source="Buckley (1989), problem 15",
)
def _engval2(x: jax.Array) -> jax.Array:
    circle = x[0] ** 2 + x[1] ** 2
    return jnp.stack(
        [
            circle + x[2] ** 2 - 1.0,
            circle + (x[2] - 2.0) ** 2 - 1.0,
            x[0] + x[1] + x[2] - 1.0,
            x[0] + x[1] - x[2] + 1.0,
            3.0 * x[1] ** 2 + x[0] ** 3 + (5.0 * x[2] - x[0] + 1.0) ** 2 - 36.0,
        ]
    )


@CUTEST.add("HATFLDD", (1.0, -1.0, 0.0), minimum=6.615114e-8, source=OPTIMA.format(35))
def _hatfldd(x: jax.Array) -> jax.Array:
    t, z = data("HATFLDD").values()
    return jnp.exp(t * x[2]) - x[0] * jnp.exp(t * x[1]) + z


@CUTEST.add("HATFLDE", (1.0, -1.0, 0.0), minimum=5.120377e-7, source=OPTIMA.format(37))
def _hatflde(x: jax.Array) -> jax.Array:
    t, z = data("HATFLDE").values()
    return jnp.exp(t * x[2]) - x[0] * jnp.exp(t * x[1]) + z


@CUTEST.add(
    "HATFLDFL",
    (1.2, -1.2, 0.98),
    minimum=0.0,
    minimizer=(4.0 / 2375.0, 1728.0 / 102125.0, 43.0 / 24.0),
    source=OPTIMA.format(47),
)
def _hatfldfl(x: jax.Array) -> jax.Array:
    """Zero at a finite point; from the start, descent leads to infinity and 6.017e-5."""
    return x[0] + x[1] * jnp.stack([x[2], x[2] ** 2, x[2] ** 3]) - np.array([0.032, 0.056, 0.099])


@CUTEST.add("HATFLDGLS", np.ones(25), minimum=0.0, source=OPTIMA.format(49))
def _hatfldgls(x: jax.Array) -> jax.Array:
    inner = (x[1:-1] + 1.0) * (x[:-2] + 1.0 - x[2:])
    products = jnp.concatenate([-x[:1] * x[1:2], inner, x[-2:-1] * x[-1:]])
    return products + x - x[12] + 1.0


def _dipoles(a: list[jax.Array], c: list[jax.Array], t: jax.Array, v: jax.Array) -> jax.Array:
    """Moments of the first three orders of two dipoles, as six sums.

    A dipole (a, c) at the place (t, v) is the complex number a + ic at t + iv.
    """
    moment, place = jnp.stack(a) + 1j * jnp.stack(c), t + 1j * v
    sums = [(moment * place**power).sum() for power in (1, 2, 3)]
    return jnp.stack([part for each in sums for part in (each.real, each.imag)])


@CUTEST.add("HEART6LS", (0.0, 0.0, 1.0, 1.0, 1.0, 1.0), minimum=0.0, source=HEART)
def _heart6ls(x: jax.Array) -> jax.Array:
    """The parameters are a, c, t, u, v and w; the sums of a, b and of c, d are given."""
    sums = _dipoles([x[0], -0.816 - x[0]], [x[1], -0.017 - x[1]], x[2:4], x[4:6])
    return sums - np.array([-1.826, -0.754, -4.839, -3.259, -14.023, 15.467])


@CUTEST.add("HEART8LS", (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0), minimum=0.0, source=HEART)
def _heart8ls(x: jax.Array) -> jax.Array:
    """The parameters are a, b, c, d, t, u, v and w."""
    sums = _dipoles([x[0], x[1]], [x[2], x[3]], x[4:6], x[6:8])
    moments = sums - np.array([-1.57, -1.31, -2.65, 2.0, -12.6, 9.48])
    return jnp.concatenate([jnp.stack([x[0] + x[1] + 0.69, x[2] + x[3] + 0.044]), moments])


@CUTEST.add(
    "HIMMELBF",
    (2.7, 90.0, 1500.0, 10.0),
    minimum=318.572,
    source="Himmelblau, Applied Nonlinear Programming (1972), problem 32",
)
def _himmelbf(x: jax.Array) -> jax.Array:
    a, b = data("HIMMELBF").values()
    above = x[0] ** 2 + a * x[1] ** 2 + a**2 * x[2] ** 2
    return 100.0 * (above / (b * (1.0 + a * x[3] ** 2)) - 1.0)


@CUTEST.add(
    "HIMMELBCLS",
    (1.0, 1.0),
    minimum=0.0,
    source="Himmelblau, Applied Nonlinear Programming (1972), problem 28",
)
def _himmelbcls(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] ** 2 + x[1] - 11.0, x[0] + x[1] ** 2 - 7.0])


def _oscillation(x: jax.Array | np.ndarray, t: np.ndarray) -> jax.Array:
    return x[0] * x[1] ** t * jnp.sin(x[2] * t + x[3])


@CUTEST.add("DEVGLA1", (2.0, 2.0, 2.0, 2.0), minimum=0.0, source=GLASSER.format(1))
def _devgla1(x: jax.Array) -> jax.Array:
    t = 0.1 * np.arange(24.0)
    return _oscillation(x, t) - _oscillation(np.array([60.137, 1.371, 3.112, 1.761]), t)


def _damped(x: jax.Array | np.ndarray, t: np.ndarray) -> jax.Array:
    envelope = x[0] * x[1] ** t * jnp.tanh(x[2] * t + jnp.sin(x[3] * t))
    return envelope * jnp.cos(t * jnp.exp(x[4]))


@CUTEST.add("DEVGLA2", (20.0, 2.0, 2.0, 2.0, 0.2), minimum=0.0, source=GLASSER.format(2))
def _devgla2(x: jax.Array) -> jax.Array:
    t = 0.1 * np.arange(16.0)
    return _damped(x, t) - _damped(np.array([53.81, 1.27, 3.012, 2.13, 0.507]), t)


@CUTEST.add(
    "YFITU", (0.6, -0.6, 20.0), minimum=6.66972e-13, source="Watson's course on LANCELOT (1993)"
)
def _yfitu(x: jax.Array) -> jax.Array:
    part = np.arange(17.0) / 16.0
    return x[2] * jnp.tan(x[0] * (1.0 - part) + x[1] * part) - data("YFITU")["y"]


@CUTEST.add(
    "VIBRBEAM",
    (-3.5, 1.0, 0.0, 0.0, 1.7, 0.0, 0.0, 0.0),
    minimum=0.15644607137,
    source="Watson's course on LANCELOT (1993), Montgomery's proposal",
)
def _vibrbeam(x: jax.Array) -> jax.Array:
    place, velocity, incidence = data("VIBRBEAM").values()
    powers = place[:, None] ** np.arange(4.0)
    return (powers @ x[:4]) * jnp.cos(powers @ x[4:] - incidence) - velocity


@CUTEST.add(
    "GROWTHLS", (100.0, 0.0, 0.0), minimum=1.00404, source="Gould, growth in elimination (1991)"
)
def _growthls(x: jax.Array) -> jax.Array:
    n, growth = data("GROWTHLS").values()
    return x[0] * n ** (x[1] + np.log(n) * x[2]) - growth


@CUTEST.add("EXPFIT", (0.0, 0.0), minimum=0.240511, source="Conn, Gould and Toint, LANCELOT (1992)")
def _expfit(x: jax.Array) -> jax.Array:
    t = 0.25 * np.arange(1.0, 11.0)
    return x[0] * jnp.exp(x[1] * t) - t


@CUTEST.add(
    "S308",
    (3.0, 0.1),
    minimum=0.773199,
    source="Schittkowski, More Test Examples for Nonlinear Programming Codes (1987), problem 308",
)
def _s308(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] ** 2 + x[0] * x[1] + x[1] ** 2, jnp.sin(x[0]), jnp.cos(x[1])])


@CUTEST.add("POWERSUM", np.full(4, 2.0), minimum=0.0, source="power sums of 1, 2, 3, 2, with n = 4")
def _powersum(x: jax.Array) -> jax.Array:
    """At its start, and wherever all parameters are equal, the Jacobian has rank 1."""
    powers = np.arange(1, 5)[:, None]
    return (x**powers).sum(axis=1) - (np.array([1.0, 2.0, 3.0, 2.0]) ** powers).sum(axis=1)


def _circle(x: jax.Array, case: str) -> jax.Array:
    across, up = data(case).values()
    return jnp.sqrt((across - x[0]) ** 2 + (up - x[1]) ** 2) - x[2]


@CUTEST.add(
    "LSC1LS",
    (105.0, 96.0, 230.0),
    minimum=7.7118522388,
    minimizer=(10.50008629, 9.65994945, 23.33352764),
    source=CIRCLE.format(1),
)
def _lsc1ls(x: jax.Array) -> jax.Array:
    return _circle(x, "LSC1LS")


@CUTEST.add(
    "LSC2LS",
    (98.0, 36.0, 270.0),
    minimum=4.0425218983,
    minimizer=(9.88756511, 3.68749578, 27.35044511),
    source=CIRCLE.format(2),
)
def _lsc2ls(x: jax.Array) -> jax.Array:
    """With the centre at infinity the circle is a straight line and the squares are 13.33383522."""
    return _circle(x, "LSC2LS")


@CUTEST.add(
    "SINEVAL",
    (4.712389, -1.0),
    minimum=0.0,
    minimizer=(0.0, 0.0),
    source="Xiao and Zhou, Computing 48 (1992), problem 4.2",
)
def _sineval(x: jax.Array) -> jax.Array:
    return jnp.stack([np.sqrt(1000.0) * (x[1] - jnp.sin(x[0])), 0.5 * x[0]])
