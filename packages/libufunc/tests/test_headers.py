"""Headers as they are: nothing odd loses the rest, and what is left out is listed with its line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from libufunc import Library, PrototypeError, SymbolError, headers
from libufunc.header_items import split_items
from libufunc.headers import Header

HEADER = """
#ifndef MINE_H
#define MINE_H \\
    1
#include <math.h>
/* double hidden(double); */
#ifdef __cplusplus
extern "C" {
#endif
typedef double real;        // what all are made of
typedef real number;
struct pair { double a, b; };
extern number half(real x) __attribute__((const, nonnull(1)));
static inline int sign(const double x) { return x > 0 ? 1 : -1; }
void split(real x, real *__restrict whole, int * rest);
double area(struct pair p);
double complex turn(double complex z);
double total(const double *x, int n);
extern int counter;
#ifdef __cplusplus
}
#endif
#endif
"""
ODD = """double first(double);
double left_open(double x
double second(double);
@ what is this?
double third(double);
}
template <class T> T fourth(T x);
double fifth(double)
double sixth(double);
MACRO_ALONE
static double seventh(double x) { if (x) { return 1; } return ")"[0]; }
double eighth(double x __attribute__((unused))) __asm__("other(;") __THROW;
"""
SYSTEM = Path("/usr/include")
CASES = {
    "math.h": ("double erf(double)", "double hypot(double, double)"),
    "stdlib.h": ("int abs(int)", "long labs(long)"),
    "zlib.h": ("unsigned long crc32_combine(unsigned long, unsigned long, long)",),
    "gsl/gsl_sf_bessel.h": (
        "double gsl_sf_bessel_J0(double)",
        "int gsl_sf_bessel_Jn_e(int, double, struct { double val; double err; } *)",
    ),
    "gsl/gsl_cdf.h": ("double gsl_cdf_ugaussian_P(double)",),
    "gsl/gsl_randist.h": ("double gsl_ran_beta_pdf(double, double, double)",),
    "mpfr.h": ("unsigned int mpfr_flags_save(void)",),
}


@pytest.fixture(params=["with", "without"])
def _compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Headers are read where a C compiler obeys their directives, and where none does."""
    if request.param == "without":
        monkeypatch.setattr(headers, "preprocess", lambda *_: (None, "no C compiler is here"))


@pytest.mark.usefixtures("_compiler")
def test_a_header_is_read_for_its_functions():
    """Directives, comments, attributes, typedefs, bodies and data are no obstacle."""
    header = Header(HEADER)
    assert list(header) == ["half", "sign", "split", "area", "turn", "total"]
    assert str(header["half"]) == "double half(double)"
    assert str(header["sign"]) == "int sign(double)"
    assert str(header["split"]) == "void split(double, double *, int *)"
    assert header["turn"].inputs == "D"


def test_one_function_of_a_header_does_no_harm_to_others():
    """What cannot become a ufunc is refused when asked for, and not before."""
    header = Header(HEADER)
    for name in ("area", "total"):
        with pytest.raises(PrototypeError, match=name):
            header[name]
    with pytest.raises(SymbolError, match="hidden"):
        header["hidden"]


def test_one_odd_item_never_loses_the_file():
    """Left open, no C, too many brackets, C++, no semicolon: each costs itself, and is listed."""
    header = Header(ODD)
    names = ["first", "second", "third", "fifth", "sixth", "seventh", "eighth"]
    readable = [name for name in header if name not in {one.name for one in header.skipped}]
    assert readable == names
    assert all(header[name].inputs == "d" for name in names)
    lines = {one.line for one in header.skipped}
    assert {2, 4, 7} <= lines <= {2, 4, 7, 10}
    assert str(header.skipped[0]).startswith("line 2: left_open: ")


