"""Many fits of one model at once: spectra, pixels, wells of a plate."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.machine import cores
from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.fitting.batch import CONVERGED, ONE_PASS, RUNNING, State, advance, begin
from thalweg.fitting.bounds import Bounds
from thalweg.fitting.covariance import curvature_of
from thalweg.fitting.engine import engine_of
from thalweg.fitting.parameters import Layout, layout_of
from thalweg.fitting.precision import float64
from thalweg.fitting.predict import as_arrays
from thalweg.fitting.residuals import NO_SIGMA, STANDARD_DEVIATIONS, Data, Form
from thalweg.fitting.run import Fit
from thalweg.solution import Outcome
from thalweg.solvers.integrators.fit_ends import about_not_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thalweg.fitting.engine import Engine

BATCH_VALUES = 2**18  # numbers in memory for each step of a batch, so that they stay in the cache
IN_DATA = "A NaN or an infinity is in its data."
MOST_ROUNDS = 10  # calls of a batch; what still runs then is fitted one at a time


@dataclasses.dataclass(frozen=True)
class CurveFits:
    """The results of many fits. They unpack as `popt, pcov = ...`.

    Attributes:
        popt: The parameters of each fit, `(K, n)`.
        pcov: Their covariances, `(K, n, n)`, as in `CurveFit`.
        chi_squared: The sum of squared residuals of each, over σ, `(K,)`.
        outcomes: How each ended.
        details: What is known beyond the outcome's message, for each.
        names: The names of the n parameters.
        one_by_one: Which were fitted one at a time, as the batch could not be sure of them, `(K,)`.
    """

    popt: np.ndarray
    pcov: np.ndarray
    chi_squared: np.ndarray
    outcomes: tuple[Outcome, ...]
    details: tuple[str, ...]
    names: tuple[str, ...]
    one_by_one: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.popt, self.pcov))

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        counts = {outcome: self.outcomes.count(outcome) for outcome in dict.fromkeys(self.outcomes)}
        ends = ", ".join(f"{count:,} {outcome.value}" for outcome, count in counts.items())
        return (
            f"{len(self.popt):,} fits of {', '.join(self.names)}: {ends}; "
            f"{int(self.one_by_one.sum()):,} fitted one at a time"
        )

    @property
    def success(self) -> np.ndarray:
        """Whether each fit ended at a minimum, `(K,)`."""
        return np.array([outcome.is_success for outcome in self.outcomes])

    @property
    def stderr(self) -> np.ndarray:
        """The standard errors, `(K, n)`."""
        return np.sqrt(np.diagonal(self.pcov, axis1=1, axis2=2))


def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,  # noqa: FBT001, FBT002 - as in `curve_fit`
) -> CurveFits:
    """Fit a model to each row of `ydata`, all at once.

    The fits take their steps together, in batches on all cores. A fit that the batch cannot be sure
    of (parameters nearly dependent, one without effect, no way down) is repeated by `curve_fit`'s
    method from the same start, and the better end counts.

    Args:
        f: The model, as for `curve_fit`.
        xdata: What `f` takes; the same for all fits.
        ydata: The measurements, `(K, ...)`: a row a fit.
        p0: The start of all fits, as for `curve_fit`; or an array `(K, n)`, a row a fit.
        sigma: Standard deviations: of the shape of a row, or of `ydata`.
        absolute_sigma: As in `curve_fit`.

    Raises:
        ConfigError: Something cannot be fitted as asked.
        ShapeError: Arrays do not fit together.
        DataError: NaN or infinity in `xdata` or `sigma`. A row of `ydata` with NaN is not refused:
            its outcome is `DIVERGED`, and its parameters are NaN.

    Examples:
        >>> import jax.numpy as jnp, numpy as np
        >>> import thalweg as tw
        >>> x, rates = np.linspace(0.0, 4.0, 50), np.linspace(0.5, 1.5, 100)
        >>> fits = tw.curve_fit_many(
        ...     lambda x, a, b: a * jnp.exp(-b * x), x, np.exp(-np.outer(rates, x))
        ... )
        >>> bool(np.allclose(fits.popt[:, 1], rates)), bool(fits.success.all())
        (True, True)
    """
    y = as_arrays(np.asarray(ydata), "ydata")
    if y.ndim < 2 or y.size == 0:  # noqa: PLR2004 - a row a fit
        raise ShapeError(
            "ydata", found=y.shape, expected="one row for each fit", hint="use `curve_fit` for one"
        )
    layout, starts = _starts(f, p0, len(y))
    data, axes, kind = _data(as_arrays(xdata), y, sigma, layout)
    form = Form(layout, tuple(range(layout.size)), (0,) * layout.size, kind, "linear")
    with float64():
        first = jax.tree.map(lambda leaf, axis: leaf if axis is None else leaf[0], data, axes,
                             is_leaf=lambda leaf: leaf is None)  # fmt: skip
        engine = engine_of(f, form, first)
        many = _Many(engine, data, axes, layout)
        return many.run(starts, absolute_sigma=absolute_sigma)


def _starts(f: Any, p0: Any, count: int) -> tuple[Layout, np.ndarray]:
    is_each = isinstance(p0, (np.ndarray, jax.Array)) and np.ndim(p0) == 2  # noqa: PLR2004 - (K, n)
    layout, start = layout_of(f, np.asarray(p0)[0] if is_each else p0)
    if is_each:
        if len(p0) != count:
            raise ShapeError(
                "p0", found=p0.shape, expected=f"{count} rows", hint="give a row for each fit"
            )
        starts = np.array(p0, float)
        if not np.isfinite(starts).all():
            raise DataError("`p0` holds NaN or infinity; start from finite parameters")
        return layout, starts
    start = np.ones(layout.size) if start is None else start
    return layout, np.broadcast_to(start, (count, layout.size)).copy()


def _data(x: Any, y: np.ndarray, sigma: Any, layout: Layout) -> tuple[Data, Data, str]:
    """The data of all fits, which leaves have an axis of fits, and the kind of sigma."""
    for leaf in jax.tree.leaves(x):
        if np.asarray(leaf).dtype.kind in "fc" and not np.isfinite(leaf).all():
            raise DataError("`xdata` holds NaN or infinity; drop these measurements")
    weights, kind, axis = np.ones(1), NO_SIGMA, None
    if sigma is not None:
        array = np.asarray(sigma, float)
        if array.shape not in {(), y.shape[1:], y.shape}:
            raise ShapeError(
                "sigma",
                found=array.shape,
                expected=f"{y.shape[1:]} or {y.shape}",
                hint="give one standard deviation for each measurement",
            )
        if not np.all((array > 0) & np.isfinite(array)):
            raise ConfigError("`sigma` must be positive and finite for every measurement")
        axis = 0 if array.shape == y.shape else None
        weights = 1 / np.broadcast_to(array, y.shape if axis == 0 else y.shape[1:])
        kind = STANDARD_DEVIATIONS
    none = np.zeros(layout.size)
    data = Data(x, y, weights, none, none, none, np.float64(1))
    axes = Data(jax.tree.map(lambda _: None, x), 0, axis, None, None, None, None)
    return data, axes, kind


class _Many:
    """Fits of one model to many rows.

    Args:
        engine: The programs of one fit.
        data: The data of all.
        axes: Which leaves have an axis of fits.
        layout: The parameters.
    """

    def __init__(self, engine: Engine, data: Data, axes: Data, layout: Layout) -> None:
        self._engine, self._data, self._axes, self._layout = engine, data, axes, layout
        arrays = 1 if layout.size <= ONE_PASS else layout.size + 2  # y alone; or also s and J
        per_fit = data.y[0].size * arrays
        count = len(data.y)
        most = -(-count // cores())  # at least one batch a core
        self._batch = max(1, min(most, BATCH_VALUES // max(per_fit, 1)))

    def run(self, starts: np.ndarray, *, absolute_sigma: bool) -> CurveFits:
        """Run all fits."""
        count, size = starts.shape
        state = self._in_batches(starts)
        sure = state.code == CONVERGED
        popt, loss = np.array(state.at.theta), np.array(state.at.loss)
        inverse = np.full((count, size, size), np.nan)
        inverse[sure] = _inverted(state.at.normal[sure])
        outcomes = [Outcome.CONVERGED] * count
        details = [about_not_finite(n).strip() for n in state.not_finite.tolist()]
        for k in np.flatnonzero(~sure).tolist():
            popt[k], loss[k], inverse[k], outcomes[k], details[k] = self._alone(
                k, starts[k], popt[k], loss[k]
            )
        y = self._data.y
        real = y[0].size * (2 if np.iscomplexobj(y) else 1)
        dof = real - size
        scale = np.ones(count)
        if not absolute_sigma:
            scale = 2 * loss / dof if dof > 0 else np.full(count, np.inf)
        with np.errstate(invalid="ignore"):  # an infinite variance times a χ² of 0
            covariances = inverse * scale[:, None, None]
        return CurveFits(
            popt=popt,
            pcov=covariances,
            chi_squared=2 * loss,
            outcomes=tuple(outcomes),
            details=tuple(details),
            names=self._layout.names,
            one_by_one=~sure,
        )

    def _in_batches(self, starts: np.ndarray) -> Any:
        """All fits, as far as batches bring them; the states, stacked, as NumPy arrays."""
        width, onward = self._batch, _program(self._engine, self._axes_key())
        count = len(starts)

        def call(rows: np.ndarray, state: Any) -> Any:
            with float64():
                full = np.resize(rows, width)  # a short batch is filled up with repeats
                data = self._rows(full)
                found = onward(data, jax.tree.map(lambda leaf: leaf[full], state))
                return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(rows)], found)

        total, running = _before(starts), np.arange(count)
        with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
            for _ in range(MOST_ROUNDS):
                parts = [running[k : k + width] for k in range(0, len(running), width)]
                found = list(pool.map(call, parts, [total] * len(parts)))
                joined = jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
                for whole, part in zip(
                    jax.tree.leaves(total), jax.tree.leaves(joined), strict=True
                ):
                    whole[running] = part
                running = np.flatnonzero(total.code == RUNNING)
                if not running.size:
                    break
        return total

    def _axes_key(self) -> bool:
        return self._axes.weights == 0

    def _rows(self, rows: np.ndarray) -> Data:
        """The data of some fits."""
        data = self._data
        weights = data.weights[rows] if self._axes.weights == 0 else data.weights
        return data._replace(y=data.y[rows], weights=weights)

    def _alone(
        self, k: int, start: np.ndarray, theta: np.ndarray, loss: float
    ) -> tuple[np.ndarray, float, np.ndarray, Outcome, str]:
        """One fit by the careful method; the batch's end counts where it is better."""
        data = self._rows(np.array([k]))
        weights = data.weights[0] if self._axes.weights == 0 else data.weights
        data = data._replace(y=data.y[0], weights=weights)
        size = len(start)
        nothing = np.full((size, size), np.nan)
        if not np.isfinite(data.y).all():
            return np.full(size, np.nan), np.nan, nothing, Outcome.DIVERGED, IN_DATA
        free = Bounds(np.full(size, -np.inf), np.full(size, np.inf))
        fit = Fit(self._engine, data, free, self._layout.names, method="auto", stop=None)
        try:
            found = fit.run([start])
            if np.isfinite(loss) and loss < found.solution.loss * (1 - 1e-9):
                found = fit.run([theta])
        except DataError as error:
            return np.full(size, np.nan), np.nan, nothing, Outcome.DIVERGED, str(error)
        inverse = curvature_of(found.jacobian).inverse
        end = found.solution
        return found.theta, end.loss, inverse, end.outcome, end.detail


def _inverted(normal: np.ndarray) -> np.ndarray:
    """The inverses of matrices JᵀJ, in units of their columns."""
    unit = np.sqrt(np.diagonal(normal, axis1=1, axis2=2))
    outer = unit[:, :, None] * unit[:, None, :]
    return np.linalg.inv(normal / outer) / outer


@functools.lru_cache(maxsize=64)
def _program(engine: Engine, has_sigmas: bool) -> Any:  # noqa: FBT001 - a key
    """The compiled steps of a batch."""
    axes = Data(None, 0, 0 if has_sigmas else None, None, None, None, None)
    return quick_jit(lambda data, states: advance(engine.residuals, data, states, axes))


def _before(starts: np.ndarray) -> State:
    """The states before the first step, stacked, as NumPy arrays that can be written to."""
    one = begin(starts[0], arrays=np)
    many: State = jax.tree.map(lambda leaf: np.repeat(leaf[None], len(starts), axis=0), one)
    return many._replace(at=many.at._replace(theta=starts.copy()))
