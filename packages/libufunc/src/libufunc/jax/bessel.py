"""The four functions as JAX sees them: dtypes, signs, and derivatives of every order.

    J0' = -J1,    J1' = J0 - J1/x,    Y0' = -Y1,    Y1' = Y0 - Y1/x

The derivatives are written with the functions themselves, so they can be derived again. Near 0 the
quotient J1/x is taken from its power series, whose derivatives exist there.

Source: DLMF 10.6.2, https://dlmf.nist.gov/10.6.E2, and 10.2.2.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from libufunc.jax.constants import constants
from libufunc.jax.exact import horner
from libufunc.jax.kernels import value

SERIES_END = 1.0  # up to here J1/x is taken from its series
SERIES_TERMS = 12  # of which the last is below 1e-20 of the first there


def _prepared(x: ArrayLike) -> tuple[jax.Array, jnp.dtype]:
    """The argument as float32 or float64, and the dtype of the result.

    Raises:
        TypeError: `x` is complex.
    """
    array = jnp.asarray(x)
    if jnp.iscomplexobj(array):
        raise TypeError(
            f"`x` is {array.dtype}, but these functions take real numbers: pass its real part."
        )
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(jnp.result_type(float))
    return array.astype(jnp.promote_types(array.dtype, jnp.float32)), array.dtype


def _evaluated(name: str, x: jax.Array) -> jax.Array:
    """The value at x of either sign."""
    k = constants(x.dtype.name)
    size = jnp.abs(x)
    result = value(name, size, k)
    if name == "j0":
        return result
    if name == "j1":
        return jnp.where(jnp.signbit(x), -result, result)
    return jnp.where(x < 0, k.dtype.type(math.nan), result)


def _function(name: str) -> Callable[[jax.Array], jax.Array]:
    """The function of that name on arrays of float32 or float64, with its derivative."""

    @jax.custom_jvp
    def function(x: jax.Array) -> jax.Array:
        return _evaluated(name, x)

    @function.defjvp
    def with_slope(
        points: tuple[jax.Array], directions: tuple[jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        return function(*points), _SLOPES[name](*points) * directions[0]

    return function


def _j1_over_x(x: jax.Array) -> jax.Array:
    """J1(x)/x, which is 1/2 at 0."""
    inside = jnp.abs(x) < SERIES_END
    minus_quarter_square = jnp.where(inside, -0.25 * x * x, 0)
    terms = [0.5 / (math.factorial(k) * math.factorial(k + 1)) for k in range(SERIES_TERMS)]
    away = jnp.where(inside, 1, x)
    return jnp.where(inside, horner(minus_quarter_square, terms), _j1(away) / away)


_j0, _j1, _y0, _y1 = (_function(name) for name in ("j0", "j1", "y0", "y1"))
_SLOPES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "j0": lambda x: -_j1(x),
    "j1": lambda x: _j0(x) - _j1_over_x(x),
    "y0": lambda x: -_y1(x),
    # Both terms grow without bound at 0, the second faster: Y1' is ∞ there.
    "y1": lambda x: jnp.where(x == 0, math.inf, _y0(x) - _y1(x) / jnp.where(x == 0, 1, x)),
}


@jax.jit
def j0(x: ArrayLike) -> jax.Array:
    """Bessel function of the first kind of order 0.

    Args:
        x: Real, any shape. Float64 is computed in float64, float32 and shorter in float32, integers
            in JAX's default float.

    Returns:
        J0(x), the shape of `x`, even in `x`; 1 at 0, 0 at infinity.

    Raises:
        TypeError: `x` is complex.
    """
    x, dtype = _prepared(x)
    return _j0(x).astype(dtype)


@jax.jit
def j1(x: ArrayLike) -> jax.Array:
    """Bessel function of the first kind of order 1: as `j0`, odd in `x`."""
    x, dtype = _prepared(x)
    return _j1(x).astype(dtype)


@jax.jit
def y0(x: ArrayLike) -> jax.Array:
    """Bessel function of the second kind of order 0: as `j0`; -inf at 0, NaN for negative `x`."""
    x, dtype = _prepared(x)
    return _y0(x).astype(dtype)


@jax.jit
def y1(x: ArrayLike) -> jax.Array:
    """Bessel function of the second kind of order 1: as `j0`; -inf at 0, NaN for negative `x`."""
    x, dtype = _prepared(x)
    return _y1(x).astype(dtype)
