"""Errors within a called function do not end the process, where a loop can catch them."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from libufunc import CalledError, Library, ProbeError, PrototypeError, c_loops, ccall

SOURCE = """
#include <stdexcept>
#include <vector>
extern "C" double root(double x) { if (x < 0) throw std::domain_error("negative"); return x + 1; }
extern "C" int at(int i, double *out) {
    std::vector<double> v{1, 2};
    *out = v.at(i);
    return i;
}
extern "C" double odd(double x) { if (x < 0) throw 3; return x; }
extern "C" double total(const double *x, int n) {
    if (n > 3) throw std::length_error("too long");
    return x[0] * n;
}
"""


@pytest.fixture(scope="module")
def thrower(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C++ library whose functions throw."""
    compiler = shutil.which("g++")
    if compiler is None or not c_loops.is_installed():
        pytest.skip("no C++ compiler on this machine")
    folder = tmp_path_factory.mktemp("thrower")
    (folder / "made.cc").write_text(SOURCE)
    made = str(folder / "libmade.so")
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", str(folder / "made.cc"), "-o", made], check=True
    )
    return made


def test_an_exception_of_cpp_is_raised_with_its_words(thrower: str):
    """From any element; the function works on afterwards, and in other threads."""
    root = ccall("double root(double)", thrower, errors="raise")
    assert root([1, 2]).tolist() == [2, 3]
    for bad in (-1.0, [1.0, -2.0], np.full(10_000, -1.0)):
        with pytest.raises(CalledError, match=r"^negative$"):
            root(bad)
    assert root(3.0) == 4
    with ThreadPoolExecutor(1) as pool, pytest.raises(CalledError, match="negative"):
        pool.submit(lambda: root(np.full(10_000, -1.0))).result()
    with pytest.raises(CalledError, match=r"no std::exception"):
        ccall("double odd(double)", thrower, errors="raise")(-1.0)
    with pytest.raises(CalledError, match="_M_range_check"):
        ccall("int at(int i, double *out)", thrower, errors="raise")([0, 5])


def test_an_exception_of_cpp_becomes_nan_by_choice(thrower: str):
    """And the call is invalid, as `errstate` has it; integers become 0, others are right."""
    root = ccall("double root(double)", thrower, errors="nan")
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.array_equal(root([1, -2, 3]), [2, np.nan, 4], equal_nan=True)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        root(-1.0)
    at = ccall("int at(int i, double *out)", thrower, errors="nan")
    with np.errstate(invalid="ignore"):
        status, out = at([1, 5])
    assert status.tolist() == [1, 0]
    assert np.array_equal(out, [2, np.nan], equal_nan=True)


RUST = """
#[no_mangle]
pub extern "C-unwind" fn root(x: f64) -> f64 { if x < 0.0 { panic!("negative"); } x + 1.0 }
#[no_mangle]
pub extern "C" fn closed(x: f64) -> f64 { if x < 0.0 { panic!("negative"); } x + 1.0 }
"""


@pytest.fixture(scope="module")
def panicker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library of Rust whose functions panic."""
    compiler = shutil.which("rustc")
    if compiler is None or not c_loops.is_installed() or shutil.which("g++") is None:
        pytest.skip("no Rust compiler, or no C++ compiler, on this machine")
    folder = tmp_path_factory.mktemp("panicker")
    (folder / "made.rs").write_text(RUST)
    made = str(folder / "libmade.so")
    command = [compiler, "--edition", "2021", "--crate-type", "cdylib", str(folder / "made.rs")]
    subprocess.run([*command, "-o", made], check=True)
    return made


def test_a_panic_of_rust_is_caught_where_it_may_leave_the_function(
    panicker: str, capfd: pytest.CaptureFixture[str]
):
    """Again and again in one thread, and in others; its words are on stderr, once a panic."""
    root = ccall("double root(double)", panicker, errors="raise")
    assert root([1, 2]).tolist() == [2, 3]
    for _ in range(3):
        with pytest.raises(CalledError, match="a panic of Rust"):
            root([1.0, -1.0, 5.0])
    assert root(3.0) == 4
    with ThreadPoolExecutor(1) as pool, pytest.raises(CalledError, match="a panic of Rust"):
        pool.submit(root, -1.0).result()
    with np.errstate(invalid="ignore"):
        found = ccall("double root(double)", panicker, errors="nan")([1, -2, 3])
    assert np.array_equal(found, [2, np.nan, 4], equal_nan=True)
    assert capfd.readouterr().err.count("negative") == 5


def test_a_caught_panic_of_rust_leaves_exceptions_of_cpp_alone(panicker: str, thrower: str):
    """Each after the other, in one thread."""
    panics = ccall("double root(double)", panicker, errors="raise")
    throws = ccall("double root(double)", thrower, errors="raise")
    for _ in range(2):
        with pytest.raises(CalledError, match="a panic of Rust"):
            panics(-1.0)
        with pytest.raises(CalledError, match=r"^negative$"):
            throws(-1.0)


def test_probing_finds_a_panic_that_nobody_can_catch(panicker: str):
    """Rust ends the process at the edge of a plain `extern "C"`."""
    with pytest.raises(ProbeError, match="SIGABRT"):
        ccall("double closed(double)", panicker, check=True)


def test_arrays_may_throw_too(thrower: str):
    """With the signature of a generalised ufunc."""
    text = "double total(const double *x, int n)"
    total = ccall(text, thrower, signature="(n)->()", errors="raise")
    assert total(np.ones((2, 3))).tolist() == [3, 3]
    with pytest.raises(CalledError, match="too long"):
        total(np.ones((2, 4)))
    with pytest.raises(PrototypeError, match="for numbers"):
        ccall(text, thrower, signature="(n)->()", errors="nan")
    with pytest.raises(PrototypeError, match="'nan' or 'raise'"):
        ccall(text, thrower, errors="ignore")


def gsl() -> Library:
    """GSL's gamma functions."""
    place = Path("/usr/include/gsl/gsl_sf_gamma.h")
    try:
        return Library("gsl", header=place)
    except OSError:
        pytest.skip("no GSL on this machine")


