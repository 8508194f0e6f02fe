"""The true value by ball arithmetic, and the distance of a computed value from it in ULP.

Arb returns a ball that is proven to hold the true value; the precision is doubled until its radius
is below `2**NARROW` ULP. The value is then kept as the nearest number of the format, plus what is
left over as a fraction of a ULP, so that an error is known to 1e-9 ULP without any long arithmetic:

    error = (computed - nearest) / ulp - rest,      ulp = 2**max(floor(log2|value|) - p + 1, e_min)

Infinity counts as the first power of two that the format lacks, `2**(e_max + 1)`: rounding to it
just beyond the largest number is no error, and returning it for 1.0 is an enormous one.

Source: F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic",
IEEE Trans. Comput. 66 (2017), doi:10.1109/TC.2017.2690633. ULP as in J.-M. Muller et al.,
*Handbook of Floating-Point Arithmetic*, 2nd ed., 2.3 (Goldberg's definition).
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from libufunc.audit.errors import MissingExtraError, OracleError

NARROW = -30  # radius of the ball, as a power of two, in ULP
FIRST_PRECISION = 128  # bits; enough for most values in double
LAST_PRECISION = 1 << 16  # bits; the largest long double needs 16,384 to reduce its argument
AGREE = 2.0**-60  # mpmath's own rounding, relative, beside the ball's radius


def needed(module: str, install: str = "libufunc[audit]") -> Any:
    """Import a module that libufunc itself does without.

    Args:
        module: What to import.
        install: What brings it.

    Raises:
        MissingExtraError: It is not installed; the message names what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"The audit needs `{module}`, which cannot be imported: pip install '{install}'.",
            name=module,
        ) from error


@final
@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        dtype: NumPy's name of it: "float16", "float32", "float64" or "longdouble".
    """

    dtype: str

    @cached_property
    def type(self) -> Any:
        """The scalar type, such as `numpy.float64`."""
        return np.dtype(self.dtype).type

    @cached_property
    def digits(self) -> int:
        """Bits of the significand, the leading one included: 53 for double."""
        return int(np.finfo(self.dtype).nmant) + 1

    @cached_property
    def top(self) -> int:
        """The exponent of the first power of two that is not representable: 1024 for double."""
        return int(np.finfo(self.dtype).maxexp)

    @cached_property
    def bottom(self) -> int:
        """The exponent of the least subnormal number: -1074 for double."""
        return int(np.finfo(self.dtype).minexp) - int(np.finfo(self.dtype).nmant)

    def exact(self, number: Any) -> tuple[int, int]:
        """Split a finite number into integers `m, e` with `number == m * 2**e`."""
        fraction, exponent = np.frexp(number)
        return int(np.ldexp(fraction, self.digits)), int(exponent) - self.digits


@final
@dataclass(frozen=True)
class Truth:
    """True values at `n` points, each to a tiny part of a ULP.

    Attributes:
        nearest: The nearest number of the format, shape `(n,)`, in its dtype.
        rest: True value minus `nearest`, in ULP, shape `(n,)`, float64, at most 0.5 in size.
        ulp: Exponent of the ULP, a power of two, shape `(n,)`, int64.
    """

    nearest: np.ndarray
    rest: np.ndarray
    ulp: np.ndarray

    def errors(self, computed: np.ndarray, kind: Format) -> np.ndarray:
        """The signed error of `computed`, shape `(n,)`, in ULP, as float64.

        It is infinite where one is NaN and the other is not, 0 where both are.
        """
        with np.errstate(all="ignore"):
            sides = [_scaled(side, self.ulp, kind) for side in (computed, self.nearest)]
            error = np.asarray(sides[0] - sides[1], np.float64) - self.rest
        lost = np.isnan(computed) != np.isnan(self.nearest)
        error[np.isnan(error)] = 0.0
        error[lost] = np.inf
        return error


def _scaled(values: np.ndarray, exponents: np.ndarray, kind: Format) -> np.ndarray:
    """The values in ULP, with infinity as the first power of two beyond the format."""
    wide = np.asarray(values, np.longdouble)
    infinite = np.isinf(wide)
    wide = np.where(infinite, np.copysign(np.longdouble(1.0), wide), wide)
    return np.ldexp(wide, np.where(infinite, kind.top, 0) - exponents)


def truth(formula: Callable[..., Any], points: Sequence[np.ndarray], kind: Format) -> Truth:
    """Evaluate a formula rigorously.

    Args:
        formula: Takes and returns `flint.arb`.
        points: One array of shape `(n,)` for each argument, finite, in the dtype of `kind`.
        kind: The format that the error is counted in.

    Raises:
        OracleError: The ball was still too wide at `LAST_PRECISION` bits.

    Cost: 10 to 100 microseconds a point in double, more where arguments are huge.
    """
    flint = needed("flint")
    count = len(points[0])
    nearest = np.empty(count, kind.type)
    rest = np.empty(count)
    ulp = np.empty(count, np.int64)
    for index, arguments in enumerate(zip(*points, strict=True)):
        mantissa, exponent, unit = _ball(flint, formula, arguments, kind)
        nearest[index], rest[index], ulp[index] = _split(mantissa, exponent, unit, kind)
    return Truth(nearest, rest, ulp)


def _ball(
    flint: Any, formula: Callable[..., Any], arguments: tuple[Any, ...], kind: Format
) -> tuple[int, int, int]:
    """The midpoint of a narrow enough ball, as `m * 2**e`, and the exponent of its ULP."""
    precision = FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with flint.ctx.workprec(precision):
            ball = formula(*(flint.arb(kind.exact(argument)) for argument in arguments))
            if ball.is_finite():
                mantissa, exponent = map(int, ball.mid().man_exp())
                unit = kind.bottom
                if mantissa:
                    unit = max(mantissa.bit_length() + exponent - kind.digits, unit)
                    unit = min(unit, kind.top - kind.digits)
                width, scale = map(int, ball.rad().man_exp())
                if width == 0 or width.bit_length() + scale <= unit + NARROW:
                    return mantissa, exponent, unit
        precision *= 2
    raise OracleError(
        f"Arb's ball at {arguments} is wider than 2**{NARROW} ULP with {LAST_PRECISION} bits: "
        "the true value may be undefined there; choose other points."
    )


def _split(mantissa: int, exponent: int, unit: int, kind: Format) -> tuple[Any, float, int]:
    """Round `m * 2**e` to the format: the nearest number, the rest in ULP, the ULP's exponent."""
    if mantissa.bit_length() + exponent > kind.top:  # beyond the largest number
        return kind.type(np.copysign(np.inf, mantissa)), 0.0, unit
    shift = exponent - unit
    if shift >= 0:
        whole, rest = mantissa << shift, 0.0
    else:
        whole = ((mantissa >> (-shift - 1)) + 1) >> 1
        rest = _ratio(mantissa - (whole << -shift), -shift)
    with np.errstate(over="ignore"):
        return np.ldexp(kind.type(whole), unit), rest, unit


