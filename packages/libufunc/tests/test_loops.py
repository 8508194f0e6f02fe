"""Loops made by LLVM and by the C compiler do the same, and what NumPy's own loops cannot."""

import ctypes
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from libufunc import (
    Library,
    LibraryNotFoundError,
    NoLoopError,
    OutOfRangeError,
    SymbolError,
    building,
    c_loops,
    ccall,
    llvm_loops,
    vectors,
)
from libufunc.headers import Header
from libufunc.numpy_api import Loop, generic_loop, make_ufunc
from libufunc.plans import FUNCTION, REFUSAL, WIDE, Plan, Vector, plans_for
from libufunc.prototypes import parse_prototype
from libufunc.scalars import SCALARS
from libufunc.symbols import open_library
from libufunc.vectors import find_vector, vector_symbol, vectors_of_this_processor

WAYS = {"llvm": llvm_loops, "c": c_loops}
each_way = pytest.mark.parametrize("way", WAYS)
kept = []  # NumPy copies nothing of what a ufunc points to


def made(plan: Plan, way: str, data: int) -> np.ufunc:
    """A ufunc with one loop, made one way."""
    if not WAYS[way].is_installed():
        pytest.skip(f"what makes loops by {way} is not installed")
    slots = building.make_slots({FUNCTION: data, REFUSAL: id(OutOfRangeError)})
    loop = Loop(plan.types, WAYS[way].compile_loop(plan), ctypes.addressof(slots))
    ufunc, buffers = make_ufunc("f", "", [loop])
    kept.append((slots, buffers))
    return ufunc


MIXED = """
#include <complex.h>
#include <stdbool.h>
long double complex all(signed char a, unsigned char b, short c, unsigned short d, int e,
    unsigned int f, long g, unsigned long h, long long i, unsigned long long j, bool k, float l,
    double m, long double n, float complex o, double complex p, long double complex q,
    float complex *half, long double complex *twice, bool *odd, short *low)
{
    long double sum = 2.0L * a + 3.0L * b + 5.0L * c + 7.0L * d + 11.0L * e + 13.0L * f + 17.0L * g
        + 19.0L * h + 23.0L * i + 29.0L * j + 31.0L * k + 37.0L * l + 41.0L * m + 43.0L * n;
    *half = o / 2;
    *twice = q * 2;
    *odd = a & 1;
    *low = -c;
    return sum + o + p * I + q * 1000;
}
float complex swap(double complex z) { return cimag(z) + creal(z) * I; }
double complex both(float complex z, double x) { return z * x; }
"""
MIXED_PROTOTYPE = MIXED[MIXED.index("long double complex all") : MIXED.index("\n{")]


@pytest.fixture(scope="module")
def mixed(shared_library) -> str:
    """A library whose function takes every type at once."""
    return shared_library(MIXED)


@each_way
def test_every_type_is_passed_as_c_passes_it(way: str, mixed: str):
    """Seventeen types in, four outputs through pointers: registers, stack and memory are right."""
    prototype = parse_prototype(MIXED_PROTOTYPE)
    address = open_library(mixed).address("all")
    values = [-3, 200, -300, 60_000, -7, 4_000_000_000, -5, 6, -8, 9, 1, 0.5, 0.25, 0.125]
    values += [1 + 2j, 3 - 4j, -0.5 + 8j]
    weights = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43]
    total = sum(w * v for w, v in zip(weights, values, strict=False))
    total += values[14] + values[15] * 1j + values[16] * 1000
    arrays = [np.full(5, v).astype(c) for v, c in zip(values, prototype.inputs, strict=True)]
    results = made(plans_for(prototype)[0], way, address)(*arrays)
    expected = [total, 0.5 + 1j, -1 + 16j, True, 300]
    for result, value, char in zip(results, expected, prototype.outputs, strict=True):
        assert result.dtype.char == char
        assert np.array_equal(result, np.full(5, value, char))


@each_way
def test_complex_results_of_each_width(way: str, mixed: str):
    """Packed into one register, or in two."""
    library, z = open_library(mixed), np.array([1 + 2j, -3 + 0.5j])
    for text, arguments, expected in (
        ("float complex swap(double complex)", (z,), z.imag + 1j * z.real),
        ("double complex both(float complex, double)", (z.astype("F"), 3.0), 3 * z),
    ):
        prototype = parse_prototype(text)
        function = made(plans_for(prototype)[0], way, library.address(prototype.name))
        assert np.array_equal(function(*arguments), expected)


