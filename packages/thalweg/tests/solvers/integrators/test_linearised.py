"""A linearised problem makes the same step in each of its three spaces."""

import jax
import jax.numpy as jnp
import numpy as np

from method_suite import FIT, flow_of
from thalweg.solvers.integrators.linearised import (
    krylov_system,
    parameter_system,
    residual_system,
    unit_metric,
)


def test_three_linear_algebras_make_one_step():
    """First and second coefficient of the curve agree, from tiny steps to nearly Newton's.

    The Krylov space is as large as it gets; a smaller one resolves its own start alone, ∇L.
    """
    flow, theta = flow_of(FIT)
    zeros = jnp.zeros_like(theta)

    @jax.jit
    def coefficients(data, h):
        systems = (
            parameter_system(flow, data, theta, zeros, unit_metric),
            residual_system(flow, data, theta, zeros, unit_metric),
            krylov_system(flow, data, theta, zeros, h=h, limit=theta.size, forcing=1e-30),
        )
        found = []
        for system in systems:
            none = jnp.zeros((3, theta.size))
            first = system.at(h)(system.force(none, 1))
            second = system.at(h)(system.force(none.at[0].set(first), 2))
            found.append((system.loss, system.grad, first, second))
        return found

    for h in (1e-2, 1.0, 1e3):
        expected, *others = coefficients(flow.data, h)
        for found in others:
            for one, other in zip(found, expected, strict=True):
                assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()
