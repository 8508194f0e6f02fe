"""What `ccall` makes is a NumPy ufunc in every respect, and gives what C gives."""

import ctypes
import math
import warnings

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from libufunc import Library, OutOfRangeError, ccall

M = Library("m")
ERF = ccall("double erf(double)", "m")
HYPOT = ccall("double hypot(double, double)", "m")
TYPES = {"f": ctypes.c_float, "d": ctypes.c_double, "g": ctypes.c_longdouble}


def twin(name: str, x: np.ndarray, char: str) -> np.ndarray:
    """The same function by ctypes, a number at a time."""
    symbol = name + {"f": "f", "d": "", "g": "l"}[char]
    function = ctypes.CDLL("libm.so.6")[symbol]
    function.argtypes, function.restype = [TYPES[char]], TYPES[char]
    return np.array([function(float(v)) for v in x.ravel()], char).reshape(x.shape)


def test_it_is_a_ufunc():
    """Not something like one: `numpy.ufunc` itself."""
    assert type(ERF) is np.ufunc
    assert (ERF.__name__, ERF.nin, ERF.nout, ERF.types) == ("erf", 1, 1, ["d->d"])


def test_both_forms_give_one_object():
    """A prototype, Julia's form and the same again are one ufunc."""
    assert ccall("erf", "m", np.float64, (np.float64,)) is ERF
    assert ccall("double erf(double x);", "m") is ERF
    assert ccall("erf", "m", float, (float,)) is ERF


@given(
    hnp.arrays(
        st.sampled_from(["f4", "f8"]),
        hnp.array_shapes(max_dims=3, max_side=6),
        elements=st.floats(-6, 6, width=32),
    ),
    st.sampled_from(["erf", "j0", "cbrt"]),
    st.tuples(*[st.sampled_from([1, 2, -1, -3])] * 3),
)
def test_arrays_of_any_stride_give_what_ctypes_gives(
    x: np.ndarray, name: str, steps: tuple[int, int, int]
):
    """Bit for bit, for float32 and float64, on views that go backwards and leave elements out."""
    view = x[tuple(slice(None, None, step) for step in steps[: x.ndim])]
    function = getattr(M, name)
    computed = function(view)
    assert computed.dtype == x.dtype
    assert computed.shape == view.shape
    assert np.array_equal(computed, twin(name, view, x.dtype.char), equal_nan=True)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4), st.data())
def test_operands_are_broadcast(shapes, data: st.DataObject):
    """Two shapes that fit give the shape that NumPy gives, and math.hypot's numbers."""
    x, y = (
        data.draw(hnp.arrays("f8", shape, elements=st.floats(-1e3, 1e3)))
        for shape in shapes.input_shapes
    )
    computed = HYPOT(x, y)
    assert np.shape(computed) == shapes.result_shape
    pairs = zip(*(a.ravel() for a in np.broadcast_arrays(x, y)), strict=True)
    expected = [math.hypot(a, b) for a, b in pairs]
    assert np.ravel(computed) == pytest.approx(expected, rel=1e-15, abs=5e-324)


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "i4", "i8", "u8", "?"])
def test_integers_become_double(kind: str):
    """Also the small ones, that would fit into a half."""
    x = np.array([0, 1], kind)
    for function in (ERF, M.erf):
        computed = function(x)
        assert computed.dtype == np.float64
        assert np.array_equal(computed, [0, math.erf(1)])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_each_real_type_keeps_its_type(kind: type):
    """A function of a library has a loop for each, and the number is that of the C function."""
    x = np.linspace(-2, 2, 9, dtype=kind)
    computed = M.erf(x)
    assert computed.dtype == kind
    assert np.abs(computed - scipy.special.erf(x.astype(float))).max() <= max(
        np.finfo(kind).eps, 2e-16
    )


def test_long_double_has_more_digits():
    """`erfl` is called, not `erf`: erf(1) to 19 digits by mpmath."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        expected = np.longdouble(str(mpmath.erf(1)))
    assert abs(M.erf(np.longdouble(1)) - expected) <= np.finfo(np.longdouble).eps


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in ("exp", "sin", "sqrt", "log", "tanh") for kind in "FD"],
)
def test_complex_numbers_go_to_the_complex_function(name: str, kind: str):
    """`sin` of complex numbers is C's `csin`, as NumPy has it."""
    generator = np.random.default_rng(5)
    x = (generator.normal(size=50) + 1j * generator.normal(size=50)).astype(kind)
    computed, expected = getattr(M, name)(x), getattr(np, name)(x)
    assert computed.dtype == np.dtype(kind)
    assert np.abs(computed - expected).max() < 8 * np.finfo(kind).eps * np.abs(expected).max()


def test_complex_long_double_and_two_complex_arguments():
    """The widest complex numbers go through memory in C; `pow` takes two of them."""
    x = np.array([1 + 2j, -0.5 + 0.1j], np.clongdouble)
    assert np.abs(M.pow(x, x) - x**x).max() < 1e-17
    assert np.array_equal(M.fabs(np.array([3 + 4j])), [5.0])


def test_mixed_types_are_computed_in_double_or_wider():
    """Only arrays of one type keep it: the rule that lets small integers become double."""
    single = np.float32([3])
    assert M.hypot(single, np.float32([4])).dtype == np.float32
    for other in (4.0, np.float64([4]), np.float16([4]), np.int8([4])):
        assert M.hypot(single, other).dtype == np.float64
    assert M.hypot(single, np.longdouble([4])).dtype == np.longdouble
    assert M.hypot[np.float32](single, 4.0).dtype == np.float32