@each_way
def test_a_function_may_give_nothing_but_what_pointers_bring(way: str):
    """C's `void`: `sincos` has two outputs, none of them a result."""
    prototype = parse_prototype("void sincos(double, double *, double *)")
    try:
        address = open_library("m").address("sincos")
    except SymbolError:
        pytest.skip("sincos is in glibc only")
    x = np.linspace(-3, 3, 7)
    sine, cosine = made(plans_for(prototype)[0], way, address)(x)
    assert sine == pytest.approx(np.sin(x))
    assert cosine == pytest.approx(np.cos(x))


ECHO = "".join(
    f"{scalar.c} echo_{char}({scalar.c} n) {{ return n; }}\n"
    for char, scalar in SCALARS.items()
    if scalar.kind in "iu"
)


@pytest.fixture(scope="module")
def echo(shared_library) -> str:
    """A library with a function for each integer type, which gives what it gets."""
    return shared_library(ECHO)


@each_way
@pytest.mark.parametrize("char", "bIQ")
@pytest.mark.parametrize("wide", WIDE)
def test_wide_integers_that_the_type_cannot_hold_are_refused(
    way: str, char: str, wide: str, echo: str
):
    """An exception from the call, for each that is outside; the others come back as they are."""
    prototype = parse_prototype(f"{SCALARS[char].c} echo_{char}({SCALARS[char].c})")
    address = open_library(echo).address(prototype.name)
    plan = next(p for p in [*plans_for(prototype), None] if p is None or p.arrays == wide)
    if plan is None:
        pytest.skip("the type is that of the arrays")
    function = made(plan, way, address)
    numbers = {s * 2**k + d for k in range(64) for s in (1, -1) for d in (-1, 0, 1)}
    numbers = [n for n in numbers if np.iinfo(wide).min <= n <= np.iinfo(wide).max]
    info = np.iinfo(char)
    inside = [n for n in numbers if info.min <= n <= info.max]
    outside = sorted(set(numbers) - set(inside))
    assert len(inside) > 10
    computed = function(np.array(inside, wide))
    assert computed.dtype.char == char
    assert computed.tolist() == inside
    for n in outside:
        with pytest.raises(OutOfRangeError):
            function(np.array([0, n, 0], wide))
    assert function(np.array([7], wide)).tolist() == [7]


def test_a_refusal_names_the_function_and_is_an_error_of_values(echo: str):
    """In every thread, and for each element of an array; what fits is computed as before."""
    function = ccall("unsigned int echo_I(unsigned int)", echo)
    for bad in (-1, [-1], [1, 2**32], np.array([2**63], np.uint64), np.full((3, 4), -1)):
        with pytest.raises(ValueError, match=r"does not fit.*unsigned int echo_I"):
            function(bad)
        with pytest.raises(OverflowError):
            function(bad)
    assert function([0, 2**32 - 1]).tolist() == [0, 2**32 - 1]
    with ThreadPoolExecutor(1) as pool, pytest.raises(OutOfRangeError):
        pool.submit(lambda: function(np.full(10_000, -5))).result()
    assert Library("m").jn(np.array([2], np.uint64), 0.5) == Library("m").jn(2, 0.5)


STRUCTURES = """
struct pair { double value; double error; };
struct mixed { signed char a; long double b; float c; };
int measure(const double *x, struct pair *out) {
    out->value = 2 * *x;
    out->error = -*x;
    return 7;
}
struct mixed spread(short n) {
    struct mixed m = {(signed char)n, 2.0L * n, 0.5f * n};
    return m;
}
void both(const short *n, struct mixed *out) { *out = spread(*n); }
"""
STRUCTURES_HEADER = (
    STRUCTURES.split("int measure", maxsplit=1)[0]
    + """
int measure(const double *, struct pair *);
struct mixed spread(short);
void both(const short *, struct mixed *);
"""
)


@each_way
def test_structures_are_outputs_by_member_and_const_pointers_are_inputs(way: str, shared_library):
    """Also where members have gaps between them."""
    library, header = open_library(shared_library(STRUCTURES)), Header(STRUCTURES_HEADER)
    x = np.array([0.5, -3.0])
    (plan,) = plans_for(header["measure"])
    status, value, error = made(plan, way, library.address("measure"))(x)
    assert (status == 7).all()
    assert (value.tolist(), error.tolist()) == ([1.0, -6.0], [-0.5, 3.0])
    plan = plans_for(header["both"])[0]
    a, b, c = made(plan, way, library.address("both"))(np.array([5, -4], np.int16))
    assert (a.tolist(), b.tolist(), c.tolist()) == ([5, -4], [10.0, -8.0], [2.5, -2.0])
    with pytest.raises(OutOfRangeError):
        made(plans_for(header["both"])[1], way, library.address("both"))(np.array([5, 2**15]))


