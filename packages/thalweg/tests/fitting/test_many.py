"""Many fits at once are the fits one by one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import thalweg as tw
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.fitting.batch import ONE_PASS, point
from thalweg.fitting.precision import float64

RANDOM = np.random.default_rng(11)
X = np.linspace(0.0, 10.0, 60)
COUNT = 70
START = [2.0, 5.0, 1.0]
TRUTH = np.stack(
    [RANDOM.uniform(1, 4, COUNT), RANDOM.uniform(4, 6, COUNT), RANDOM.uniform(0.7, 1.6, COUNT)], 1
)


def peak(x: Any, a: Any, m: Any, s: Any) -> Any:
    """A Gaussian peak, as thalweg fits it."""
    return a * jnp.exp(-((x - m) ** 2) / (2 * s**2))


def peak_numpy(a: Any, m: Any, s: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-((X - m) ** 2) / (2 * s**2))


Y = np.stack([peak_numpy(*row) for row in TRUTH]) + 0.05 * RANDOM.normal(size=(COUNT, X.size))


@pytest.mark.parametrize("kind", ["none", "shared", "each"])
@pytest.mark.parametrize("absolute", [False, True])
def test_each_fit_is_the_one_that_it_would_be_alone(kind: str, absolute: bool):  # noqa: FBT001
    """Parameters, covariances and sums of squares; with sigma for all, and for each."""
    sigmas = {
        "none": None,
        "shared": RANDOM.uniform(0.5, 2, X.size),
        "each": RANDOM.uniform(0.5, 2, Y.shape),
    }
    sigma = sigmas[kind]
    fits = tw.curve_fit_many(peak, X, Y, START, sigma, absolute)
    assert fits.success.all()
    assert not fits.one_by_one.any()
    for k in range(0, COUNT, 9):
        own = sigma[k] if kind == "each" else sigma
        alone = tw.curve_fit(peak, X, Y[k], START, own, absolute)
        np.testing.assert_allclose(fits.popt[k], alone.popt, rtol=1e-7)
        np.testing.assert_allclose(fits.pcov[k], alone.pcov, rtol=1e-4, atol=1e-12)
        assert fits.chi_squared[k] == pytest.approx(alone.chi_squared, rel=1e-12)


def test_fits_that_fail_have_outcomes_of_their_own():
    """A NaN in one row, a row of zeros and a row far from the start do not touch the others."""
    y = Y[:20].copy()
    y[3, 5] = np.nan
    y[7] = 0.0
    y[9] = peak_numpy(3.0, 60.0, 1.0)  # its peak is outside of the data
    fits = tw.curve_fit_many(peak, X, y, START)
    assert fits.outcomes[3] is tw.Outcome.DIVERGED
    assert np.isnan(fits.popt[3]).all()
    assert "NaN" in fits.details[3]
    assert fits.one_by_one[[3, 7]].all()
    assert fits.outcomes[7] in {tw.Outcome.PLATEAU, tw.Outcome.CONVERGED}
    assert abs(fits.popt[7, 0]) < 1e-6
    rest = [k for k in range(20) if k not in {3, 7, 9}]
    assert fits.success[rest].all()
    np.testing.assert_allclose(
        fits.popt[rest], tw.curve_fit_many(peak, X, Y[:20], START).popt[rest], rtol=1e-9
    )
    assert "17 converged" in repr(fits) or "converged" in repr(fits)


def test_a_parameter_too_many_is_said_for_each_fit():
    """Where two columns of J are one, a small damping hides it from the matrix of the last step."""
    decays = np.stack([2 * np.exp(-rate * X) for rate in (0.5, 0.7, 0.9)])
    noisy = decays + 0.01 * RANDOM.normal(size=decays.shape)

    def model(x: Any, a: Any, b: Any, c: Any) -> Any:
        return a * jnp.exp(-(b + c) * x)

    fits = tw.curve_fit_many(model, X, noisy, [1.0, 0.5, 0.5])
    assert fits.one_by_one.all()
    assert np.isinf(fits.stderr[:, 1:]).all()
    assert np.isfinite(fits.stderr[:, 0]).all()
    assert all("undetermined" in detail for detail in fits.details)


def test_no_fit_ends_where_a_peak_has_shrunk_to_one_measurement():
    """Its height, place and width are then one direction, and no minimum is certain."""
    random = np.random.default_rng(0)
    x = np.linspace(0, 10, 300)
    middles = 2.5 * np.arange(4) + 1.25

    def model(x: Any, *p: Any) -> Any:
        peaks = [p[i] * jnp.exp(-((x - p[i + 1]) ** 2) / (2 * p[i + 2] ** 2)) for i in (0, 3, 6, 9)]
        return sum(peaks) + p[12]

    start = np.array([value for middle in middles for value in (2, middle, 0.375)] + [0.5])
    truth = start * random.uniform(0.9, 1.1, (60, start.size))
    rows = np.stack([np.asarray(model(x, *row)) for row in truth])
    rows += 0.05 * random.normal(size=rows.shape)
    fits = tw.curve_fit_many(model, x, rows, start)
    assert fits.one_by_one.any()
    assert fits.success.all()
    assert fits.chi_squared[fits.one_by_one].max() < 1.5 * 0.05**2 * 300


@pytest.mark.parametrize("power", [-6, -9, -12, -14, -16, -20, -30, -60, 6, 12])
def test_data_far_from_the_start_in_size_are_fitted_as_those_near_it(power: int):
    """Columns of J shrink with the model's values, and that is no plateau; nor is it the end."""
    x = np.linspace(0, 4, 40)
    y = 2 * np.exp(-0.5 * x) + 0.02 * np.random.default_rng(5).normal(size=x.size)

    def decay(x: Any, a: Any, b: Any) -> Any:
        return a * jnp.exp(-b * x)

    expected = optimize.curve_fit(lambda x, a, b: a * np.exp(-b * x), x, y)[0]
    scale = np.array([10.0**power, 1.0])
    one = tw.curve_fit(decay, x, y * 10.0**power)
    assert one.success
    np.testing.assert_allclose(one.popt / scale, expected, rtol=1e-6)
    many = tw.curve_fit_many(decay, x, np.stack([y, y]) * 10.0**power)
    assert many.success.all()
    np.testing.assert_allclose(many.popt / scale, [expected] * 2, rtol=1e-6)


