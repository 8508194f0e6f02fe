"""What is wrong is an exception, never a crash; what the ufunc points to stays."""

import ctypes
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from libufunc import Library, ProbeError, SymbolError, ccall, flushes_subnormals
from libufunc.fpstate import kept_floating_point_mode
from libufunc.platforms import load
from libufunc.probing import probe, sample_points, try_out
from libufunc.prototypes import parse_prototype
from libufunc.symbols import is_data, is_executable, open_library

HOSTILE = """
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <xmmintrin.h>
double table[4] = {1, 2, 3, 4};
__thread double own = 1;
const double constant = 3;
double good(double x) { return x + 1; }
double crash(double x) { return *(volatile double *)8 + x; }
double picky(double x) { if (x < 0) abort(); return x; }
double leave(double x) { if (x == 1) exit(3); return x; }
double hang(double x) { for (;;) pause(); }
double flush(double x) { _mm_setcsr(_mm_getcsr() | 0x8040); return x; }
"""


@pytest.fixture(scope="module")
def hostile(shared_library) -> str:
    """A library whose functions do what functions should not."""
    return shared_library(HOSTILE)


@pytest.mark.parametrize("symbol", ["no_such_function", "", "a\0b", "é"])
def test_an_unknown_symbol_is_an_exception(symbol: str):
    """Also a name that no C function can have."""
    with pytest.raises(SymbolError, match="has no function"):
        open_library("m").address(symbol)
    assert not open_library("m").has(symbol)


def test_private_names_of_ctypes_are_no_symbols():
    """What the object that stands for the library has itself is not in the library."""
    assert not open_library("m").has("_handle")


@pytest.mark.parametrize("symbol", ["table", "own", "constant"])
def test_data_is_no_function(symbol: str, hostile: str):
    """Calling data would crash, so that it is never made a ufunc."""
    with pytest.raises(SymbolError, match="is data"):
        ccall(f"double {symbol}(double)", hostile)


def test_data_of_the_c_library_is_no_function():
    """`signgam` stands beside `lgamma`."""
    with pytest.raises(SymbolError, match="is data"):
        ccall("double signgam(double)", "m")


def test_data_in_executable_pages_is_known_by_the_symbol_table(shared_library):
    """Old linkers put constants beside the code, where the page tells nothing."""
    path = shared_library(
        'const double inside __attribute__((section(".text#"))) = 1;\n'
        "double f(double x) { return x; }"
    )
    library = open_library(path)
    address = ctypes.cast(library.cdll["inside"], ctypes.c_void_p).value or 0
    assert is_executable(address)
    assert is_data(address)
    with pytest.raises(SymbolError, match="is data"):
        library.address("inside")


def test_systems_that_tell_nothing_of_memory(tmp_path: Path):
    """Without `/proc` and `dladdr1` the name must do; an address in no page is none."""
    assert is_executable(1, maps=tmp_path / "absent")
    assert not is_executable(1)
    assert not is_data(1, linker=object())
    assert not is_data(1)


def test_probing_lets_a_good_function_pass(hostile: str):
    """`check` gives the same ufunc as without."""
    assert ccall("double good(double)", hostile, check=True)(1.0) == 2.0
    assert ccall("double jn(int, double)", "m", check=True)(0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("crash", "SIGSEGV"),
        ("picky", r"SIGABRT at `picky\(-1\.0\)`"),
        ("leave", r"status 3 at `leave\(1\.0\)`"),
        ("flush", "switches subnormal numbers off"),
        ("absent", "has no function `absent`"),
    ],
)
def test_probing_turns_what_would_end_python_into_an_exception(
    function: str, reason: str, hostile: str
):
    """Crash, abort, exit, a changed processor mode, and no function at all; this process lives."""
    with pytest.raises(ProbeError, match=reason):
        ccall(f"double {function}(double)", hostile, check=True)


def test_time_that_passes_before_the_first_call_does_not_count(shared_library):
    """A busy machine, or a library that is slow to load, makes no function hang."""
    path = shared_library(
        "#include <unistd.h>\n"
        "__attribute__((constructor)) static void slow(void) { sleep(3); }\n"
        "double quick(double x) { return x; }\n"
    )
    probe(parse_prototype("double quick(double)"), path, limit_s=2)


def test_probing_does_not_wait_for_ever(hostile: str):
    """A function that hangs is given up."""
    with pytest.raises(ProbeError, match=r"did not return within 3 s at `hang\(0\.5\)`"):
        probe(parse_prototype("double hang(double)"), hostile, limit_s=3)


