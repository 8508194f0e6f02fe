"""Arrays, fixed values, functions by their address and Fortran: signatures as people have them."""

# ruff: noqa: S301 - what is read here has been written here

import ctypes
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.special import cython_special, j0

from libufunc import (
    Library,
    OutOfRangeError,
    PrototypeError,
    SymbolError,
    c_loops,
    ccall,
)

SOURCE = """
double total(const double *x, int n) {
    double s = 0;
    for (int i = 0; i < n; i++) s += x[i];
    return s;
}
double drain(double *x, long n) {
    double s = 0;
    for (long i = 0; i < n; i++) { s += x[i]; x[i] = -1; }
    return s;
}
void running(const double *x, double *y, unsigned long n) {
    double s = 0;
    for (unsigned long i = 0; i < n; i++) y[i] = s += x[i];
}
void product(int m, int n, const float *a, const float *x, float *y) {
    for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) y[i] += a[i * n + j] * x[j];
}
double short_total(const double *x, signed char n) { return n; }
double scaled(const double *x, int n, double by) { return total(x, n) * by; }
struct line { double a, b; };
double on_line(double x, void *p) { struct line *l = p; return l->a * x + l->b; }
double spread(double x, const double *k, int n) { return x * k[0] + n; }
double first(const unsigned char *text) { return text[0]; }
double both_(const double *x, const int *n) { return *x * *n; }
void parts_(const double *x, double *half, double *third) { *half = *x / 2; *third = *x / 3; }
"""
PROTOTYPES = {
    "total": "double total(const double *x, int n)",
    "drain": "double drain(double *x, long n)",
    "running": "void running(const double *x, double *y, unsigned long n)",
    "product": "void product(int m, int n, const float *a, const float *x, float *y)",
}
A = np.arange(12.0).reshape(3, 4)


@pytest.fixture(scope="module")
def path(shared_library) -> str:
    """A library with all of them."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    return shared_library(SOURCE)


@pytest.mark.parametrize(
    "x", [A, A.T, A[:, ::2], A[::-1], A[:, ::-1], A.astype(int), [1, 2], np.empty((2, 0))], ids=str
)
def test_an_array_is_passed_with_its_length(path: str, x: object):
    """Dense or strided, of another type, short or empty; the axis may be chosen."""
    function = ccall(PROTOTYPES["total"], path, signature="(n)->()")
    assert isinstance(function, np.ufunc)
    assert function.signature == "(n)->()"
    assert np.array_equal(function(x), np.sum(x, -1))
    if np.ndim(x) > 1:
        assert np.array_equal(function(x, axis=0), np.sum(x, 0))


def test_arrays_come_out_too(path: str):
    """Into new memory, and into memory that is not dense; they hold 0 before."""
    running = ccall(PROTOTYPES["running"], path, signature="(n)->(n)")
    assert np.array_equal(running(A.T), np.cumsum(A.T, -1))
    out = np.full((3, 8), -1.0)
    running(A, out=out[:, ::2])
    assert np.array_equal(out[:, ::2], np.cumsum(A, -1))
    assert (out[:, 1::2] == -1).all()
    product = ccall(PROTOTYPES["product"], path, signature="(m,n),(n)->(m)")
    assert np.array_equal(product(A, [1, 2, 3, 4]), A @ [1, 2, 3, 4])
    assert np.array_equal(product(A.T.astype("f4"), np.ones(6)[::2]), A.T @ np.ones(3))
    with pytest.raises(ValueError, match="mismatch"):
        product(A, [1, 2, 3])


def test_an_input_that_is_not_const_is_a_copy(path: str):
    """The function may write to it: the caller's array stays."""
    drain = ccall(PROTOTYPES["drain"], path, signature="(n)->()")
    x = A.copy()
    assert np.array_equal(drain(x), A.sum(-1))
    assert np.array_equal(x, A)


def test_a_length_that_the_parameter_cannot_hold_is_refused(path: str):
    """Before the function is called."""
    function = ccall(
        "double short_total(const double *x, signed char n)", path, signature="(n)->()"
    )
    assert function(np.ones(127)) == 127
    with pytest.raises(OutOfRangeError):
        function(np.ones(128))


