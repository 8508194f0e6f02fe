"""Tables as people have them: words for missing values, signs in numbers, dates, separators."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg import ThalwegError
from thalweg.tabular.columns import column_from_json, fit_column
from thalweg.tabular.kinds import recognise, with_decimal
from thalweg.tabular.notation import numbers
from thalweg.tabular.reading import read_table
from thalweg.tabular.table import Table
from thalweg.tabular.values import values


def as_read(values: list[str], **options: object) -> Table:
    """A table of one column `x`, as a file would give it."""
    frame = pl.DataFrame({"x": values})
    return Table(frame, "`t.csv`", is_text=True, numbers=range(1, len(values) + 1), **options)


def read_as(table: Table) -> list:
    """What the column of a table is read as."""
    table = with_decimal(table)
    kind, _, notation = recognise(table, "x")
    assert kind is not None
    return values(table, "x", kind, notation).to_list()


NUMBERS = [f"{k}.5" for k in range(20)]


@pytest.mark.parametrize(
    "word",
    [
        *("unknown", "-", "#N/A", "n/a", "NULL", "--", "—", "N.A.", "missing", "nil", "#DIV/0!"),
        *("Unknown", "not recorded", "siehe oben", "TBD", "*"),
    ],
)
def test_a_word_among_numbers_is_a_missing_value_and_said_to_be(word: str):
    """Whether it is one of the usual words or the only one of the column."""
    table = as_read([*NUMBERS, word, word])
    kind, notes, notation = recognise(table, "x")
    assert kind == "number"
    assert values(table, "x", kind, notation).to_list() == [k + 0.5 for k in range(20)] + [None] * 2
    assert notes == (f"`x`: 2 values are read as missing: `{word.lower()}` (2)",)


def test_two_different_usual_words_are_counted_apart():
    """With empty fields beside them."""
    _, notes, _ = recognise(as_read([*NUMBERS, "unknown", "-", "-", ""]), "x")
    start, words = notes[0].rsplit(": ", 1)
    assert start == "`x`: 4 values are read as missing"
    assert sorted(words.split(", ")) == ["`-` (2)", "`unknown` (1)", "empty (1)"]


def test_words_that_are_categories_stay_so():
    """`unknown` and `-` among words, and several words among numbers."""
    for texts in (["red", "-", "unknown"] * 10, [*"123" * 8, "low", "high", "low"]):
        kind, _, notation = recognise(as_read(texts), "x")
        assert kind == "category"
        assert values(as_read(texts), "x", kind, notation).null_count() == 0


def test_a_word_learned_as_missing_is_missing_in_a_prediction():
    """Also after the column was stored as JSON; another word is refused."""
    table = as_read([*NUMBERS, "not recorded"])
    kind, _, notation = recognise(table, "x")
    column = fit_column(table, "x", kind, notation, train=np.ones(21, bool))
    entry = {
        "name": "x",
        "kind": "number",
        "mean": column.mean,
        "scale": column.scale,
        "marks_missing": True,
        "has_times": False,
        "notation": {"decimal": ".", "day_first": False, "missing": ["not recorded"]},
    }
    assert column_from_json(entry) == column
    assert column.encode(as_read(["Not recorded"])).tolist() == [[0.0, 1.0]]
    with pytest.raises(ThalwegError, match="`nowhere`"):
        column.encode(as_read(["nowhere"]))


def test_a_column_that_an_earlier_version_stored_still_loads():
    """It has no notation."""
    entry = {"name": "x", "kind": "number", "mean": 0.0, "scale": 1.0, "marks_missing": False}
    assert column_from_json(entry).encode(as_read(["2.5"])).tolist() == [[2.5]]


WRITTEN = {
    "thousands": (["1,234.5", "12", "1,234,567"], [1234.5, 12.0, 1234567.0]),
    "thousands, no fraction": (["1,234", "12", "999"], [1234.0, 12.0, 999.0]),
    "decimal comma": (["0,5", "12,25", "-3"], [0.5, 12.25, -3.0]),
    "decimal comma and thousands": (["1.234,5", "1.234.567", "0,1"], [1234.5, 1234567.0, 0.1]),
    "spaces": (["1 234,5", "12 000", "0,5"], [1234.5, 12000.0, 0.5]),
    "narrow spaces": (["1 234.5", "12 000", "0.5"], [1234.5, 12000.0, 0.5]),
    "apostrophes": (["1'234.50", "12'000", "0.5"], [1234.5, 12000.0, 0.5]),
    "dollars": (["$1,234.50", "-$12", "$ 0.5"], [1234.5, -12.0, 0.5]),
    "euros after": (["1.234,50 €", "12 €", "-0,5 €"], [1234.5, 12.0, -0.5]),
    "codes": (["EUR 12.5", "13 EUR", "14"], [12.5, 13.0, 14.0]),
    "per cent": (["12.5%", "3 %", "-4%"], [12.5, 3.0, -4.0]),
    "accounts": (["(1,234)", "56", "(7.5)"], [-1234.0, 56.0, -7.5]),
    "minus sign": (["−1.5", "2", "3"], [-1.5, 2.0, 3.0]),
    "Indian groups": (["12,34,567", "1,00,000", "5"], [1234567.0, 100000.0, 5.0]),
    "exponents": (["1,5e-3", "2e5", "0,25"], [1.5e-3, 2e5, 0.25]),
}


@pytest.mark.parametrize(("texts", "wanted"), WRITTEN.values(), ids=WRITTEN)
def test_numbers_are_read_as_people_write_them(texts: list[str], wanted: list[float]):
    """Each column in one notation, which it decides itself."""
    assert read_as(as_read(texts)) == wanted


@pytest.mark.parametrize(
    "texts", [["$1", "2 €", "3"], ["1,23,4.5", "2.5", "3.5"], ["1.2.3", "4.5.6", "7.8.9"]]
)
def test_what_is_no_number_is_not_read_as_one(texts: list[str]):
    """Two currencies in one column, and marks at odd places."""
    assert recognise(as_read(texts * 8), "x").kind != "number"


def test_the_decimal_mark_of_ambiguous_columns_is_that_of_the_file():
    """`1.234` is a thousand where another column or the semicolons say so, else a fraction."""
    two = pl.DataFrame({"x": ["1.234", "2.500"], "y": ["0,5", "1,5"]})
    beside = Table(two, "`t.csv`", is_text=True, numbers=range(1, 3))
    assert read_as(beside) == [1234.0, 2500.0]
    assert read_as(as_read(["1.234", "2.500"], separator=";")) == [1234.0, 2500.0]
    assert read_as(as_read(["1.234", "2.500"])) == [1.234, 2.5]
    assert read_as(as_read(["1,234", "2,500"])) == [1234.0, 2500.0]
    named = as_read(["1,234", "2,500"], decimal=",", is_decimal_set=True)
    assert read_as(named) == [1.234, 2.5]
    assert recognise(named, "x").notes == ("`x`: decimal comma; `1,234` is read as 1.234",)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_read_in_both_notations(value: float):
    """With grouped thousands, and with the marks exchanged."""
    english = f"{value:,.6f}"
    swapped = english.translate(str.maketrans(",.", ".,"))
    assert numbers(pl.Series([english]), ".")[0] == float(f"{value:.6f}")
    assert numbers(pl.Series([swapped]), ",")[0] == float(f"{value:.6f}")


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["3/31/2024", "12/1/2023"], "2024-03-31T00:00:00"),
        (["31/3/2024", "1/12/2023"], "2024-03-31T00:00:00"),
        (["3/4/2024", "1/12/2023"], "2024-03-04T00:00:00"),
        (["03/31/24", "12/01/23"], "2024-03-31T00:00:00"),
        (["3/31/2024 14:30", "12/1/2023 9:05"], "2024-03-31T14:30:00"),
        (["3/31/2024 2:30 PM", "12/1/2023 9:05 AM"], "2024-03-31T14:30:00"),
        (["3/31/2024", "unknown", "12/1/2023"], "2024-03-31T00:00:00"),
    ],
)
def test_dates_with_slashes_are_read(texts: list[str], first: str):
    """Month first, unless the column can only be day first."""
    assert read_as(as_read(texts))[0].isoformat() == first


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["Mar 31 2024", "Dec 1 2023"], "2024-03-31"),
        (["March 31, 2024", "May 1, 2023"], "2024-03-31"),
        (["31 Mar 2024", "1 December 2023", "?"], "2024-03-31"),
        (["31-Mar-24", "01-Dec-99"], "2024-03-31"),
        (["31. March 2024", "1. May 2023"], "2024-03-31"),
        (["2024-03", "2023-12"], "2024-03-01"),
        (["Mar 2024", "December 2023"], "2024-03-01"),
        (["Mar-24", "Dec-23"], "2024-03-01"),
    ],
)
def test_dates_with_names_of_months_are_read(texts: list[str], first: str):
    """With a day, or for a whole month."""
    assert recognise(as_read(texts), "x").kind == "date"
    assert read_as(as_read(texts))[0].date().isoformat() == first


@pytest.mark.parametrize("texts", [["Mark 2024", "Anna 2023"], ["Mar 99 2024", "Mar 1 2024"]])
def test_names_that_are_no_months_stay_text(texts: list[str]):
    """A year behind a word is not enough."""
    assert recognise(as_read(texts), "x").kind in {"category", None}


def test_a_date_that_fits_both_orders_is_said_to():
    """And one that does not is not."""
    assert "month/day/year" in recognise(as_read(["3/4/2024", "1/12/2023"]), "x").notes[0]
    assert recognise(as_read(["3/31/2024", "1/12/2023"]), "x").notes == ()
    assert recognise(as_read(["2024-01-02", "2024-01-03"]), "x").notes == ()


@pytest.mark.parametrize(("mark", "name"), [("\t", "tab"), ("|", "bar")])
def test_another_separator_is_hinted_at_and_taken_when_named(tmp_path: Path, mark: str, name: str):
    """A `.csv` file by tabs would otherwise be one column with a long name."""
    path = tmp_path / "t.csv"
    path.write_text(f"a{mark}b\n1,5{mark}2\n3,5{mark}4\n", encoding="utf-8")
    with pytest.raises(ThalwegError, match=f"--separator {name}"):
        read_table(path)
    table = read_table(path, separator=mark)
    assert table.frame.columns == ["a", "b"]
    assert read_as(Table(table.frame.rename({"a": "x"}), "", is_text=True, numbers=[1, 2])) == [
        1.5,
        3.5,
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a;b\n1,5;2\n", ["a", "b"]),
        ("a, in mm;b;c\n1,5;2;3\n", ["a, in mm", "b", "c"]),
        ("a,b\n1;2,3\n", ["a", "b"]),
        ("a\n1\n", ["a"]),
        ("a;b\n", ["a", "b"]),
    ],
)
def test_commas_and_semicolons_are_told_apart(tmp_path: Path, text: str, columns: list[str]):
    """By the number of fields that the header and the first row have."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    if text.count("\n") == 1:
        with pytest.raises(ThalwegError, match="no rows"):
            read_table(path)
    else:
        assert read_table(path).frame.columns == columns


def test_a_text_that_the_caller_takes_as_missing_is_missing_everywhere():
    """Also in a column of categories."""
    missing = {"missing": ("on request",)}
    kind, _, notation = recognise(as_read(["red", "blue", "On request"] * 9, **missing), "x")
    table = as_read(["red", "on request"])
    assert values(table, "x", kind, notation).to_list() == ["red", None]
