"""The Bessel functions J0, J1, Y0, Y1: where their zeros are, and the intervals that follow.

Beside a zero a relative error says how well the zero itself is known, away from it how well the
function is computed; the two differ by many powers of ten in every library, so they are reported
separately. Zeros lie, by McMahon's expansion, within about 1/x³ of

    x = b - (4 n² - 1) / (8 b),     b = (k + n/2 - 1/4) π for Jn,  (k + n/2 - 3/4) π for Yn.

Source: DLMF 10.21(vi), https://dlmf.nist.gov/10.21.E19.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from libufunc.audit.oracle import Format, needed
from libufunc.audit.points import Beside, Even, Floats, Interval, Keeping

GAP = 0.01  # points nearer than this to a zero are not "away from zeros"
FIRST = 7  # zeros that are computed; they reach beyond NEAR
NEAR = 20.0  # up to here the computed zeros tell which points are away from them
BESIDE = 30  # zeros whose neighbours are looked at
PI = np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16)  # to 64 bits
BITS = 200  # precision of a zero
NEWTON = 9  # steps; from 6 % off they reach far beyond that precision
FAR = (10**3, 10**4, 10**5, 10**6, 10**9, 10**12)  # and some far zeros, by their number


@cache
def zero(kind: str, order: int, number: int) -> tuple[int, int]:
    """The positive zero of that number, from 1, as `m * 2**e`, to nearly `BITS` bits.

    Newton's method from McMahon's two terms, which are good to 6 % already for the first zero of
    Y0; the derivative is `C0' = -C1` and `C1' = C0 - C1 / x`.
    """
    flint = needed("flint")
    with flint.ctx.workprec(BITS):
        quarter = 0.25 if kind == "j" else 0.75
        around = (number + 0.5 * order - quarter) * flint.arb.pi()
        x = around - (4 * order * order - 1) / (8 * around)
        for _ in range(NEWTON):
            x = x.mid()
            first, second = (
                x.bessel_j(n) if kind == "j" else x.bessel_y(n) for n in (order, 1 - order)
            )
            slope = second - first / x if order else -second
            x -= first / slope
        mantissa, exponent = x.mid().man_exp()
    return int(mantissa), int(exponent)


def zeros(kind: str, order: int, mp: Any) -> list[Any]:
    """The first `BESIDE` zeros and the far ones, as numbers of `mp`."""
    return [mp.mpf(zero(kind, order, number)) for number in (*range(1, BESIDE + 1), *FAR)]


def away(kind: str, order: int) -> Callable[[np.ndarray], np.ndarray]:
    """A condition: further than `GAP` from every zero."""

    def condition(points: np.ndarray) -> np.ndarray:
        """Near zeros by their values, the others by McMahon's expansion."""
        first = np.array([np.ldexp(*zero(kind, order, number)) for number in range(1, FIRST + 1)])
        near = np.abs(points[:, None] - first).min(axis=1)
        moved = points + (4 * order * order - 1) / (8 * np.maximum(points, 1))
        turns = moved / PI - (0.5 * order - (0.25 if kind == "j" else 0.75))
        far = np.abs(turns - np.round(turns)) * PI
        return np.where(points < NEAR, near, far) > GAP

    return condition


def intervals(kind: str, order: int) -> Callable[[Format], tuple[Interval, ...]]:
    """The intervals of one of the four functions, for a format."""

    def for_format(number: Format) -> tuple[Interval, ...]:
        """Even where the function swings, by powers of two where it is smooth in log x."""
        digits = 2.0**number.digits  # beyond it neighbouring numbers are further apart than 1
        condition = away(kind, order)
        signs = (-1, 1) if kind == "j" else (1,)
        return (
            Floats("subnormal", 0.0, float(np.ldexp(1.0, number.bottom + number.digits - 1)))
            if number.top <= np.finfo(np.float64).maxexp
            else Floats("tiny", 1e-300, 1e-30),
            Floats("tiny to 1", 1e-30, 1.0, signs),
            Keeping("0 to 20, away from zeros", Even("", 0.0, 20.0), condition),
            Keeping("20 to 1e4, away from zeros", Even("", 20.0, 1e4), condition),
            Keeping(
                f"1e4 to {digits / 8:.0e}, away from zeros", Floats("", 1e4, digits / 8), condition
            ),
            Floats(f"{digits / 8:.0e} to the largest", digits / 8, np.inf),
            Even("0 to 20", 0.0, 20.0),
            Beside("beside zeros", partial(zeros, kind, order)),
        )

    return for_format
