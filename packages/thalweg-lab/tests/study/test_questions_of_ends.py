"""What the study `revisited` says of ends and of stiffness is computed from the records."""

import numpy as np
import pytest

from made_up_runs import (
    SIZES,
    end,
    other_solution_of_xor,
    rows_of,
    saddle_of_xor,
    solution_of_xor,
    twin_of_xor,
    walking,
)
from thalweg.analysis import minima
from thalweg_lab.study.questions import same_minimum, stiff
from thalweg_lab.study.questions.settings import ARTICLE, TIGHT, setting
from thalweg_lab.study.run import load_problem, params_of

# ----------------------------------------------------------------------------------- same minimum


def test_ends_at_twins_are_one_place():
    """Methods that end at the same network written otherwise agree, and rest in a minimum."""
    runs = [
        end(ARTICLE, solution_of_xor()),
        end(setting("lsoda", TIGHT), twin_of_xor()),
        end(setting("l-bfgs"), solution_of_xor()),
    ]
    found = same_minimum.answer(runs)
    assert found.verdict == "Yes on xor, where 1 of 1 ends agree."
    assert found.numbers["kinds"]["minimum"] == 3
    row = rows_of(found.tables[0])[0]
    assert row["same place"] == 1
    assert row["distance in weights"] < 1e-9
    assert row["without symmetries"] > 1


def test_ends_apart_turn_the_verdict():
    """Two exact fits that are no twins have a barrier between them."""
    runs = [
        end(ARTICLE, solution_of_xor()),
        end(setting("lsoda", TIGHT), other_solution_of_xor()),
        end(setting("cvode", TIGHT), twin_of_xor()),
    ]
    found = same_minimum.answer(runs)
    assert found.verdict == "No on xor, where 1 of 2 ends lie apart."
    assert found.numbers["pairs"]["following"]["apart"] == 1
    barriers = [row["barrier"] for row in rows_of(found.tables[0])]
    assert barriers[0] > 0.01
    assert barriers[1] < 1e-9


def test_a_saddle_is_told_from_a_minimum():
    """Both are at rest; one has a way down."""
    found = same_minimum.answer(
        [end(ARTICLE, solution_of_xor()), end(setting("lsoda", TIGHT), saddle_of_xor(), loss=0.125)]
    )
    assert found.numbers["kinds"] == {"minimum": 1, "saddle": 1, "still moving": 0}
    row = rows_of(found.tables[1])[1]
    assert row["negative"] >= 1
    assert row["negative"] + row["zero"] + row["positive"] == SIZES["xor"]


def test_an_end_that_still_moves_is_undecided_where_it_lies_apart():
    """The line to it may cut a bend of the valley."""
    (biases, weights), outer = other_solution_of_xor()
    moving = [(biases + 0.2, weights), outer]
    found = same_minimum.answer(
        [end(ARTICLE, solution_of_xor()), end(setting("lsoda", TIGHT), moving, loss=0.01)]
    )
    assert found.numbers["kinds"]["still moving"] == 1
    assert found.numbers["pairs"]["following"]["undecided"] == 1
    assert found.verdict == "Undecided on xor, where 1 of 2 ends still moved."


def counted(*, same=0, valley=0, apart=0, undecided=0, moving=0, ends=0):
    """The numbers of one problem, as an answer has them."""
    places = {"same place": same, "same valley": valley, "apart": apart, "undecided": undecided}
    none = dict.fromkeys(places, 0)
    return {"following": places, "descending": none, "moving": moving, "ends": ends}


@pytest.mark.parametrize(
    ("counts", "decision"),
    [
        (counted(same=12, valley=6, undecided=6, moving=28, ends=32), "undecided"),
        (counted(same=20, moving=22, ends=22), "undecided"),
        (counted(same=20, moving=0, ends=22), "yes"),
        (counted(same=71, apart=1, undecided=8, moving=22, ends=90), "yes"),
        (counted(same=71, apart=1, undecided=8, moving=30, ends=90), "undecided"),
        (counted(same=8, apart=2, moving=0, ends=11), "no"),
        (counted(same=6, apart=4, undecided=10, moving=15, ends=22), "no"),
        (counted(undecided=10, moving=3, ends=11), "undecided"),
    ],
)
def test_ends_that_still_move_decide_nothing(counts, decision):
    """Agreement counts where runs have come to rest; ends that lie apart are always at rest."""
    numbers = {"by_problem": {"xor": counts}}
    assert same_minimum.summary(numbers).rows[0][1] == decision
    assert same_minimum.verdict(numbers).lower().startswith(f"{decision} on xor, where ")


# -------------------------------------------------------------------------------------- stiffness


def test_the_verdict_on_stiffness_goes_by_the_steps_of_the_implicit_solver():
    """The same place walked with short steps, longer ones and long ones."""
    radius = float(np.abs(np.linalg.eigvalsh(_hessian_of_solution())).max())
    for factor, grade in ((0.5, "not stiff"), (5.0, "mildly stiff"), (50.0, "stiff")):
        run = walking(setting("cvode", TIGHT), h=3.3 * factor / radius)
        found = stiff.answer([run])
        assert found.verdict == f"At tolerances {TIGHT} xor is {grade}."
        assert found.numbers["xor"]["by_tolerance"][TIGHT]["work"] == pytest.approx(factor)
        beyond = "100 %" if factor > 1 else "0 %"
        assert found.summary.rows[0][4] == beyond


def _hessian_of_solution():
    """Of the exact fit of exclusive or."""
    run = walking(setting("cvode", TIGHT), h=1.0)
    land = minima.Landscape(load_problem("xor").problem, params_of(run))
    return land.hessian(run.params)


def test_explicit_steps_at_the_limit_are_counted():
    """dopri5 with steps right at the limit of stability is held down by it, with short ones not."""
    radius = float(np.abs(np.linalg.eigvalsh(_hessian_of_solution())).max())
    implicit = walking(setting("cvode", TIGHT), h=1.0)
    for factor, share in ((1.0, 1.0), (0.1, 0.0)):
        explicit = walking(setting("dopri5", TIGHT), h=3.3 * factor / radius)
        found = stiff.answer([implicit, explicit])
        assert found.numbers["xor"]["held_down"] == share