def _ratio(numerator: int, bits: int) -> float:
    """`numerator / 2**bits`, where both may be far beyond the range of a double."""
    drop = max(abs(numerator).bit_length() - 64, 0)
    return float(np.ldexp(float(numerator >> drop), drop - bits))


def second_opinion(
    formula: Callable[..., Any],
    other: Callable[..., Any],
    points: Sequence[np.ndarray],
    kind: Format,
) -> None:
    """Check Arb's ball against mpmath at every given point.

    Args:
        formula: Takes and returns `flint.arb`.
        other: The same in mpmath: takes the context, then numbers of it.
        points: As for `truth`.
        kind: The format of the points.

    Raises:
        OracleError: mpmath's value lies outside the ball by more than its own rounding.

    Cost: up to milliseconds a point.
    """
    flint, mpmath = needed("flint"), needed("mpmath")
    for arguments in zip(*points, strict=True):
        exact = [kind.exact(argument) for argument in arguments]
        magnitude = max(mantissa.bit_length() + exponent for mantissa, exponent in exact)
        bits = 2 * FIRST_PRECISION + max(magnitude, 0)  # so many are lost reducing an angle
        with flint.ctx.workprec(bits), mpmath.workprec(bits):
            ball = formula(*(flint.arb(number) for number in exact))
            value = other(mpmath.mp, *(mpmath.mpf(number) for number in exact))
            middle, radius = (
                mpmath.mpf(tuple(map(int, part.man_exp()))) for part in (ball.mid(), ball.rad())
            )
            if not abs(value - middle) <= radius + abs(middle) * AGREE:
                raise OracleError(
                    f"At {arguments} Arb gives {ball} and mpmath {value}: one oracle is wrong."
                )
