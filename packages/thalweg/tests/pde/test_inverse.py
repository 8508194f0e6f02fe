"""Unknown constants and fields from noisy data, against a fit of the exact solution."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit

from thalweg import pde

NOISE = 0.02


def heat(u, x, t, c):
    """The heat equation with an unknown conductivity."""
    return pde.dt(u)(x, t) - c["k"] * pde.laplacian(u)(x, t)


def measured_heat(random):
    """A conductivity of 0.3 to be found from 150 noisy temperatures; these; the formula."""
    at = random.uniform(0, 1, (150, 2))

    def exact(points, k):
        return np.exp(-k * np.pi**2 * points[:, 1]) * np.sin(np.pi * points[:, 0])

    values = exact(at, 0.3) + NOISE * random.standard_normal(len(at))
    problem = pde.Problem(
        pde.Interval(0, 1),
        heat,
        [pde.Initial(lambda x: jnp.sin(jnp.pi * x)), pde.Dirichlet(0.0), pde.Data(at, values)],
        time=(0, 1),
        unknowns={"k": 1.0},
    )
    return problem, at, values, exact


def test_a_conductivity_has_the_error_bar_of_an_exact_fit():
    """The value is that of a fit of the exact solution to a few error bars; the error bar too."""
    problem, at, values, exact = measured_heat(np.random.default_rng(1))
    result = pde.solve(problem, seconds=60, steps=300, network=pde.MLP(10, 2), points=400)
    (expected,), ((variance,),) = curve_fit(exact, at, values, p0=[1.0])
    found = result.unknowns["k"]
    assert found.error is not None
    assert found.error == pytest.approx(np.sqrt(variance), rel=0.1)
    assert abs(found.value - expected) < 0.5 * found.error
    assert result.undetermined == ()


def test_the_error_of_a_run_that_has_not_arrived_covers_what_is_missing():
    """The curvature alone would promise a tenth of it. Steps decide, so the run repeats."""
    problem, at, values, exact = measured_heat(np.random.default_rng(1))
    (expected,), ((variance,),) = curve_fit(exact, at, values, p0=[1.0])
    small = {"seconds": 60, "network": pde.MLP(10, 2), "points": 400}
    first, second = (pde.solve(problem, steps=20, **small) for _ in range(2))
    found = first.unknowns["k"]
    assert found == second.unknowns["k"]
    assert found.error is not None
    assert abs(found.value - expected) > 3 * np.sqrt(variance)
    assert abs(found.value - expected) < 2 * found.error
    assert found.value + found.shift == pytest.approx(expected, abs=0.5 * found.error)
    assert "not at the minimum" in repr(first)


def test_what_the_data_cannot_tell_has_no_error_bar():
    """Only the product of two constants is determined; the third has an error bar."""
    x = np.linspace(0, 1, 30)
    random = np.random.default_rng(2)
    problem = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x, c: pde.partial(u)(x) - c["a"] * c["b"] * x - c["slope"],
        [pde.Dirichlet(0.0, on="left"), pde.Data(x, x**2 + x + 0.01 * random.standard_normal(30))],
        unknowns={"a": 1.0, "b": 1.0, "slope": 0.0},
    )
    result = pde.solve(problem, seconds=60, steps=100, network=pde.MLP(6, 1), points=40)
    assert result.unknowns["a"].error is None
    assert result.unknowns["b"].error is None
    assert result.undetermined == ("a and b",)
    assert "do not determine a and b" in repr(result)
    slope = result.unknowns["slope"]
    assert slope.error is not None
    assert abs(slope.value - 1) < 4 * slope.error < 0.2
    product = result.unknowns["a"].value * result.unknowns["b"].value
    assert product == pytest.approx(2, abs=0.1)


def test_an_unknown_field_is_found_with_its_error():
    """The source of u'' = q from values of u; its error bar covers the truth."""
    x = np.linspace(0, 1, 60)
    random = np.random.default_rng(3)
    values = np.sin(np.pi * x) + 1e-3 * random.standard_normal(60)
    problem = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x, c: pde.laplacian(u)(x) - c["q"](x),
        [pde.Dirichlet(0.0), pde.Data(x, values)],
        unknowns={"q": pde.Field(pde.MLP(4, 1), scale=10.0)},
    )
    result = pde.solve(problem, seconds=60, steps=150, network=pde.MLP(10, 1), points=80)
    at = np.linspace(0.1, 0.9, 9)
    found, error = result.unknown("q", at)
    truth = -(np.pi**2) * np.sin(np.pi * at)
    assert np.abs(found - truth).max() < 1.0
    assert np.isfinite(error).all()
    assert np.all(np.abs(found - truth) < 5 * error)
