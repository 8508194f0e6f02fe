"""The public call: a model and measurements in, a `CurveFit` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.fitting.bounds import Bounds, bounds_of
from thalweg.fitting.engine import engine_of
from thalweg.fitting.losses import LOSSES
from thalweg.fitting.parameters import free_places, layout_of
from thalweg.fitting.precision import float64
from thalweg.fitting.predict import as_arrays
from thalweg.fitting.residuals import Data, Form, weights_of
from thalweg.fitting.result import CurveFit
from thalweg.fitting.run import Fit
from thalweg.fitting.starts import sampled_starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.solvers.base import AbstractMethod
    from thalweg.stop import Stop

SCIPY = ("lm", "trf", "dogbox")  # methods as SciPy's `curve_fit` calls them


def curve_fit(  # noqa: PLR0913 - SciPy's arguments, and options that few calls name
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,  # noqa: FBT001, FBT002 - as SciPy has it
    *,
    bounds: Any = (-np.inf, np.inf),
    method: str | AbstractMethod | None = "auto",
    jac: Any = None,
    nan_policy: str | None = None,
    fixed: Any = None,
    loss: str = "linear",
    f_scale: float = 1.0,
    starts: int = 1,
    seed: int = 0,
    stop: Stop | None = None,
) -> CurveFit:
    """Fit the parameters of a model to measurements, as SciPy's `curve_fit` does.

    It computes in float64, whatever JAX's flag says, and leaves the flag as it is. The first fit of
    a model compiles it; later fits with data of the same shapes do not.

    Args:
        f: The model, written with `jax.numpy`: `f(x, a, b, ...)`, or `f(x, params)` where `p0` is a
            pytree. It returns one value for each measurement, real or complex.
        xdata: What `f` takes as its first argument: an array of any shape, or a pytree of arrays.
        ydata: The measurements, real or complex.
        p0: The start: numbers in the order of the signature; a dictionary by name; or any pytree
            of real arrays. None for ones, or the middle of the bounds.
        sigma: Standard deviations of `ydata`, or its covariance `(m, m)`.
        absolute_sigma: Whether `sigma` is in the unit of y. Otherwise only its ratios count, and
            the covariance is scaled by χ²/dof.
        bounds: `(lower, upper)`, each a number or laid out as `p0`; or a dictionary from names to
            such pairs.
        method: `auto`, another name of `thalweg.methods()`, a configured method, or SciPy's `lm`,
            `trf` and `dogbox`.
        jac: Not needed, as derivatives of `f` are exact; accepted as in SciPy and not called.
        nan_policy: `raise` or None to refuse NaN, `omit` to leave out measurements that have one.
        fixed: Parameters to hold: names, or a dictionary from names to values.
        loss: `linear`, `huber`, `soft_l1`, `cauchy` or `tukey`, scaled as those of
            `scipy.optimize.least_squares`.
        f_scale: The size of a residual, over its sigma, from which it counts as an outlier.
        starts: How many starts: `p0` and others spread over the bounds. The best fit is returned,
            and `solution.starts` has all.
        seed: Of the starts.
        stop: Budgets; without any, a fit ends after 60 seconds at the latest.

    Raises:
        ConfigError: Something cannot be fitted as asked, such as a model that calls NumPy.
        ShapeError: Arrays do not fit together.
        DataError: NaN or infinity in the data, or the model is not finite at the start.

    Examples:
        >>> import jax.numpy as jnp, numpy as np
        >>> import thalweg as tw
        >>> x = np.linspace(0.0, 4.0, 50)
        >>> fit = tw.curve_fit(lambda x, a, b: a * jnp.exp(-b * x), x, 3 * np.exp(-0.7 * x))
        >>> popt, pcov = fit
        >>> popt.round(6).tolist(), fit.names
        ([3.0, 0.7], ('a', 'b'))
    """
    del jac
    _check_options(f, loss, f_scale)
    layout, start = layout_of(f, p0)
    limits = bounds_of(bounds, layout)
    start = limits.default_start() if start is None else start
    free, base = free_places(layout, fixed, start)
    _refuse_outside(base, limits, layout.names)
    places = list(free)
    inner = Bounds(limits.low[places], limits.high[places])
    measured = _measured(xdata, ydata, sigma, nan_policy=nan_policy)
    kind, weights = weights_of(measured.sigma, measured.y)
    data = Data(measured.x, measured.y, weights, base, *inner.finite, np.float64(f_scale))
    form = Form(layout, free, inner.kinds, kind, loss)
    names = [layout.names[k] for k in free]
    method = f"scipy-{method}" if method in SCIPY else "auto" if method is None else method
    with float64():
        engine = engine_of(f, form, data)
        fit = Fit(engine, data, inner, names, method=method, stop=stop)
        points = [base[places]]
        if starts != 1:
            points = sampled_starts(base[places], inner, names, count=starts, seed=seed)
        fitted = fit.run(points)
    return CurveFit(engine, data, fitted, bounds=inner, absolute_sigma=absolute_sigma)


class _Measured(NamedTuple):
    x: Any
    y: np.ndarray
    sigma: Any


def _check_options(f: object, loss: str, f_scale: float) -> None:
    if not callable(f):
        raise ConfigError(f"`f` is of type {type(f).__name__}, but a function was expected")
    if loss not in LOSSES:
        raise ConfigError(f"`loss` is {loss!r}, but one of {', '.join(LOSSES)} was expected")
    if not (np.isfinite(f_scale) and f_scale > 0):
        raise ConfigError(f"`f_scale` is {f_scale!r}, but a finite number above 0 was expected")


def _refuse_outside(start: np.ndarray, limits: Bounds, names: tuple[str, ...]) -> None:
    bad = np.flatnonzero(~limits.contains(start))
    if bad.size:
        k = int(bad[0])
        raise ConfigError(
            f"the start of `{names[k]}` is {start[k]:g}, outside of its bounds {limits.low[k]:g} "
            f"and {limits.high[k]:g}; start within them"
        )


def _measured(xdata: Any, ydata: Any, sigma: Any, *, nan_policy: str | None) -> _Measured:
    """The data as arrays, without NaN.

    Raises:
        ConfigError: Not numbers, or an unknown `nan_policy`.
        DataError: NaN or infinity, or nothing is left.
    """
    if nan_policy not in {None, "raise", "omit"}:
        raise ConfigError(f"`nan_policy` is {nan_policy!r}, but 'raise' or 'omit' was expected")
    x, y = as_arrays(xdata), as_arrays(np.asarray(ydata), "ydata")
    if nan_policy == "omit":
        x, y, sigma = _without_nan(x, y, sigma)
    if y.size == 0:
        raise DataError("`ydata` is empty; pass at least one measurement")
    for name, leaf in (("ydata", y), *(("xdata", leaf) for leaf in jax.tree.leaves(x))):
        array = np.asarray(leaf)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))
            raise DataError(
                f"`{name}` holds NaN or infinity in {len(bad)} of {array.size} values, first at "
                f"index {tuple(bad[0].tolist())}; drop them, or use nan_policy='omit'"
            )
    return _Measured(x, y, sigma)


def _without_nan(x: Any, y: np.ndarray, sigma: Any) -> tuple[Any, np.ndarray, Any]:
    """The measurements without those that have a NaN."""
    if y.ndim != 1 or not isinstance(x, np.ndarray) or x.shape[-1:] != y.shape:
        raise ShapeError(
            "ydata",
            found=y.shape,
            expected="one dimension, and `xdata` an array whose last axis is as long",
            hint="leave out NaN before the fit",
        )
    kept = ~np.isnan(y) & ~np.isnan(x).reshape(-1, len(y)).any(axis=0)
    if sigma is not None:
        array = np.asarray(sigma, float)
        sigma = (
            array[np.ix_(kept, kept)] if array.ndim > 1 else array[kept] if array.ndim else array
        )
    return x[..., kept], y[kept], sigma