def test_a_structure_that_is_returned_is_outputs_by_member(shared_library):
    """By the C compiler, which alone knows how each processor returns it."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    library = Library(shared_library(STRUCTURES), header=STRUCTURES_HEADER)
    assert library.spread(np.int16(6)) == (6, 12.0, 3.0)


@each_way
def test_vector_loops_leave_no_element_out(way: str):
    """Whole vectors and the rest, dense and strided, in every instruction set that is here."""
    if find_vector(parse_prototype("double pow(double, double)")) is None:
        pytest.skip("no libmvec on this machine")
    sets = [(char, vector) for char in "df" for vector in vectors_of_this_processor(char)]
    if way == "c":  # a second each to compile; the sets differ by two words of C
        sets = [sets[0], sets[-1]]
    for (char, vector), length in itertools.product(sets, [0, 1, 3, 4, 7, 8, 9, 100]):
        generator = np.random.default_rng(length)
        c = {"d": "double", "f": "float"}[char]
        suffix = {"d": "", "f": "f"}[char]
        prototype = parse_prototype(f"{c} pow{suffix}({c}, {c})")
        address = open_library("mvec").address(vector_symbol(prototype, vector))
        function = made(Plan(prototype, char * 2, vector), way, address)
        wide = generator.uniform(0.5, 2, (2, 3 * length)).astype(char)
        for x, y in (wide[:, :length], wide[:, ::3], wide[:, ::-3], wide[:, :1]):
            exact = x.astype(float) ** y
            tolerance = 4 * np.finfo(char).eps * exact
            assert (np.abs(function(x, y) - exact) <= tolerance).all()
            out = np.full((x.size, 2), -1, char)
            function(x, y, out=out[:, 0])
            assert (np.abs(out[:, 0] - exact) <= tolerance).all()
            assert (out[:, 1] == -1).all()


def test_the_widest_vectors_are_found_first():
    """The processor's sets come in the order of their width, and the symbol tells lanes and set."""
    lanes = [vector.lanes for vector in vectors_of_this_processor("f")]
    assert lanes == sorted(lanes, reverse=True)
    sin = parse_prototype("double sin(double)")
    assert vector_symbol(sin, Vector(4, "d")) == "_ZGVdN4v_sin"


def test_simd_is_what_libmvec_computes():
    """Within the 4 ULP that glibc promises, and another result than the scalar function's."""
    if find_vector(parse_prototype("double erf(double)")) is None:
        pytest.skip("no libmvec on this machine")
    x = np.linspace(-3, 3, 10_001)
    exact, quick = ccall("double erf(double)", "m"), ccall("double erf(double)", "m", simd=True)
    assert quick is not exact
    assert "4 ULP" in quick.__doc__
    difference = np.abs(quick(x) - exact(x)) / np.spacing(np.abs(exact(x)))
    assert 0 < difference.max() <= 5
    with pytest.raises(SymbolError, match="no vector form"):
        ccall("double j0(double)", "m", simd=True)


def test_libraries_take_vector_functions_where_there_are_some():
    """`simd` for what libmvec has, the scalar function for the rest; `mvec` has only the first."""
    if find_vector(parse_prototype("double sin(double)")) is None:
        pytest.skip("no libmvec on this machine")
    m, mvec = Library("m", simd=True), Library("mvec")
    assert m.sin.types[:2] == ["d->d", "f->f"]
    assert m.j0(0.5) == Library("m").j0(0.5)
    assert "sin" in dir(mvec)
    assert "j0" not in dir(mvec)
    assert mvec.sin[np.float32](np.float32(0.5)) == pytest.approx(np.sin(0.5), rel=1e-6)
    with pytest.raises(SymbolError, match="no function `j0`"):
        _ = mvec.j0
    assert find_vector(parse_prototype("double fma(double, float)")) is None


def test_machines_without_libmvec_have_no_vectors(monkeypatch: pytest.MonkeyPatch):
    """Another processor, or another C library than glibc."""
    look = vectors._libmvec.__wrapped__  # noqa: SLF001 - the answer for this machine is kept
    assert look("riscv64") is None

    def missing(name: str) -> None:
        raise LibraryNotFoundError(name)

    monkeypatch.setattr(vectors, "open_library", missing)
    assert look("x86_64") is None
    monkeypatch.setattr(vectors, "_libmvec", lambda: None)
    assert find_vector(parse_prototype("double sin(double)")) is None