def test_numbers_and_arrays_are_mixed(path: str):
    """A number has no dimensions; it broadcasts."""
    scaled = ccall("double scaled(const double *x, int n, double by)", path, signature="(n),()->()")
    assert scaled(A, [1, 2, 3]).tolist() == [6, 44, 114]


def test_integers_in_arrays_do_not_wrap_around(shared_library):
    """NumPy would cast int64 to int32; here the caller does."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    path = shared_library("int last(const int *x, int n) { return x[n - 1]; }")
    last = ccall("int last(const int *x, int n)", path, signature="(n)->()")
    assert last(np.array([1, 2], np.int32)) == 2
    with pytest.raises(TypeError):
        last(np.array([1, 2**40]))


@pytest.mark.parametrize(
    ("prototype", "signature", "reason"),
    [
        (PROTOTYPES["total"], "n->", r"`\(n\)->\(\)`"),
        (PROTOTYPES["total"], "(m)->()", "a size must have the name"),
        (PROTOTYPES["total"], "(n),(n)->()", "2 input"),
        ("double f(double x)", "(n)->()", "by value"),
        ("double f(const double *x, int n)", "(n)->(n)", "by value or returns"),
    ],
)
def test_a_signature_that_is_not_the_functions_is_refused(
    prototype: str, signature: str, reason: str
):
    """Before anything is compiled or called."""
    with pytest.raises(PrototypeError, match=reason):
        ccall(prototype, "m", signature=signature)


class Line(ctypes.Structure):
    """A context."""

    _fields_ = (("a", ctypes.c_double), ("b", ctypes.c_double))


def test_a_context_is_the_same_in_every_call(path: str):
    """An object of ctypes, by name and by position; what it holds is seen as it is at the call."""
    line = Line(2, 3)
    for key in ("p", 1):
        function = ccall("double on_line(double x, void *p)", path, fixed={key: line})
        assert function([1.0, 2.0]).tolist() == [5, 7]
    line.b = 10
    assert function(1.0) == 12
    array = np.array([1.0, 1.0])
    assert ccall("double on_line(double x, void *p)", path, fixed={"p": array})(1.0) == 2
    address = ctypes.addressof(line)
    assert ccall("double on_line(double x, void *p)", path, fixed={"p": address})(1.0) == 12


def test_numbers_are_fixed_by_value_and_by_address(path: str):
    """As the prototype has them; bytes lend their address."""
    function = ccall(
        "double spread(double x, const double *k, int n)", path, fixed={"k": 2.5, "n": 7}
    )
    assert function([1, 2]).tolist() == [9.5, 12]
    assert pickle.loads(pickle.dumps(function)) is function
    text = ccall("double first(const unsigned char *text, double x)", path, fixed={0: b"A"})
    assert text(0.0) == 65
    assert ccall("double jn(int n, double x)", "m", fixed={"n": 0})(0.5) == pytest.approx(j0(0.5))


@pytest.mark.parametrize(
    ("fixed", "error", "reason"),
    [
        ({"n": 2**40}, OutOfRangeError, "-2147483648 to 2147483647"),
        ({"n": 1.5}, OutOfRangeError, "an integer"),
        ({"x": 1j}, PrototypeError, "a real number"),
        ({"m": 1}, PrototypeError, "no parameter `m`"),
        ({"n": "2"}, PrototypeError, "gives a str for `n`"),
    ],
)
def test_a_fixed_value_that_does_not_fit_is_refused(
    fixed: dict, error: type[Exception], reason: str
):
    """In a sentence."""
    with pytest.raises(error, match=reason):
        ccall("double jn(int n, double x)", "m", fixed=fixed)


def test_a_function_is_given_by_its_address():
    """A number, ctypes, cffi, numba and Cython."""
    libm = ctypes.CDLL("libm.so.6")
    address = ctypes.cast(libm.cbrt, ctypes.c_void_p).value
    assert ccall("double any(double)", address)(8.0) == 2
    assert ccall("double any(double)", libm.cbrt)(8.0) == 2
    capsule = cython_special.__pyx_capi__["j0"]
    function = ccall("double j0(double x, int skip)", capsule, fixed={"skip": 0})
    assert function([0.5, 1.0]).tolist() == j0([0.5, 1.0]).tolist()
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double cbrt(double);")
    pointer = ffi.addressof(ffi.dlopen("libm.so.6"), "cbrt")
    assert ccall("double any(double)", pointer)(8.0) == 2
    numba = pytest.importorskip("numba")
    compiled = numba.cfunc("float64(float64, int32)")(lambda x, n: x * n)
    assert ccall("double times(double, int)", compiled)(1.5, [2, 3]).tolist() == [3, 4.5]


def test_types_that_the_giver_knows_are_held_against_the_prototype():
    """A contradiction is refused with the right types, and a function of libm by its own name."""
    libm = ctypes.CDLL("libm.so.6")
    libm.cos.argtypes, libm.cos.restype = [ctypes.c_double], ctypes.c_double
    givers = [libm.cos, cython_special.__pyx_capi__["j0"]]
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double cbrt(double);")
    givers.append(ffi.addressof(ffi.dlopen("libm.so.6"), "cbrt"))
    numba = pytest.importorskip("numba")
    givers.append(numba.cfunc("float64(float64)")(lambda x: x))
    for giver in givers:
        with pytest.raises(PrototypeError, match=r"contradicts.*`double f\(double"):
            ccall("float any(double)", giver)
    with pytest.raises(PrototypeError, match=r"contradicts.*double erf\(double\)"):
        ccall("float erf(float)", libm.erf)
    for nothing in (3.5, object()):
        with pytest.raises(PrototypeError, match="no library and has no address"):
            ccall("double f(double)", nothing)
    with pytest.raises(PrototypeError, match="NULL"):
        ccall("double f(double)", 0)


def test_an_address_is_not_pickled():
    """It would mean something else in another process."""
    libm = ctypes.CDLL("libm.so.6")
    for function in (
        ccall("double any(double)", libm.cbrt),
        ccall("double jn(int n, double x)", "m", fixed={"n": 1}),
    ):
        if function.__name__ == "jn":
            assert pickle.loads(pickle.dumps(function)) is function
        else:
            with pytest.raises(pickle.PicklingError, match="another process"):
                pickle.dumps(function)


def test_fortran_passes_by_address_and_adds_an_underscore(path: str):
    """The header declares the functions as if they were C's."""
    library = Library(
        path,
        fortran=True,
        header="double both(double, int); double no(double);"
        "void parts(double, double *, double *);",
    )
    assert library.both([1.5, 2.0], 3).tolist() == [4.5, 6]
    assert library.parts(6.0) == (3, 2)
    assert pickle.loads(pickle.dumps(library)).both(2.0, 2) == 4
    assert dir(library) == ["both", "parts"]
    with pytest.raises(SymbolError, match="`no_`"):
        _ = library.no
    with pytest.raises(SymbolError, match="nothing declares"):
        _ = library.erf


