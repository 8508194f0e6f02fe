"""`libufunc.jax` agrees with Arb to 2 ULP, with the identities, and with every transformation."""

import importlib
import importlib.util
import json
import math
import sys
from fractions import Fraction
from functools import partial
from importlib import resources
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import libufunc.jax
from libufunc.audit import FUNCTIONS, audit
from libufunc.audit.bessel import zero
from libufunc.audit.oracle import Format, truth
from libufunc.audit.points import Beside
from libufunc.jax import j0, j1, y0, y1
from libufunc.jax.constants import constants
from libufunc.jax.exact import split, two_sum
from libufunc.jax.reduction import reduced

NAMES = ("j0", "j1", "y0", "y1")
LIMIT = 2.0  # ULP, away from zeros
SCRIPT = Path(__file__).parents[3] / "scripts" / "libufunc_jax_coefficients.py"

each_name = pytest.mark.parametrize("name", NAMES)
FLOATS = ("float32", "float64")
each_dtype = pytest.mark.parametrize("dtype", FLOATS)
# Float32 has the same code with other constants: half of the functions do, as compiling takes long.
each_case = pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float64") for name in NAMES), ("j0", "float32"), ("y1", "float32")],
)
large = st.floats(min_value=7.0, max_value=1.7e308)


@pytest.fixture(autouse=True)
def double():
    """Float64 within each test, whatever the tests of other packages want."""
    with jax.enable_x64(True):  # noqa: FBT003 - JAX's own signature
        yield


def function(name: str):
    """The function of that name."""
    return getattr(libufunc.jax, name)


@each_case
def test_away_from_zeros_the_error_is_below_two_ulp(name: str, dtype: str):
    """From the least normal to the largest number, and at all special values."""
    report = audit(name, against=["jax"], points=120, dtype=dtype)
    checked = [row for row in report.rows if "zeros" not in row.interval or "away" in row.interval]
    seen = {
        row.interval: row.max_ulp
        for row in checked
        if row.interval
        not in {
            "subnormal",  # XLA takes them for 0 on a CPU
            "0 to 20",  # holds zeros
        }
    }
    assert len(seen) == 6
    assert max(seen.values()) <= LIMIT, seen


@each_case
def test_beside_its_zeros_below_seven_all_digits_are_right(name: str, dtype: str):
    """The zeros are known to twice the digits, so their neighbours' values are too."""
    kind = Format(dtype)
    numbers = (1,) if name == "j1" else (1, 2)
    beside = Beside("", lambda mp: [mp.mpf(zero(name[0], int(name[1]), n)) for n in numbers])
    (points,) = beside.sample(np.random.default_rng(0), 8, kind)
    true = truth(FUNCTIONS[name].arb, [points], kind)
    errors = true.errors(np.asarray(function(name)(points)), kind)
    assert np.abs(errors).max() <= LIMIT


@each_case
def test_special_values(name: str, dtype: str):
    """Infinity, NaN, zeros of both signs, negative numbers; the dtype is kept."""
    x = jnp.array([np.inf, np.nan, 0.0, -0.0, -np.inf, -2.0, 2.0, 1.0], dtype)
    found = function(name)(x)
    inside = {"j0": [1, 1], "j1": [0, -0.0], "y0": [-np.inf] * 2, "y1": [-np.inf] * 2}[name]
    end = 0.0 if name[0] == "j" else np.nan
    below = found[6] * {"j0": 1, "j1": -1}.get(name, np.nan)
    np.testing.assert_array_equal(found[:6], np.array([0, np.nan, *inside, end, below], dtype))
    assert found.dtype == dtype
    assert np.signbit(found[3]) == (name != "j0")


@given(st.lists(st.floats(min_value=1e-290, max_value=1e290), min_size=8, max_size=8))
@settings(max_examples=30)
def test_wronskian(numbers: list[float]):
    """`J1 Y0 - J0 Y1 = 2 / (pi x)`: an identity that no single function is fitted to."""
    x = np.array(numbers)
    a, b, c, d = (np.asarray(f(x)) for f in (j1, y0, j0, y1))
    np.testing.assert_allclose(a * b - c * d, 2 / (math.pi * x), rtol=1e-15)


