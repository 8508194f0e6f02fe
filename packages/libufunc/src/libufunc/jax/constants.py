"""The constants of the kernels for one format, from `coefficients.json`.

The file is written by scripts/libufunc_jax_coefficients.py, which says what each entry is. Here the
two long integers in it, π/4 and 1/(2π), are cut into short floating-point numbers: a product of two
numbers that have at most half the digits of the format is exact, with fused operations or without.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, final

import numpy as np

QUARTER_PIECES = 3  # short pieces of π/4; a fourth holds the rest
TURN_PIECES = 6  # short pieces of 2**e / (2π) mod 1


@cache
def _file() -> dict[str, Any]:
    """The whole file, read once."""
    return json.loads(resources.files("libufunc.jax").joinpath("coefficients.json").read_text())


@final
@dataclass(frozen=True)
class Constants:
    """What the kernels need in one format.

    Attributes:
        dtype: float32 or float64.
        digits: Of the significand: 24 or 53.
        half: Digits of a short number: 12 or 26.
        bits: The unsigned integer type as wide as the format.
        far: From here on the functions are evaluated by modulus and phase.
        huge: From here on the angle is reduced with the digits of 1/(2π) that matter.
        entries: The polynomials.
        quarter: π/4 as short numbers and a rest.
        circle: 2π as a short number and a rest.
    """

    dtype: np.dtype
    digits: int
    half: int
    bits: np.dtype
    far: float
    huge: float
    entries: dict[str, Any]
    quarter: tuple[float, ...]
    circle: tuple[float, float]

    def turns(self) -> np.ndarray:
        """`2**(e + 1 - digits) / (2π) mod 1` in short pieces, shape `(exponents, TURN_PIECES)`.

        Row `e - first_exponent` is for numbers from 2**e to 2**(e + 1).
        """
        return _turns(self.dtype.name)

    @property
    def first_exponent(self) -> int:
        """The exponent of the first row of `turns`."""
        return int(np.frexp(self.huge)[1]) - 1


@cache
def constants(name: str) -> Constants:
    """The constants of "float32" or "float64"."""
    file, dtype = _file(), np.dtype(name)
    digits = int(np.finfo(dtype).nmant) + 1
    half = digits // 2
    quarter = _pieces(int(file["quarter"], 16), file["quarter_bits"], half, QUARTER_PIECES + 1)
    short = quarter[0] * 8
    rest = (quarter[1] + quarter[2]) * 8
    return Constants(
        dtype=dtype,
        digits=digits,
        half=half,
        bits=np.dtype(f"uint{8 * dtype.itemsize}"),
        far=file["far"],
        # The multiple of π/4 that is nearest to x must be a short number itself.
        huge=2.0 ** (half - 1),
        entries=file[name],
        quarter=quarter,
        circle=(short, rest),
    )


def _pieces(number: int, bits: int, width: int, count: int) -> tuple[float, ...]:
    """Cut `number / 2**bits`, below 1, into `count` floating-point numbers of `width` bits."""
    pieces = []
    for index in range(1, count + 1):
        high = number >> (bits - width * index)
        pieces.append(math.ldexp(high, -width * index))
        number -= high << (bits - width * index)
    return tuple(pieces)


@cache
def _turns(name: str) -> np.ndarray:
    """See `Constants.turns`."""
    here, file = constants(name), _file()
    number, bits = int(file["turn"], 16), file["turn_bits"]
    last = int(np.finfo(name).maxexp)
    rows = []
    for exponent in range(here.first_exponent, last):
        shift = exponent + 1 - here.digits
        shifted = number << shift if shift >= 0 else number >> -shift
        rows.append(_pieces(shifted & ((1 << bits) - 1), bits, here.half, TURN_PIECES))
    return np.array(rows, name)
