"""What can be audited: for each function its formulas, its intervals and its special values.

The formulas are Arb's and mpmath's, which share no code. Special values are those of C's Annex F
and, for the Bessel functions, of POSIX; NaN in, NaN out is checked for all with one argument.

Source: ISO/IEC 9899:2018, F.10; IEEE Std 1003.1-2017, j0, y0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from libufunc.audit import bessel
from libufunc.audit.oracle import Format
from libufunc.audit.points import Beside, Even, Floats, Interval, Together

INF, NAN = math.inf, math.nan
BOTH = (-1, 1)
LN2 = math.log(2)

Special = tuple[tuple[float, ...], float]  # arguments, and the value there
Intervals = Callable[[Format], tuple[Interval, ...]]


@final
@dataclass(frozen=True)
class Subject:
    """A function of the C library that can be audited.

    Attributes:
        name: C's name of the double version.
        arb: The formula on `flint.arb` numbers.
        mpmath: The formula in mpmath: takes its context, then its numbers.
        intervals: The intervals for a format.
        special: Arguments and values at infinities, zeros and poles.
        arguments: How many arguments it takes.
        aliases: Its name in other libraries, where that differs.
    """

    name: str
    arb: Callable[..., Any]
    mpmath: Callable[..., Any]
    intervals: Intervals
    special: tuple[Special, ...] = ()
    arguments: int = 1
    aliases: dict[str, str] = field(default_factory=dict)


def _odd_root(x: Any) -> Any:
    """The real cube root of a ball that does not hold both signs."""
    return x.root(3) if x >= 0 else -((-x).root(3))


def _log_gamma(x: Any) -> Any:
    """Log |Γ(x)|; Arb's own `lgamma` is for positive numbers."""
    return x.lgamma() if x > 0 else abs(x.gamma()).log()


def _tiny(number: Format) -> float:
    """The least normal number, in float64: 0, meaning the least of all, where it has none."""
    return float(np.finfo(number.dtype).tiny)


def _edges(number: Format) -> tuple[float, float]:
    """Where exp leaves the format: below the first its value is 0, beyond the second infinite."""
    return (number.bottom - 1) * LN2, number.top * LN2


def _gamma_edge(number: Format) -> float:
    """Where Γ overflows: 171.6 in double."""
    low, high = 2.0, 2000.0
    while high - low > high * 2.0**-50:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if math.lgamma(middle) > number.top * LN2 else (middle, high)
    return low


def _smooth(*parts: Interval) -> Intervals:
    """The same intervals for each format."""
    return lambda _: parts


def _odd(high: float, *parts: Interval) -> Intervals:
    """Subnormals and tiny numbers of both signs, all numbers up to `high`, and further parts."""
    top = "the largest" if high == INF else f"{high:g}"
    return lambda number: (
        Floats("subnormal", 0.0, _tiny(number), BOTH),
        Floats(f"least normal to {top}, both signs", _tiny(number), high, BOTH),
        *parts,
    )


def _exponential(base: float) -> Intervals:
    """For base**x: around 0, all in range, and where the result leaves the normal numbers."""

    def parts(number: Format) -> tuple[Interval, ...]:
        low, high = (edge / math.log(base) for edge in _edges(number))
        normal = low + (number.digits - 1) * LN2 / math.log(base)
        return (
            Floats("tiny, both signs", 0.0, 1e-5, BOTH),
            Even("-1 to 1", -1.0, 1.0),
            Even("all in range", low, high),
            Even("subnormal results", low, normal),
        )

    return parts


def _trigonometric(offset: float) -> Intervals:
    """For sin, cos and tan; `offset` tells where, in units of π, one zero is."""

    def zeros(mp: Any) -> list[Any]:
        return [(2**k + k + offset) * mp.pi for k in range(64)]

    return _odd(
        1.0,
        Even("-10 to 10", -10.0, 10.0),
        Floats("1 to 1e10", 1.0, 1e10),
        Floats("1e10 to the largest", 1e10, INF, BOTH),
        Beside("beside multiples of pi" if offset == 0 else "beside zeros", zeros),
    )


def _logarithm(mp_one: float) -> Intervals:
    """For logarithms of `mp_one` - 1 + x: all numbers, and beside the zero."""
    return lambda number: (
        Floats("subnormal", 0.0, _tiny(number)),
        Floats("least normal to the largest", _tiny(number), INF),
        Even("around the zero", mp_one * 0.75, mp_one * 1.25)
        if mp_one
        else Floats("-0.5 to -1e-20", 1e-20, 0.5, (-1,)),
    )


def _error_function(number: Format) -> tuple[Interval, ...]:
    """For erfc: the tail to the last subnormal result."""
    edge = math.sqrt(-_edges(number)[0])
    return (
        Floats("tiny, both signs", 0.0, 0.01, BOTH),
        Even("-6 to 0", -6.0, 0.0),
        Even("0 to 2", 0.0, 2.0),
        Even("2 to where it vanishes", 2.0, edge),
    )


