"""Presentations are counted as stated, and the verdict is computed from the records."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from thalweg.solution import HISTORY_COLUMNS, Work
from thalweg_lab.problems import xor
from thalweg_lab.study import Run, RunSpec
from thalweg_lab.study import presentations as study
from thalweg_lab.study.passes import presentations
from thalweg_lab.study.questions.settings import DIFFERENCES, LOOSE, setting

MAKERS = {label: maker for makers in study.METHODS.values() for label, maker in makers.items()}


def made_up(label, *, start=0, ran="", maker=None, **columns):
    """A run with some columns of its history given and the others 0."""
    length = len(next(iter(columns.values())))
    history = {name: np.zeros(length) for name in HISTORY_COLUMNS}
    history |= {name: np.asarray(values, float) for name, values in columns.items()}
    made = MAKERS[label] if maker is None else maker
    return Run(
        spec=RunSpec("xor", label, made, start, {"seconds": 1.0}),
        outcome="budget spent",
        ran=ran or made["name"],
        work={name: int(history[name][-1]) for name in Work._fields},
        history=history,
        params=np.zeros(9),
        path=np.empty((0, 9)),
        path_rows=np.empty(0, np.int64),
    )


COUNTS: Any = {
    "gradients": [1, 10],
    "losses": [0, 3],
    "hessian_products": [0, 5],
    "jacobians": [0, 2],
}


@pytest.mark.parametrize(
    ("ran", "maker", "wanted"),
    [
        ("lsoda", setting("lsoda", LOOSE).maker, 10 + 3 + 10 + 2 * 18),
        ("lsoda", setting("lsoda", LOOSE, jacobian=DIFFERENCES).maker, 10 + 3 + 10),
        ("zvode", {"name": "zvode"}, 10 + 3 + 10),
        ("rosenbrock", {"name": "rosenbrock"}, 10 + 3 + 10),
        ("implicit-geodesic", {"name": "auto"}, 10 + 3 + 10 + 2 * 4),
        ("exponential-krylov", {"name": "auto"}, 10 + 3 + 10),
    ],
)
def test_presentations_are_what_passes_over_the_data_cost(ran, maker, wanted):
    """With nine weights and four outputs: an exact Hessian 18, a Jacobian of residuals 4."""
    run = made_up("any", ran=ran, maker=maker, **COUNTS)
    assert presentations(run, outputs=4).tolist() == [1, wanted]


def test_an_error_is_a_share_of_the_range_of_the_outputs():
    """Outputs of exclusive or that are all off by 0.1 have an error of 10 %."""
    _, wanted = xor.patterns()
    off = wanted + 0.1 * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    loss = 0.5 * np.mean(np.sum((off - wanted) ** 2, axis=1))
    assert study.loss_at("xor", 0.1) == pytest.approx(loss)
    assert study.loss_at("parity3", 0.1) == pytest.approx(4 * loss)  # its outputs go from -1 to 1


def test_the_study_has_the_grid_of_rates_that_it_states():
    """And the quick one is a part of the whole."""
    full = study.study()
    rates = {
        maker["learning_rate"]
        for grid in full.grids
        for maker in grid.methods.values()
        if maker["name"] == "gradient-descent"
    }
    assert rates == set(study.RATES)
    quick = {(spec.problem, spec.method) for spec in full.quickened().specs()}
    assert quick < {(spec.problem, spec.method) for spec in full.specs()}
    assert {spec.problem for spec in full.specs()} == set(study.PROBLEMS)


def descending(label, counts, *, seconds=1.0, last=1e-6, start=0):
    """A run that comes to one error after the other, after so many gradients each."""
    errors = [1.0, *study.ERRORS[: len(counts)]]
    losses = [study.loss_at("xor", error) for error in errors]
    losses[-1] = min(losses[-1], last) if len(counts) == len(study.ERRORS) else losses[-1]
    return made_up(
        label,
        start=start,
        loss=losses,
        gradients=[1, *counts],
        seconds=np.linspace(0, seconds, len(losses)),
    )


def race(*, stiff, slow, seconds=(0.1, 1.0)):
    """A stiff solver with the presentations of `stiff`, two rates of which one is the better."""
    runs = []
    for start in range(3):
        runs += [
            descending("cvode-krylov 1e-2", stiff, seconds=seconds[0], start=start),
            descending("gradient-descent 1", slow, seconds=seconds[1], start=start),
            descending("gradient-descent 0.1", [9 * c for c in slow], seconds=9, start=start),
        ]
    return runs


def test_the_best_rate_is_raced_and_the_claim_is_dated():
    """The factors are those of the better rate; the claim holds from where it is 2."""
    runs = race(stiff=[100, 110, 120, 130, 140, 150], slow=[100, 210, 240, 2600, 28000, 30000])
    (found,) = study.answers(runs).values()
    factors = found.numbers["over_gradient_descent"]
    assert factors["xor 10 %"]["presentations"]["stiff"] == pytest.approx(1)
    assert factors["xor 1 %"]["presentations"]["stiff"] == pytest.approx(20)
    assert factors["xor 1 %"]["seconds"]["stiff"] == pytest.approx(10)
    assert "in 4 of 6 cases, thalweg's own choice in 0" in found.verdict
    assert found.summary.rows[0][:2] == ("xor", "4 of 6 errors: 2 to 200 times")
    assert found.summary.rows[0][4] == "0 of 6 errors"


def test_other_records_turn_the_verdict():
    """Where the stiff solver takes as many, the claim holds nowhere."""
    counts = [100, 110, 120, 130, 140, 150]
    (found,) = study.answers(race(stiff=counts, slow=counts, seconds=(1.0, 1.0))).values()
    assert "in 0 of 6 cases" in found.verdict
    assert found.summary.rows[0][1:3] == ("0 of 6 errors", "0 of 6 errors")


def test_a_claim_that_holds_once_has_one_factor():
    """And not a range from that factor to itself."""
    runs = race(stiff=[100, 110, 120, 130, 140, 150], slow=[100, 110, 120, 130, 140, 1650])
    (found,) = study.answers(runs).values()
    assert found.summary.rows[0][1] == "1 of 6 errors: 11 times"


def test_descent_that_never_arrives_gives_a_lower_bound():
    """What it spent in vain, and the table says so."""
    (found,) = study.answers(race(stiff=[100, 110, 120], slow=[100, 4400])).values()
    rows = [dict(zip(found.tables[0].columns, row, strict=True)) for row in found.tables[0].rows]
    at_two_percent = next(row for row in rows if row["error"] == "2 %")
    # The rate that tried hardest, 9 times 4,400, against 120.
    assert at_two_percent["gradient descent over stiff"] == "more than 330"
    assert at_two_percent["gradient descent: which"] == "never"
    published = found.tables[2].rows[2]
    assert published[4:] == ("more than 20", "more than 330")


def test_starts_from_which_nothing_arrives_are_left_out():
    """They lie in the valley of another minimum."""
    runs = race(stiff=[100, 110, 120], slow=[100, 220, 480])
    hopeless = [
        dataclasses.replace(
            made_up(run.spec.method, start=7, loss=[0.5, 0.4], gradients=[1, 5000]), seconds=1.0
        )
        for run in runs[:3]
    ]
    (with_them,) = study.answers([*runs, *hopeless, *hopeless]).values()
    (without,) = study.answers(runs).values()
    first = without.numbers["over_gradient_descent"]
    for name in ("xor 10 %", "xor 5 %", "xor 2 %"):
        found = with_them.numbers["over_gradient_descent"][name]["presentations"]["stiff"]
        assert found == pytest.approx(first[name]["presentations"]["stiff"])
        assert not math.isnan(found)


def test_without_runs_the_answer_says_so():
    """An empty study has no verdict."""
    (found,) = study.answers([]).values()
    assert found.verdict.startswith("Undecided: ")
