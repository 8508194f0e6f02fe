"""Fits within bounds, beside SciPy's trust region reflective method."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import thalweg as tw
from thalweg.fitting.bounds import Bounds, inner_start, outer

X = np.linspace(0.0, 8.0, 60)


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """An exponential decay to a constant, as thalweg fits it."""
    return a * jnp.exp(-b * x) + c


def decay_numpy(x: Any, a: Any, b: Any, c: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-b * x) + c


Y = decay_numpy(X, 2.5, 0.8, 0.5) + 0.05 * np.random.default_rng(2).normal(size=X.size)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (([0, 0, 0], [5, 5, 5]), {}),
        (([0, 0, 0], [5, 0.7, 5]), {"b": "upper"}),
        (([3, 0, 0], [5, 5, 0.4]), {"a": "lower", "c": "upper"}),
        (([0, 0, 0.6], [np.inf, np.inf, np.inf]), {"c": "lower"}),
        (([-np.inf, 1, -np.inf], [np.inf, np.inf, 1]), {"b": "lower"}),
    ],
)
def test_bounded_fits_are_those_of_scipy(limits: Any, expected: dict[str, str]):
    """The same minimum, and parameters at a bound are exactly there and named."""
    fit = tw.curve_fit(decay, X, Y, bounds=limits)
    found, _ = optimize.curve_fit(
        decay_numpy, X, Y, bounds=limits, ftol=1e-15, xtol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(fit.popt, found, rtol=1e-6)
    assert fit.chi_squared <= np.sum((decay_numpy(X, *found) - Y) ** 2) * (1 + 1e-12)
    assert fit.at_bounds == expected
    assert fit.outcome is tw.Outcome.CONVERGED
    low, high = np.broadcast_arrays(*map(np.asarray, limits))
    for name, side in expected.items():
        k = fit.names.index(name)
        assert fit.popt[k] == (low if side == "lower" else high)[k]
        assert f"`{name}` is at its {side} bound" in fit.message


def test_bounds_by_name_and_as_an_object():
    """A dictionary of some parameters, and `scipy.optimize.Bounds`."""
    limits: Any = [-np.inf, -np.inf, 0], [np.inf, 0.7, 5]
    named = tw.curve_fit(decay, X, Y, bounds={"b": (None, 0.7), "c": (0, 5)})
    plain = tw.curve_fit(decay, X, Y, bounds=optimize.Bounds(*limits))
    np.testing.assert_allclose(named.popt, plain.popt, rtol=1e-9)


@pytest.mark.parametrize("power", [-12, 12])
def test_bounds_keep_units(power: int):
    """Scaled with y, they change nothing else; SciPy's own ends at the start for small units."""
    unit = 10.0**power
    plain = tw.curve_fit(decay, X, Y, [1, 0.5, 1], bounds=([0, 0, 0], [5, 0.7, 5]))
    scaled = tw.curve_fit(
        decay, X, Y * unit, [unit, 0.5, unit], bounds=([0, 0, 0], [5 * unit, 0.7, 5 * unit])
    )
    np.testing.assert_allclose(scaled.popt / [unit, 1, unit], plain.popt, rtol=1e-8)
    assert scaled.at_bounds == plain.at_bounds == {"b": "upper"}


numbers = st.floats(-1e3, 1e3)


@settings(max_examples=200)
@given(theta=st.floats(0.02, 0.98), low=numbers, width=st.floats(1e-3, 1e3), kind=st.integers(0, 3))
def test_the_change_of_variables_has_an_inverse(theta: float, low: float, width: float, kind: int):
    """`outer(inner_start(θ)) = θ` inside, and every v is within the bounds."""
    value = low + theta * width
    bounds = Bounds(
        np.array([low if kind in {1, 3} else -np.inf]),
        np.array([low + width if kind in {2, 3} else np.inf]),
    )
    v = inner_start(np.array([value]), bounds)
    back = outer(v, bounds.kinds, *bounds.finite, arrays=np)
    assert abs(back[0] - value) <= 1e-9 * max(abs(value), abs(low) + width)
    anywhere = outer(v * 17.3 + 0.1, bounds.kinds, *bounds.finite, arrays=np)
    assert np.all((bounds.low <= anywhere) & (anywhere <= bounds.high))
