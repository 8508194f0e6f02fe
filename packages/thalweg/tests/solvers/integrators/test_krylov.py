"""The function φ₁ of exponential integrators, against its definition in longer arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.solvers.integrators.krylov import MOST_GROWTH, phi_1

MAGNITUDES = np.geomspace(1e-12, 35, 97)


def oracle(z):
    """(1 - e⁻ᶻ)/z: by its series in 80-bit arithmetic where |z| < ½, else by its definition."""
    z = np.asarray(z, np.longdouble)
    term, total = np.ones_like(z), np.ones_like(z)
    for k in range(2, 25):
        term = -term * z / k
        total += term
    return np.where(np.abs(z) < 0.5, total, (1 - np.exp(-z)) / np.where(z == 0, 1, z))


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_phi_is_accurate_from_tiny_to_large_of_either_sign(real):
    """To a few roundings, without the cancellation of 1 - e⁻ᶻ near 0."""
    z = np.concatenate([-MAGNITUDES, [0.0], MAGNITUDES, [1e3, 1e8]]).astype(real)
    found = np.asarray(jax.jit(phi_1)(jnp.asarray(z)))
    assert found.dtype == real
    assert np.abs(found / oracle(z) - 1).max() <= 8 * np.finfo(real).eps


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_growth_is_cut_off_where_it_would_overflow(real):
    """Beyond e^40 φ₁ grows no more, so that a much too long step stays a number to be rejected."""
    z = -np.geomspace(MOST_GROWTH, 1e20, 30).astype(real)
    found = np.asarray(phi_1(jnp.asarray(z)))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found[0] == pytest.approx(float(oracle(-MOST_GROWTH)), rel=1e-5)
    assert (found <= found[0]).all()
