"""`const char *` takes strings: of Python and of NumPy, broadcast, and none that C would cut."""

# ruff: noqa: S301 - what is read here has been written here

import pickle

import numpy as np
import pytest

from libufunc import (
    Library,
    ProbeError,
    PrototypeError,
    StringError,
    c_function,
    c_loops,
    ccall,
    llvm_loops,
    threaded,
)
from libufunc import threads as threads_module

WORDS = ["", "a", "boat", "größer", "\N{MUSICAL SYMBOL G CLEF}", "tab\tand\nline"]


@pytest.fixture(params=["llvm", "c"])
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Both ways to make a loop, where they are here."""
    module, other = (llvm_loops, c_loops) if request.param == "llvm" else (c_loops, llvm_loops)
    if not module.is_installed():
        pytest.skip(f"no {request.param} on this machine")
    monkeypatch.setattr(other, "is_installed", lambda: False)


@pytest.mark.usefixtures("_loops")
def test_every_kind_of_text_is_taken_as_utf_8(request: pytest.FixtureRequest):
    """`str`, `bytes`, lists, arrays of any width and shape, objects, strides, nothing."""
    # Another name of the parameter makes another ufunc, so that each way makes its own.
    name = request.node.callspec.id.replace("-", "_")
    strlen = ccall(f"size_t strlen(const char *{name})", "c")
    lengths = [len(word.encode()) for word in WORDS]
    as_bytes = [word.encode() for word in WORDS]
    texts = np.array(WORDS)
    givens = [WORDS, as_bytes, tuple(WORDS), texts, np.array(as_bytes), texts.astype(object)]
    if hasattr(np.dtypes, "StringDType"):
        givens.append(np.array(WORDS, np.dtypes.StringDType()))
    for given in givens:
        assert strlen(given).tolist() == lengths
    assert np.array_equal(strlen(texts.reshape(2, 3).T), np.reshape(lengths, (2, 3)).T)
    assert strlen(texts[::-2]).tolist() == lengths[::-2]
    assert [int(strlen(word)) for word in [*WORDS, *as_bytes]] == lengths * 2
    assert strlen(np.str_("ab")) == strlen(np.bytes_(b"ab")) == strlen(np.array("ab")) == 2
    assert strlen([]).shape == (0,)
    assert strlen(np.empty((2, 0), "U3")).shape == (2, 0)


@pytest.mark.usefixtures("_loops")
def test_strings_broadcast_among_themselves_and_with_numbers():
    """With `out` and `where`, as a ufunc does it."""
    order = ccall("int strcmp(const char *, const char *)", "c")
    left, right = np.array(["a", "b", "ab"])[:, None], np.array(["a", "b"])
    assert np.array_equal(
        np.sign(order(left, right)), np.where(left > right, 1, 0) - (left < right)
    )
    begins = ccall("int strncmp(const char *, const char *, size_t)", "c")
    assert np.sign(begins("abcd", ["abcf", "abcd"], [[3], [4]])).tolist() == [[0, 0], [-1, 0]]
    out = np.full(2, -7.0)
    number = ccall("double atof(const char *)", "c")
    assert number(["1.5", "-2e3"], out=out, where=[True, False]) is out
    assert out.tolist() == [1.5, -7]


def test_strings_and_numbers_agree_with_python():
    """Many at once: each is read from its own place."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=1000) * 10.0 ** rng.integers(-300, 300, 1000)
    assert np.array_equal(ccall("double atof(const char *)", "c")(list(map(repr, x.tolist()))), x)
    n = rng.integers(-(2**31), 2**31, 1000)
    assert np.array_equal(ccall("int atoi(const char *)", "c")(n.astype("S")), n)


def test_fixed_values_stand_beside_strings():
    """`strtol`: a string, an address that is not needed, a number."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    text = "long strtol(const char *nptr, char **endptr, int base)"
    number = ccall(text, "c", fixed={"endptr": None})
    assert number(["10", "ff", "777"], [2, 16, 8]).tolist() == [2, 255, 511]
    assert ccall(text, "c", fixed={"endptr": None, "base": 36})("zz") == 35 * 36 + 35


def test_characters_with_a_length_are_an_array():
    """By a signature; they need not end in a zero."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    count = ccall("size_t strnlen(const char *text, size_t n)", "c", signature="(n)->()")
    rows = np.frombuffer(b"abcdef\0hij", np.uint8).reshape(2, 5)
    assert count(rows).tolist() == [5, 1]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("a\0b", "a zero character"),
        (b"a\0", "a zero character"),
        (["a", "b\0c"], "a zero character"),
        (np.array([b"a\0b"]), "a zero character"),
        (3, "int was given"),
        (["a", 1], "int was given"),
        (None, "NoneType was given"),
        (np.ones(3), "float was given"),
        ([np.float64(2), None], "NoneType and float64 was given"),
        ("\ud800", "UTF-8"),
    ],
)
def test_what_is_no_string_in_c_is_refused(given: object, reason: str):
    """In a sentence that names the argument, before anything is called."""
    order = ccall("int strcmp(const char *, const char *)", "c")
    with pytest.raises(StringError, match=rf"argument 2 of `strcmp`.*{reason}"):
        order("a", given)


