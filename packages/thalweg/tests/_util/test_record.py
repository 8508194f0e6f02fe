"""Records: times to targets, thinned histories, and JSON that every parser reads."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thalweg._util.record import KEPT_COLUMNS, first_below, json_values, thin


def history_of(losses: list[float]) -> dict[str, np.ndarray]:
    """A history with these losses, one second and three gradients a row."""
    count = len(losses)
    columns = {name: np.arange(count, dtype=float) for name in KEPT_COLUMNS}
    return {**columns, "loss": np.array(losses), "gradients": 3 * np.arange(count)}


def test_a_target_is_reached_by_the_first_row_at_or_below_it():
    """Not by a later one, even where the loss rose in between."""
    target = first_below(history_of([9.0, 5.0, 1.0, 7.0, 0.5]), 1.0)
    assert (target.target, target.seconds, target.gradients) == (1.0, 2.0, 6)


def test_a_target_that_was_not_reached_has_no_time():
    """Also where the loss was never known."""
    assert first_below(history_of([9.0, 5.0]), 1.0).seconds is None
    assert first_below(history_of([]), 1.0).gradients is None
    assert first_below(history_of([math.nan]), 1.0).seconds is None


@given(st.integers(0, 5000), st.integers(2, 60))
def test_a_thinned_history_keeps_its_ends_and_its_order(count: int, rows: int):
    """At most `rows` rows are left, the first and the last among them, none twice."""
    kept = thin(history_of([1.0] * count), rows=rows)["seconds"]
    assert len(kept) <= max(rows, 0)
    assert (np.diff(kept) > 0).all()
    assert kept[[0, -1]].tolist() == [0.0, count - 1.0] if count else not kept.size


def test_a_short_history_is_kept_whole():
    """Nothing is left out that fits."""
    assert len(thin(history_of([1.0] * 50), rows=50)["loss"]) == 50


def test_json_knows_every_value():
    """NaN and infinity become null, arrays become lists, and a strict parser agrees."""
    values = {"a": np.array([1.5, np.nan]), "b": (math.inf, 2), "c": {"d": None}}
    text = json.dumps(json_values(values), allow_nan=False)
    assert json.loads(text) == {"a": [1.5, None], "b": [None, 2], "c": {"d": None}}
