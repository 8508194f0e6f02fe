"""`curve_fit` beside SciPy's, with which it must agree, and what it knows beyond."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.stats import t as student

import thalweg as tw
from thalweg.errors import ConfigError, DataError, MissingExtraError, ShapeError

RANDOM = np.random.default_rng(3)
X = np.linspace(0.0, 4.0, 60)
TRUTH = (2.5, 1.3, 0.5)


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """An exponential decay to a constant, as thalweg fits it."""
    return a * jnp.exp(-b * x) + c


def decay_numpy(x: Any, a: Any, b: Any, c: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-b * x) + c


def peak(x: Any, a: Any, m: Any, s: Any) -> Any:
    """A Gaussian peak, as thalweg fits it."""
    return a * jnp.exp(-((x - m) ** 2) / (2 * s**2))


def peak_numpy(x: Any, a: Any, m: Any, s: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-((x - m) ** 2) / (2 * s**2))


def saturation(x: Any, v: Any, k: Any) -> Any:
    """A hyperbola that saturates, for both."""
    return v * x / (k + x)


Y = decay_numpy(X, *TRUTH) + 0.05 * RANDOM.normal(size=X.size)
SIGMA = RANDOM.uniform(0.02, 0.1, X.size)
FACTOR = RANDOM.normal(size=(X.size, X.size))
COVARIANCE = 1e-3 * (np.eye(X.size) + 0.05 * FACTOR @ FACTOR.T)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.05, SIGMA, COVARIANCE], ids=["-", "1", "1-d", "2-d"])
@pytest.mark.parametrize(
    ("model", "twin", "truth", "p0"),
    [
        (decay, decay_numpy, TRUTH, None),
        (peak, peak_numpy, (3.0, 2.0, 0.6), [1.0, 1.5, 1.0]),
        (saturation, saturation, (4.0, 1.5), [1.0, 1.0]),
    ],
    ids=["decay", "peak", "saturation"],
)
def test_parameters_and_covariance_are_those_of_scipy(
    model: Callable[..., Any],
    twin: Callable[..., Any],
    truth: tuple[float, ...],
    p0: Any,
    sigma: Any,
    absolute: bool,  # noqa: FBT001 - a case
):
    """SciPy with tight tolerances finds the same minimum; its covariance has the same formula."""
    y = twin(X, *truth) + 0.05 * np.random.default_rng(7).normal(size=X.size)
    popt, pcov = tw.curve_fit(model, X, y, p0, sigma, absolute)
    tight: Any = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    expected, covariance = optimize.curve_fit(twin, X, y, p0, sigma, absolute, **tight)
    np.testing.assert_allclose(popt, expected, rtol=2e-7)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(pcov / scale, covariance / scale, atol=1e-4)


@pytest.mark.parametrize("power", [-20, -9, 9, 20])
def test_units_of_x_and_y_do_not_matter(power: int):
    """With y times 10^p and x times 10^-p, the parameters scale and nothing else changes."""
    unit = 10.0**power
    plain = tw.curve_fit(decay, X, Y, [1.0, 2.0, 0.1])
    scaled = tw.curve_fit(decay, X / unit, Y * unit, [unit, 2.0 * unit, 0.1 * unit])
    np.testing.assert_allclose(scaled.popt / unit, plain.popt, rtol=1e-9)
    np.testing.assert_allclose(scaled.pcov / unit**2, plain.pcov, rtol=1e-6)
    assert scaled.outcome is plain.outcome is tw.Outcome.CONVERGED


def test_a_second_fit_of_the_model_compiles_nothing():
    """Other data of the same shapes, and a copy of the function, use the same programs."""

    def made(offset: float) -> Callable[..., Any]:
        return lambda x, a, b: a * jnp.exp(-b * x) + offset

    tw.curve_fit(made(0.5), X, Y)
    counted = []

    def count(name: str, _: float, **_more: Any) -> None:
        counted.append(name)

    jax.monitoring.register_event_duration_secs_listener(count)
    assert done.stdout.split() == ["True", "False", "float32"]


def calls_numpy(x: Any, a: Any, b: Any) -> Any:
    """A model that JAX cannot trace."""
    return a * np.exp(-b * x)


def branches(x: Any, a: Any, b: Any) -> Any:
    """A model that branches on a parameter."""
    return a * x if a > 0 else b * x


@pytest.mark.parametrize(
    ("model", "keywords", "kind", "words"),
    [
        (calls_numpy, {}, ConfigError, r"`f` makes .*NumPy.* in line \d+ of test_curve_fit.py"),
        (branches, {}, ConfigError, r"in line \d+ of test_curve_fit.py.*jnp.where"),
        (lambda _x, _a: None, {}, ConfigError, "returns None"),
        (lambda x, a, b: (a * x + b)[:5], {}, ShapeError, r"\(5,\).*\(60,\)"),
        (lambda x, a, b: jnp.log(a * x - b), {}, DataError, r"start \(a = 1, b = 1\) for 15 of 60"),
        (lambda x, a: jnp.sqrt(a) * x, {"p0": [0.0]}, DataError, "derivative by `a`"),
        (lambda x, *p: p[0] * x, {}, ConfigError, "give `p0`"),
        (decay, {"p0": [1.0]}, ConfigError, "has 1 values, but `f` takes 3"),
        (decay, {"p0": [1, 2, 3, 4]}, ConfigError, "takes 3 parameters"),
        (decay, {"p0": [1, np.nan, 3]}, DataError, "`p0` is not finite in `b`"),
        (decay, {"bounds": ([0, 0, 1], [1, 1, 0])}, ConfigError, "bounds of `c`"),
        (decay, {"bounds": (0, 2), "p0": [5, 1, 1]}, ConfigError, "start of `a` is 5, outside"),
        (decay, {"sigma": np.zeros(60)}, ConfigError, "positive"),
        (decay, {"sigma": np.ones(3)}, ShapeError, "sigma"),
        (decay, {"loss": "l1"}, ConfigError, "huber"),
        (decay, {"method": "newtn"}, ConfigError, "no method"),
    ],
)
def test_bad_input_is_one_sentence(model: Any, keywords: Any, kind: Any, words: str):
    """What was found, what was expected, what to do."""
    with pytest.raises(kind, match=words) as caught:
        tw.curve_fit(model, X, Y, **keywords)
    assert "\n" not in str(caught.value)


def test_nan_is_refused_or_left_out():
    """By `nan_policy`, as in SciPy."""
    y = np.where(X > 3.5, np.nan, Y)
    with pytest.raises(DataError, match="`ydata` holds NaN"):
        tw.curve_fit(decay, X, y)
    kept = X <= 3.5
    omitted = tw.curve_fit(decay, X, y, sigma=SIGMA, nan_policy="omit")
    np.testing.assert_allclose(
        omitted.popt, tw.curve_fit(decay, X[kept], Y[kept], sigma=SIGMA[kept]).popt, rtol=1e-9
    )


def test_methods_of_scipy_and_budgets_go_through_minimize():
    """Other methods and a `Stop` run as `minimize` runs them."""
    auto = tw.curve_fit(decay, X, Y)
    lm = tw.curve_fit(decay, X, Y, method="lm")
    assert (auto.solution.method, lm.solution.method) == ("scaled-geodesic", "scipy-lm")
    np.testing.assert_allclose(lm.popt, auto.popt, rtol=1e-5)
    short = tw.curve_fit(decay, X, Y, stop=tw.Stop(steps=2))
    assert short.outcome is tw.Outcome.BUDGET_SPENT
    assert not short.success


def test_the_history_is_that_of_minimize():
    """The quick way makes the steps that `minimize` makes, bit for bit."""
    quick = tw.curve_fit(decay, X, Y, [1.0, 2.0, 0.0]).solution
    long = tw.curve_fit(decay, X, Y, [1.0, 2.0, 0.0], stop=tw.Stop(steps=10_000)).solution
    assert set(quick.history) == set(long.history)
    np.testing.assert_allclose(quick.history["loss"], long.history["loss"], rtol=1e-12)
    np.testing.assert_allclose(
        quick.history["grad_norm"][:-1], long.history["grad_norm"][:-1], rtol=1e-6, atol=1e-12
    )
    assert quick.work == long.work


def test_predictions_and_bands_of_a_line_are_the_closed_form():
    """For a line the band is known: `s √(1/m + (x - x̄)²/Sxx)`."""
    y = 2 * X + 1 + 0.1 * np.random.default_rng(5).normal(size=X.size)
    fit = tw.curve_fit(lambda x, a, b: a * x + b, X, y)
    at = np.array([-1.0, 2.0, 9.0])
    m, mean = X.size, X.mean()
    std = np.sqrt(fit.scale * (1 / m + (at - mean) ** 2 / np.sum((X - mean) ** 2)))
    value, found = fit.predict(at, return_std=True)
    np.testing.assert_allclose(found, std, rtol=1e-9)
    q = student.ppf(0.95, m - 2)
    band = fit.predict(at, interval=0.9)
    np.testing.assert_allclose(band.high - value, q * std, rtol=1e-9)
    wide = fit.predict(at, interval=0.9, new_measurements=True)
    np.testing.assert_allclose(wide.high - value, q * np.sqrt(std**2 + fit.scale), rtol=1e-9)
    assert fit.r_squared == pytest.approx(np.corrcoef(X, y)[0, 1] ** 2, rel=1e-9)
    assert fit.correlation[0, 1] == pytest.approx(-mean / np.sqrt(np.mean(X**2)), rel=1e-9)


def test_plot_names_its_extra_where_matplotlib_is_missing(monkeypatch: pytest.MonkeyPatch):
    """And nothing else of a fit needs it."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    fit = tw.curve_fit(decay, X, Y)
    with pytest.raises(MissingExtraError, match=r"thalweg\[plot\]"):
        fit.plot()
    lines = repr(fit).splitlines()
    assert lines[0].startswith("converged")
    assert len(lines) == 5
