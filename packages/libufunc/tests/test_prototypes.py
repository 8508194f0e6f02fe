"""Prototypes are read as C means them, and refused where a ufunc cannot obey."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from libufunc import PrototypeError, SymbolError, ccall
from libufunc.declarations import base_names, standard_prototype
from libufunc.plans import bounds
from libufunc.prototypes import Header, parse_prototype
from libufunc.scalars import SCALARS, TYPEDEFS, scalar_of_words

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


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("double erf(double)", "double erf(double)"),
        ("extern double erf(const double x);", "double erf(double)"),
        ("long unsigned int f(short int n, signed char c)", "unsigned long f(short, signed char)"),
        ("unsigned f(long long int n, signed n2)", "unsigned int f(long long, int)"),
        ("void g(float x, float *y)", "void g(float, float *)"),
        ("float complex cexpf(float complex)", "float _Complex cexpf(float _Complex)"),
        ("bool odd(int)", "_Bool odd(int)"),
        ('extern "C" double f(double)', "double f(double)"),
    ],
)
def test_a_prototype_is_read_as_c_means_it(text: str, canonical: str):
    """Whatever the order of the words; and its canonical form reads as the same."""
    assert str(parse_prototype(text)) == canonical
    assert parse_prototype(canonical) == parse_prototype(text)


def test_every_type_is_read_back_from_its_name():
    """In a prototype that takes and gives it; so is every name of <stdint.h>."""
    for char, scalar in SCALARS.items():
        assert parse_prototype(f"{scalar.c} f({scalar.c})").inputs == char
    for name, scalar in TYPEDEFS.items():
        assert parse_prototype(f"{name} f({name})").outputs == scalar.char
        assert name.startswith("u") == (scalar.kind == "u" and name != "size_t")


def test_outputs_are_the_result_and_then_the_pointers():
    """In the order of C, whatever stands between them."""
    prototype = parse_prototype("double f(int *, float, long double *, long)")
    assert (prototype.inputs, prototype.outputs) == ("fl", "dig")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("double erf(", "no C declaration"),
        ("double erf(double) + 1", "no C declaration"),
        ("int", "no C declaration"),
        ("double a(double); double b(double);", "declares 2 functions"),
        ("double a(double);\n double b(double)", "declares 2 functions"),
        ("", "declares 0 functions"),
        ("double f(void)", "0 input"),
        ("double f()", "0 input"),
        ("void f(double)", "0 output"),
        ("double f(double, ...)", "variable number"),
        ("double f(double, void)", "passes void"),
        ("double f(const double *)", "pointer to const"),
        ("double f(double **)", "pointer to const, to a pointer"),
        ("double f(double, void *)", "or to void"),
        ("double f(double x[3])", "array"),
        ("struct s { int a; }; double f(struct s x)", "structure"),
        ("double f(double (*g)(double))", "function"),
        ("double *f(double)", r"passes double \*"),
        ("double f(char)", "passes char"),
        ("double f(strange)", "`strange`, which is no type"),
        ("double f(strange x)", "no C declaration"),
        (f"double f({', '.join(['double'] * 32)})", "more than 32"),
    ],
)
def test_what_a_ufunc_cannot_do_is_refused(text: str, reason: str):
    """With the reason, before anything is called."""
    with pytest.raises(PrototypeError, match=reason):
        parse_prototype(text)


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
    with pytest.raises(PrototypeError, match="the header"):
        Header("double f(double);\n double g(")


def test_words_that_are_no_number_are_none():
    """`char` leaves its sign open; `void` and strangers are nothing to pass."""
    assert [scalar_of_words([word]) for word in ("char", "void", "FILE")] == [None] * 3


@pytest.mark.parametrize("arguments", [np.float64, [np.float64], "double"])
def test_julias_form_wants_a_tuple(arguments: object):
    """`(float64)` is no tuple in Python either; the message shows the comma."""
    with pytest.raises(PrototypeError, match=r"\(float64,\)"):
        ccall("erf", "m", np.float64, arguments)


@pytest.mark.parametrize("dtype", ["U3", object, np.float16, ">f8", "nonsense"])
def test_a_dtype_without_a_c_type_is_refused(dtype: object):
    """Strings, objects, halves and foreign byte orders."""
    with pytest.raises(PrototypeError, match=r"dtype|no C type"):
        ccall("erf", "m", np.float64, (dtype,))


def test_half_a_form_is_refused():
    """A bare name without types, and a prototype with them."""
    with pytest.raises(PrototypeError, match="bare name"):
        ccall("erf", "m")
    with pytest.raises(PrototypeError, match="bare name"):
        ccall("erf", "m", float)
    with pytest.raises(PrototypeError, match="whole prototype"):
        ccall("double erf(double)", "m", float, (float,))


def test_a_prototype_that_the_c_library_contradicts_is_refused():
    """Calling by it would read registers that nobody has filled."""
    with pytest.raises(PrototypeError, match=r"double erf\(double\)"):
        ccall("double erf(double, double)", "m")
    with pytest.raises(PrototypeError, match=r"float erff\(float\)"):
        ccall("double erff(double)", "libm.so.6")


def test_the_shipped_table_is_that_of_the_c_compiler(tmp_path: Path):
    """Declared once more after <math.h> and <complex.h>, nothing conflicts: types are the same."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    names = [name + suffix for name in base_names() for suffix in ("", "f", "l")]
    declared = [f"{standard_prototype(name)};" for name in names]
    assert len(set(declared)) > 300

    def says(lines: list[str]) -> str:
        source = tmp_path / "table.c"
        head = ["#define _GNU_SOURCE", "#include <math.h>", "#include <complex.h>"]
        source.write_text("\n".join([*head, *lines, ""]))
        command = [compiler, "-fsyntax-only", "-Werror", str(source)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    assert says(declared) == ""
    assert "conflicting types" in says(["double remquo(double, double, long *);"])


def test_a_name_that_is_not_in_the_table_has_no_prototype():
    """Nor has a variant of one."""
    assert standard_prototype("erfx") is None
    assert str(standard_prototype("nexttowardf")) == "float nexttowardf(float, long double)"


def test_the_bounds_of_a_type_fit_into_int64_too():
    """The least of an unsigned type is 0; the greatest of `unsigned long` is that of int64."""
    assert bounds(SCALARS["i"]) == (-(2**31), 2**31 - 1)
    assert bounds(SCALARS["B"]) == (0, 255)
    assert bounds(SCALARS["L"]) == (0, 2**63 - 1)
