"""A wrong prototype of the C library's functions is refused, however they are reached."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from libufunc import Library, PrototypeError, ccall
from libufunc.c_library import TABLE, c_library_function
from libufunc.c_types import CFunction, same_call
from libufunc.headers import Header

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the table is of Linux")
WRONG = [
    "double abs(double)",
    "float isnan(float)",
    "double toupper(double)",
    "int toupper(unsigned char)",
    "int labs(int)",
    "double labs(double)",
    "float erf(float)",
    "double erf(double, double)",
    "double frexp(double, long *)",
    "double modf(double, float *)",
    "double strlen(double)",
    "double atof(double)",
    "int rand(int)",
    "unsigned int abs(int)",
    "double printf(double)",
    "int qsort(int)",
]
RIGHT = ["int abs(int)", "long labs(long)", "int toupper(int)", "int isnan(double)"]


@pytest.fixture(scope="module")
def linked(shared_library) -> str:
    """A library that links libm, and has a `j0` of its own."""
    return shared_library(
        "double erf(double), cos(double);\n"
        "double mine(double x) { return cos(erf(x)); }\n"
        "double j0(int n) { return n + 0.5; }",
        "-fno-builtin",
        "-Wl,--no-as-needed",
    )


@pytest.mark.parametrize("prototype", WRONG)
def test_a_wrong_prototype_is_refused_with_the_right_one(prototype: str, linked: str):
    """Through libm and libc, and through a library that links them."""
    name = re.findall(r"(\w+)\(", prototype)[0]
    right = str(c_library_function(name))
    for library in ("m", linked):
        with pytest.raises(PrototypeError, match=re.escape(f"has `{right}`")):
            ccall(prototype, library)


@pytest.mark.parametrize("prototype", RIGHT)
def test_a_right_prototype_is_called_by(prototype: str, linked: str):
    """However it is reached."""
    for library in ("m", "c", linked):
        assert ccall(prototype, library)(np.int32(1)) in {0, 1}
    assert ccall("int toupper(int)", linked)(ord("a")) == ord("A")


def test_types_that_the_machine_does_not_tell_apart_are_no_contradiction():
    """`long`, `long long` and `int64_t` are one on 64-bit Linux; signs and widths differ."""
    assert ccall("long long labs(int64_t)", "c")(-3) == 3
    assert ccall("llabs", "c", np.int64, (np.int64,))(-3) == 3
    with pytest.raises(PrototypeError, match="long long llabs"):
        ccall("llabs", "c", np.uint64, (np.int64,))


def test_a_function_of_ones_own_may_have_a_name_of_the_c_library(linked: str):
    """The address tells whose it is."""
    assert ccall("double j0(int)", linked)(3) == 3.5
    with pytest.raises(PrototypeError, match=r"double j1\(double\)"):
        ccall("double j1(int)", linked)


def test_headers_and_julias_form_are_checked_too(linked: str):
    """Every way to a ufunc is the same way."""
    with pytest.raises(PrototypeError, match=r"double erf\(double\)"):
        _ = Library(linked, header="float erf(float);").erf
    with pytest.raises(PrototypeError, match=r"double erf\(double\)"):
        ccall("erf", linked, np.float32, (np.float32,))


def test_the_table_is_read_back_as_it_was_written():
    """Each line by itself, and the whole as one header."""
    text = TABLE.read_text()
    lines = text.splitlines()[1:]
    assert len(lines) > 2500
    header = Header(text)
    assert len(header) == len(lines)
    for line in lines[::50]:
        (name,) = Header(line)
        assert f"{header.declared(name)};" == line


def test_the_table_is_that_of_the_c_compiler(tmp_path: Path):
    """Declared again after the system's headers, nothing conflicts; a wrong one does."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    names = "abs labs div atof strtol toupper sqrt jn frexp lgamma_r drand48 a64l ffs".split()  # noqa: SIM905 - short

    def says(lines: list[str]) -> str:
        source = tmp_path / "again.c"
        heads = ["stdlib.h", "ctype.h", "math.h", "strings.h", "string.h"]
        head = ["#define _GNU_SOURCE", *(f"#include <{name}>" for name in heads)]
        source.write_text("\n".join([*head, *lines, ""]))
        command = [compiler, "-fsyntax-only", "-Werror", str(source)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    known = [c_library_function(name) for name in names]
    assert says([f"{one};" for one in known if one and one.result.kind != "structure"]) == ""
    assert "conflicting types" in says(["double abs(int);"])


def test_functions_that_nothing_declares_are_not_known():
    """Then the caller's prototype is believed, as the README says."""
    assert c_library_function("no_such_function_anywhere") is None


def test_calls_are_the_same_if_the_machine_sees_the_same():
    """Names of structures, and how often a pointer is a pointer, do not count; numbers do."""

    def declared(text: str) -> CFunction:
        header = Header(text)
        return header.declared(next(iter(header)))

    one = declared("double f(const double *, void *, struct a *);")
    assert same_call(one, declared("double f(const double *x, char **y, struct b *z);"))
    assert not same_call(one, declared("double f(double *, void *, struct a *);"))
    assert not same_call(one, declared("double f(const double *, void *, struct a *, ...);"))
    assert not same_call(declared("double f(double);"), declared("double f(long double);"))
