"""A ufunc of a C function for JAX: under `jit`, `vmap` and `grad`, with derivatives that are given.

JAX calls back into Python, where the ufunc works on whole arrays; so it runs on the processor, on
whatever device the rest does. JAX cannot see into C: a derivative is a function of the caller's.

Source: JAX documentation, "External callbacks" (`pure_callback`) and "Custom derivative rules".
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Derivative = Callable[..., Any]


def jax_function(
    ufunc: Any, *, derivative: Derivative | Sequence[Derivative | None] | None = None
) -> Callable[..., jax.Array]:
    """A function of JAX that calls a ufunc.

    Args:
        ufunc: Of `ccall` or of a `Library`, with one output and no dimensions of arrays.
        derivative: By the only input, or one for each input: a function of JAX that takes what the
            ufunc takes. `None` for an input that is not to be derived by.

    Returns:
        The function. It takes real arrays that broadcast; floating-point inputs are brought to one
        type, which is that of the result.

    Raises:
        ValueError: The ufunc has several outputs, or the derivatives are not one for each input.
    """
    given = derivative if isinstance(derivative, Sequence) else (derivative,)
    if derivative is None:
        given = (None,) * ufunc.nin
    if ufunc.nout != 1 or getattr(ufunc, "signature", None):
        raise ValueError(f"`{ufunc.__name__}` has several outputs or arrays; one number is needed.")
    if len(given) != ufunc.nin:
        raise ValueError(
            f"`{ufunc.__name__}` has {ufunc.nin} inputs, but {len(given)} derivatives are given; "
            "give one for each, `None` where there is none."
        )

    @jax.custom_jvp
    def function(*inputs: Any) -> jax.Array:
        return _called(ufunc, inputs)

    def with_slope(points: tuple[Any, ...], directions: tuple[Any, ...]) -> tuple[Any, Any]:
        value = function(*points)
        slope = jnp.zeros_like(value)
        for place, (one, direction) in enumerate(zip(given, directions, strict=True)):
            if isinstance(direction, jax.custom_derivatives.SymbolicZero):  # not derived by it
                continue
            if one is None:
                raise TypeError(
                    f"`{ufunc.__name__}` has no derivative by argument {place + 1}; give it by "
                    "`derivative`."
                )
            slope = slope + one(*points) * direction
        return value, slope

    function.defjvp(with_slope, symbolic_zeros=True)
    return function


def _called(ufunc: Any, inputs: tuple[Any, ...]) -> jax.Array:
    """The values, by a callback."""
    arrays = [jnp.asarray(x) for x in inputs]
    real = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating)]
    dtype = jnp.result_type(*real) if real else jnp.result_type(float)
    arrays = [x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in arrays]
    shape = jnp.broadcast_shapes(*(x.shape for x in arrays))

    def compute(*given: Any) -> np.ndarray:
        with np.errstate(all="ignore"):  # JAX reports no floating-point errors either
            return np.asarray(ufunc(*map(np.asarray, given)), dtype)

    result = jax.ShapeDtypeStruct(shape, dtype)
    return jax.pure_callback(compute, result, *arrays, vmap_method="broadcast_all")
