"""Lanczos' method: an orthonormal basis, the right small matrix, and an end when it is enough."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.solvers.integrators.lanczos import Krylov, forcing_test, lanczos, up_to_limit

RNG = np.random.default_rng(7)
each_real = pytest.mark.parametrize("real", [np.float64, np.float32])
each_h = pytest.mark.parametrize("h", [1e-6, 1.0, 1e4])


@functools.partial(jax.jit, static_argnames="limit")
def full_space(matrix, start, *, limit):
    """The Krylov space of a matrix, as large as it gets."""
    return lanczos(lambda v: matrix @ v, start, limit=limit, is_enough=up_to_limit)


@functools.partial(jax.jit, static_argnames="limit")
def forced_space(matrix, start, h, forcing, *, limit):
    """The Krylov space of a matrix that is enough for a step of size h."""
    return lanczos(lambda v: matrix @ v, start, limit=limit, is_enough=forcing_test(h, forcing))


def symmetric(values):
    """A symmetric matrix with these eigenvalues."""
    q = np.linalg.qr(RNG.normal(size=(len(values), len(values))))[0]
    return (q * np.asarray(values)) @ q.T


def used_part(space: Krylov):
    """The basis vectors in use as rows, and the small matrix between them, NumPy float64."""
    used = int(space.used)
    q, values = np.asarray(space.vectors, float), np.asarray(space.values, float)
    kept = values < 1e29
    assert kept.sum() == used
    small = (q[:, kept] * values[kept]) @ q[:, kept].T
    assert not np.asarray(space.basis)[used:].any()
    return np.asarray(space.basis, float)[:used], small[:used, :used]


@each_real
@each_h
def test_a_krylov_space_solves_the_system_as_numpy_does(h, real):
    """With a tiny forcing term, a Krylov space gives the dense solution at its own step size."""
    matrix, force = symmetric(np.geomspace(1e-3, 10, 8)), RNG.normal(size=8)
    expected = np.linalg.solve(matrix + np.eye(8) / h, -force)
    space = forced_space(jnp.asarray(matrix, real), jnp.asarray(force, real), h, 1e-15, limit=8)
    found = space.at(jnp.asarray(h, real))(jnp.asarray(force, real))
    error = np.abs(np.asarray(found) - expected).max()
    assert error <= 20 * (1 + 10 * h) * np.finfo(real).eps * np.abs(expected).max()


@pytest.mark.parametrize("forcing", [0.5, 0.1, 1e-4])
def test_the_forcing_term_bounds_the_residual_of_the_solve(forcing):
    """The space ends as soon as |(C + 1/h) d + force| <= forcing |force|, and no later."""
    matrix, force, h = symmetric(np.geomspace(1e-4, 1e2, 40)), RNG.normal(size=40), 3.0
    space = forced_space(jnp.asarray(matrix), jnp.asarray(force), h, forcing, limit=40)
    basis, small = used_part(space)

    def residual(k):
        v = basis[:k]
        inside = np.linalg.solve(small[:k, :k] + np.eye(k) / h, -v @ force)
        return np.linalg.norm((matrix + np.eye(40) / h) @ (v.T @ inside) + force)

    used = int(space.used)
    assert residual(used) <= forcing * np.linalg.norm(force) * 1.0001
    assert residual(used - 1) > forcing * np.linalg.norm(force)


@each_real
@pytest.mark.parametrize("n", [3, 70])
def test_the_basis_is_orthonormal_and_makes_the_matrix_tridiagonal(n, real):
    """V Vᵀ = 1, V C Vᵀ = T tridiagonal, C Vᵀ - Vᵀ T only in the last column, V₁ the start.

    The spectrum spans eight decades, on which Lanczos without reorthogonalisation fails.
    """
    matrix = symmetric(np.geomspace(1e-6, 1e2, n))
    start, limit = RNG.normal(size=n), min(n, 40)
    space = full_space(jnp.asarray(matrix, real), jnp.asarray(start, real), limit=limit)
    basis, small = used_part(space)
    eps = np.finfo(real).eps
    assert np.abs(basis @ basis.T - np.eye(len(basis))).max() <= 100 * eps
    assert np.abs(basis[0] - start / np.linalg.norm(start)).max() <= 4 * eps
    assert float(space.norm) == pytest.approx(np.linalg.norm(start), rel=float(10 * eps))
    scale = 1e3 * eps * np.linalg.norm(matrix, 2)
    assert np.abs(small - np.triu(np.tril(small, 1), -1)).max() <= scale
    assert np.abs(basis @ matrix @ basis.T - small).max() <= scale
    assert np.abs((matrix @ basis.T - basis.T @ small)[:, :-1]).max() <= scale


@each_real
def test_an_invariant_space_ends_the_growth(real):
    """Three distinct eigenvalues need three dimensions; the solution there is exact."""
    matrix = symmetric([1.0] * 5 + [3.0] * 4 + [-7.0] * 3)
    start = RNG.normal(size=12)
    space = full_space(jnp.asarray(matrix, real), jnp.asarray(start, real), limit=12)
    _, small = used_part(space)
    assert int(space.used) == 3
    assert np.linalg.eigvalsh(small) == pytest.approx(
        [-7, 1, 3], rel=float(100 * np.finfo(real).eps)
    )


@each_real
@pytest.mark.parametrize("case", ["no force", "no curvature", "an eigenvector", "one row"])
def test_a_degenerate_start_gives_a_finite_solution(case, real):
    """A force of 0, a curvature of 0, an eigenvector, or a matrix of rank 1 breaks nothing."""
    matrix, force = symmetric(np.arange(1.0, 7.0)), RNG.normal(size=6)
    if case == "no force":
        force = np.zeros(6)
    elif case == "no curvature":
        matrix = np.zeros((6, 6))
    elif case == "an eigenvector":
        force = np.linalg.eigh(matrix)[1][:, 2]
    else:
        matrix = np.outer(matrix[0], matrix[0])
    space = full_space(jnp.asarray(matrix, real), jnp.asarray(force, real), limit=6)
    found = np.asarray(space.at(jnp.asarray(2.0, real))(jnp.asarray(force, real)))
    expected = np.linalg.solve(matrix + np.eye(6) / 2, -force)
    assert np.abs(found - expected).max() <= 1e3 * np.finfo(real).eps
    most = {"no force": 1, "no curvature": 1, "one row": 3}.get(case, 6)
    assert int(space.used) <= most
