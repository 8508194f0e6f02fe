"""Prototypes are read as C means them, and refused where a ufunc cannot obey."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from libufunc import PrototypeError, ccall
from libufunc.declarations import base_names, standard_prototype
from libufunc.plans import limits
from libufunc.prototypes import parse_prototype
from libufunc.scalars import SCALARS, TYPEDEFS, scalar_of_words


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
        unsigned = name.startswith("u") or name in {"size_t", "mode_t", "gid_t", "wint_t"}
        assert (unsigned or name.startswith("char")) == (scalar.kind == "u")


def test_outputs_are_the_result_and_then_the_pointers():
    """In the order of C, whatever stands between them."""
    prototype = parse_prototype("double f(int *, float, long double *, long)")
    assert (prototype.inputs, prototype.outputs) == ("fl", "dig")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("double erf(", "no C declaration"),
        ("double erf(double) + 1", "no C declaration"),
        ("f(double)", "no C declaration"),
        ("double f(double) @", "no C declaration"),
        ("int", "declares 0 functions"),
        ("double a(double); double b(double);", "declares 2 functions"),
        ("double a(double);\n double b(double)", "declares 2 functions"),
        ("", "declares 0 functions"),
        ("double f(void)", "0 input"),
        ("double f()", "0 input"),
        ("void f(double)", "0 output"),
        ("double f(double, ...)", "variable number"),
        ("double f(double, void)", "passes `void`"),
        ("double f(double **)", r"passes `double \*\*`"),
        ("double f(double, void *)", r"passes `void \*`"),
        ("double f(double x[3])", "looks like an array"),
        ("double f(const double *x, int n)", "looks like an array"),
        ("int f(double x, double *result_array)", "looks like an array"),
        ("struct s { int a; }; double f(struct s x)", "passes `struct"),
        ("double f(double (*g)(double))", r"passes `double \(\*\)\(\)`"),
        ("double *f(double)", r"passes `double \*`"),
        ("double f(char)", "passes `char`"),
        ("double f(strange)", "`strange`, which is no type"),
        ("double f(strange x)", "`strange`, which is no type"),
        (f"double f({', '.join(['double'] * 32)})", "more than 32"),
    ],
)
def test_what_a_ufunc_cannot_do_is_refused(text: str, reason: str):
    """With the reason, before anything is called."""
    with pytest.raises(PrototypeError, match=reason):
        parse_prototype(text)


def test_a_pointer_to_const_is_an_input_and_to_a_structure_outputs():
    """One for each member, in their order."""
    prototype = parse_prototype("int f(const float *, struct { double value; int count; } *)")
    assert (prototype.inputs, prototype.outputs) == ("f", "idi")
    assert parse_prototype(str(prototype)) == prototype


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


def test_the_limits_are_those_that_the_wide_type_exceeds():
    """Nothing is compared that holds anyway."""
    assert limits("l", SCALARS["i"]) == (-(2**31), 2**31 - 1)
    assert limits("l", SCALARS["B"]) == (0, 255)
    assert limits("l", SCALARS["L"]) == (0, None)
    assert limits("L", SCALARS["l"]) == (None, 2**63 - 1)
    assert limits("L", SCALARS["L"]) == (None, None)
