"""A library's functions are attributes, each with its variants, found as each system names them."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from libufunc import Library, LibraryNotFoundError, SymbolError, ccall
from libufunc.platforms import candidates, full_name, load, short_name

M = Library("m")
HEADER = """
typedef double real;
real twice(real x);
float twicef(float x);
long double twicel(double x);
float *partsf(float x);
double j0(int n);
int parts(double x, double *whole);
double list_sum(const double *x, int n);
double absent(double x);
"""
SOURCE = """
double twice(double x) { return 2 * x; }
float twicef(float x) { return 2 * x; }
long double twicel(double x) { return 3 * x; }
double j0(int n) { return n + 0.5; }
int parts(double x, double *whole) { *whole = __builtin_floor(x); return x != *whole; }
double list_sum(const double *x, int n) { return n; }
"""


@pytest.fixture(scope="module")
def mine(shared_library) -> Library:
    """A library of our own, declared by a header."""
    return Library(shared_library(SOURCE), header=HEADER)


def test_a_function_has_a_variant_for_each_type():
    """`m.erf[float32]` is `erff`, and its number is C's."""
    assert M.erf[np.float32].__name__ == "erff"
    assert M.erf["f8"] is ccall("double erf(double)", "m")
    assert M.erf[np.longdouble].types == ["g->g"]
    assert M.erf[np.float16](np.float16(1)).dtype == np.float16
    assert M.sin[np.complex64].__name__ == "csinf"
    assert M.jn[np.float32](2, np.float32(0.5)).dtype == np.float32
    with pytest.raises(SymbolError, match="no variant for `int8`; it has float64"):
        M.erf[np.int8]


def test_a_variant_by_its_own_name_is_that_alone():
    """C's name for one type has no other types."""
    assert M.erff.types == ["f->f"]
    assert M.csin.types == ["D->D", "F->F", "G->G"]


def test_a_function_behaves_as_its_ufunc():
    """Called, asked for attributes and for help; and it is the same object each time."""
    assert M.hypot(3, 4) == 5
    assert M.hypot.reduce([3.0, 4.0, 12.0]) == 13
    assert (M.hypot.nin, M.hypot.__name__) == (2, "hypot")
    assert isinstance(M.hypot.ufunc, np.ufunc)
    assert "double hypot(double, double)" in M.hypot.__doc__
    assert "A function of a library" in type(M.hypot).__doc__
    assert repr(M.erff) == "<Library('m').erff: f->f>"
    assert M.hypot is M.hypot
    with pytest.raises(AttributeError, match="nonsense"):
        _ = M.hypot.nonsense


def test_a_call_is_passed_on_as_it_comes():
    """Python packs no arguments for a function of a library, and looks its name up once."""
    has_vectorcall = 1 << 11  # PEP 590
    assert type(M.hypot).__flags__ & has_vectorcall
    assert M.hypot(3, y := 4) == M.hypot(*(3, y)) == 5
    assert M.hypot(np.ones(2), 0, out=None, where=True).tolist() == [1, 1]
    assert "hypot" in vars(M)
    with pytest.raises(TypeError, match="hypot"):
        M.hypot(3)


def test_dir_lists_what_can_be_had():
    """Each name that `dir` gives is a function."""
    names = dir(M)
    assert {"erf", "j0", "lgamma", "csin", "fma"} <= set(names)
    assert all(isinstance(getattr(M, name).ufunc, np.ufunc) for name in names)


def test_all_shipped_declarations_give_what_numpy_and_scipy_give():
    """Wherever NumPy or SciPy has a function of one name with the C function, they agree."""
    import scipy.special

    compared = 0
    x = np.linspace(0.05, 0.95, 19)
    for name in dir(M):
        other = getattr(np, name, None) or getattr(scipy.special, name, None)
        function = getattr(M, name)
        if name == "remainder":  # C's has the nearest quotient, NumPy's the floored one
            continue
        if not isinstance(other, np.ufunc) or f"{'d' * function.nin}->d" not in function.types:
            continue
        compared += 1
        arguments = (x, x[::-1])[: function.nin]
        with np.errstate(invalid="ignore"):  # acosh, for one, begins at 1
            expected = pytest.approx(other(*arguments), rel=1e-13, nan_ok=True)
            assert function(*arguments) == expected, name
    assert compared >= 30