def test_fortran_that_gfortran_compiles(tmp_path: Path):
    """Not only what C imitates."""
    compiler = shutil.which("gfortran")
    if compiler is None:
        pytest.skip("no Fortran compiler on this machine")
    (tmp_path / "made.f90").write_text(
        "real(8) function power(x, n)\n"
        "  real(8) :: x\n  integer :: n\n  power = x**n\nend function\n"
    )
    made = str(tmp_path / "libmade.so")
    subprocess.run(
        [compiler, "-shared", "-fPIC", str(tmp_path / "made.f90"), "-o", made, "-J", tmp_path],
        check=True,
    )
    library = Library(made, fortran=True, header="double power(double, int);")
    assert library.power([1.5, 2.0], [2, 10]).tolist() == [2.25, 1024]


def test_lapack_by_reference():
    """`dlapy2`, by its C prototype and as Fortran."""
    try:
        lapack = Library("lapack", fortran=True, header="double dlapy2(double, double);")
    except OSError:
        pytest.skip("no LAPACK on this machine")
    by_const = ccall("double dlapy2_(const double *, const double *)", "lapack")
    x, y = [3, 5e-324, 1e300], [4, 0.0, 1e300]
    for function in (lapack.dlapy2, by_const):
        assert function(x, y) == pytest.approx(np.hypot(x, y), rel=1e-15)