def test_scalars_zero_dimensional_and_empty_arrays():
    """A number gives a number, nothing gives nothing."""
    assert isinstance(ERF(0.5), np.float64)
    assert ERF(np.array(0.5)) == math.erf(0.5)
    assert ERF(np.empty((0, 3))).shape == (0, 3)
    assert ERF([]).dtype == np.float64


def test_out_where_and_casting():
    """`out` is filled and returned, `where` leaves the rest, unsafe casts are asked for."""
    x, out = np.linspace(0, 1, 5), np.full(5, -1.0)
    assert ERF(x, out=out, where=x > 0.4) is out
    assert out.tolist() == [-1, -1, *map(math.erf, x[2:])]
    assert ERF(x, out=x) is x
    with pytest.raises(TypeError, match="cast"):
        M.erf[np.float32](np.ones(2), casting="equiv")
    assert M.erf[np.float32](np.ones(2), dtype=np.float32, casting="same_kind").dtype == np.float32
    single = np.empty(5, np.float32)
    assert ERF(x, out=single) is single


def test_the_other_methods_of_ufuncs():
    """reduce, accumulate, reduceat, outer and at."""
    sides = np.array([3.0, 4.0, 12.0, 84.0])
    assert HYPOT.reduce(sides) == 85
    assert HYPOT.accumulate(sides).tolist() == [3, 5, 13, 85]
    assert HYPOT.reduceat(sides, [0, 2]).tolist() == [5, math.hypot(12, 84)]
    assert np.array_equal(HYPOT.outer([3, 5], [4, 12]), np.hypot.outer([3, 5], [4, 12]))
    x = np.array([3.0, 1.0])
    HYPOT.at(x, [0, 0], 4.0)
    assert x.tolist() == [pytest.approx(math.hypot(5, 4)), 1.0]
    assert HYPOT.reduce(np.ones((2, 3)), axis=1).shape == (2,)


def test_masked_arrays_stay_masked():
    """A mask goes through, and what is under it does not matter."""
    x = np.ma.masked_array([0.5, 1.0], mask=[False, True])
    computed = ERF(x)
    assert isinstance(computed, np.ma.MaskedArray)
    assert computed.mask.tolist() == [False, True]


def test_another_type_may_take_over():
    """`__array_ufunc__` is asked, and sees the ufunc."""

    class Loud:
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return ufunc, method

    assert ERF(Loud()) == (ERF, "__call__")


def test_floating_point_errors_are_numpys():
    """`errstate` decides about what the C function signals."""
    log = ccall("double log(double)", "m")
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        log(-1.0)
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert log(0.0) == -np.inf


def test_byte_order_and_misalignment():
    """Arrays that C could not read are copied by NumPy first."""
    x = np.linspace(0, 1, 7)
    swapped = x.astype(x.dtype.newbyteorder())
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(float)
    assert np.array_equal(ERF(swapped), ERF(x))
    assert np.array_equal(ERF(shifted), ERF(x))


def test_the_docstring_has_prototype_and_library():
    """What `help` shows says where the function comes from."""
    assert "double erf(double)" in ERF.__doc__
    assert "libm.so.6" in ERF.__doc__
    assert "float erff(float)" in M.erf.__doc__


def test_a_wrong_number_of_arguments_is_an_exception():
    """NumPy's own, before C is called."""
    with pytest.raises(TypeError, match="argument"):
        ERF(1.0, 2.0, 3.0)
    with pytest.raises(TypeError, match="argument"):
        HYPOT(1.0)


@pytest.mark.parametrize(
    ("prototype", "arguments", "expected"),
    [
        ("double jn(int, double)", (2, 0.5), scipy.special.jn(2, 0.5)),
        ("double ldexp(double, int)", (0.75, 4), 12.0),
        ("double fma(double, double, double)", (1 + 2.0**-30, 1 - 2.0**-30, -1.0), -(2.0**-60)),
        ("double remquo(double, double, int *)", (10.5, 3.0), (-1.5, 4)),
        ("double frexp(double, int *)", (12.0,), (0.75, 4)),
        ("double modf(double, double *)", (-2.25,), (-0.25, -2.0)),
        ("void sincos(double, double *, double *)", (0.5,), (math.sin(0.5), math.cos(0.5))),
        ("long lround(double)", (2.5,), 3),
        ("int ilogb(double)", (1000.0,), 9),
        ("double nexttoward(double, long double)", (1.0, 2.0), np.nextafter(1, 2)),
    ],
)
def test_signatures_without_a_loop_of_numpys(prototype: str, arguments: tuple, expected: object):
    """Integers, three arguments and outputs through pointers."""
    computed = ccall(prototype, "m")(*arguments)
    assert computed == pytest.approx(expected, rel=1e-13, abs=0)


def test_integers_of_arrays_are_taken_and_refused_beyond_the_range_of_int():
    """int64 and uint64 arrays too, as far as C's `int` holds what is in them."""
    ldexp = ccall("double ldexp(double, int)", "m")
    assert ldexp(1.0, np.array([1, -1])).tolist() == [2.0, 0.5]
    assert ldexp(1.0, np.array([1, 5], np.uint64)).tolist() == [2.0, 32.0]
    for power in (2**40, -(2**40)):
        with pytest.raises(OutOfRangeError, match=r"double ldexp\(double, int\)"):
            ldexp(1.0, np.array([1, power]))
    assert ldexp(np.ones(2), np.int16([3, 4])).tolist() == [8, 16]
    assert ldexp.types == ["di->d", "dl->d", "dL->d"]