def test_a_header_declares_what_is_not_standard(mine: Library):
    """Its functions come first, with variants as far as their types are what C's names promise."""
    assert mine.twice(2.5) == 5
    assert mine.twice.types == ["d->d", "f->f", "e->e"]
    assert mine.j0(3) == 3.5
    assert mine.parts(2.5) == (1, 2.0)
    assert mine.twicel(1.5) == 4.5
    assert "list_sum" in dir(mine)
    assert mine.prototypes()["twice"] == "double twice(double)"
    assert {"list_sum", "absent"}.isdisjoint(mine.prototypes())


def test_what_is_not_there_is_an_exception(mine: Library):
    """Not declared, declared but not in the library, and private names of Python."""
    with pytest.raises(SymbolError, match="nothing declares `twist`"):
        _ = mine.twist
    with pytest.raises(SymbolError, match=r"libmade\.so` has no function `absent`"):
        _ = mine.absent
    assert not hasattr(mine, "_repr_html_")
    assert not hasattr(mine, "sin")


@pytest.mark.parametrize(
    ("name", "platform", "first"),
    [
        ("m", "linux", "libm.so.6"),
        ("libm", "linux", "libm.so.6"),
        ("libm.so.6", "linux", "libm.so.6"),
        ("gsl", "linux", "libgsl.so"),
        ("libgsl.so.27", "linux", "libgsl.so.27"),
        ("m", "darwin", "libm.dylib"),
        ("gsl", "darwin", "libgsl.dylib"),
        ("m", "win32", "ucrtbase.dll"),
        ("gsl", "win32", "gsl.dll"),
        ("gsl.dll", "win32", "gsl.dll"),
        ("x", "freebsd14", "libx.so"),
        ("./mine.so", "linux", "./mine.so"),
    ],
)
def test_a_short_name_is_what_each_system_calls_it(name: str, platform: str, first: str):
    """The first candidate is right where nothing is odd."""
    assert candidates(name, platform)[0] == first


def test_names_and_paths_are_told_apart():
    """A path is made absolute, so that another folder and another process mean the same file."""
    assert short_name("libm.so.6") == short_name("m") == short_name("libm.dylib") == "m"
    assert short_name("folder/libm.so") == "folder/libm.so"
    assert full_name("m") == "m"
    assert full_name(Path("folder/x.so")) == str(Path.cwd() / "folder/x.so")


def test_the_current_folder_does_not_matter_later(
    shared_library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A relative path means the file that it meant when it was given."""
    place = Path(shared_library("double seven(double x) { return 7; }"))
    monkeypatch.chdir(place.parent)
    library = Library("./libmade.so", header="double seven(double);")
    monkeypatch.chdir(tmp_path)
    assert library.seven(1.0) == 7


def test_a_library_that_is_missing_or_none_is_an_exception(tmp_path: Path):
    """With what was tried."""
    with pytest.raises(LibraryNotFoundError, match=r"`nothing_such`.*libnothing_such\.so"):
        ccall("double f(double)", "nothing_such")
    text = tmp_path / "text.so"
    text.write_text("no library")
    with pytest.raises(LibraryNotFoundError, match=r"invalid ELF|too short"):
        Library(text)


def test_the_system_is_asked_for_a_library_of_an_unusual_name(monkeypatch: pytest.MonkeyPatch):
    """What `ctypes.util.find_library` finds is loaded, and what it finds wrongly is told."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "libm.so.6")
    assert load("unusual")[1] == "libm.so.6"
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "libmisled.so.9")
    with pytest.raises(LibraryNotFoundError, match=r"libmisled\.so\.9"):
        load("unusual")


def test_importing_needs_numpy_and_nothing_else_that_is_heavy():
    """Compilers, SciPy, the command's libraries and the reader of C are imported when needed."""
    script = """if True:
        import sys
        import libufunc
        m = libufunc.Library("m")
        heavy = {"pycparser", "llvmlite", "numba", "cffi", "scipy", "click", "jax"}
        print(*heavy & set(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.strip() == ""
