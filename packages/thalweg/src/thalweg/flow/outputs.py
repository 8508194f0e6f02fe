"""What a user's functions return: laid out flat, and refused where it is not what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from thalweg.flow.flatten import ParamSpec


def flat(value: Any) -> jax.Array:
    """A pytree of arrays as one vector."""
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(value)]
    if not leaves:
        raise ConfigError(
            "a function of the problem returns None or nothing, but arrays were expected; it may "
            "lack its `return`"
        )
    return leaves[0] if len(leaves) == 1 else jnp.concatenate(leaves)


def flat_residual(value: Any) -> jax.Array:
    """The residuals as one real vector: of complex ones the real parts, then the imaginary."""

    def real(leaf: Any) -> Any:
        return (jnp.real(leaf), jnp.imag(leaf)) if jnp.iscomplexobj(leaf) else leaf

    return flat(jax.tree.map(real, value))


def check_scalar(shape: Any, spec: ParamSpec, *, name: str) -> None:
    """Refuse what is not one number in the dtype of the parameters."""
    found = getattr(shape, "shape", None)
    if found is None:
        raise ConfigError(f"`{name}` returns no array, but a scalar was expected")
    if found != ():
        raise ConfigError(
            f"`{name}` returns shape {found}, but a scalar was expected; sum over the rest"
        )
    _check_dtype(shape, spec, name=name)


def check_output(shape: Any, spec: ParamSpec, *, name: str) -> int:
    """The number of values a user's function returns; refuses none and wrong dtypes."""
    if shape.size == 0:
        raise ConfigError(f"`{name}` returns no value; it must return an array of residuals")
    _check_dtype(shape, spec, name=name)
    return shape.size


def _check_dtype(shape: Any, spec: ParamSpec, *, name: str) -> None:
    if shape.dtype != spec.dtype:
        raise ConfigError(
            f"`{name}` returns {shape.dtype}, but the parameters are {spec.dtype}; cast inside "
            f"`{name}` (closed-over arrays keep their own dtype)"
        )
