"""Intervals by profile likelihood: the closed form for a line, brute force for a curve."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.stats import norm
from scipy.stats import t as student

import thalweg as tw

X = np.linspace(0.0, 3.0, 12)


def saturation(x: Any, v: Any, k: Any) -> Any:
    """A hyperbola that saturates, for both."""
    return v * x / (k + x)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("absolute", [False, True])
def test_for_a_linear_model_both_intervals_are_the_closed_form(level: float, absolute: bool):  # noqa: FBT001
    """`value ± q s √(AᵀA)⁻¹`, with Student's t, or the normal distribution where σ is known."""
    y = 2 * X - 0.3 * X**2 + 1 + 0.1 * np.random.default_rng(4).normal(size=X.size)
    sigma = np.full(X.size, 0.1)
    fit = tw.curve_fit(lambda x, a, b, c: a + b * x + c * x**2, X, y, None, sigma, absolute)
    design = np.stack([np.ones_like(X), X, X**2], axis=1) / 0.1
    best, squares, *_ = np.linalg.lstsq(design, y / 0.1)
    scale = 1.0 if absolute else squares[0] / 9
    deviation = np.sqrt(scale * np.diag(np.linalg.inv(design.T @ design)))
    q = norm.ppf(0.5 + level / 2) if absolute else student.ppf(0.5 + level / 2, 9)
    closed = np.stack([best - q * deviation, best + q * deviation], axis=1)
    for by in ("curvature", "profile"):
        found = fit.confidence_intervals(level, by=by)
        np.testing.assert_allclose(list(found.values()), closed, rtol=1e-6, atol=1e-7)


def test_for_a_curve_the_profile_is_that_of_brute_force():
    """Each end is where the least loss over the other parameter has risen by q²s²/2."""
    y = saturation(X, 4.0, 1.5) + 0.25 * np.random.default_rng(8).normal(size=X.size)
    fit = tw.curve_fit(saturation, X, y)
    rise = student.ppf(0.975, X.size - 2) ** 2 * fit.scale

    def excess(k: float) -> float:  # for a given k the best v is known
        column = X / (k + X)
        r = y - column * (column @ y) / (column @ column)
        return float(r @ r - fit.chi_squared - rise)

    low, high = fit.confidence_intervals(0.95, by="profile")["k"]
    k = fit.popt[1]
    assert low == pytest.approx(optimize.brentq(excess, 1e-6, k), rel=1e-5)
    assert high == pytest.approx(optimize.brentq(excess, k, 1e3), rel=1e-5)
    assert high - k > 1.2 * (k - low)  # lopsided, as the interval by curvature cannot be


def test_a_profile_ends_at_a_bound():
    """Where the likelihood has not fallen enough by then."""
    y = saturation(X, 4.0, 1.5) + 0.25 * np.random.default_rng(8).normal(size=X.size)
    fit = tw.curve_fit(saturation, X, y, bounds={"k": (0.0, 2.0)})
    assert fit.confidence_intervals(0.99, by="profile")["k"][1] == 2.0


def test_a_parameter_without_effect_has_no_end():
    """Its profile never rises."""
    fit = tw.curve_fit(lambda x, a, b: a * x + 0 * jnp.sin(b), X, 2 * X + 0.1 * np.cos(9 * X))
    low, high = fit.confidence_intervals(by="profile")["b"]
    assert (low, high) == (-np.inf, np.inf)


def test_for_exact_data_the_interval_is_a_point():
    """Where it is narrower than rounding, no step can be taken along the profile."""
    fit = tw.curve_fit(saturation, X + 1, saturation(X + 1, 3.0, 0.7), {"v": 1.0, "k": 1.0})
    for name, (low, high) in fit.confidence_intervals(by="profile").items():
        np.testing.assert_allclose([low, high], fit.params[name], rtol=1e-9)
