"""Types that fit are taken, and what does not fit is told in a sentence that helps."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from libufunc import Library, PrototypeError, SymbolError, ccall

M = Library("m")
ERFF = ccall("float erff(float)", "m")


@pytest.mark.parametrize(
    "x",
    [0.5, [0.5, 1.0], np.float64(0.5), np.array([0.5]), 1, [1, 2], True, np.float32(0.5)],
    ids=repr,
)
def test_a_function_of_float_takes_any_real_numbers(x: object):
    """And computes in float, as C does."""
    found = ERFF(x)
    assert found.dtype == np.float32
    assert np.array_equal(found, ERFF(np.asarray(x, np.float32)))
    assert M.erf[np.float32](x).dtype == np.float32


def test_methods_of_a_function_of_float_take_them_too():
    """`reduce`, `accumulate`, `outer` and `out`."""
    hypot = ccall("float hypotf(float, float)", "m")
    assert hypot.reduce([3.0, 4.0]) == 5
    assert hypot.accumulate([3.0, 4.0]).tolist() == [3, 5]
    assert hypot.outer([3.0], [4.0, 0.0]).tolist() == [[5, 3]]
    out = np.empty(1)
    assert hypot([3.0], 4.0, out=out) is out
    assert out == 5


def test_what_a_function_cannot_take_is_told_with_both_types():
    """Complex numbers, text and dates; a type that is asked for and is not there."""
    with pytest.raises(TypeError, match=r"complex128.*float32"):
        ERFF(1j)
    with pytest.raises(TypeError, match=r"float64.*int"):
        M.jn(2.0, 0.5)
    for x in ("0.5", np.datetime64("2020-01-01"), None):
        with pytest.raises(TypeError, match="erff"):
            ERFF(x)
    with pytest.raises(TypeError, match="erff"):
        ERFF([0.5], dtype=np.float64)
    with pytest.raises(TypeError, match="casting rule"):
        ERFF([0.5], casting="no")


def test_integers_of_every_width_and_sign_are_taken():
    """As far as their values fit."""
    for kind in "bBhHiIlLqQ":
        assert M.jn(np.array([2], kind), 0.5) == M.jn(2, 0.5)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one():
    """Of the table, of a header and of the library's own symbols."""
    with pytest.raises(SymbolError, match=r"did you mean `lgamma`"):
        _ = M.lgama
    with pytest.raises(SymbolError, match=r"did you mean .*`erff?`"):
        ccall("double errf(double)", "m")
    with pytest.raises(SymbolError, match=r"give its prototype by `ccall`"):
        _ = M.nothing_like_it


def test_a_name_of_cpp_is_answered_with_the_mangled_one(tmp_path: Path):
    """The function is there, under the name that C++ writes."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    source, made = tmp_path / "made.cc", tmp_path / "libmade.so"
    source.write_text(
        "double gauss(double x) { return x + 1; }\n"
        "namespace mine { double area(double x, int n) { return x * n; } }\n"
        'extern "C" double Bessel_J(double x) { return x; }\n'
    )
    subprocess.run([compiler, "-shared", "-fPIC", str(source), "-o", str(made)], check=True)
    for name, real in (
        ("gauss", "_Z5gaussd"),
        ("area", "_ZN4mine4areaEdi"),
        ("Area", "_ZN4mine4areaEdi"),
        ("mine::area", "_ZN4mine4areaEdi"),
        ("bessel_j", "Bessel_J"),
    ):
        with pytest.raises(SymbolError, match=rf"`{name}`; did you mean `{real}`\?"):
            ccall(name, made, float, (float,))
    with pytest.raises(PrototypeError, match=r'a name of C\+\+; .*extern "C"'):
        ccall("double mine::area(double, int)", made)
    assert ccall("double _Z5gaussd(double)", made)(1.0) == 2


def test_julias_spelling_works_as_julia_writes_it():
    """A tuple of name and library, the types, and the values."""
    erf = ccall(("erf", "libm"), np.float64, (np.float64,))
    assert erf is ccall("double erf(double)", "m")
    assert ccall(("erf", "libm"), np.float64, (np.float64,), 0.5) == erf(0.5)
    assert ccall(("hypot", "libm"), float, (float, float), 3.0, [4.0, 0.0]).tolist() == [5, 3]
    assert ccall("erf", "m", float, (float,), 0.5) == erf(0.5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((("erf",), float, (float,)), "no pair of a name and a library"),
        (((1, "m"), float, (float,)), "no pair of a name and a library"),
        ((("erf", "libm"), float, float), r"\(float64,\)"),
        (("erf",), "without a library"),
        ((42, "m"), "given as 42"),
        ((b"erf", "m", float, (float,)), "given as b'erf'"),
    ],
)
def test_julias_spelling_that_is_wrong_is_answered_with_the_right_one(
    arguments: tuple, reason: str
):
    """In one sentence."""
    with pytest.raises(PrototypeError, match=reason):
        ccall(*arguments)
