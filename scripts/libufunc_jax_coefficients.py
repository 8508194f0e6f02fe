"""Write packages/libufunc/src/libufunc/jax/coefficients.json, the constants of `libufunc.jax`.

    python scripts/libufunc_jax_coefficients.py            writes the file
    python scripts/libufunc_jax_coefficients.py --stdout   prints it

All numbers come from mpmath's Bessel functions at 60 digits; nothing is copied from a table. Each
smooth factor is interpolated at Chebyshev nodes, which is within a factor of a few of the best
polynomial, with as few nodes as the format needs, and turned into powers of `d`.

Below FAR, in each piece, with a zero z of the function and a centre c of the piece:

    f(x) = (x - z) g(x - c)                                           pieces after the first
    J0 = g(x²),  J1 = x g(x²)                                         first piece
    Y0 = (2/pi) ln(x) J0 + r(x²),  Y1 = (2/pi) (ln(x) J1 - 1/x) + x r(x²)

From FAR on, with t = 1/x² and the modulus and phase of the Hankel function (DLMF 10.18):

    J_n = a(t) / sqrt(x) cos(u),  Y_n = a(t) / sqrt(x) sin(u)
    u = x - (2 n + 1) pi/4 + (4 n² - 1)/(8 x) + b(t) / x³
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

TARGET = Path(__file__).parents[1] / "packages/libufunc/src/libufunc/jax/coefficients.json"
FAR = 7
# Where the pieces end and which zero each divides out; the first begins at 0 and divides none.
PIECES = {
    ("j", 0): ((1.5, None), (4.0, 1), (FAR, 2)),
    ("j", 1): ((2.0, None), (5.3, 1), (FAR, 2)),
    ("y", 0): ((0.7, None), (1.4, 1), (2.8, 1), (5.3, 2), (FAR, 3)),
    ("y", 1): ((1.2, None), (2.1, 1), (3.7, 1), (FAR, 2)),
}
DIGITS = {"float32": np.float32, "float64": np.float64}
SPARE = 4  # bits by which a polynomial is better than the format
MOST = 40  # coefficients
QUARTER_BITS = 200  # of pi/4
TURN_BITS = 1300  # of 1/(2 pi): the largest double has exponent 1023, and 53 + 170 bits follow


def powers(function: Callable[[Any], Any], low: Any, high: Any, bits: int) -> list[Any]:
    """Coefficients, in powers of `x - (low + high) / 2`, that are good to `bits` bits."""
    middle, half = (low + high) / 2, (high - low) / 2
    for count in range(3, MOST):
        nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]
        values = [function(middle + half * node) for node in nodes]
        series = [
            2 * sum(v * mp.cos(j * mp.acos(n)) for v, n in zip(values, nodes, strict=True)) / count
            for j in range(count)
        ]
        if max(map(abs, series[-2:])) < mp.ldexp(max(map(abs, series)), -bits):
            break
    else:
        raise ArithmeticError(f"{MOST} coefficients are too few on ({low}, {high}).")
    series[0] /= 2
    # T[k+1] = 2 x T[k] - T[k-1], on the coefficients of powers.
    before, here = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    total = [mp.mpf(0)] * len(series)
    for factor in series:
        for index, value in enumerate(before):
            total[index] += factor * value
        after = [mp.mpf(0)] + [2 * value for value in here]
        for index, value in enumerate(before):
            after[index] -= value
        before, here = here, after
    return [value / half**index for index, value in enumerate(total)]


def shifted(coefficients: Sequence[Any], by: Any) -> list[Any]:
    """The same polynomial in powers of `x`, where it was in powers of `x - by`."""
    result: list[Any] = []
    for value in reversed(coefficients):
        moved = [mp.mpf(0), *result]
        for index, here in enumerate(result):
            moved[index] -= by * here
        moved[0] += value
        result = moved
    return result


def even(function: Callable[[Any], Any], high: float, bits: int) -> list[Any]:
    """Powers of t = x² on 0 <= x <= `high`."""
    low, top = mp.mpf(0), mp.mpf(high) ** 2
    # The function itself cannot be evaluated at 0, and the nodes do not touch it.
    return shifted(powers(lambda t: function(mp.sqrt(t)), low, top, bits), top / 2)


def bessel(kind: str, order: int, x: Any) -> Any:
    """J or Y."""
    return mp.besselj(order, x) if kind == "j" else mp.bessely(order, x)


def zero(kind: str, order: int, number: int) -> Any:
    """The positive zero of that number."""
    return (mp.besseljzero if kind == "j" else mp.besselyzero)(order, number)


def regular(order: int, x: Any) -> Any:
    """The `r` of Y: what is left of it without its logarithm and its pole."""
    if order == 0:
        return mp.bessely(0, x) - 2 / mp.pi * mp.log(x) * mp.besselj(0, x)
    return (mp.bessely(1, x) - 2 / mp.pi * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x


def modulus(order: int, x: Any) -> Any:
    """`a`: sqrt(x) times the modulus."""
    return mp.sqrt(x * (mp.besselj(order, x) ** 2 + mp.bessely(order, x) ** 2))


def phase(order: int, x: Any) -> Any:
    """`b`: x³ times what the first terms of the phase leave."""
    angle = mp.atan2(mp.bessely(order, x), mp.besselj(order, x))
    rest = angle - x + (2 * order + 1) * mp.pi / 4 - mp.mpf(4 * order * order - 1) / (8 * x)
    return (rest - 2 * mp.pi * mp.nint(rest / (2 * mp.pi))) * x**3


def rounded(value: Any, kind: Any) -> float:
    """To the nearest number of the format."""
    mantissa, exponent = mp.frexp(value)
    digits = np.finfo(kind).nmant + 1
    return float(np.ldexp(float(mp.nint(mp.ldexp(mantissa, digits))), exponent - digits))


def pair(value: Any, kind: Any) -> tuple[float, float]:
    """The nearest number of the format, and the number nearest to the rest."""
    high = rounded(value, kind)
    return high, rounded(value - high, kind)


def first_piece(kind: str, order: int, high: float, bits: int) -> list[Any]:
    """G of the first piece; for Y times 2/pi, as it multiplies the logarithm."""
    factor = 1 if kind == "j" else 2 / mp.pi
    return even(lambda x: factor * mp.besselj(order, x) / x**order, high, bits)


def piece(name: tuple[str, int], index: int, kind: Any, bits: int) -> dict[str, Any]:
    """The constants of one piece."""
    ends = PIECES[name]
    high, number = ends[index]
    if number is None:
        centre, root = 0.0, mp.mpf(0)
        factors = first_piece(*name, high, bits)
    else:
        low = ends[index - 1][0]
        root = zero(*name, number)
        # A short number, so that x - c is exact for most x of the piece.
        centre = round((low + high) * 8) / 16
        around = powers(lambda x: bessel(*name, x) / (x - root), mp.mpf(low), mp.mpf(high), bits)
        middle = (mp.mpf(low) + mp.mpf(high)) / 2
        factors = shifted(around, middle - centre)
    return {
        "start": 0.0 if index == 0 else rounded(ends[index - 1][0], kind),
        "zero": pair(root, kind),
        "centre": centre,
        "constant": pair(factors[0], kind),
        "powers": [rounded(value, kind) for value in factors[1:]],
    }


def far(order: int, kind: Any, bits: int) -> dict[str, list[float]]:
    """The polynomials in t beyond FAR: `a` with its first coefficient split, and `b`."""
    edge = mp.mpf(1) / FAR
    amplitude = even(lambda s: modulus(order, 1 / s), edge, bits)
    turn = even(lambda s: phase(order, 1 / s), edge, bits)
    high, low = pair(amplitude[0], kind)
    return {
        "modulus": [high, low, *(rounded(value, kind) for value in amplitude[1:])],
        "phase": [rounded(value, kind) for value in turn],
    }


def sine(kind: Any, bits: int) -> dict[str, list[float]]:
    """sin(r) = r + r³ s(r²), cos(r) = 1 - r²/2 + r⁴ c(r²), for |r| <= pi/4 + 1/16."""
    edge = mp.pi / 4 + mp.mpf(1) / 16
    return {
        "sin": [rounded(v, kind) for v in even(lambda r: (mp.sin(r) - r) / r**3, edge, bits)],
        "cos": [
            rounded(v, kind) for v in even(lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4, edge, bits)
        ],
    }


def table(kind: Any) -> dict[str, Any]:
    """Everything for one format."""
    bits = int(np.finfo(kind).nmant) + 1 + SPARE
    constants: dict[str, Any] = {
        "sine": sine(kind, bits),
        "two_over_pi": pair(2 / mp.pi, kind),
    }
    for name, ends in PIECES.items():
        letter, order = name
        constants[f"{letter}{order}"] = [
            piece(name, index, kind, bits) for index in range(len(ends))
        ]
        if letter == "y":
            constants[f"regular{order}"] = [
                rounded(value, kind)
                for value in even(lambda x, n=order: regular(n, x), ends[0][0], bits)
            ]
    constants["far"] = [far(order, kind, bits) for order in (0, 1)]
    return constants


def source() -> str:
    """The whole file, a line for each entry."""
    mp.prec = TURN_BITS + 100
    whole: dict[str, Any] = {
        "written_by": "scripts/libufunc_jax_coefficients.py",
        "far": float(FAR),
        "turn_bits": TURN_BITS,
        "turn": hex(int(mp.floor(mp.ldexp(1 / (2 * mp.pi), TURN_BITS)))),
        "quarter_bits": QUARTER_BITS,
        "quarter": hex(int(mp.floor(mp.ldexp(mp.pi / 4, QUARTER_BITS)))),
    }
    mp.dps = 60
    whole.update({name: table(kind) for name, kind in DIGITS.items()})
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--stdout"]:
        print(source(), end="")
    else:
        TARGET.write_text(source())
        print(f"{TARGET}: written with mpmath {mpmath.__version__}", file=sys.stderr)
