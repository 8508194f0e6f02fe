"""What methods with dense matrices share: the limit on memory, and the curvature along ∇L."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    import jax

    from thalweg.flow import Flow

MAX_BYTES = 2**32  # of the matrices of a method
MATRICES = 3  # the Hessian, its factor, and a temporary copy
MATRIX_FREE = "a matrix-free method such as `exponential-krylov` or `chebyshev`"


def refuse_large(name: str, flow: Flow) -> None:
    """Refuse a problem whose dense matrices would not fit into memory.

    Raises:
        ConfigError: They would take more than `MAX_BYTES`.
    """
    refuse_bytes(name, MATRICES * flow.spec.dtype.itemsize * flow.size**2, flow, use=MATRIX_FREE)


def refuse_bytes(name: str, size: int, flow: Flow, *, use: str) -> None:
    """Refuse matrices that would not fit into memory.

    Args:
        name: The method.
        size: What its matrices take, in bytes.
        flow: The flow.
        use: What to use instead.

    Raises:
        ConfigError: They would take more than `MAX_BYTES`.
    """
    if size > MAX_BYTES:
        raise ConfigError(
            f"`{name}` would take {size / 2**30:.0f} GiB for its matrices of {flow.size} "
            f"parameters, but at most {MAX_BYTES // 2**30} were expected; use {use}"
        )


def curvature_along(hessian: jax.Array, direction: jax.Array) -> jax.Array:
    """|vᵀHv| / vᵀv, a scalar; 0 for v = 0. Cost: n² multiplications."""
    square = jnp.vdot(direction, direction)
    curvature = jnp.abs(jnp.vdot(direction, hessian @ direction))
    return jnp.where(square > 0, curvature / jnp.where(square > 0, square, 1), 0)
