"""Functions with a Jacobian of their own, for libraries that would form it column by column.

A library that needs the Jacobian as a matrix pushes all n unit vectors through the function at
once, with the intermediate values of n passes in memory. `with_jacobian` computes the matrix
example by example or product by product instead, and each push is a product with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from thalweg.solvers.base import CONVERGED, STALLED
from thalweg.solvers.step_control import is_flat

if TYPE_CHECKING:
    from collections.abc import Callable


def with_jacobian(
    value: Callable[[Any, jax.Array], jax.Array],
    jacobian: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]],
) -> Callable[[Any, jax.Array], jax.Array]:
    """`value`, with its forward derivative by `jacobian`.

    Args:
        value: From data and θ of shape `(n,)` to a vector of shape `(m,)`.
        jacobian: From the same to the vector and its Jacobian of shape `(m, n)`.
    """

    @jax.custom_jvp
    def function(data: Any, theta: jax.Array) -> jax.Array:
        return value(data, theta)

    @function.defjvp
    def _(primals: tuple[Any, jax.Array], tangents: tuple[Any, jax.Array]) -> Any:
        data, theta = primals
        out, matrix = jacobian(data, theta)
        return out, matrix @ tangents[1]

    return function


def end_code(
    flow: Any,
    data: Any,
    theta: jax.Array,
    *,
    loss: jax.Array,
    grad: jax.Array,
    start_loss: jax.Array,
) -> jax.Array:
    """CONVERGED or STALLED, inside jit, for a library that ended by itself.

    Cost: one Hessian product after the run, which is not counted.
    """
    square = jnp.vdot(grad, grad)
    bent = flow.hessian(data, theta).product(grad)
    safe = jnp.where(square > 0, square, 1)
    flat = is_flat(
        loss=loss,
        start_loss=start_loss,
        grad_norm=jnp.sqrt(square),
        largest=jnp.linalg.norm(bent) / jnp.sqrt(safe),
    )
    return jnp.where(flat, CONVERGED, STALLED).astype(jnp.int32)
