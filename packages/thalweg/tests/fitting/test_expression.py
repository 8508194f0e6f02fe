"""Formulas: what they compute, and that nothing else is run."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import ConfigError, DataError
from thalweg.fitting.expression import FUNCTIONS, NETWORKS, SPECIAL, Expression, function_named
from thalweg.fitting.measurements import read_measurements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*exp(-b*x) + c", 2 * np.exp(-0.5) + 3),
        ("-x**2 % 5", -1.0 % 5),
        ("where(x < 2, a, c)", 2.0),
        ("hypot(3, 4) + pi", 5 + np.pi),
        ("2**-3 + 10**-2", 0.135),
        ("+a / (1 + 1e-3)", 2 / 1.001),
    ],
)
def test_a_formula_computes_what_it_says(text: str, expected: float):
    """Arithmetic, comparisons, functions and constants."""
    value = Expression(text)({"a": 2.0, "b": 0.5, "c": 3.0, "x": 1.0})
    assert float(value) == pytest.approx(expected, rel=1e-12)


def test_every_function_is_there():
    """The names that messages list can be called."""
    assert all(callable(function_named(name)) for name in (*FUNCTIONS, *SPECIAL, *NETWORKS))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "a.real",
        "[a for a in x]",
        "a if x else b",
        "'text'",
        "f'{a}'",
        "a[0]",
        "(a, b)",
        "exp(x=1)",
        "exp(*x)",
        "a and b",
        "a := 1",
        "1j*x",
        "True*x",
        "1 < x < 2",
        "open('x')",
        "eval('1')",
        "a @ b",
        "~a",
        "a; b",
        "import os",
        "",
        "a*",
        "1e999",
    ],
)
def test_what_is_not_a_formula_is_refused_in_one_sentence(text: str):
    """Nothing of it is run."""
    with pytest.raises(ConfigError) as caught:
        Expression(text)
    assert "\n" not in str(caught.value)


def test_messages_say_what_to_write():
    """For what people write most often."""
    with pytest.raises(ConfigError, match=r"write `\*\*`"):
        Expression("x^2")
    with pytest.raises(ConfigError, match=r"not `np.exp\(x\)`"):
        Expression("np.exp(x)")
    with pytest.raises(ConfigError, match="did you mean `sqrt`"):
        Expression("sqr(x)")


def test_a_formula_cannot_exhaust_the_machine():
    """Deep nesting and towers of integers end in a sentence, or in floating point."""
    with pytest.raises(ConfigError, match="nested"):
        Expression("(" * 150 + "a" + "+1)" * 150)
    with pytest.raises(ConfigError):
        Expression("-" * 20_000 + "a")
    with pytest.raises(ConfigError, match="cannot be computed"):
        Expression("a*9**9**9**9")({"a": 1.0})


@given(st.text(max_size=40))
def test_any_text_is_a_formula_or_a_sentence(text: str):
    """Never another exception."""
    with contextlib.suppress(ConfigError):
        assert Expression(text).text == text


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("t,y\n1,2\n3,4\n", ["t", "y"], [1, 3]),
        ("t;y\n1,5;2\n3,5;4\n", ["t", "y"], [1.5, 3.5]),
        ("t\ty\n1\t2\n3\t4\n", ["t", "y"], [1, 3]),
        ("# made by hand\n1 2\n3   4\n", ["c1", "c2"], [1, 3]),
        ("\ufeff1,2\n3,4\n", ["c1", "c2"], [1, 3]),
        ("t,y\nn/a,2\n3,4\n", ["t", "y"], [np.nan, 3]),
    ],
)
def test_files_as_people_have_them(tmp_path: Path, text: str, names: list[str], first: list[float]):
    """Separators, decimal commas, comments, files without names, missing values."""
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    table = read_measurements(path)
    assert list(table.columns) == names
    np.testing.assert_array_equal(table.columns[names[0]], first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no measurement"),
        ("t,y\n", "no measurement below"),
        ("t,y\n1,2\n3\n", "1 values in measurement 2"),
        ("t,t\n1,2\n", "two columns"),
        ("t,y\n1,two\n", "`two` in column `y`, measurement 1"),
    ],
)
def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path, text: str, words: str):
    """It names the file and the place."""
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, DataError), match=words):
        read_measurements(path)
