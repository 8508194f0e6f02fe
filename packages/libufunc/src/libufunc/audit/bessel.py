"""The Bessel functions J0, J1, Y0, Y1: where their zeros are, and the intervals that follow.

Beside a zero a relative error says how well the zero itself is known, away from it how well the
function is computed; the two differ by many powers of ten in every library, so they are told apart.
Large zeros lie, by McMahon's expansion, within 1/x³ of the solutions of

    x = b - (4 n² - 1) / (8 b),     b = (k + n/2 - 1/4) π for Jn,  (k + n/2 - 3/4) π for Yn.

Source: DLMF 10.21(vi), https://dlmf.nist.gov/10.21.E19.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from libufunc.audit.oracle import Format
from libufunc.audit.points import Beside, Even, Floats, Interval, Keeping

GAP = 0.01  # points nearer than this to a zero are not "away from zeros"
FIRST = 7  # zeros that are computed; they reach beyond NEAR
NEAR = 20.0  # up to here the computed zeros tell which points are away from them
BESIDE = 30  # zeros whose neighbours are looked at
FAR = (10**3, 10**4, 10**5, 10**6, 10**9, 10**12)  # and some far zeros, by their number


def _mcmahon(kind: str, order: int, number: Any, pi: Any) -> Any:
    """McMahon's first two terms for the zero of that number."""
    quarter = 0.25 if kind == "j" else 0.75
    around = (number + 0.5 * order - quarter) * pi
    return around - (4 * order * order - 1) / (8 * around)


def zeros(kind: str, order: int, mp: Any) -> list[Any]:
    """The first `BESIDE` zeros and the far ones, to the working precision of `mp`."""
    find = mp.besseljzero if kind == "j" else mp.besselyzero
    function = partial(mp.besselj if kind == "j" else mp.bessely, order)
    far = [mp.findroot(function, _mcmahon(kind, order, k, mp.pi)) for k in FAR]
    return [find(order, k) for k in range(1, BESIDE + 1)] + far


def away(kind: str, order: int) -> Callable[[np.ndarray], np.ndarray]:
    """A condition: further than `GAP` from every zero."""

    def condition(points: np.ndarray) -> np.ndarray:
        """Near zeros by their values, the others by McMahon's expansion."""
        from mpmath import mp

        find = mp.besseljzero if kind == "j" else mp.besselyzero
        first = np.array([float(find(order, k)) for k in range(1, FIRST + 1)])
        near = np.abs(points[:, None] - first).min(axis=1)
        pi = np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16)  # pi, rounded twice
        moved = points + (4 * order * order - 1) / (8 * np.maximum(points, 1))
        turns = moved / pi - (0.5 * order - (0.25 if kind == "j" else 0.75))
        far = np.abs(turns - np.round(turns)) * pi
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
            Keeping(f"1e4 to {digits / 8:.0e}, away from zeros", Floats("", 1e4, digits / 8),
                    condition),
            Floats(f"{digits / 8:.0e} to the largest", digits / 8, np.inf),
            Even("0 to 20", 0.0, 20.0),
            Beside("beside zeros", partial(zeros, kind, order)),
        )

    return for_format
