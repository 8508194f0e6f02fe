"""Bessel functions of any order, by the C library's `jn` and SciPy's `jv`, and `erf`.

    J_v' = (J_{v-1} - J_{v+1}) / 2

They are called back, as `bridge` says. Source: DLMF 10.6.1, https://dlmf.nist.gov/10.6.E1.
"""

from functools import cache
from typing import Any

import jax
from jax.scipy.special import erf
from jax.typing import ArrayLike

from libufunc.jax.bridge import jax_function
from libufunc.library import Library

__all__ = ["erf", "jn", "jv"]


@cache
def _jn() -> Any:
    slope = (None, lambda n, x: (jn(n - 1, x) - jn(n + 1, x)) / 2)
    return jax_function(Library("m").jn, derivative=slope)


@cache
def _jv() -> Any:
    from scipy import special

    slope = (None, lambda v, x: (jv(v - 1, x) - jv(v + 1, x)) / 2)
    return jax_function(special.jv, derivative=slope)


def jn(n: ArrayLike, x: ArrayLike) -> jax.Array:
    """Bessel function of the first kind of integer order, by the C library.

    Args:
        n: The order, of an integer type.
        x: Real; shapes broadcast.

    Raises:
        NoLoopError: Nothing is installed to make a loop for `int` arguments.
    """
    return _jn()(n, x)


def jv(v: ArrayLike, x: ArrayLike) -> jax.Array:
    """Bessel function of the first kind of real order, by SciPy.

    It is NaN for negative `x`, but for integer orders.

    Args:
        v: The order. There is no derivative by it.
        x: Real; shapes broadcast.
    """
    return _jv()(v, x)