def _gamma(number: Format) -> tuple[Interval, ...]:
    """For Γ: to both edges, and beside the poles."""
    edge = _gamma_edge(number)
    return (
        Floats("tiny, both signs", 8 / float(np.finfo(number.dtype).max), 0.01, BOTH),
        Even("0.01 to 10", 0.01, 10.0),
        Even("10 to where it overflows", 10.0, edge),
        Even("-10.5 to 0", -10.5, 0.0),
        Even("negative, to where it vanishes", -edge - 6, -10.5),
    )


def _log_gamma_parts(number: Format) -> tuple[Interval, ...]:
    """For log |Γ|: the zeros at 1 and 2, and those between the negative poles."""

    def zeros(mp: Any) -> list[Any]:
        ends = [(-2.46, -2.45), (-2.75, -2.74), (-3.15, -3.14), (-3.96, -3.95), (-4.04, -4.03)]
        return [
            mp.findroot(lambda x: mp.log(abs(mp.gamma(x))), pair, solver="anderson")
            for pair in ends
        ]

    return (
        Floats("tiny, both signs", 0.0, 0.01, BOTH),
        Even("0 to 4", 0.0, 4.0),
        Floats("4 to the largest", 4.0, 0.001 * float(np.finfo(number.dtype).max))
        if number.top <= np.finfo(np.float64).maxexp
        else Floats("4 to 1e300", 4.0, 1e300),
        Even("around the zeros 1 and 2", 0.9, 2.1),
        Even("-30 to 0", -30.0, 0.0),
        Beside("beside negative zeros", zeros),
    )


def _same(value: float) -> tuple[Special, ...]:
    """Both zeros are kept and both infinities have `value`, with their sign."""
    return (((0.0,), 0.0), ((-0.0,), -0.0), ((INF,), value), ((-INF,), -value))


def _at(*pairs: tuple[float, float]) -> tuple[Special, ...]:
    """Special values of a function of one argument."""
    return tuple(((argument,), value) for argument, value in pairs)


_EXP = _at((0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e5, INF), (-1e5, 0.0))
_LOG = _at((0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN))
_WAVE = _at((0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN))
_ARC = _at((0.0, 0.0), (-0.0, -0.0), (2.0, NAN), (-2.0, NAN), (INF, NAN))
_J0 = _at((0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 0.0))
_J1 = _at((0.0, 0.0), (-0.0, -0.0), (INF, 0.0), (-INF, 0.0))
_Y = _at((0.0, -INF), (-0.0, -INF), (INF, 0.0), (-1.0, NAN), (-INF, NAN))
_ONE = _odd(1.0, Even("-1 to 1", -1.0, 1.0))
_WIDE = _odd(INF, Even("-2 to 2", -2.0, 2.0))


def _plain(name: str, intervals: Intervals, special: tuple[Special, ...], **more: Any) -> Subject:
    """A function that has one name everywhere."""
    arb = more.pop("arb", lambda x: getattr(x, name)())
    other = more.pop("mpmath", lambda mp, x: getattr(mp, name)(x))
    return Subject(name, arb, other, intervals, special, **more)


def _bessel(kind: str, order: int, special: tuple[Special, ...]) -> Subject:
    """J or Y of order 0 or 1."""
    word = "bessel_j" if kind == "j" else "bessel_y"
    other = word.replace("_", "")
    return Subject(
        f"{kind}{order}",
        lambda x: getattr(x, word)(order),
        lambda mp, x: getattr(mp, other)(order, x),
        bessel.intervals(kind, order),
        special,
    )