def test_a_processor_whose_calls_are_not_known_goes_to_the_c_compiler():
    """LLVM's way refuses complex numbers there, and only those."""
    complex_, real = (parse_prototype(f"{c} f({c})") for c in ("double _Complex", "long double"))
    with pytest.raises(NoLoopError, match="riscv64"):
        llvm_loops.write_ir(plans_for(complex_)[0], machine="riscv64")
    assert "fp128" in llvm_loops.write_ir(plans_for(real)[0], machine="aarch64")
    assert "x86_fp80" in llvm_loops.write_ir(plans_for(real)[0], machine="x86_64")


def test_an_llvmlite_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch):
    """What it cannot read is no crash: the C compiler gets its turn."""
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(llvm_loops, "write_ir", lambda *_, **__: "not a language that LLVM reads")
    with pytest.raises(NoLoopError, match=r"0\.45 or newer"):
        llvm_loops.compile_loop(plans_for(parse_prototype("double f(long, long, long)"))[0])


def test_long_double_may_be_double(monkeypatch: pytest.MonkeyPatch):
    """As on macOS with Apple's processors, and on Windows."""
    plan = plans_for(parse_prototype("long double f(long double)"))[0]
    monkeypatch.setitem(llvm_loops.SCALARS, "d", SCALARS["g"])
    assert "call double" in llvm_loops.write_ir(plan, machine="arm64")


def refuse(plan: Plan) -> int:
    """Stands for an LLVM that cannot."""
    raise NoLoopError(f"cannot do {plan.key}")


def test_the_c_compiler_takes_over_where_llvm_cannot(monkeypatch: pytest.MonkeyPatch):
    """LLVM missing or refusing is no end; both missing is, with the extras named."""
    prototype = parse_prototype("double fmax(double, double, long)")
    plan = plans_for(prototype)[0]
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    monkeypatch.setattr(llvm_loops, "compile_loop", refuse)
    assert building.compiled_loop(plan) == c_loops.compile_loop(plan)
    monkeypatch.setattr(llvm_loops, "is_installed", lambda: False)
    assert building.compiled_loop(plan) == c_loops.compile_loop(plan)
    monkeypatch.setattr(c_loops, "is_installed", lambda: False)
    with pytest.raises(NoLoopError, match=r"libufunc\[numba\].*libufunc\[cffi\]"):
        building.compiled_loop(plan)
    assert not building.has_loop(prototype)
    assert building.has_loop(parse_prototype("double f(double)"))


def test_without_a_compiler_real_functions_stay(monkeypatch: pytest.MonkeyPatch):
    """`sin` loses its complex loops, `jn` cannot be had, everything else works."""
    for way in WAYS.values():
        monkeypatch.setattr(way, "is_installed", lambda: False)
    m = Library("m")
    monkeypatch.setattr(building, "_made", {})
    assert m.sin.types == ["d->d", "f->f", "e->e", "g->g"]
    with pytest.raises(NoLoopError, match=r"int, double.*libufunc\[numba\]"):
        _ = m.jn


def test_a_compiler_that_fails_is_an_exception_with_its_words(monkeypatch: pytest.MonkeyPatch):
    """And nothing half-made stays in the cache."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    monkeypatch.setenv("CC", "false")
    plan = plans_for(parse_prototype("double f(double, double, double, long)"))[0]
    before = set(c_loops.cache_folder().iterdir())
    with pytest.raises(NoLoopError, match="the C compiler could not"):
        c_loops.compile_loop(plan)
    assert set(c_loops.cache_folder().iterdir()) == before


def test_a_loop_is_compiled_once_on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The second process finds it in the cache folder, even with no compiler."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    monkeypatch.setenv("LIBUFUNC_CACHE", str(tmp_path / "cache"))
    plan = plans_for(parse_prototype("double f(double, int, int)"))[0]
    monkeypatch.setattr(c_loops, "_kept", {})
    first = c_loops.compile_loop(plan)
    assert c_loops.compile_loop(plan) == first
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr(c_loops, "_kept", {})
    assert c_loops.compile_loop(plan)


def test_generic_loops_are_numpys():
    """Each position of the table that is used calls what it says: checked by a number."""
    for types, name in (("d->d", "cbrt"), ("f->f", "cbrtf"), ("g->g", "cbrtl")):
        ufunc, buffers = make_ufunc(
            name,
            "",
            [Loop(types, generic_loop(types, types) or 0, open_library("m").address(name))],
        )
        assert ufunc(np.array([27], types[0]))[0] == pytest.approx(3)
        del buffers
    assert generic_loop("D->D", "D->D") is None
    assert ctypes.sizeof(ctypes.c_void_p) == 8
