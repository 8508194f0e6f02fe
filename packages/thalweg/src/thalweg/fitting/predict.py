"""The fitted model at other points, with bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.fitting.precision import float64
from thalweg.fitting.residuals import NO_SIGMA, prediction, variation, whitened

if TYPE_CHECKING:
    from thalweg.fitting.result import CurveFit

POINTS = 200  # of a drawn curve


class Prediction(NamedTuple):
    """The model with a band.

    Attributes:
        y: The model's values.
        low: The lower end of the band.
        high: Its upper end.
        std: The standard error of the model's values.
    """

    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    std: np.ndarray


class Curve(NamedTuple):
    """What a chart of a fit shows.

    Attributes:
        data_x: X of the measurements, `(m,)`.
        data_y: The measurements.
        x: Evenly spaced points over the range of x.
        band: The model there.
    """

    data_x: np.ndarray
    data_y: np.ndarray
    x: np.ndarray
    band: Prediction


def predicted(
    fit: CurveFit, x: Any, *, return_std: bool, interval: float | None, new_measurements: bool
) -> Any:
    """See `CurveFit.predict`."""
    sigma = fit._engine.form.sigma  # noqa: SLF001 - the public method's other half
    if new_measurements and sigma != NO_SIGMA:
        raise ConfigError(
            "`new_measurements` needs their scatter, which with `sigma` differs from measurement "
            "to measurement; take the band of the model and add the scatter of the new ones"
        )
    if not return_std and interval is None:
        return _values(fit, x)[0]
    y, rows = _values(fit, x, with_jacobian=True)
    free = fit._free  # noqa: SLF001
    covariance = fit.pcov[np.ix_(free, free)]
    with np.errstate(invalid="ignore"):
        variance = np.einsum("...i,ij,...j->...", rows, covariance, rows)
        std = np.sqrt(np.maximum(variance, 0.0))
    if interval is None:
        return y, std
    spread = np.sqrt(std**2 + fit.scale) if new_measurements else std
    reach = fit.quantile(interval) * spread
    return Prediction(y, y - reach, y + reach, std)


def _values(fit: CurveFit, x: Any, *, with_jacobian: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The model's values, and their derivatives by the free parameters in the last axis."""
    engine, data, theta = fit._engine, fit._data, fit._fitted.theta  # noqa: SLF001
    at = data.x if x is None else as_arrays(x)

    def model(values: jax.Array) -> jax.Array:
        return prediction(engine.model, engine.form, at, jnp.asarray(data.base), values)

    with float64():
        y = np.asarray(model(jnp.asarray(theta)))
        if not with_jacobian:
            return y, np.zeros((*y.shape, 0))
        if np.iscomplexobj(y):
            raise ConfigError("bands are for real models, but this one returns complex values")
        return y, np.asarray(jax.jacfwd(model)(jnp.asarray(theta)))


def as_arrays(x: Any, name: str = "xdata") -> Any:
    """X as NumPy arrays of float64 or complex128; other leaves of a pytree keep their dtype."""
    if isinstance(x, (list, tuple, np.ndarray, jax.Array, int, float, np.generic)):
        array = np.asarray(x)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64)
        if array.dtype.kind == "c":
            return array.astype(np.complex128)
        raise ConfigError(f"`{name}` has dtype {array.dtype}, but numbers were expected")
    return jax.tree.map(np.asarray, x)


def explained_share(fit: CurveFit) -> float:
    """R² of a fit; see `CurveFit.r_squared`."""
    data, sigma = fit._data, fit._engine.form.sigma  # noqa: SLF001
    r = whitened(np.asarray(_values(fit, None)[0]) - np.asarray(data.y), data, sigma)
    total = variation(data, sigma)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(1 - np.linalg.norm(r) ** 2 / total) if total > 0 else float("nan")


def curve_of(fit: CurveFit, *, level: float) -> Curve:
    """Data, curve and band over the range of x.

    Raises:
        ConfigError: X is not one real number a measurement.
    """
    data = fit._data  # noqa: SLF001
    x, y = data.x, np.asarray(data.y)
    if not isinstance(x, np.ndarray) or x.shape != y.shape or y.ndim != 1 or np.iscomplexobj(y):
        raise ConfigError("a fit is drawn where x and y are one real number a measurement")
    at = np.linspace(x.min(), x.max(), POINTS)
    return Curve(x, y, at, fit.predict(at, interval=level))
