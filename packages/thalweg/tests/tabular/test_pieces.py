"""Numbers in pieces: what the inputs mean, and where they are taken."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor

from thalweg.tabular import load_model, save, train_table
from thalweg.tabular.columns import PIECES, NumericColumn, column_from_json, fit_column
from thalweg.tabular.table import Table


def table_of(**columns):
    """A table as a data frame gives it."""
    frame = pl.DataFrame(columns)
    return Table(frame, "a table", is_text=False, numbers=range(1, len(frame) + 1))


@given(st.lists(st.floats(-1e6, 1e6), min_size=60, max_size=60, unique=True))
def test_pieces_add_up_to_the_value(numbers: list[float]):
    """Each piece times its width, from the lowest edge on, is the value within the edges."""
    table = table_of(x=numbers)
    everyone = np.ones(len(numbers), bool)
    column = fit_column(table, "x", "number", train=everyone).in_pieces(table, everyone)
    inputs = column.encode(table)
    assert inputs.shape == (60, column.inputs)
    pieces = inputs[:, 1:]
    assert pieces.shape[1] == len(column.edges) - 1 <= PIECES
    assert ((pieces >= 0) & (pieces <= 1)).all()
    low, widths = column.edges[0], np.diff(column.edges)
    scale = np.ptp(numbers)
    np.testing.assert_allclose(low + pieces @ widths, numbers, rtol=1e-12, atol=1e-12 * scale)


def test_pieces_keep_missing_values_and_few_values_apart():
    """A missing value is in no piece; a column of few values, or of booleans, has no pieces."""
    values = [None, *np.linspace(0.0, 1.0, 50).tolist()]
    table = table_of(x=values, few=[k % 5 for k in range(51)], yes=[k % 2 > 0 for k in range(51)])
    everyone = np.ones(51, bool)
    column = fit_column(table, "x", "number", train=everyone).in_pieces(table, everyone)
    inputs = column.encode(table)
    assert inputs[0].tolist() == [0.0] * (1 + PIECES) + [1.0]
    for name, kind in (("few", "number"), ("yes", "boolean")):
        plain = fit_column(table, name, kind, train=everyone)
        assert plain.in_pieces(table, everyone) is plain


def test_the_json_of_a_column_keeps_its_edges_and_old_ones_have_none():
    """Models of an older version load as they were."""
    column = NumericColumn("x", "number", 0.0, 1.0, marks_missing=False, edges=(0.0, 0.25, 1.0))
    entry = {
        "name": "x", "kind": "number", "mean": 0.0, "scale": 1.0, "marks_missing": False,
        "has_times": False, "notation": None,
    }  # fmt: skip
    assert column_from_json({**entry, "edges": [0.0, 0.25, 1.0]}) == column
    assert column_from_json(entry).edges == ()


@pytest.fixture(scope="module")
def prices():
    """The prices of three shares over ten years, as random walks of their logarithms."""
    random = np.random.default_rng(0)
    months = [dt.date(2000 + k // 12, 1 + k % 12, 1) for k in range(120)]
    walks = np.exp(0.1 * random.normal(size=(3, 120)).cumsum(axis=1)) * [[20], [60], [100]]
    return pl.DataFrame(
        {
            "share": np.repeat(["A", "B", "C"], 120),
            "month": months * 3,
            "price": walks.ravel(),
        }
    )


def test_a_curve_with_many_bends_is_followed_as_well_as_by_trees(prices, tmp_path):
    """The note says so, and the saved model predicts the same."""
    trained = train_table(prices, target="price", hidden=(16,), seconds=30)
    assert any("in pieces (`month`)" in note for note in trained.notes)
    inputs = prices.select(
        pl.col("share").rank("dense").cast(pl.Float64), pl.col("month").to_physical()
    ).to_numpy()
    price, scores = prices["price"].to_numpy(), []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(prices))
        known, unseen = order[72:], order[:72]
        trees = HistGradientBoostingRegressor().fit(inputs[known], price[known])
        scores.append(trees.score(inputs[unseen], price[unseen]))
    assert trained.scores["network"]["R²"] >= np.mean(scores) - 0.01
    save(trained, tmp_path / "model")
    again = load_model(tmp_path / "model").predict(prices)
    assert again.equals(trained.model.predict(prices))


def test_a_smooth_table_gets_none():
    """Where the numbers as they are explain nearly all, nothing else is tried."""
    x = np.linspace(-2.0, 2.0, 200)
    frame = pl.DataFrame({"x": x, "y": np.sin(x)})
    trained = train_table(frame, target="y", hidden=(8,), seconds=20)
    assert not any("pieces" in note for note in trained.notes)
    assert all(not column.edges for column in trained.model.schema.columns)