@given(st.lists(st.floats(min_value=1e-300, max_value=1e308), min_size=8, max_size=8))
@settings(max_examples=30)
def test_j0_is_even_and_j1_is_odd(numbers: list[float]):
    """To the last bit, and the others have no value for negative numbers."""
    x = np.array(numbers)
    np.testing.assert_array_equal(j0(-x), j0(x))
    np.testing.assert_array_equal(j1(-x), -j1(x))
    assert np.isnan([y0(-x), y1(-x)]).all()


def test_the_bessel_equation_holds_for_the_derivatives():
    """`x² f'' + x f' + (x² - 1) f = 0` with both derivatives by JAX, which need order 0 as well."""
    x = jnp.concatenate([jnp.linspace(0.3, 20, 40), jnp.geomspace(20, 1e6, 24)])
    ones = jnp.ones_like(x)

    def slope(x):
        return jax.jvp(y1, (x,), (ones,))[1]

    with jax.disable_jit():  # to compile a second derivative takes long, to evaluate it does not
        first, second = jax.jvp(slope, (x,), (ones,))
    terms = jnp.stack([x * x * second, x * first, (x * x - 1) * y1(x)])
    assert float((jnp.abs(terms.sum(0)) / jnp.abs(terms).max(0)).max()) < 1e-13


@each_name
def test_the_derivative_is_arbs(name: str):
    """C0' = -C1 and C1' = (C0 - C2) / 2, evaluated by Arb, at several sizes."""
    x = np.array([1e-5, 0.3, 0.999, 1.001, 5.0, 30.0, 1e9, 1e20])
    word = "bessel_j" if name[0] == "j" else "bessel_y"
    slopes = {
        "0": lambda v: -getattr(v, word)(1),
        "1": lambda v: (getattr(v, word)(0) - getattr(v, word)(2)) / 2,
    }
    true = truth(slopes[name[1]], [x], Format("float64")).nearest
    found = jax.jit(jax.vmap(jax.grad(function(name))))(x)
    np.testing.assert_allclose(found, true, rtol=2e-15)


def test_derivatives_at_zero_are_those_of_the_power_series():
    """J1 = x/2 - x³/16 + ..., so the third derivative is -3/8 there: it is not lost."""
    first = jax.grad(j1)
    third = jax.grad(jax.grad(first))
    with jax.disable_jit():  # to compile a third derivative takes long, to evaluate it does not
        found = [float(f(0.0)) for f in (jax.grad(j0), first, third)]
    assert found == pytest.approx([0.0, 0.5, -3 / 8], abs=1e-15)


def test_every_transformation_gives_the_same_numbers():
    """jit, vmap and plain calls agree to the last bit, whichever side of 7 the numbers lie on."""
    compiled, mapped = jax.jit(j0), jax.jit(jax.vmap(j0))
    for x in (jnp.linspace(0.1, 6, 8), jnp.linspace(8, 90, 8), jnp.geomspace(0.1, 1e300, 8)):
        whole = j0(x)
        np.testing.assert_array_equal(compiled(x), whole)
        np.testing.assert_array_equal(mapped(x), whole)
        np.testing.assert_array_equal(jnp.stack([j0(one) for one in x]), whole)
        np.testing.assert_array_equal(j0(x.reshape(2, 4)), whole.reshape(2, 4))


def test_forward_and_reverse_derivatives_agree():
    """The tangent of `jvp` is the cotangent of `vjp`."""
    x = jnp.linspace(0.5, 40, 8)
    ones = jnp.ones_like(x)
    tangent = jax.jit(lambda x: jax.jvp(j0, (x,), (ones,))[1])(x)
    cotangent = jax.jit(lambda x: jax.vjp(j0, x)[1](ones)[0])(x)
    np.testing.assert_array_equal(tangent, cotangent)


