"""J0, J1, Y0 and Y1 of x >= 0, by pieces below FAR and by modulus and phase from there on.

Below FAR a piece is `(x - z) g(x - c)` with the function's zero z to twice the digits, so that also
beside the zero all digits are right. All pieces are evaluated at once: each coefficient is chosen
by comparing x, which a processor does for many x in one operation, where looking a coefficient up
in a table takes one load for each x.

From FAR on, with the angle r and quadrant n of `libufunc.jax.reduction`, t = 1/x²,

    J0 = a(t)/sqrt(x) cos(r + d + n π/2),    d = (4 order² - 1)/(8 x) + b(t)/x³,

Y0 has sin for cos, J1 sin, and Y1 -cos. r and d are known to more than the format's digits; the
factors are multiplied to more, too, and rounded once.

Source: DLMF 10.18(iii), https://dlmf.nist.gov/10.18.iii; pieces as in
scripts/libufunc_jax_coefficients.py.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from libufunc.jax.constants import Constants
from libufunc.jax.exact import horner, split, two_sum
from libufunc.jax.reduction import reduced

# Added to the quadrant, so that cos(r + n π/2) is what each function needs.
QUADRANTS = {"j0": 0, "y0": 3, "j1": 3, "y1": 2}


def value(name: str, x: jax.Array, k: Constants) -> jax.Array:
    """The function of that name at x >= 0, any shape, in the dtype of `k`; NaN where x is NaN.

    At 0, Y is -inf; at infinity, all four are 0.

    Cost: 150 to 400 operations a number, half of them where all x lie on one side of FAR.
    """
    below = x < k.dtype.type(k.far)

    def near(x: jax.Array) -> jax.Array:
        return _near(name, jnp.minimum(x, k.dtype.type(k.far)), k)

    def far(x: jax.Array) -> jax.Array:
        return _far(name, jnp.clip(x, k.dtype.type(k.far), jnp.finfo(k.dtype).max), k)

    def mixed(x: jax.Array) -> jax.Array:
        return jnp.where(below, near(x), far(x))

    sides = jnp.where(jnp.all(below), 0, jnp.where(jnp.any(below), 2, 1))
    result = jax.lax.switch(sides, [near, far, mixed], x)
    if name[0] == "y":
        result = jnp.where(x == 0, k.dtype.type(-math.inf), result)
    result = jnp.where(jnp.isinf(x), k.dtype.type(0), result)
    return jnp.where(jnp.isnan(x), x, result)


def _near(name: str, x: jax.Array, k: Constants) -> jax.Array:
    """From 0 to FAR."""
    pieces: list[dict[str, Any]] = k.entries[name]
    order = int(name[1])
    started = [x >= k.dtype.type(piece["start"]) for piece in pieces[1:]]

    def chosen(entries: list[float]) -> jax.Array:
        """Of one number for each piece, that of the piece in which x lies."""
        number = jnp.asarray(entries[0], k.dtype)
        for inside, entry in zip(started, entries[1:], strict=True):
            number = jnp.where(inside, k.dtype.type(entry), number)
        return number

    length = max(len(piece["powers"]) for piece in pieces)
    columns = [
        chosen([piece["powers"][i] if i < len(piece["powers"]) else 0.0 for piece in pieces])
        for i in range(length)
    ]
    square = x * x
    d = jnp.where(started[0], x - chosen([piece["centre"] for piece in pieces]), square)
    constant, constant_rest = (chosen([p["constant"][i] for p in pieces]) for i in (0, 1))
    zero, zero_rest = (chosen([piece["zero"][i] for piece in pieces]) for i in (0, 1))
    # g to more digits than the format has, as `g + g_rest`.
    g, g_rest = two_sum(constant, horner(d, columns) * d)
    g_rest = g_rest + constant_rest
    factor, factor_rest = two_sum(x - zero, -zero_rest)
    if order == 0:  # the first piece divides no zero out
        factor = jnp.where(started[0], factor, k.dtype.type(1))
        factor_rest = jnp.where(started[0], factor_rest, k.dtype.type(0))
    product = _product((factor, factor_rest), (g, g_rest), k)
    if name[0] == "j":
        return product
    return jnp.where(started[0], product, _singular(order, x, (g, g_rest), k))


def _singular(
    order: int, x: jax.Array, scaled: tuple[jax.Array, jax.Array], k: Constants
) -> jax.Array:
    """Y on its first piece, where `scaled` is 2/π times J0, or times J1 / x."""
    regular = horner(x * x, k.entries[f"regular{order}"])
    logarithm = jnp.log(x)
    if order == 0:
        return _product((logarithm, jnp.zeros_like(x)), scaled, k) + regular
    # The pole's share, 2/(pi x), is most of the value: it gets its rounding errors back.
    constant, constant_rest = k.entries["two_over_pi"]
    pole = k.dtype.type(constant) / x
    lacking = (_remainder(x, pole, k.dtype.type(constant), k) + k.dtype.type(constant_rest)) / x
    lacking = jnp.where(jnp.isfinite(lacking), lacking, k.dtype.type(0))  # pole overflows
    return (x * (logarithm * scaled[0] + regular) - lacking) - pole


def _product(
    a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array], k: Constants
) -> jax.Array:
    """Multiply two numbers, each with a small rest; rounded nearly once."""
    a_high, a_low = split(a[0], k)
    b_high, b_low = split(b[0], k)
    return a_high * b_high + ((a_high * b_low + a_low * b[0]) + (a[0] * b[1] + a[1] * b[0]))


def _far(name: str, x: jax.Array, k: Constants) -> jax.Array:
    """From FAR to the largest number."""
    order = int(name[1])
    entries = k.entries["far"][order]
    inverse = 1 / x
    t = inverse * inverse
    n, angle, lack = reduced(x, k)
    # Added to the angle: lead / x, with 1/x to twice the digits, and b / x³.
    lead = (4 * order * order - 1) / 8
    inverse_high, inverse_low = split(inverse, k)
    inverse_rest = _remainder(x, inverse, k.dtype.type(1), k) * inverse
    small = k.dtype.type(lead) * (inverse_low + inverse_rest)
    small = small + inverse * (t * horner(t, entries["phase"]))
    angle, error = two_sum(angle, k.dtype.type(lead) * inverse_high)
    angle, lack = two_sum(angle, lack + error + small)
    wave = _cosine(n + QUADRANTS[name], angle, lack, k)
    first, first_rest, *powers = entries["modulus"]
    modulus, modulus_rest = two_sum(jnp.asarray(first, k.dtype), t * horner(t, powers))
    modulus_rest = modulus_rest + k.dtype.type(first_rest)
    root = jnp.sqrt(x)
    amplitude = modulus / root
    # What root and quotient lack: (modulus + rest) / sqrt(x) = amplitude + amplitude_rest.
    root_rest = _remainder(root, root, x, k) / (2 * root)
    lacking = _remainder(root, amplitude, modulus, k) + modulus_rest - amplitude * root_rest
    return _product((amplitude, lacking / root), wave, k)


def _remainder(a: jax.Array, b: jax.Array, product: jax.Array, k: Constants) -> jax.Array:
    """`product - a b`, which is small, with few rounding errors."""
    a_high, a_low = split(a, k)
    b_high, b_low = split(b, k)
    return ((product - a_high * b_high) - a_high * b_low - a_low * b_high) - a_low * b_low


def _cosine(
    n: jax.Array, angle: jax.Array, lack: jax.Array, k: Constants
) -> tuple[jax.Array, jax.Array]:
    """cos(angle + lack + n π/2), for |angle| <= π/4 + 1/16, as a number and a rest."""
    square = angle * angle
    entries = k.entries["sine"]
    half = k.dtype.type(0.5) * square
    cosine, cosine_rest = two_sum(jnp.asarray(1, k.dtype), -half)
    cosine_rest = cosine_rest + (square * square * horner(square, entries["cos"]) - angle * lack)
    sine_rest = angle * square * horner(square, entries["sin"]) + lack * (1 - half)
    is_sine = (n & 1) == 1
    flips = ((n + 1) & 2) == 2  # noqa: PLR2004 - quadrants 1 and 2 are negative
    wave = jnp.where(is_sine, angle, cosine)
    rest = jnp.where(is_sine, sine_rest, cosine_rest)
    return jnp.where(flips, -wave, wave), jnp.where(flips, -rest, rest)
