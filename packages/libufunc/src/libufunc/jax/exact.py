"""Sums and products that keep what rounding would drop, safe under fused multiply-add.

A compiler may turn `a * b + c` into one operation that rounds once. Dekker's product, which takes
the error as `a * b - p`, breaks where it does so for one use of `a * b` and not for another. Here
every product whose error matters is one of short numbers, with at most half the digits, and so is
exact either way; and a sum's error is taken from sums alone.

Source: T. J. Dekker, Numer. Math. 18 (1971), 224-242, doi:10.1007/BF01397083; D. E. Knuth, *The Art
of Computer Programming*, vol. 2, 4.2.2, theorem B.
"""

import jax
import jax.numpy as jnp

from libufunc.jax.constants import Constants


def split(x: jax.Array, k: Constants) -> tuple[jax.Array, jax.Array]:
    """`x == high + low` exactly; `high` has `k.half` digits, `low` at most one more."""
    kept = k.bits.type(2 ** (8 * k.dtype.itemsize) - 2 ** (k.digits - k.half))
    high = jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, k.bits) & kept, k.dtype)
    return high, x - high


def two_sum(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The rounded sum and its error: `a + b == sum + error` exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def horner(d: jax.Array, powers: list[jax.Array] | list[float]) -> jax.Array:
    """`powers[0] + powers[1] d + powers[2] d² + ...`."""
    value = jnp.asarray(powers[-1], d.dtype)
    for power in powers[-2::-1]:
        value = value * d + jnp.asarray(power, d.dtype)
    return value