# Names of the inverse functions in NumPy.
_ARCS = {
    name: {"numpy": name.replace("a", "arc", 1)}
    for name in ("acos", "asin", "atan", "acosh", "asinh", "atanh")
}
_PLANE = Together("both -10 to 10", (Even("", -10.0, 10.0), Even("", -10.0, 10.0)))
_MAGNITUDES = Together("all magnitudes", (Floats("", 0.0, INF, BOTH), Floats("", 0.0, INF, BOTH)))
# Every subject, in the order of C's headers.
_ALL = (
    _plain("sin", _trigonometric(0.0), _WAVE),
    _plain("cos", _trigonometric(0.5), _at((0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN))),
    _plain("tan", _trigonometric(0.0), _WAVE),
    _plain("asin", _ONE, _ARC, aliases=_ARCS["asin"]),
    _plain("acos", _ONE, _at((1.0, 0.0), (2.0, NAN), (INF, NAN)), aliases=_ARCS["acos"]),
    _plain("atan", _WIDE, _same(math.pi / 2)[:2], aliases=_ARCS["atan"]),
    _plain("sinh", _odd(1.0, Even("-20 to 20", -20.0, 20.0)), _same(INF)),
    _plain("cosh", _odd(1.0, Even("-20 to 20", -20.0, 20.0)), _at((0.0, 1.0), (INF, INF))),
    _plain("tanh", _odd(INF, Even("-2 to 2", -2.0, 2.0)), _same(1.0)),
    _plain("asinh", _WIDE, _same(INF), aliases=_ARCS["asinh"]),
    _plain(
        "acosh",
        _smooth(Even("1 to 2", 1.0, 2.0), Floats("1 to the largest", 1.0, INF)),
        _at((1.0, 0.0), (0.5, NAN), (INF, INF)),
        aliases=_ARCS["acosh"],
    ),
    _plain(
        "atanh",
        _ONE,
        _at((0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (2.0, NAN)),
        aliases=_ARCS["atanh"],
    ),
    _plain("exp", _exponential(math.e), _EXP),
    _plain(
        "exp2",
        _exponential(2.0),
        _EXP,
        arb=lambda x: (x * 0 + 2) ** x,
        mpmath=lambda mp, x: mp.mpf(2) ** x,
    ),
    _plain(
        "expm1",
        lambda number: (
            *_odd(1.0)(number),
            Even("-40 to 40", -40.0, 40.0),
            Even("40 to where it overflows", 40.0, _edges(number)[1]),
        ),
        _at((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0)),
    ),
    _plain("log", _logarithm(1.0), _LOG),
    _plain(
        "log2",
        _logarithm(1.0),
        _LOG,
        arb=lambda x: x.log_base(2),
        mpmath=lambda mp, x: mp.log(x) / mp.log(2),
    ),
    _plain("log10", _logarithm(1.0), _LOG, arb=lambda x: x.log_base(10)),
    _plain(
        "log1p",
        _logarithm(0.0),
        _at((0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-2.0, NAN)),
    ),
    _plain(
        "cbrt",
        _WIDE,
        _same(INF),
        arb=_odd_root,
        mpmath=lambda mp, x: mp.sign(x) * mp.cbrt(abs(x)),
    ),
    _plain(
        "sqrt",
        lambda number: (
            Floats("subnormal", 0.0, _tiny(number)),
            Floats("least normal to the largest", _tiny(number), INF),
        ),
        _at((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, NAN)),
    ),
    _plain("erf", _odd(1.0, Even("-6 to 6", -6.0, 6.0)), _same(1.0)),
    _plain("erfc", _error_function, _at((0.0, 1.0), (INF, 0.0), (-INF, 2.0))),
    _plain(
        "tgamma",
        _gamma,
        _at((0.0, INF), (-0.0, -INF), (1.0, 1.0), (INF, INF), (-INF, NAN), (-1.0, NAN)),
        arb=lambda x: x.gamma(),
        mpmath=lambda mp, x: mp.gamma(x),
        aliases={"scipy": "gamma"},
    ),
    _plain(
        "lgamma",
        _log_gamma_parts,
        _at((0.0, INF), (1.0, 0.0), (2.0, 0.0), (INF, INF), (-INF, INF), (-1.0, INF)),
        arb=_log_gamma,
        mpmath=lambda mp, x: mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x),
        aliases={"scipy": "gammaln"},
    ),
    _bessel("j", 0, _J0),
    _bessel("j", 1, _J1),
    _bessel("y", 0, _Y),
    _bessel("y", 1, _Y),
    Subject(
        "atan2",
        lambda y, x: type(y).atan2(y, x),
        lambda mp, y, x: mp.atan2(y, x),
        _smooth(_PLANE, _MAGNITUDES),
        (((0.0, 1.0), 0.0), ((-0.0, 1.0), -0.0)),
        2,
        {"numpy": "arctan2"},
    ),
    Subject(
        "hypot",
        lambda x, y: (x * x + y * y).sqrt(),
        lambda mp, x, y: mp.hypot(x, y),
        _smooth(_PLANE, _MAGNITUDES),
        (((INF, NAN), INF), ((NAN, -INF), INF), ((-3.0, 4.0), 5.0), ((0.0, 0.0), 0.0)),
        2,
    ),
    Subject(
        "pow",
        lambda x, y: x**y,
        lambda mp, x, y: mp.power(x, y),
        _smooth(
            Together("0 to 10 to the -10 to 10", (Even("", 0.0, 10.0), Even("", -10.0, 10.0))),
            Together("near 1, to large powers", (Even("", 0.999, 1.001), Even("", -1e4, 1e4))),
        ),
        (
            ((1.0, NAN), 1.0),
            ((NAN, 0.0), 1.0),
            ((0.0, -1.0), INF),
            ((-0.0, -1.0), -INF),
            ((-1.0, INF), 1.0),
            ((-8.0, 1 / 3), NAN),
            ((-2.0, 3.0), -8.0),
        ),
        2,
        {"numpy": "power"},
    ),
)


FUNCTIONS = {subject.name: subject for subject in _ALL}
