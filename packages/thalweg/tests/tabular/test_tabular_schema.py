"""What a column holds is recognised, and turned into inputs that do not depend on the way there."""

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg import ThalwegError
from thalweg.tabular.columns import CategoryColumn, NumericColumn, centre, fit_column
from thalweg.tabular.kinds import Recognised, recognise
from thalweg.tabular.reading import read_table
from thalweg.tabular.schema import Schema, find_kinds, fit_columns
from thalweg.tabular.table import Table
from thalweg.tabular.target import ClassTarget, NumberTarget, find_task, fit_target


def as_read(columns: dict[str, list[str]]) -> Table:
    """A table as if read from delimited text."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Table(frame, "`x.csv`", is_text=True, numbers=range(1, len(frame) + 1))


def recognised(kinds: dict) -> dict[str, Recognised]:
    """Columns of these kinds, written as usual."""
    return {name: Recognised(kind) for name, kind in kinds.items()}


WORDS = ["red", "green", "blue"] * 10
RECOGNISED = {
    "numbers": ([f"{k}.5" for k in range(30)], "number"),
    "whole numbers with gaps": (["1", "", "NA", "n/a", "NaN", "null"] * 5, "number"),
    "exponents and spaces": ([f" {k}e-3 " for k in range(30)], "number"),
    "true and false": (["true", "False", "?"] * 10, "boolean"),
    "ISO dates": ([f"2024-01-{k:02d}" for k in range(1, 31)], "date"),
    "dates with times": ([f"2024-01-01T{k % 24:02d}:15:00" for k in range(30)], "date"),
    "dates with dots": ([f"{k:02d}.01.2024" for k in range(1, 31)], "date"),
    "words": (WORDS, "category"),
    "words with gaps": ([*WORDS[:-1], ""], "category"),
    "one value": (["7"] * 30, None),
    "nothing": (["", "NA"] * 15, None),
    "another word in every row": ([f"row {k}" for k in range(30)], None),
    "nearly another word in every row": ([f"row {k % 25}" for k in range(30)], None),
}


@pytest.mark.parametrize(("values", "kind"), RECOGNISED.values(), ids=RECOGNISED)
def test_the_kind_of_a_column_is_recognised(values, kind):
    """And a column that nothing can be learned from is left out, with a reason that names it."""
    found = recognise(as_read({"x": values}), "x")
    assert found.kind == kind
    if kind is None:
        assert found.notes[0].startswith("`x` is left out: ")


def test_a_number_with_a_slip_is_said_to_be_one():
    """A misspelt number makes categories of a column; the note names it and its row."""
    found = recognise(as_read({"x": [*map(str, [1, 2, 3] * 9), "1o2"]}), "x")
    assert found.kind == "category"
    assert "`1o2` in row 28 is not a number" in found.notes[0]


def test_types_of_parquet_are_trusted():
    """Numbers, booleans, dates and text by their type; what is none of these is left out."""
    frame = pl.DataFrame(
        {
            "number": range(30),
            "boolean": [True, False, None] * 10,
            "date": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 30), eager=True),
            "category": pl.Series(WORDS, dtype=pl.Categorical),
            "digits as text": ["1", "2", "3"] * 10,
            "list": [[1], [2], [3]] * 10,
        }
    )
    kinds, notes = find_kinds(read_table(frame), frame.columns)
    expected = {name: name for name in ("number", "boolean", "date", "category")}
    assert {name: found.kind for name, found in kinds.items()} == {
        **expected,
        "digits as text": "category",
    }
    assert len(notes) == 1
    assert "`list`" in notes[0]


numbers = st.floats(-1e100, 1e100) | st.just(math.nan) | st.just(1.0)
columns = st.fixed_dictionaries(
    {
        "number": st.lists(numbers, min_size=8, max_size=8),
        "word": st.lists(st.sampled_from(["a", "b", "NA", "é"]), min_size=8, max_size=8),
        "flag": st.lists(st.sampled_from(["true", "false", ""]), min_size=8, max_size=8),
        "day": st.lists(
            st.sampled_from(["2024-02-29", "1999-12-31 23:59", ""]), min_size=8, max_size=8
        ),
    }
)
KINDS = {"number": "number", "word": "category", "flag": "boolean", "day": "date"}
HALF = np.arange(8) < 4


def fitted(found: dict[str, list]) -> tuple[Schema, Table]:
    """A schema whose training part is the first half of the rows, and the table."""
    table = as_read({name: list(map(str, values)) for name, values in found.items()})
    return Schema(
        fit_columns(table, recognised(KINDS), train=HALF), NumberTarget("y", 0.0, 1.0)
    ), table


@given(columns)
def test_a_schema_survives_json_to_the_last_bit(found):
    """Equal fields, equal inputs, and as many inputs as the schema counts."""
    schema, table = fitted(found)
    copy = Schema.from_json(json.loads(json.dumps(schema.as_json())))
    assert copy == schema
    inputs = schema.encode(table)
    assert inputs.tobytes() == copy.encode(table).tobytes()
    assert inputs.shape == (8, schema.inputs)
    assert sum(block.stop - block.start for _, block in schema.blocks()) == schema.inputs
    assert np.isfinite(inputs).all()


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_standardised_numbers_have_mean_0_and_deviation_1(values):
    """Whatever their size; a constant becomes 0."""
    array = np.array(values)
    mean, scale = centre(array)
    standard = (array / 2 - mean / 2) / (scale / 2)
    assert scale > 0
    spread = np.ptp(array) / np.abs(array).max(initial=1e-300)
    if spread > 1e-6:
        assert standard.mean() == pytest.approx(0, abs=1e-6)
        assert standard.std() == pytest.approx(1, rel=1e-6)
    elif np.ptp(array) == 0:
        assert (standard == 0).all()


@given(columns, st.lists(st.floats(-1e9, 1e9), min_size=4, max_size=4))
def test_means_and_scales_are_those_of_the_training_part(found, others):
    """Other values in the rows held out change neither."""
    schema, _ = fitted(found)
    changed, _ = fitted({**found, "number": [*found["number"][:4], *others]})
    before, after = schema.columns[0], changed.columns[0]
    assert (before.mean, before.scale) == (after.mean, after.scale)


def test_a_missing_number_is_put_at_the_mean_and_marked():
    """0 after standardisation, and 1 in the input that says so."""
    table = as_read({"x": ["1", "3", "", "5"]})
    column = fit_column(table, "x", "number", train=np.array([True, True, True, False]))
    assert isinstance(column, NumericColumn)
    assert (column.mean, column.scale) == (2.0, 1.0)
    assert column.encode(table).tolist() == [[-1, 0], [1, 0], [0, 1], [3, 0]]


def test_a_category_has_an_input_a_level_and_missing_is_one():
    """Levels in alphabetical order, missing last."""
    table = as_read({"x": ["b", "", "a", "b"]})
    column = fit_column(table, "x", "category", train=np.ones(4, bool))
    assert isinstance(column, CategoryColumn)
    assert column.encode(table).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_date_is_days_and_the_time_of_year_and_of_day():
    """A day is 1 before it is scaled; a quarter of a day is a quarter of a circle."""
    table = as_read({"x": ["2024-01-01", "2024-01-02", "2024-01-02 06:00"]})
    column = fit_column(table, "x", "date", train=np.ones(3, bool))
    inputs = column.encode(table)
    assert inputs.shape == (3, 5)
    assert (inputs[1, 0] - inputs[0, 0]) * column.scale == pytest.approx(1)
    assert np.hypot(inputs[:, 1], inputs[:, 2]) == pytest.approx(np.ones(3))
    assert inputs[:, 3:] == pytest.approx(np.array([[0, 1], [0, 1], [1, 0]]), abs=1e-9)


def test_text_and_types_give_the_same_inputs():
    """A Parquet file and the CSV of the same values enter the network alike."""
    typed = pl.DataFrame(
        {
            "number": [0.1, None, 3.0],
            "flag": [True, False, None],
            "word": ["a", None, "b"],
            "day": pl.Series(["2024-03-01", "2024-03-02", None]).str.to_date(),
        }
    )
    text = as_read(
        {name: typed[name].cast(pl.String).fill_null("").to_list() for name in typed.columns}
    )
    kinds = {"number": "number", "flag": "boolean", "word": "category", "day": "date"}
    fits = [
        Schema(
            fit_columns(table, recognised(kinds), train=np.ones(3, bool)),
            NumberTarget("y", 0.0, 1.0),
        )
        for table in (read_table(typed), text)
    ]
    assert fits[0] == fits[1]
    assert (fits[0].encode(read_table(typed)) == fits[0].encode(text)).all()


# ------------------------------------------------------------------------------------ the target


def task_of(values: list, **options) -> tuple[str, str]:
    """The task of a column of a file, and why."""
    found = find_task(as_read({"y": [str(value) for value in values]}), "y", **options)
    return found.task, found.reason


def test_the_task_is_recognised_and_explained():
    """Text, true and false, and whole numbers with few values are classes; the rest is measured."""
    assert task_of(WORDS) == ("classification", "`y` holds text with 3 values")
    assert task_of(["true", "false"] * 9)[0] == "classification"
    assert task_of([1, 2, 3] * 10)[0] == "classification"
    assert task_of(range(30)) == ("regression", "`y` holds whole numbers with 30 values")
    assert task_of([k / 2 for k in range(4)] * 10)[0] == "regression"
    assert task_of([1, 2, 3] * 10, wanted="regression")[0] == "regression"
    assert task_of(range(30), wanted="classification")[0] == "classification"


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20))
def test_a_number_to_predict_comes_back_from_its_standard_form(values):
    """Decoding undoes encoding, to rounding."""
    table = read_table(pl.DataFrame({"y": values}))
    target = NumberTarget("y", *centre(np.array(values)))
    size = max(map(abs, values))
    assert target.decode(target.encode(table)) == pytest.approx(values, rel=1e-9, abs=1e-9 * size)


@given(
    st.lists(st.integers(-5, 5), min_size=2, max_size=30)
    | st.lists(st.booleans(), min_size=2, max_size=30)
    | st.lists(st.sampled_from(["a", "b b", "ü", "1"]), min_size=2, max_size=30)
    | st.lists(st.sampled_from([0.5, 1.0, -2.25]), min_size=2, max_size=30)
)
@settings(max_examples=60)
def test_a_class_comes_back_from_its_place(values):
    """With the type of the column; and there are as many classes as values."""
    table = read_table(pl.DataFrame({"y": values * 10}))
    if len(set(values)) == 1:
        with pytest.raises(ThalwegError, match="in every row"):
            find_task(table, "y", wanted="classification")
        return
    found = find_task(table, "y", wanted="classification")
    target = fit_target(table, "y", found, train=np.ones(len(table), bool))
    assert isinstance(target, ClassTarget)
    assert len(target.classes) == len(set(values))
    decoded = target.decode(target.encode(table))
    assert decoded.to_list() == values * 10
    assert [type(value) for value in decoded] == [type(value) for value in values * 10]


BAD_TARGETS = {
    "constant": (["4"] * 30, {}, ["`4` in every row", "nothing can be learned"]),
    "dates": ([f"2024-01-{k:02d}" for k in range(1, 31)], {}, ["date", "number of days"]),
    "free text": ([f"note {k}" for k in range(30)], {}, ["text with", "classes"]),
    "words to measure": (WORDS, {"wanted": "regression"}, ["holds text", "`--task`"]),
    "too many classes": (
        [str(k % 201) for k in range(402)],
        {"wanted": "classification"},
        ["201 values", "at most 200"],
    ),
    "infinite": (["1", "2", "inf"] * 10, {}, ["row 3", "infinite"]),
}


@pytest.mark.parametrize(("values", "options", "words"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_a_target_that_cannot_be_learned_is_answered_in_one_sentence(values, options, words):
    """It names the target and what is wrong with it."""
    with pytest.raises(ThalwegError) as caught:
        find_task(as_read({"y": values}), "y", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in ("`y`", *words) if word not in message] == []


# ------------------------------------------------------------------------------ what does not fit

FITTED = as_read(
    {
        "size": ["1.5", "2.5", "4"],
        "colour": ["red", "blue", "red"],
        "sold": ["true", "false", "true"],
        "day": ["2024-01-01", "2024-01-02", "2024-01-09"],
    }
)
KINDS_THERE = {"size": "number", "colour": "category", "sold": "boolean", "day": "date"}
THERE = Schema(
    fit_columns(FITTED, recognised(KINDS_THERE), train=np.ones(3, bool)),
    NumberTarget("y", 0.0, 1.0),
)
MISFITS = {
    "text for a number": ("size", "big", ["`big`", "a number"]),
    "infinity": ("size", "inf", ["infinite"]),
    "an unknown category": (
        "colour",
        "green",
        ["`green`", "not in the training data", "`blue`, `red`"],
    ),
    "a category missing for the first time": ("colour", "NA", ["missing", "`blue`, `red`"]),
    "no truth": ("sold", "yes", ["`yes`", "`true` or `false`"]),
    "no date": ("day", "2024-02-30", ["`2024-02-30`", "a date"]),
}


@pytest.mark.parametrize(("column", "value", "words"), MISFITS.values(), ids=MISFITS)
def test_a_value_that_does_not_fit_is_named_with_its_column_and_row(column, value, words):
    """And with its line, where the file has lines."""
    frame = FITTED.frame.with_columns(pl.Series(column, [FITTED.frame[column][0], value, value]))
    table = Table(frame, "`new.csv`", is_text=True, numbers=range(41, 44), lines=[50, 52, 54])
    with pytest.raises(ThalwegError) as caught:
        THERE.encode(table)
    message = str(caught.value)
    expected = (f"`{column}`", "row 42 (line 52)", "`new.csv`", *words)
    assert [word for word in expected if word not in message] == []


def test_a_missing_column_is_named_with_a_near_one():
    """Columns beyond those of the schema do no harm."""
    with pytest.raises(ThalwegError, match=r"no column `colour`; did you mean `Color`\?"):
        THERE.encode(as_read({"Color": ["red"], "size": ["1"], "sold": ["true"], "day": [""]}))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("size", ["1", "2", "3"]),
        ("size", [True, False, True]),
        ("colour", [1, 2, 3]),
        ("day", [1, 2, 3]),
    ],
)
def test_a_column_of_another_type_is_refused(column, values):
    """In a file with types, text that looks like a number is no number."""
    frame = pl.DataFrame(
        {
            "size": [1.5, 2.5, 4.0],
            "colour": ["red", "blue", "red"],
            "sold": [True, False, True],
            "day": pl.Series(["2024-01-01"] * 3).str.to_date(),
        }
    )
    assert THERE.encode(read_table(frame)).shape == (3, THERE.inputs)
    wrong = read_table(frame.with_columns(pl.Series(column, values)))
    with pytest.raises(ThalwegError, match=f"`{column}` in the table has the type"):
        THERE.encode(wrong)
