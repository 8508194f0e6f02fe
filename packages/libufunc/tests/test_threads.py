"""A threaded ufunc gives the numbers of the ufunc, and works in parts where that is sound."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libufunc import Library, ccall, threaded
from libufunc import threads as module

M = Library("m")
HYPOT = ccall("double hypot(double, double)", "m")


@pytest.fixture(autouse=True)
def _small_arrays_count_as_large(monkeypatch: pytest.MonkeyPatch):
    """So that the tests need no large ones."""
    monkeypatch.setattr(module, "SMALLEST", 1)


@given(
    st.integers(1, 5),
    st.sampled_from([(7,), (3, 4), (1, 6), (2, 1, 3), (0, 3), ()]),
    st.sampled_from(["f4", "f8", "i2"]),
    st.sampled_from(["all", "half"]),
)
def test_the_result_is_that_of_the_ufunc(count: int, shape: tuple, kind: str, chosen: str):
    """Bit for bit, whatever the shape, the type and the number of threads."""
    generator = np.random.default_rng(3)
    x = (10 * generator.normal(size=shape)).astype(kind)
    y = (10 * generator.normal(size=shape[-1:])).astype(kind)
    where = generator.random(shape) < 0.5 if chosen == "half" else True
    function = threaded(M.hypot, threads=count)
    out, expected = np.full(np.shape(x), -1.0), np.full(np.shape(x), -1.0)
    assert function(x, y, out=out, where=where) is out
    M.hypot(x, y, out=expected, where=where)
    assert np.array_equal(out, expected)
    free, whole = function(x, y), M.hypot(x, y)
    assert np.array_equal(free, whole)
    assert free.dtype == whole.dtype


def test_the_work_is_shared(shared_library):
    """Each thread gets a part of its own."""
    path = shared_library("""
        #define _GNU_SOURCE
        #include <unistd.h>
        #include <sys/syscall.h>
        double who(double x) {
            usleep(20);
            return syscall(SYS_gettid);
        }
    """)
    function = threaded(ccall("double who(double)", path), threads=3)
    found = function(np.zeros(3000))  # NumPy keeps Python's lock for a few hundred
    assert [len(set(part)) for part in np.split(found, 3)] == [1, 1, 1]
    assert len(set(found)) == 3
    assert threading.get_native_id() in found


def test_several_outputs_come_as_a_tuple():
    """As from the ufunc, and into arrays that are given."""
    x = np.linspace(-3, 3, 10)
    function = threaded(M.modf, threads=2)
    assert np.array_equal(function(x), M.modf(x))
    outs = np.empty(10), np.empty(10)
    assert function(x, out=outs) == outs
    assert np.array_equal(outs, np.modf(x))


def test_numbers_and_lists_keep_their_meaning():
    """A Python number beside an array is not an array of its own type."""
    function = threaded(M.hypot[np.float32], threads=2)
    x = np.arange(6, dtype=np.float32)
    assert function(x, 2.0).dtype == np.float32
    assert threaded(M.erf, threads=2)([0.0, 0.5, 1.0]).tolist() == M.erf([0.0, 0.5, 1.0]).tolist()
    assert threaded(M.erf, threads=2)(0.5) == M.erf(0.5)
    assert function(x, np.float32(2)).dtype == np.float32


def test_overlapping_memory_gives_what_numpy_gives():
    """In place is worked on in parts; a shifted view is not, as parts would see each other."""
    function = threaded(M.erf, threads=3)
    x = np.linspace(0, 1, 12)
    expected = M.erf(x)
    same = x.copy()
    function(same, out=same)
    assert np.array_equal(same, expected)
    view = x.copy()
    function(view[:], out=view[:])
    assert np.array_equal(view, expected)
    shifted = x.copy()
    function(shifted[:-1], out=shifted[1:])
    assert np.array_equal(shifted[1:], expected[:-1])


def test_other_types_keywords_and_shapes_go_to_the_ufunc():
    """Masked arrays, `dtype`, an `out` that broadcasts, and wrong calls."""
    function = threaded(M.erf, threads=2)
    masked = np.ma.masked_array([0.5, 1.0, 2.0], mask=[0, 1, 0])
    assert isinstance(function(masked), np.ma.MaskedArray)
    single = function(np.ones(4), dtype=np.float32, casting="same_kind")
    assert single.dtype == np.float32
    wide = np.empty((2, 3))
    assert function(np.ones(3), out=wide) is wide
    assert (wide == M.erf(1.0)).all()
    with pytest.raises(TypeError):
        function(np.ones(3), np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="broadcast"):
        function(np.ones((2, 3)), out=np.empty(3))
    with pytest.raises(ValueError, match="broadcast"):
        threaded(HYPOT, threads=2)(np.ones(3), np.ones(2))


def test_the_callers_treatment_of_errors_holds_in_all_threads():
    """`errstate` of the calling thread, whichever part the error is in."""
    function = threaded(M.log, threads=3)
    for place in (0, 5, 11):
        x = np.ones(12)
        x[place] = -1
        with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
            function(x)
        with np.errstate(invalid="ignore"):
            assert np.isnan(function(x)[place])


def test_the_number_of_threads_is_checked():
    """At least one, and a whole number."""
    with pytest.raises(ValueError, match="`threads` is 0"):
        threaded(M.erf, threads=0)
    with pytest.raises(TypeError):
        threaded(M.erf, threads=1.5)
    assert repr(threaded(HYPOT, threads=2)) == "threaded(<ufunc 'hypot'>, threads=2)"
