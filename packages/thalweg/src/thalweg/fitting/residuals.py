"""The residuals of a fit as one pure function of parameters and data.

Everything that a second fit of the same model may change (data, weights, fixed values, bounds) is
an argument, so that a compiled program serves it too.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from thalweg.errors import ConfigError, ShapeError
from thalweg.fitting.losses import transformed
from thalweg.fitting.parameters import full_vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.parameters import Layout

NO_SIGMA, STANDARD_DEVIATIONS, COVARIANCE = "none", "1-d", "2-d"


class Data(NamedTuple):
    """What a fit is made of, as arrays.

    Attributes:
        x: The independent variables, any pytree of arrays.
        y: The measurements.
        weights: By the kind of `sigma`: one 1, 1/σ of the shape of y, or the lower Cholesky factor
            of the covariance of y, `(m, m)`.
        base: θ with the values of the fixed parameters, `(n,)`.
        low: Lower bounds of the free parameters, 0 where there is none.
        high: Upper bounds, likewise.
        f_scale: The scale of a robust loss, a scalar.
    """

    x: Any
    y: Any
    weights: Any
    base: Any
    low: Any
    high: Any
    f_scale: Any


@dataclasses.dataclass(frozen=True)
class Form:
    """All that residuals depend on beside arrays; hashable.

    Attributes:
        layout: How the parameters lie in θ.
        free: The places of the free parameters.
        kinds: Which bounds each of these has.
        sigma: NO_SIGMA, STANDARD_DEVIATIONS or COVARIANCE.
        loss: One of `thalweg.fitting.losses.LOSSES`.
    """

    layout: Layout
    free: tuple[int, ...]
    kinds: tuple[int, ...]
    sigma: str
    loss: str


def prediction(
    model: Callable[..., Any], form: Form, x: Any, base: jax.Array, values: jax.Array
) -> jax.Array:
    """What the model computes for the values of its free parameters."""
    found = form.layout.call(model, x, full_vector(form.free, base, values))
    if found is None:
        raise ConfigError("`f` returns None, but an array was expected; it may lack its `return`")
    return jnp.asarray(found)


def plain_residuals(
    model: Callable[..., Any], form: Form, data: Data, values: jax.Array
) -> jax.Array:
    """(f - y)/σ as a real vector: real parts, then imaginary parts where there are any.

    Raises:
        ShapeError: The model's result does not have the shape of y.
    """
    found = prediction(model, form, data.x, data.base, values)
    y = jnp.asarray(data.y)
    if found.shape not in {y.shape, ()}:
        raise ShapeError(
            "f(xdata, ...)",
            found=found.shape,
            expected=f"the shape {y.shape} of `ydata`",
            hint="return one value for each measurement",
        )
    r = found - y
    if form.sigma == STANDARD_DEVIATIONS:
        r = r * data.weights
    r = r.ravel()
    if jnp.iscomplexobj(r):
        r = jnp.concatenate([r.real, r.imag])
    if form.sigma == COVARIANCE:
        r = solve_triangular(data.weights, r, lower=True)
    return r.astype(values.dtype)


def residuals(model: Callable[..., Any], form: Form, data: Data, values: jax.Array) -> jax.Array:
    """The residuals whose sum of squares is minimised: those above, through the robust loss."""
    r = plain_residuals(model, form, data, values)
    return transformed(form.loss, r, jnp.asarray(data.f_scale))


def whitened(values: np.ndarray, data: Data, sigma: str) -> np.ndarray:
    """Values like y over σ, on the host; for a covariance, by its Cholesky factor and flat."""
    if sigma == COVARIANCE:
        import scipy.linalg  # of the time of a first fit, importing it is a tenth

        return scipy.linalg.solve_triangular(data.weights, values.ravel(), lower=True)
    return values * data.weights if sigma == STANDARD_DEVIATIONS else values


def variation(data: Data, sigma: str) -> float:
    """The sum of squares of y about its weighted mean, over σ."""
    y = np.asarray(data.y)
    ones = whitened(np.ones_like(y), data, sigma)
    y = whitened(y, data, sigma)
    mean = np.vdot(ones, y) / np.vdot(ones, ones)
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(y - mean * ones) ** 2)


def weights_of(sigma: Any, y: np.ndarray) -> tuple[str, np.ndarray]:
    """The kind of `sigma`, and the weights for `Data`.

    Raises:
        ConfigError: `sigma` is not positive, or not positive definite.
        ShapeError: It does not have the shape of y, or of its covariance.
    """
    if sigma is None:
        return NO_SIGMA, np.ones(1)
    array = np.asarray(sigma, float)
    if array.size == 1 or array.shape == y.shape:
        if not np.all((array > 0) & np.isfinite(array)):
            raise ConfigError("`sigma` must be positive and finite for every measurement")
        return STANDARD_DEVIATIONS, np.broadcast_to(1.0 / array.reshape(array.shape or ()), y.shape)
    if array.shape == (y.size, y.size) and not np.iscomplexobj(y):
        try:
            return COVARIANCE, np.linalg.cholesky(array)
        except np.linalg.LinAlgError as error:
            raise ConfigError(
                "`sigma` has two dimensions but is no covariance: it is not positive definite"
            ) from error
    raise ShapeError(
        "sigma",
        found=array.shape,
        expected=f"{y.shape}, the shape of `ydata`, or {(y.size, y.size)} for a covariance",
        hint="give one standard deviation for each measurement",
    )
