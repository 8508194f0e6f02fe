"""The scripts: their solutions solve their equations, and what their table claims."""

import numpy as np
import pytest

from thalweg import pde
from thalweg.errors import ConfigError
from thalweg_lab.pde import load, names, records
from thalweg_lab.pde.base import NOT_READ, Published

FORMULAS = [
    "reaction", "convection", "wave", "helmholtz", "poisson-5d", "kovasznay", "heat-inverse",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_the_known_solution_solves_equation_and_conditions(name):
    """A wrong sign in a script would show here."""
    problem = load(name).problem()
    u = problem.reference
    columns = problem.domain.dimension + (problem.time is not None)
    low = [*problem.domain.low, 0.0][:columns]
    high = [*problem.domain.high, 1.0][:columns]
    points = np.random.default_rng(0).uniform(low, high, (5, columns))
    known = ({"k": 0.1},) if problem.unknowns else ()
    for point in points:
        found = problem.equation(u, *problem.split(point), *known)
        parts = [np.ravel(part) for part in (found if isinstance(found, tuple) else (found,))]
        assert np.abs(np.concatenate(parts)).max() < 1e-9
    for condition in problem.conditions:
        if isinstance(condition, pde.Initial):
            at = problem.split(np.append(points[0, :-1], 0.0))
            assert abs(condition.residual(u, at, None, condition_value(condition, at))) < 1e-9


def condition_value(condition, at):
    """The value that a condition asks for."""
    return condition.value(*at[:1]) if callable(condition.value) else condition.value


def test_every_script_states_its_source_and_at_most_five_minutes():
    """What the table promises."""
    for name in names():
        script = load(name)
        assert script.options["seconds"] <= 300
        assert script.published.error is None or script.published.error > 0
        assert script.published.source


def test_an_unknown_script_is_refused_by_name():
    """With the names that there are."""
    with pytest.raises(ConfigError, match=r"'burger'; there are .*burgers"):
        load("burger")


def test_the_table_claims_only_what_was_read():
    """No comparison without a figure of the same problem."""
    record = {
        "name": "wave", "error": 1e-3, "weights": 100, "windows": 4, "points": 50,
        "seconds": 3.0, "wall_seconds": 5.0,
    }  # fmt: skip
    script = load("wave")

    def last_cells(published):
        object.__setattr__(script, "published", published)
        return records.table([record]).splitlines()[-1].split(" | ")[-3:]

    original = script.published
    try:
        assert last_cells(NOT_READ)[-1] == "no comparison |"
        assert last_cells(Published(1e-2, "a paper", "a GPU"))[-1] == "thalweg |"
        assert last_cells(Published(1e-4, "a paper"))[-1] == "published |"
        assert last_cells(Published(1e-2, "a paper", same=False))[-1] == "no comparison |"
    finally:
        object.__setattr__(script, "published", original)


def test_records_are_read_back_in_the_order_of_the_table(tmp_path):
    """Whatever the order they were written in."""
    for name in ("wave", "l-shape"):
        records.write({"name": name, "error": 1.0}, tmp_path)
    assert [record["name"] for record in records.read(tmp_path)] == ["l-shape", "wave"]