def test_what_no_ufunc_can_do_is_listed_with_its_line():
    """And with the reason."""
    skipped = {one.name: one for one in Header(HEADER).skipped if one.name}
    assert {name: one.line for name, one in skipped.items()} == {"area": 16, "total": 18}
    assert "looks like an array" in skipped["total"].reason


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["raw", "preprocessed", "without a compiler"])
def test_headers_of_the_system_are_read(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Raw and preprocessed, they give the same prototypes; nearly all that they declare is read."""
    if not (SYSTEM / name).exists():
        pytest.skip(f"no {name} on this machine")
    compiler = shutil.which("gcc")
    text = (SYSTEM / name).read_text("utf-8", "replace")
    if compiler is None and kind != "without a compiler":
        pytest.skip("no C compiler on this machine")
    if kind == "preprocessed":
        source = tmp_path / "one.c"
        source.write_text(f"#include <{name}>\n")
        text = subprocess.run(
            [compiler, "-E", str(source)], capture_output=True, text=True, check=True
        ).stdout
    if kind == "without a compiler":
        monkeypatch.setattr(headers, "preprocess", lambda *_: (None, "no C compiler is here"))
        if name in {"math.h", "mpfr.h", "zlib.h"}:
            assert len(Header(text).skipped) >= 1  # their types and functions come by `#include`
            return
    header = Header(text)
    unread = [one for one in header.skipped if "no C declaration" in one.reason]
    assert len(unread) <= len(header) // 20
    for prototype in CASES[name]:
        function = prototype.partition("(")[0].split()[-1].strip("*")
        if kind == "without a compiler" and "struct" in prototype:
            continue
        assert str(header.declared(function)) == prototype


def test_a_header_of_includes_stands_for_what_it_includes(tmp_path: Path):
    """One that declares something itself stands for that alone."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler on this machine")
    (tmp_path / "parts.h").write_text("typedef float real;\nreal part(real);\n")
    assert list(Header('#include "parts.h"\n', folder=tmp_path)) == ["part"]
    whole = Header('#include "parts.h"\nreal whole(real);\n', folder=tmp_path)
    assert list(whole) == ["whole"]
    assert whole["whole"].inputs == "f"


def test_an_include_that_is_missing_is_listed():
    """The rest is read as it stands."""
    header = Header('#include "nowhere.h"\ndouble f(double);\n')
    assert list(header) == ["f"]
    assert header.skipped[0].line == 0


def test_enumerations_are_int_and_names_of_the_standard_are_types():
    """Also behind typedefs, and where a header does not declare what it uses."""
    header = Header(
        "enum mode { A = 1, B }; typedef enum { C, D } kind_t;\n"
        "kind_t f(enum mode m, kind_t k);\n"
        "double_t g(float_t, time_t, uint_least8_t, _Float64, int_fast16_t, wchar_t);\n"
        "_Float32 h(_Float32x, _Complex _Float64);"
    )
    assert header.skipped == []
    assert str(header["f"]) == "int f(int, int)"
    assert (header["g"].inputs, header["g"].outputs) == ("flBdli", "d")
    assert (header["h"].inputs, header["h"].outputs) == ("dD", "f")


def test_a_library_takes_a_header_by_its_path(shared_library, tmp_path: Path):
    """Files that it includes are found beside it."""
    (tmp_path / "types.h").write_text("typedef double real;\n")
    place = tmp_path / "mine.h"
    place.write_text('#include "types.h"\nreal twice(real);\nreal listed(real *, ...);\n')
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler on this machine")
    library = Library(shared_library("double twice(double x) { return 2 * x; }"), header=place)
    assert library.twice(1.5) == 3
    assert [(one.name, one.line) for one in library.skipped] == [("listed", 3)]


def test_items_know_their_line_and_file():
    """Markers of a preprocessor count; comments and continued lines do not disturb."""
    items = split_items(
        'int a;\n/* two\nlines */ int b;\n# 40 "other.h" 3\nint c;\n#define X \\\n 1\nint d;\n'
    )
    assert [(one.file, one.line, one.text) for one in items] == [
        ("", 1, "int a"),
        ("", 3, "int b"),
        ("other.h", 40, "int c"),
        ("other.h", 43, "int d"),
    ]
