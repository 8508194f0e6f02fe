"""Reference solutions against what is known of them without the code that made them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg_lab.pde import allen_cahn, cavity, l_shape, references


def test_burgers_satisfies_its_equation_and_start():
    """Differences of the quadrature satisfy Burgers' equation."""
    x, t, step = np.linspace(-0.9, 0.9, 19), np.full(19, 0.3), 1e-4
    u = lambda dx, dt: references.burgers(x + dx, t + dt, 0.05)  # noqa: E731
    slope = (u(step, 0) - u(-step, 0)) / (2 * step)
    curvature = (u(step, 0) - 2 * u(0, 0) + u(-step, 0)) / step**2
    change = (u(0, step) - u(0, -step)) / (2 * step)
    assert np.abs(change + u(0, 0) * slope - 0.05 * curvature).max() < 1e-5
    assert np.abs(references.burgers(x, 0 * t, 0.05) + np.sin(np.pi * x)).max() < 1e-12


def test_burgers_does_not_depend_on_the_quadrature():
    """Two hundred nodes give what three hundred give."""
    x, t = np.linspace(-1, 1, 41), np.full(41, 0.8)
    some, more = (references.burgers(x, t, 0.01 / np.pi, nodes) for nodes in (200, 300))
    assert np.abs(some - more).max() < 1e-12


def test_fourier_modes_solve_the_heat_equation():
    """The linear part is exact."""
    x, t, u = references.periodic(
        np.sin, lambda k: -(k**2), (2, lambda k: 0 * k),
        low=0.0, length=2 * np.pi, end=1.0, steps=20, shots=5, modes=32,
    )  # fmt: skip
    assert u == pytest.approx(np.sin(x)[:, None] * np.exp(-t), abs=1e-12)


def test_fourier_modes_solve_burgers_equation_as_the_quadrature_does():
    """Two methods that share no code agree."""
    x, t, u = references.periodic(
        lambda x: -np.sin(np.pi * x), lambda k: -0.05 * k**2, (2, lambda k: -0.5j * k),
        low=-1.0, length=2.0, end=0.5, steps=400, shots=3, modes=256,
    )  # fmt: skip
    assert u[:, -1] == pytest.approx(references.burgers(x, np.full(x.size, t[-1]), 0.05), abs=1e-9)


def test_the_l_shape_is_solved_to_nine_digits():
    """It vanishes on the edge, and its Laplacian is -1."""
    along = np.linspace(-1, 1, 101)
    edges = [(along, -1 + 0 * along), (-1 + 0 * along, along), (0 * along[50:], along[50:])]
    assert max(np.abs(references.poisson_on_l_shape(x, y)).max() for x, y in edges) < 1e-9
    x, y, h = np.array([-0.4, 0.5]), np.array([0.3, -0.6]), 1e-3
    u = references.poisson_on_l_shape
    sides = u(x + h, y) + u(x - h, y) + u(x, y + h) + u(x, y - h)
    assert (sides - 4 * u(x, y)) / h**2 == pytest.approx(-1, abs=1e-3)


def test_singular_functions_of_the_l_shape_are_harmonic_and_jump_outside_only():
    """Units that carry them add nothing to the equation."""
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, (400, 2))
    points = points[(points < 0).any(axis=1)]
    second = jax.jit(jax.vmap(jax.hessian(l_shape.singular)))(points)
    scale = np.abs(second).max(axis=(2, 3)) + 1
    assert (np.abs(np.trace(second, axis1=2, axis2=3)) / scale).max() < 1e-9
    near = jax.vmap(l_shape.singular)
    assert np.abs(near(points + 1e-7) - near(points - 1e-7)).max() < 1e-4


def test_flow_at_a_scraping_corner_satisfies_stokes_and_both_walls():
    """Mass, momentum, the lid and the wall."""
    flow = lambda at: cavity.scraper(at[0], at[1])  # noqa: E731
    at = jnp.array([0.3, 0.2])
    slopes, second = jax.jacobian(flow)(at), jax.hessian(flow)(at)
    assert float(slopes[0, 0] + slopes[1, 1]) == pytest.approx(0, abs=1e-12)
    viscous = jnp.trace(second[:2], axis1=1, axis2=2) / cavity.REYNOLDS
    assert slopes[2] == pytest.approx(viscous, abs=1e-12)
    assert flow((0.4, 1e-13))[:2] == pytest.approx([1, 0], abs=1e-9)
    assert flow((1e-13, 0.4))[:2] == pytest.approx([0, 0], abs=1e-9)


def test_the_reference_of_allen_cahn_is_even_and_stays_within_its_bounds():
    """As the equation's own solution does."""
    table = allen_cahn.problem().reference
    u = np.asarray(table.values).reshape(256, 101)
    assert np.abs(u[1:] - u[:0:-1]).max() < 1e-9
    assert np.abs(u).max() <= 1 + 1e-9