@pytest.mark.parametrize("kind", ["wchar_t", "char16_t", "char32_t"])
def test_text_of_wide_characters_is_not_taken_for_one_number(kind: str):
    """`wcslen` of one integer would read on to the next zero; one such number is still passed."""
    for parameter in (f"const {kind} *", f"const {kind} text[]", f"const {kind} *, int"):
        with pytest.raises(PrototypeError, match=f"`{kind}` strings"):
            ccall(f"size_t wcslen({parameter})", "c")
    with pytest.raises(PrototypeError, match=f"`{kind}` strings"):
        _ = Library("c", header=f"typedef unsigned {kind}; long wcslen(const {kind} *);").wcslen
    assert Library("c", header="#include <wchar.h>\n").btowc(65) == 65


def test_pointers_that_are_neither_are_refused_with_what_to_do():
    """`fixed` gives them one value."""
    with pytest.raises(PrototypeError, match=r"`char \*\*`.*by `fixed`, where `None` is NULL"):
        ccall("double strtod(const char *, char **)", "c")


def test_functions_of_a_library_take_strings():
    """By a header; `const char s[]` is the same. They show their types, and pickle."""
    header = (
        "unsigned long strlen(const char s[]); double atof(const char *);"
        "char *getenv(const char *);"
    )
    c = Library("c", header=header)
    assert c.strlen("abc") == 3
    assert c.atof.types == ["S->d"]
    assert (c.atof.nin, c.atof.nout, c.atof.__name__) == (1, 1, "atof")
    assert "double atof(const char *)" in c.atof.__doc__
    assert pickle.loads(pickle.dumps(c.atof))("2.5") == 2.5
    strlen = ccall("size_t strlen(const char *)", "c")
    assert pickle.loads(pickle.dumps(strlen)) is strlen
    assert strlen is ccall("size_t strlen(const char *)", "c")
    with pytest.raises(AttributeError, match="takes strings"):
        _ = strlen.reduce
    with pytest.raises(PrototypeError, match=r"passes `char \*`"):
        _ = c.getenv
    with pytest.raises(PrototypeError, match="contradicts"):
        ccall("int strlen(const char *)", "c")
    with pytest.raises(PrototypeError, match="more than numbers"):
        c_function(strlen)
    with pytest.raises(TypeError, match="argument"):
        strlen()


def test_threads_take_strings(monkeypatch: pytest.MonkeyPatch):
    """Each part has its own block."""
    monkeypatch.setattr(threads_module, "SMALLEST", 1)
    words = np.array([f"{k:d}" for k in range(2000)])
    function = threaded(ccall("int atoi(const char *)", "c"), threads=3)
    assert np.array_equal(function(words), np.arange(2000))
    assert function(["7", "8"]).tolist() == [7, 8]


def test_probing_tries_strings(shared_library):
    """Empty ones, long ones, and outputs beside them."""
    path = shared_library(
        "#include <string.h>\n#include <stdlib.h>\n"
        "double good(const char *s, int *n) { *n = strlen(s); return *s; }\n"
        "double small(const char *s) { char t[64]; strcpy(t, s); return strlen(t); }\n"
        "double empty(const char *s) { if (!*s) abort(); return *s; }\n"
        "double wide(const char *s, int *n) { n[1] = strlen(s); return *s; }\n"
    )
    good = ccall("double good(const char *, int *)", path, check=True)
    assert good("A") == (65, 1)
    with pytest.raises(ProbeError, match=r"SIGABRT at `empty\(b''\)`"):
        ccall("double empty(const char *)", path, check=True)
    with pytest.raises(ProbeError, match=r"`small\(b'a+\.\.\.'\)`"):
        ccall("double small(const char *)", path, check=True)
    with pytest.raises(ProbeError, match="writes beyond"):
        ccall("double wide(const char *, int *)", path, check=True)
