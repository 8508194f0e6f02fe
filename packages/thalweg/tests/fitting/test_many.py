"""Many fits at once are the fits one by one."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import DataError, ShapeError

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
    with pytest.raises(DataError, match="`xdata`"):
        tw.curve_fit_many(peak, np.where(X > 9, np.nan, X), Y, START)
