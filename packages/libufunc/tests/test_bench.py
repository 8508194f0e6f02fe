"""The timings name every way that is installed, and each way computes the function."""

# ruff: noqa: SLF001 - that each way computes the function is seen only from inside

import numpy as np
import pytest

from libufunc import PrototypeError, SymbolError, bench
from libufunc.declarations import standard_prototype


@pytest.fixture(scope="module")
def rows() -> list[bench.Row]:
    """Timings too short to mean anything."""
    return bench.bench(["erf"], size=200, rounds=1)


def test_every_way_is_in_the_table(rows: list[bench.Row]):
    """With its nanoseconds, and as a multiple of the C loop's."""
    found = {row.way: row for row in rows}
    assert {"libufunc", "libufunc, 2 threads", "scipy.special", "numba", "JAX"} <= set(found)
    assert {"math, a list", "ctypes, a list", "cffi, a list"} <= set(found)
    assert "np.vectorize over ctypes" in found
    assert all(row.ns > 0 for row in rows)
    if bench.C_LOOP in found:
        loop = found[bench.C_LOOP].ns
        assert all(row.of_c_loop == pytest.approx(row.ns / loop) for row in rows)


def test_what_is_timed_computes_the_function():
    """An array way fills the result, a scalar way gives the number."""
    prototype = standard_prototype("hypot")
    assert prototype
    inputs = [np.linspace(0.1, 2, 100) for _ in prototype.inputs]
    expected = bench._ways(prototype, inputs, np.empty(100))
    first = next(expected)
    exact = np.array(first.run())
    for way in bench._ways(prototype, inputs, out := np.zeros(100)):
        out[:] = 0
        given = way.run()
        computed = out if given is None or given is out else np.array(given)
        assert computed == pytest.approx(exact[: way.size], rel=1e-12), way.name
        if way.one:
            assert float(way.one(*(float(x[0]) for x in inputs))) == pytest.approx(exact[0])


def test_what_jax_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch):
    """It has no j0; the rest of the table stands."""
    monkeypatch.setattr(bench, "find_spec", lambda _: None)  # numba takes a second
    ways = {row.way for row in bench.bench(["j0"], size=100, rounds=1)}
    assert "scipy.special" in ways
    assert "JAX" not in ways


def test_what_cannot_be_timed_is_an_exception():
    """A stranger, and a function that takes more than doubles."""
    with pytest.raises(SymbolError, match="nothing declares `nope`"):
        bench.bench(["nope"])
    with pytest.raises(PrototypeError, match=r"double jn\(int, double\)"):
        bench.bench(["jn"])


def test_ways_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch):
    """Without a compiler, numba, cffi and JAX there is still a table, without multiples."""
    monkeypatch.setattr(bench, "find_spec", lambda _: None)
    monkeypatch.setattr(bench, "find_vector", lambda _: None)
    monkeypatch.setattr(bench, "_module", lambda _: None)
    monkeypatch.setattr(bench.c_loops, "is_installed", lambda: False)
    rows = bench.bench(["cbrt"], size=100, rounds=1)
    assert {row.way for row in rows} >= {"libufunc", "numpy", "ctypes, a list"}
    assert {row.of_c_loop for row in rows} == {None}


def test_a_module_that_is_not_installed_is_none():
    """An absent library is no error here."""
    assert bench._module("no_such_module_at_all") is None