def test_dtypes():
    """Short floats are computed in float32, integers in the default float, complex refused."""
    assert j0(jnp.bfloat16(2)).dtype == jnp.bfloat16
    assert float(y1(np.float16(2))) == pytest.approx(float(y1(2.0)), rel=1e-3)
    assert j0(2).dtype == np.float64
    assert j0(2) == j0(2.0)
    with pytest.raises(TypeError, match=r"complex128.*real part"):
        j0(1j)
    with jax.enable_x64(False):  # noqa: FBT003 - JAX's own signature
        assert j0(np.float64(2)).dtype == np.float32
        assert j0(2).dtype == np.float32
        assert jnp.all(jnp.isfinite(y1(jnp.array([1e-3, 9.0, 1e30]))))


def test_empty_arrays_stay_empty():
    """No number, no shape lost."""
    assert j0(jnp.zeros((0, 3))).shape == (0, 3)


DOUBLE = constants("float64")
compiled_angle = jax.jit(lambda x: reduced(x, DOUBLE))
compiled_split = {name: jax.jit(partial(split, k=constants(name))) for name in FLOATS}
compiled_sum = jax.jit(lambda v, w: two_sum(v * 1, w * 1))


@given(large)
def test_angles_of_all_sizes_are_reduced_to_twice_the_digits(x: float):
    """Against mpmath with 1,300 bits: quadrant and angle, compiled, so with fused operations."""
    n, angle, lack = compiled_angle(x)
    with mpmath.workprec(1300):
        exact = mpmath.mpf(x) - mpmath.pi / 4
        turns = (exact - float(angle) - mpmath.mpf(float(lack))) / (mpmath.pi / 2)
        assert abs(turns - mpmath.nint(turns)) < 2.0**-77
        assert (int(mpmath.nint(turns)) - int(n)) % 4 == 0
    assert abs(float(angle)) < math.pi / 4 + 1e-9


@each_dtype
@given(st.floats(min_value=2.0**-60, max_value=2.0**60), st.floats(-1e10, 1e10))
def test_sums_and_parts_are_exact_when_compiled(dtype: str, a: float, b: float):
    """Fused multiply-add and reordering would lose the error; rational numbers tell."""
    k = constants(dtype)
    a, b = k.dtype.type(a), k.dtype.type(b)
    high, low = map(float, compiled_split[dtype](a))
    assert Fraction(high) + Fraction(low) == Fraction(float(a))
    assert Fraction(high).numerator.bit_length() <= k.half or Fraction(high).denominator == 1
    total, error = compiled_sum(a, b)
    if abs(b) > np.finfo(dtype).tiny:  # XLA takes subnormals for 0
        assert Fraction(float(total)) + Fraction(float(error)) == Fraction(float(a)) + Fraction(
            float(b)
        )


def test_the_constants_are_those_that_the_script_makes():
    """A piece, a far polynomial and the digits of pi, made anew, are in the file."""
    spec = importlib.util.spec_from_file_location("coefficients", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    held = json.loads(resources.files("libufunc.jax").joinpath("coefficients.json").read_text())
    with mpmath.workdps(60):
        made = script.piece(("j", 0), 1, np.float64, 53 + script.SPARE)
        far = script.far(1, np.float32, 24 + script.SPARE)
    assert json.loads(json.dumps(made)) == held["float64"]["j0"][1]
    assert far == held["float32"]["far"][1]
    with mpmath.workprec(held["turn_bits"] + 50):
        turn = mpmath.floor(mpmath.ldexp(1 / (2 * mpmath.pi), held["turn_bits"]))
        assert int(held["turn"], 16) == int(turn)


def test_without_jax_the_extra_is_named(monkeypatch):
    """As in a Python in which jax cannot be imported."""
    for module in [name for name in sys.modules if name.startswith("libufunc.jax")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"needs `jax`.*pip install 'libufunc\[jax\]'"):
        importlib.import_module("libufunc.jax")
