"""The angle `x - (2n + 1) π/4`, to twice the digits of the format, for all finite x >= FAR.

The functions of order 0 are a modulus times cos or sin of x - π/4 and a small correction. Modulo
π/2 this angle lies in [-π/4, π/4].

Up to `huge` a multiple of π/4, cut into short pieces, is subtracted (Cody and Waite). Beyond, where
x = m 2**e, only the digits of 1/(2π) count that are left of 2**e / (2π) modulo 1 (Payne and Hanek);
they stand in a table with a row for each exponent.

Source: J.-M. Muller et al., *Handbook of Floating-Point Arithmetic*, 2nd ed., 10.2.
"""

import math

import jax
import jax.numpy as jnp

from libufunc.jax.constants import Constants
from libufunc.jax.exact import split, two_sum

Angle = tuple[jax.Array, jax.Array, jax.Array]  # n modulo 4 as int32, angle, what it lacks


def _part(turns: jax.Array) -> jax.Array:
    """What is left of a number when the nearest whole one is taken off: exact."""
    return turns - jnp.round(turns)


def moderate(x: jax.Array, k: Constants) -> Angle:
    """The angle of x from `far` to `huge`; meaningless elsewhere, but not trapping."""
    n = jnp.round(x * k.dtype.type(2 / math.pi) - k.dtype.type(0.5))
    multiple = 2 * n + 1
    first, second, third, rest = (k.dtype.type(piece) for piece in k.quarter)
    angle, error = two_sum(x - multiple * first, -(multiple * second))
    angle, lack = two_sum(angle, error - multiple * third - multiple * rest)
    return n.astype(jnp.int32), angle, lack


def huge(x: jax.Array, k: Constants) -> Angle:
    """The angle of finite x from `huge` on; meaningless elsewhere, but not trapping."""
    table = jnp.asarray(k.turns())
    fraction_bits = k.digits - 1
    word = jax.lax.bitcast_convert_type(x, k.bits)
    bias = 2 ** (8 * k.dtype.itemsize - k.digits - 1) - 1
    exponent = (word >> k.bits.type(fraction_bits)).astype(jnp.int32)
    row = jnp.clip(exponent - (bias + k.first_exponent), 0, len(table) - 1)
    p1, p2, p3, p4, p5, p6 = (table[:, column][row] for column in range(table.shape[1]))
    # x = mantissa 2**e with a whole mantissa, so that whole turns of 2**e / (2π) drop out.
    whole = k.bits.type((bias + fraction_bits) << fraction_bits)
    fraction = word & k.bits.type((1 << fraction_bits) - 1)
    mantissa = jax.lax.bitcast_convert_type(fraction | whole, k.dtype)
    high, low = split(mantissa, k)
    # high p1 is whole; the other four that reach beyond the point are summed exactly.
    turn = _part(_part(low * p1) + _part(high * p2))
    turn = _part(_part(turn + _part(low * p2)) + _part(high * p3))
    lack, tail = two_sum(low * p3, high * p4)
    tail = tail + ((low * p4 + high * p5) + (low * p5 + high * p6))
    n = jnp.round(4 * turn - k.dtype.type(0.5))
    turn, error = two_sum(turn, -(2 * n + 1) * k.dtype.type(0.125))
    turn, lack = two_sum(turn, lack + error)
    lack = lack + tail
    # Times 2π.
    short, rest = (k.dtype.type(part) for part in k.circle)
    high, low = split(turn, k)
    angle, lack = two_sum(high * short, high * rest + (low + lack) * (short + rest))
    return n.astype(jnp.int32), angle, lack


def reduced(x: jax.Array, k: Constants) -> Angle:
    """The angle of any finite x from `far` on.

    Cost: both ways are gone for each x, and the table is read; that is cheaper than to part them.
    """
    large = x >= k.dtype.type(k.huge)
    pairs = zip(huge(x, k), moderate(x, k), strict=True)
    n, angle, lack = (jnp.where(large, there, here) for there, here in pairs)
    return n, angle, lack