def test_damping_does_not_hide_the_descent_along_a_column_that_has_shrunk():
    """Fits of a batch ended far from the minimum, with a at 1.3 times and b at twice its value."""
    x = np.linspace(0, 4, 40)
    rows = 1e-12 * (2 * np.exp(-0.5 * x) + 0.02 * RANDOM.normal(size=(20, x.size)))
    fits = tw.curve_fit_many(lambda x, a, b: a * jnp.exp(-b * x), x, rows)
    assert fits.success.all()
    np.testing.assert_allclose(fits.popt / [1e-12, 1], [[2, 0.5]] * 20, rtol=0.05)


def test_where_sums_of_squares_overflow_no_minimum_is_claimed():
    """And NumPy's warnings, which are errors in these tests, are left out."""
    x = np.linspace(0, 4, 40)
    fit = tw.curve_fit(lambda x, a, b: a * jnp.exp(-b * x), x, 2e200 * np.exp(-x / 2), [1e200, 1])
    assert not fit.success
    assert fit.chi_squared == np.inf
    assert not np.isfinite(fit.stderr).any()
    assert "converged" not in repr(fit)


@pytest.mark.parametrize("size", [2, 5, ONE_PASS])
def test_sums_in_one_pass_are_those_of_the_jacobian(size: int):
    """The brute-force twin: s and J as arrays."""
    theta = RANDOM.uniform(0.5, 1.5, size)

    def model(y: Any, p: Any) -> Any:
        return sum(jnp.sin(value * (k + 1) * X) for k, value in enumerate(p)) - y

    with float64():
        found = point(model, Y[0], jnp.asarray(theta))
        s, jacobian = model(Y[0], theta), jax.jacobian(lambda p: model(Y[0], p))(jnp.asarray(theta))
    np.testing.assert_allclose(found.loss, 0.5 * s @ s, rtol=1e-13)
    np.testing.assert_allclose(found.gradient, jacobian.T @ s, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(found.normal, jacobian.T @ jacobian, rtol=1e-11, atol=1e-10)


def test_units_do_not_matter():
    """Rows times 1e-12 give amplitudes times 1e-12."""
    plain = tw.curve_fit_many(peak, X, Y, START)
    small = tw.curve_fit_many(peak, X, 1e-12 * Y, [2e-12, 5.0, 1.0])
    np.testing.assert_allclose(small.popt / [1e-12, 1, 1], plain.popt, rtol=1e-8)


def test_starts_of_their_own():
    """One row of `p0` a fit."""
    starts = TRUTH * 1.1
    fits = tw.curve_fit_many(peak, X, Y, starts)
    np.testing.assert_allclose(fits.popt, tw.curve_fit_many(peak, X, Y, START).popt, rtol=1e-7)
    with pytest.raises(ShapeError, match="70 rows"):
        tw.curve_fit_many(peak, X, Y, starts[:3])


def test_bad_input_is_refused():
    """One row is no table of rows, and x must be finite."""
    with pytest.raises(ShapeError, match="one row for each fit"):
        tw.curve_fit_many(peak, X, Y[0], START)
    with pytest.raises(ConfigError, match="`ydata` has dtype"):
        tw.curve_fit_many(peak, X, np.full((2, X.size), "a"), START)
    with pytest.raises(ConfigError, match="it takes a, m, s after x"):
        tw.curve_fit_many(peak, X, Y, [START, START])
    with pytest.raises(DataError, match="`xdata`"):
        tw.curve_fit_many(peak, np.where(X > 9, np.nan, X), Y, START)
