"""The shipped declarations: mathematics of C99, Bessel and gamma functions, and C23's.

Each function stands once, for `double`; C names the others by rule: `erff` is `erf` for `float`,
`erfl` for `long double`, and `csin` is `sin` of a complex number.

Source: ISO C99 and C23, 7.3 (complex) and 7.12 (mathematics); POSIX.1-2017 (`j0` to `yn`); the GNU
C Library's manual, 19 (`exp10`, `sincos`, `lgamma_r`, `drem`, `significand`, `clog10`).
"""

import re
from functools import cache

from libufunc.prototypes import Prototype, parse_prototype


def _words(text: str) -> list[str]:
    return text.split()


_ONE = _words("""
acos asin atan cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 log log10 log1p log2 logb
cbrt fabs sqrt erf erfc lgamma tgamma ceil floor nearbyint rint round trunc roundeven
j0 j1 y0 y1 exp10 significand
acospi asinpi atanpi cospi sinpi tanpi exp2m1 exp10m1 log2p1 log10p1 logp1 rsqrt
""")
_TWO = _words("""
atan2 pow hypot fmod remainder copysign nextafter fdim fmax fmin drem
atan2pi powr fmaximum fminimum fmaximum_num fminimum_num
""")
_COMPLEX = _words("""
cacos casin catan ccos csin ctan cacosh casinh catanh ccosh csinh ctanh cexp clog csqrt cproj conj
clog10
""")
_OTHERS = """
double fma(double, double, double);
double frexp(double, int *);
double ldexp(double, int);
double modf(double, double *);
double scalbn(double, int);
double scalbln(double, long);
int ilogb(double);
long lrint(double);
long lround(double);
long long llrint(double);
long long llround(double);
double remquo(double, double, int *);
double nexttoward(double, long double);
double jn(int, double);
double yn(int, double);
double lgamma_r(double, int *);
void sincos(double, double *, double *);
double pown(double, long long);
double rootn(double, long long);
double compoundn(double, long long);
double _Complex cpow(double _Complex, double _Complex);
double cabs(double _Complex);
double carg(double _Complex);
double cimag(double _Complex);
double creal(double _Complex);
"""
_DOUBLE = {
    **{name: f"double {name}(double)" for name in _ONE},
    **{name: f"double {name}(double, double)" for name in _TWO},
    **{name: f"double _Complex {name}(double _Complex)" for name in _COMPLEX},
    **{re.findall(r"(\w+)\(", line)[0]: line.rstrip(";") for line in _OTHERS.strip().splitlines()},
}
# The real functions that <tgmath.h> extends to complex arguments (C99, 7.22).
_TO_COMPLEX = {
    **{
        name.removeprefix("c"): name
        for name in _COMPLEX
        if name.removeprefix("c") in _ONE and name != "clog10"
    },
    "pow": "cpow",
    "fabs": "cabs",
}
REAL_SUFFIX = {"d": "", "f": "f", "g": "l"}
REAL_NAME = {"d": "double", "f": "float", "g": "long double"}


def base_names() -> list[str]:
    """Every function of the table, by its name for `double`."""
    return sorted(_DOUBLE)


def variant(text: str, base: str, *, real: str) -> tuple[str, str]:
    """Name and prototype of a function's variant for another real type.

    Args:
        text: The prototype for `double`.
        base: The name in it.
        real: `d`, `f` or `g`.
    """
    name = base + REAL_SUFFIX[real]
    # `long double` of nexttoward is the same in all three.
    changed = re.sub(r"(?<!long )\bdouble\b", REAL_NAME[real], text)
    return name, re.sub(rf"\b{base}(?=\()", name, changed)


def complex_name(base: str) -> str | None:
    """`csin` for `sin`; `None` where C has no complex function of that meaning."""
    return _TO_COMPLEX.get(base)


@cache
def _texts() -> dict[str, str]:
    return dict(
        variant(text, base, real=real) for base, text in _DOUBLE.items() for real in REAL_SUFFIX
    )


def base_text(name: str) -> str | None:
    """The prototype for `double` of a base name such as `erf`; `None` for `erff` and strangers."""
    return _DOUBLE.get(name)


@cache
def standard_prototype(name: str) -> Prototype | None:
    """The prototype of any function of the table, `erff` included; `None` for strangers."""
    text = _texts().get(name)
    return parse_prototype(text) if text else None