def test_an_error_of_gsl_does_not_end_the_process():
    """In a process of its own: its functions return NaN or a status, and nothing is printed."""
    gsl()
    script = """if True:
        import numpy as np
        from pathlib import Path
        from libufunc import Library
        gsl = Library("gsl", header=Path("/usr/include/gsl/gsl_sf_gamma.h"))
        assert np.isnan(gsl.gsl_sf_gamma(0.0)) and gsl.gsl_sf_gamma(3.0) == 2
        status, value, error = gsl.gsl_sf_gamma_e([0.0, 3.0])
        print(status.tolist(), value[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[1, 0] 2.0\n", "")


def test_an_error_of_gsl_is_raised_or_nan_by_choice():
    """With GSL's words and number."""
    gsl()
    if not c_loops.is_installed() or shutil.which("g++") is None:
        pytest.skip("no C++ compiler on this machine")
    text = "double gsl_sf_gamma(double)"
    gamma = ccall(text, "gsl", errors="raise")
    assert gamma([3.0, 1.0]).tolist() == [2, 1]
    with pytest.raises(CalledError, match=r"GSL: .*error 1, gamma\.c"):
        gamma([3.0, 0.0])
    with pytest.warns(RuntimeWarning, match="invalid"):
        assert np.array_equal(ccall(text, "gsl", errors="nan")([3, 0]), [2, np.nan], equal_nan=True)


def test_gsl_agrees_with_scipy_and_refuses_what_is_no_unsigned_integer():
    """`gsl_sf_fact([-1])` was 1."""
    from scipy import special

    library = gsl()
    assert library.gsl_sf_fact([0, 3, 10]).tolist() == [1, 6, 3628800]
    with pytest.raises(ValueError, match="unsigned int"):
        library.gsl_sf_fact([-1])
    x = np.linspace(0.1, 20, 50)
    status, value, error = library.gsl_sf_lngamma_e(x)
    assert (status == 0).all()
    assert (np.abs(value - special.gammaln(x)) <= error + 1e-14 * np.abs(value)).all()
    bessel = Library("gsl", header=Path("/usr/include/gsl/gsl_sf_bessel.h"))
    assert bessel.gsl_sf_bessel_Jn(2, x) == pytest.approx(special.jn(2, x), rel=1e-10)
    with pytest.raises(PrototypeError, match="looks like an array"):
        _ = bessel.gsl_sf_bessel_Jn_array


def test_zlib_computes_checksums_of_arrays():
    """A real header, an array of bytes, and a length by its name."""
    import zlib

    try:
        crc = ccall(
            "unsigned long crc32(unsigned long crc, const unsigned char *buf, unsigned int n)",
            "z",
            signature="(),(n)->()",
        )
    except OSError:
        pytest.skip("no zlib on this machine")
    rows = np.frombuffer(b"every good boy d", np.uint8).reshape(2, 8)
    assert crc(0, rows).tolist() == [zlib.crc32(row.tobytes()) for row in rows]


def test_a_handler_of_the_programs_own_stays():
    """Libufunc replaces GSL's default alone."""
    gsl()
    script = """if True:
        import ctypes
        from libufunc import ccall
        library = ctypes.CDLL("libgsl.so")
        seen = []
        kinds = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
        handler = ctypes.CFUNCTYPE(None, *kinds)(lambda *a: seen.append(a[3]))
        library.gsl_set_error_handler(handler)
        ccall("double gsl_sf_gamma(double)", "gsl")(0.0)
        print(seen)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[1")


@pytest.mark.parametrize(
    ("name", "type_"), [("two", "double *"), ("before", "int *"), ("many", "float *")]
)
def test_probing_sees_an_output_that_overruns_its_room(name: str, type_: str, shared_library):
    """Beyond, before, and far; a function that keeps to its room passes."""
    path = shared_library(
        "int two(double x, double *out) { out[0] = out[1] = x; return 0; }\n"
        "int before(double x, int *out) { out[-1] = 3; return 0; }\n"
        "int many(double x, float *out) { for (int i = 0; i < 500; i++) out[i] = x; return 0; }\n"
        "struct pair { double a; int b; };\n"
        "int good(const float *x, struct pair *out) { out->a = *x; out->b = 7; return 1; }\n"
    )
    with pytest.raises(ProbeError, match="writes beyond the one value"):
        ccall(f"int {name}(double, {type_})", path, check=True)
    good = "int good(const float *, struct { double a; int b; } *)"
    assert ccall(good, path, check=True)(np.float32(0.5)) == (1, 0.5, 7)
    with pytest.raises(PrototypeError, match="`check`"):
        ccall("double total(const double *x, int n)", path, signature="(n)->()", check=True)


def test_probing_finds_a_function_that_throws(thrower: str):
    """Nothing catches it there, so that it is an exception here."""
    with pytest.raises(ProbeError, match="SIGABRT"):
        ccall("double root(double)", thrower, check=True)
