"""What solutions are compared with: finite differences against formulas, tables against both."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import pde
from thalweg.errors import ConfigError

LINE = pde.Interval(0, 1)


def test_finite_differences_on_a_line():
    """Heat between two cold ends, against its formula."""
    table = pde.finite_differences(
        lambda x, t, u, u_x, u_xx, *_: 0.1 * u_xx,  # noqa: ARG005
        LINE,
        (0, 1),
        lambda x: jnp.sin(jnp.pi * x),
        points=40,
        times=5,
    )
    x, t = table.points.T
    exact = np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x)
    assert table.values == pytest.approx(exact, abs=1e-8)
    assert sorted(set(t)) == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_finite_differences_on_a_ring():
    """Third derivatives carry a wave round the ring, and fourth ones damp it."""
    table = pde.finite_differences(
        lambda x, t, u, u_x, u_xx, u_xxx, u_xxxx: u_xxx - 0.01 * u_xxxx,  # noqa: ARG005
        pde.Interval(0, 2 * np.pi),
        (0, 2),
        lambda x: jnp.sin(2 * x),
        periodic=True,
        points=16,
        times=3,
    )
    x, t = table.points.T
    exact = np.exp(-0.16 * t) * np.sin(2 * x - 8 * t)
    assert table.values == pytest.approx(exact, abs=1e-7)


def test_bad_references():
    """Refused in a sentence."""
    with pytest.raises(ConfigError, match="at least 14 were expected"):
        pde.finite_differences(lambda *_: 0, LINE, (0, 1), jnp.sin, points=8)
    with pytest.raises(ConfigError, match="one row for each of the 2 points"):
        pde.Table([0, 1], [1])
