"""Reference solutions against what is known of them without the code that made them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg_lab.pde import cavity, l_shape, references
from thalweg_lab.problems import burgers


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
        lambda x: -np.sin(np.pi * x), lambda k: -burgers.VISCOSITY * k**2,
        (2, lambda k: -0.5j * k), low=-1.0, length=2.0, end=0.3, steps=600, shots=3, modes=1024,
    )  # fmt: skip
    assert u[:, -1] == pytest.approx(burgers.exact(x, np.full(x.size, t[-1])), abs=1e-8)


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
    assert abs(float(slopes[0, 0] + slopes[1, 1])) < 1e-12
    viscous = np.trace(np.asarray(second[:2]), axis1=1, axis2=2) / cavity.REYNOLDS
    assert np.allclose(slopes[2], viscous, atol=1e-12)
    assert np.allclose(flow((0.4, 1e-13))[:2], [1, 0], atol=1e-9)
    assert np.allclose(flow((1e-13, 0.4))[:2], [0, 0], atol=1e-9)
