"""Either dense space solves the same shifted system as NumPy does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg._util.symmetric_product import symmetric_product
from thalweg.solvers.integrators.shifted_systems import ParameterSpace, ResidualSpace

RNG = np.random.default_rng(7)
each_real = pytest.mark.parametrize("real", [np.float64, np.float32])
each_h = pytest.mark.parametrize("h", [1e-6, 1.0, 1e4])
each_shape = pytest.mark.parametrize("shape", [(9, 4), (4, 9), (5, 5)], ids=str)


@jax.jit
def in_both_spaces(jacobian, metric, u, h):
    """The step solved in the space of parameters, and in that of residuals."""
    inner = ParameterSpace(symmetric_product(jacobian), metric).at(h)(jacobian.T @ u)
    return inner, ResidualSpace.prepare(jacobian, metric).at(h)(u)


@each_real
@each_h
@each_shape
def test_parameters_and_residuals_solve_the_system_as_numpy_does(shape, h, real):
    """`(JᵀJ + M/h) d = -Jᵀu` for a general metric, from either space, more rows or fewer."""
    jacobian, metric = RNG.normal(size=shape), RNG.uniform(0.5, 2, size=shape[1])
    u = RNG.normal(size=shape[0])
    expected = np.linalg.solve(jacobian.T @ jacobian + np.diag(metric / h), -jacobian.T @ u)
    j, m, force = (jnp.asarray(a, real) for a in (jacobian, metric, u))
    condition = 1 + h * np.linalg.norm(jacobian, 2) ** 2 / 0.5
    for found in in_both_spaces(j, m, force, jnp.asarray(h, real)):
        assert found.dtype == real
        error = np.abs(np.asarray(found) - expected).max()
        assert error <= 10 * condition * np.finfo(real).eps * np.abs(expected).max()
