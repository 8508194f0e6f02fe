"""The 27 problems of nonlinear regression of NIST's Statistical Reference Datasets (StRD).

Each has two starts, the first further away than the second, and certified values with 11 digits.
`nist.json` holds NIST's numbers, which are in the public domain; the models stand here.

Source: National Institute of Standards and Technology, Statistical Reference Datasets, Nonlinear
Regression, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from thalweg.problem import LeastSquares
from thalweg_lab.fits.base import FitProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    import jax

    # From parameters, shape (n,), and predictors to responses; element by element.
    Model = Callable[[jax.Array, jax.Array], jax.Array]

SOURCE = "NIST Statistical Reference Datasets, nonlinear regression: {}."


def _decay_over_line(b: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.exp(-b[0] * x) / (b[1] + b[2] * x)


def _saturation(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * (1.0 - jnp.exp(-b[1] * x))


def _misra1b(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * (1.0 - (1.0 + b[1] * x / 2.0) ** -2.0)


def _misra1c(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * (1.0 - (1.0 + 2.0 * b[1] * x) ** -0.5)


def _misra1d(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * b[1] * x / (1.0 + b[1] * x)


def _three_exponentials(b: jax.Array, x: jax.Array) -> jax.Array:
    return sum(b[k] * jnp.exp(-b[k + 1] * x) for k in (0, 2, 4))  # type: ignore[return-value]


def _two_exponentials(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] + b[1] * jnp.exp(-b[3] * x) + b[2] * jnp.exp(-b[4] * x)


def _two_peaks(b: jax.Array, x: jax.Array) -> jax.Array:
    baseline = b[0] * jnp.exp(-b[1] * x)
    first = b[2] * jnp.exp(-((x - b[3]) ** 2) / b[4] ** 2)
    second = b[5] * jnp.exp(-((x - b[6]) ** 2) / b[7] ** 2)
    return baseline + first + second


def _peak(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] / b[1] * jnp.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


def _power(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * x ** b[1]


def _bennett5(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * (b[1] + x) ** (-1.0 / b[2])


def _kirby2(b: jax.Array, x: jax.Array) -> jax.Array:
    return (b[0] + b[1] * x + b[2] * x**2) / (1.0 + b[3] * x + b[4] * x**2)


def _cubic_over_cubic(b: jax.Array, x: jax.Array) -> jax.Array:
    above = b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3
    return above / (1.0 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def _mgh09(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


def _mgh10(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] * jnp.exp(b[1] / (x + b[2]))


def _nelson(b: jax.Array, x: jax.Array) -> jax.Array:
    """The logarithm of the breakdown voltage; x holds time and temperature."""
    return b[0] - b[1] * x[..., 0] * jnp.exp(-b[2] * x[..., 1])


def _rat42(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] / (1.0 + jnp.exp(b[1] - b[2] * x))


def _rat43(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] / (1.0 + jnp.exp(b[1] - b[2] * x)) ** (1.0 / b[3])


def _roszman1(b: jax.Array, x: jax.Array) -> jax.Array:
    return b[0] - b[1] * x - jnp.arctan(b[2] / (x - b[3])) / jnp.pi


def _enso(b: jax.Array, x: jax.Array) -> jax.Array:
    year, first, second = (2.0 * jnp.pi * x / period for period in (12.0, b[3], b[6]))
    yearly = b[1] * jnp.cos(year) + b[2] * jnp.sin(year)
    longer = b[4] * jnp.cos(first) + b[5] * jnp.sin(first)
    return b[0] + yearly + longer + b[7] * jnp.cos(second) + b[8] * jnp.sin(second)


MODELS: dict[str, Model] = {
    "Bennett5": _bennett5,
    "BoxBOD": _saturation,
    "Chwirut1": _decay_over_line,
    "Chwirut2": _decay_over_line,
    "DanWood": _power,
    "ENSO": _enso,
    "Eckerle4": _peak,
    "Gauss1": _two_peaks,
    "Gauss2": _two_peaks,
    "Gauss3": _two_peaks,
    "Hahn1": _cubic_over_cubic,
    "Kirby2": _kirby2,
    "Lanczos1": _three_exponentials,
    "Lanczos2": _three_exponentials,
    "Lanczos3": _three_exponentials,
    "MGH09": _mgh09,
    "MGH10": _mgh10,
    "MGH17": _two_exponentials,
    "Misra1a": _saturation,
    "Misra1b": _misra1b,
    "Misra1c": _misra1c,
    "Misra1d": _misra1d,
    "Nelson": _nelson,
    "Rat42": _rat42,
    "Rat43": _rat43,
    "Roszman1": _roszman1,
    "Thurber": _cubic_over_cubic,
}


@functools.cache
def problems() -> tuple[FitProblem, ...]:
    """NIST's problems in the order of their names, each with the starts `1` and `2`."""
    text = resources.files("thalweg_lab.fits").joinpath("nist.json").read_text(encoding="utf-8")
    return tuple(_problem(name, numbers) for name, numbers in json.loads(text).items())


def _problem(name: str, numbers: dict[str, Any]) -> FitProblem:
    model = MODELS[name]
    y = np.asarray(numbers["y"], float)
    x = np.asarray(numbers["x"], float)  # one row per predictor
    x = x[0] if len(x) == 1 else x.T
    if name == "Nelson":  # its response is the logarithm of what was measured
        y = np.log(y)

    def residual(b: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return model(b, x) - y

    return FitProblem(
        name=name,
        collection="NIST",
        source=SOURCE.format(name),
        residuals=lambda b: residual(jnp.asarray(b), jnp.asarray(x), jnp.asarray(y)),
        problem=LeastSquares(residual, data=(x, y)),
        starts={str(k): np.asarray(start, float) for k, start in enumerate(numbers["starts"], 1)},
        minimum=numbers["squares"],
        minimizer=np.asarray(numbers["certified"], float),
        difficulty=numbers["difficulty"],
    )