def test_probing_survives_a_library_that_crashes_when_loaded(shared_library):
    """Loading already runs code."""
    path = shared_library(
        "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }\n"
        "double f(double x) { return x; }"
    )
    with pytest.raises(ProbeError, match="SIGABRT at loading the library"):
        ccall("double f(double)", path, check=True)


def test_what_the_child_says(capsys: pytest.CaptureFixture[str], hostile: str):
    """A line before each call, and a last word."""
    try_out("double good(double)", hostile)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "`good(0.5)`"
    assert lines[-1] == "survived"
    try_out("double absent(double)", hostile)
    assert capsys.readouterr().out.startswith("refused: ")
    with kept_floating_point_mode():
        try_out("double flush(double)", hostile)
    assert "switches subnormal" in capsys.readouterr().out
    assert not flushes_subnormals()


def test_odd_numbers_meet_each_other():
    """No operand sees the same number in every call, and types are kept apart."""
    points = list(sample_points("id"))
    assert {0, 1, -1} <= {n for n, _ in points}
    assert any(np.isnan(x) for _, x in points)
    assert all(isinstance(n, int) for n, _ in points)


def test_a_library_that_flushes_subnormals_changes_nothing(shared_library):
    """Linked with -ffast-math it switches the mode on loading; libufunc switches it back."""
    source = "double f(double x) { return x; }"
    plain = shared_library(source, "-ffast-math")
    with kept_floating_point_mode():
        ctypes.CDLL(plain)
        if not flushes_subnormals():
            pytest.skip("this compiler's -ffast-math leaves the mode alone")
    assert not flushes_subnormals()
    other = shared_library(source, "-ffast-math")
    function = ccall("double f(double)", other)
    assert function(5e-324) == 5e-324
    assert not flushes_subnormals()
    Library(shared_library(source, "-ffast-math"))
    assert not flushes_subnormals()


def test_the_mode_comes_back_after_a_failure_too():
    """A library that cannot be loaded after all may have run code before."""
    maths = load("m")[0]
    upward = 0x800  # FE_UPWARD on x86
    before = maths.fegetround()

    def fail() -> None:
        with kept_floating_point_mode():
            maths.fesetround(upward)
            raise OSError("not to be loaded")

    with pytest.raises(OSError, match="not to be loaded"):
        fail()
    assert maths.fegetround() == before


def test_ufuncs_outlive_what_made_them(shared_library):
    """Collecting garbage frees no buffer, name or docstring, nor closes the library."""
    path = shared_library("double plus(double x, int n, double *y) { *y = n; return x + n; }")
    ufunc = ccall("double plus(double, int, double *)", path)
    expected = ufunc.__doc__
    for k in range(4):
        Library(path, header="double plus(double, int, double *);")
        gc.collect()
        assert ufunc(1.0, k) == (1 + k, k)
    Path(path).unlink()
    gc.collect()
    assert (ufunc.__name__, ufunc.__doc__) == ("plus", expected)
    assert ufunc(2.0, 3) == (5, 3)


def test_threads_make_and_call_one_ufunc_at_once(shared_library):
    """Eight threads that ask for the same get one object, and right numbers, under collection."""
    path = shared_library("double third(double x, int n) { return x / 3 + n; }")
    x, start = np.linspace(0, 1, 20_000), threading.Barrier(8)

    def work(k: int) -> np.ufunc:
        start.wait()
        ufunc = ccall("double third(double, int)", path)
        for again in range(20):
            assert np.array_equal(ufunc(x, k), x / 3 + k)
            if k == 0 and again % 7 == 0:
                gc.collect()
        return ufunc

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(work, range(8)))
    assert len(set(made)) == 1


def test_the_lock_of_python_is_dropped_during_a_loop(shared_library):
    """While one thread waits in C, another computes: it ends the waiting."""
    path = shared_library("""
        #include <unistd.h>
        static volatile int opened = 0;
        double await(double x) {
            for (int k = 0; k < 5000 && !opened; k++) usleep(1000);
            return opened;
        }
        double unlock(double x) { opened = 1; return x; }
    """)
    waiting = ccall("double await(double)", path)
    unlock = ccall("double unlock(double)", path)
    with ThreadPoolExecutor(1) as pool:
        # Many elements: NumPy keeps the lock for loops too short to be worth it.
        result = pool.submit(waiting, np.ones(1000))
        unlock(1.0)
        assert result.result(timeout=60).all()
