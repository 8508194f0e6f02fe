"""The result of a fit: what SciPy's `curve_fit` returns, and what else is known of it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError
from thalweg.fitting.covariance import (
    column_norms,
    correlation_of,
    curvature_of,
    directions_of,
    robust_inverse,
)
from thalweg.fitting.precision import float64
from thalweg.fitting.profile import profile_end
from thalweg.fitting.projected import Point
from thalweg.fitting.report import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thalweg.fitting.bounds import Bounds
    from thalweg.fitting.covariance import Curvature, Direction
    from thalweg.fitting.engine import Engine
    from thalweg.fitting.residuals import Data
    from thalweg.fitting.run import Fitted
    from thalweg.solution import Outcome, Solution


class CurveFit:
    """A fitted model. It unpacks as `popt, pcov = ...`, as the result of SciPy's `curve_fit`.

    Attributes:
        popt: All n parameters as one vector, fixed ones among them, `(n,)`.
        params: The same as `p0` had them: a dictionary or another pytree; else `popt`.
        names: A name for each of the n numbers.
        solution: How the fit went: outcome, message, history, work.
        at_bounds: The parameters that ended at a bound, by name: `lower` or `upper`.
        dof: Measurements minus free parameters; real and imaginary parts count as two.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        fitted: Fitted,
        *,
        bounds: Bounds,
        absolute_sigma: bool,
    ) -> None:
        layout, free = engine.form.layout, list(engine.form.free)
        self._engine, self._data, self._fitted = engine, data, fitted
        self._bounds, self._free = bounds, free
        self._is_absolute = absolute_sigma
        self.names: tuple[str, ...] = layout.names
        self.popt: np.ndarray = np.array(data.base, float)
        self.popt[free] = fitted.theta
        self.params: Any = layout.tree(self.popt)
        self.solution: Solution = dataclasses.replace(fitted.solution, params=self.params)
        self.dof: int = len(fitted.residuals) - len(free)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.popt, self.pcov))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> np.ndarray:
        return (self.popt, self.pcov)[index]

    def __repr__(self) -> str:
        return "\n".join(lines_of(self))

    @property
    def outcome(self) -> Outcome:
        """Why the fit ended."""
        return self.solution.outcome

    @property
    def success(self) -> bool:
        """Whether the fit ended at a minimum."""
        return self.outcome.is_success

    @property
    def message(self) -> str:
        """The outcome in words."""
        return self.solution.message

    @property
    def measured(self) -> np.ndarray:
        """The measurements, as they were fitted."""
        return np.asarray(self._data.y)

    @property
    def free_names(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted."""
        return tuple(self.names[k] for k in self._free)

    @functools.cached_property
    def at_bounds(self) -> dict[str, Literal["lower", "upper"]]:
        """The parameters that ended at a bound which the data push against."""
        theta, low = self._fitted.theta, self._bounds.low
        return {
            self.free_names[k]: "lower" if theta[k] <= low[k] else "upper"
            for k in np.flatnonzero(self._fitted.active)
        }

    @property
    def chi_squared(self) -> float:
        """The sum of squared residuals, each over its σ; with a robust loss, twice that loss."""
        with np.errstate(over="ignore"):
            return float(self._fitted.residuals @ self._fitted.residuals)

    @property
    def scale(self) -> float:
        """S² that the covariance is multiplied by: 1 with `absolute_sigma`, else χ²/dof."""
        if self._is_absolute:
            return 1.0
        return self.chi_squared / self.dof if self.dof > 0 else np.inf

    @functools.cached_property
    def _curvature(self) -> Curvature:
        return curvature_of(self._fitted.jacobian)

    @functools.cached_property
    def pcov(self) -> np.ndarray:
        """The covariance of the parameters, `(n, n)`: `s² (JᵀJ)⁻¹`, as SciPy has it.

        J is the exact Jacobian at the end. Rows of fixed parameters are 0; a parameter that the
        data do not determine has the variance ∞ and NaN beside it. With a robust loss it is Huber's
        covariance of an M-estimate, from the exact Hessian.
        """
        if self._engine.form.loss == "linear":
            inverse = self._curvature.inverse
            with np.errstate(over="ignore", invalid="ignore"):
                part = (
                    inverse * self.scale if self.dof > 0 or self._is_absolute else inverse + np.inf
                )
        else:
            part = robust_inverse(self._fitted.jacobian, self._fitted.residuals, self.hessian)
        full = np.zeros((len(self.names),) * 2)
        full[np.ix_(self._free, self._free)] = part
        return full

    @property
    def covariance(self) -> np.ndarray:
        """Another name of `pcov`."""
        return self.pcov

    @functools.cached_property
    def hessian(self) -> np.ndarray:
        """The exact Hessian of ½χ² by the free parameters, `(k, k)`.

        Its inverse times `scale` is the covariance by observed information. It differs from `pcov`
        by the curvature of the model times the residuals.
        """
        with float64():
            return np.asarray(self._engine.hessian(self._data, self._fitted.theta))

    @property
    def stderr(self) -> Any:
        """The standard error of each parameter, laid out as `params`."""
        return self._engine.form.layout.tree(self._deviations)

    @property
    def _deviations(self) -> np.ndarray:
        return np.sqrt(np.diag(self.pcov))

    @property
    def correlation(self) -> np.ndarray:
        """Correlations of the parameters, `(n, n)`; NaN for those without a variance."""
        return correlation_of(self.pcov)

    @functools.cached_property
    def undetermined(self) -> list[Direction]:
        """The directions along which the model does not change, so that the data say nothing."""
        norms = column_norms(self._fitted.jacobian)
        scale = np.where(norms > 0, 1 / np.where(norms > 0, norms, 1), 1.0)
        return directions_of(self._curvature, self.free_names, scale)

    def quantile(self, level: float) -> float:
        """How many standard errors an interval of this level reaches to either side.

        Args:
            level: The probability that the interval holds the value, within (0, 1).

        Raises:
            ConfigError: `level` is outside of (0, 1).
        """
        from scipy.special import ndtri, stdtrit

        if not 0 < level < 1:
            raise ConfigError(f"`level` is {level!r}, but a number between 0 and 1 was expected")
        if self._is_absolute:
            return float(ndtri(0.5 + level / 2))
        return float(stdtrit(self.dof, 0.5 + level / 2)) if self.dof > 0 else np.inf

    def confidence_intervals(
        self, level: float = 0.95, *, by: Literal["curvature", "profile"] = "curvature"
    ) -> dict[str, tuple[float, float]]:
        """An interval for each free parameter, by name.

        Args:
            level: The probability that an interval holds the value, within (0, 1).
            by: `curvature` for `value ± q·stderr`, with q of Student's t, or of the normal
                distribution with `absolute_sigma`; `profile` for the values whose refit is within
                the same likelihood, which also holds for lopsided errors and at bounds. A profile
                takes about ten refits an end.

        Raises:
            ConfigError: Another level, or another `by`.
        """
        q = self.quantile(level)
        if by == "curvature":
            ends = {
                self.names[k]: (self.popt[k] - q * error, self.popt[k] + q * error)
                for k, error in zip(self._free, self._deviations[self._free], strict=True)
            }
            return {name: (float(low), float(high)) for name, (low, high) in ends.items()}
        if by != "profile":
            raise ConfigError(f"`by` is {by!r}, but 'curvature' or 'profile' was expected")
        return {name: self._profile(k, q) for k, name in enumerate(self.free_names)}

    def _profile(self, place: int, q: float) -> tuple[float, float]:
        fitted, scale = self._fitted, self.scale
        if not np.isfinite(q * scale) or scale == 0:
            value = float(fitted.theta[place])
            return (value, value) if scale == 0 else (-np.inf, np.inf)
        best = Point(
            fitted.theta, fitted.residuals, fitted.jacobian, fitted.active, is_stationary=True
        )
        error = float(np.sqrt(self._curvature.inverse[place, place] * scale))
        if not np.isfinite(error) or error == 0:
            error = abs(float(fitted.theta[place])) or 1.0

        def evaluate(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            s, jacobian = self._engine.evaluate(self._data, theta)
            return np.asarray(s), np.asarray(jacobian)

        with float64():
            low, high = (
                profile_end(
                    evaluate,
                    best,
                    place,
                    step=sign * q * error,
                    rise=q * np.sqrt(scale),
                    low=self._bounds.low,
                    high=self._bounds.high,
                )
                for sign in (-1, 1)
            )
        return low, high

    @functools.cached_property
    def r_squared(self) -> float:
        """The share of the variation of y that the model explains, weighted by 1/σ².

        For a 2-d `sigma`, residuals and the mean are those after whitening.
        """
        from thalweg.fitting.predict import explained_share

        return explained_share(self)

    def predict(
        self,
        x: Any = None,
        *,
        return_std: bool = False,
        interval: float | None = None,
        new_measurements: bool = False,
    ) -> Any:
        """The model at x, with its uncertainty where that is asked for.

        Args:
            x: Where, as `f` takes it; None for `xdata`.
            return_std: Whether to return `(y, std)`, std the standard error of the model's value.
            interval: A level within (0, 1): returns a `Prediction` with a band of that level.
            new_measurements: Whether the band is for measurements to come, and so includes their
                scatter. It must be the same everywhere: fits with `sigma` have none.

        Returns:
            Y of the shape that `f` returns; or the pair; or a `Prediction`.

        Raises:
            ConfigError: `new_measurements` was asked for with `sigma`, or a level outside (0, 1).
        """
        from thalweg.fitting.predict import predicted

        return predicted(
            self, x, return_std=return_std, interval=interval, new_measurements=new_measurements
        )

    def plot(self, *, level: float = 0.95, ax: Any = None) -> Any:
        """Draw data, curve and band by matplotlib; returns the axes.

        Args:
            level: The level of the band.
            ax: Axes of matplotlib; None for those of a new figure.

        Raises:
            MissingExtraError: Matplotlib is not installed.
            ConfigError: x is not one real number a measurement.
        """
        pyplot = import_extra(
            "matplotlib.pyplot", library="matplotlib", extra="plot", needed_by="CurveFit.plot"
        )
        from thalweg.fitting.predict import curve_of

        curve = curve_of(self, level=level)
        axes = pyplot.subplots()[1] if ax is None else ax
        axes.plot(curve.data_x, curve.data_y, ".", label="data")
        (line,) = axes.plot(curve.x, curve.band.y, label="fit")
        axes.fill_between(
            curve.x, curve.band.low, curve.band.high, alpha=0.25, color=line.get_color(),
            label=f"{100 * level:g} % band of the curve",
        )  # fmt: skip
        axes.legend()
        return axes
