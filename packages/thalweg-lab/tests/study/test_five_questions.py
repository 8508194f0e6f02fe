"""The five verdicts are computed from the records: other records, other verdicts.

Runs are made up, row by row, so that what they show is known.
"""

import dataclasses

import numpy as np
import pytest

from made_up_runs import made_up, rows_of, walking
from thalweg.solution import HISTORY_COLUMNS
from thalweg_lab.study import RunSpec, execute, revisited
from thalweg_lab.study.questions import (
    jacobian_source,
    solver_and_tolerance,
    work_by_accuracy,
)
from thalweg_lab.study.questions.settings import (
    ARTICLE,
    DIFFERENCES,
    LOOSE,
    MIDDLE,
    SCHEDULE,
    TIGHT,
    setting,
    setting_of,
)


def failed(run):
    """The run, had it raised."""
    return dataclasses.replace(
        run,
        outcome="failed",
        history={name: np.empty(0) for name in HISTORY_COLUMNS},
        params=np.empty(0),
    )


def arriving(problem, how, *, gradients, seconds, start=0, arrives=True, jacobians=1):
    """A run that comes to a small loss at its last row, or does not."""
    return made_up(
        problem,
        how,
        start=start,
        loss=[1.0, 0.5, 1e-20 if arrives else 0.4],
        gradients=[1, gradients // 2, gradients],
        seconds=[0, seconds / 2, seconds],
        jacobians=[0, jacobians, jacobians],
    )


# ------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "how",
    [
        ARTICLE,
        setting("lsoda", MIDDLE, cap=2),
        setting("cvode", LOOSE, jacobian=DIFFERENCES),
        setting("rosenbrock", SCHEDULE),
        setting("rosenbrock", TIGHT),
        setting("auto"),
    ],
)
def test_a_setting_is_told_from_the_specification_that_it_makes(how):
    """Whatever the label says."""
    assert setting_of(RunSpec("xor", "any", how.maker, 0, {"seconds": 1.0})) == how


def test_settings_of_the_study_have_labels_of_their_own():
    """One label is one method; at least ten starts, two in the quick one, which is a part of it."""
    study = revisited.study()
    makers = {}
    for grid in study.grids:
        assert len(grid.starts) >= 10
        for label, maker in grid.methods.items():
            assert makers.setdefault(label, maker) == maker
    quick = study.quickened()
    assert {len(grid.starts) for grid in quick.grids} == {2}
    assert {spec.method for spec in quick.specs()} <= makers.keys()
    assert {spec.problem for spec in study.specs()} == {"xor", "iris", "bessel", "digits"}


# ------------------------------------------------------------------------------- Jacobian source


def both_sources(*, exact_seconds, exact_gradients):
    """One solver from three starts with both Jacobians; by differences 2 s and 400 gradients."""
    exact, differences = setting("lsoda", TIGHT), setting("lsoda", TIGHT, jacobian=DIFFERENCES)
    runs = []
    for start in range(3):
        runs += [
            arriving("iris", differences, gradients=400, seconds=2.0, start=start),
            arriving("iris", exact, gradients=exact_gradients, seconds=exact_seconds, start=start),
        ]
    return runs


def test_the_source_of_the_jacobian_is_judged_by_pairs():
    """Quicker, slower, or about the same; and by how much."""
    found = jacobian_source.answer(both_sources(exact_seconds=0.5, exact_gradients=100))
    assert "4 times as quick" in found.verdict
    assert "saves 75 % of its gradients" in found.verdict
    assert found.numbers["pairs"] == 3
    slower = jacobian_source.answer(both_sources(exact_seconds=6.0, exact_gradients=100))
    assert "makes the same solver 3 times as slow" in slower.verdict
    alike = jacobian_source.answer(both_sources(exact_seconds=2.1, exact_gradients=390))
    assert "little" in alike.verdict
    assert "about as many gradients" in alike.verdict


def test_a_source_that_alone_arrives_is_counted():
    """A pair of which one never arrives has no factor, but is no secret."""
    runs = both_sources(exact_seconds=0.5, exact_gradients=100)
    runs.append(arriving("iris", setting("lsoda", TIGHT), gradients=90, seconds=1, start=7))
    runs.append(
        arriving(
            "iris",
            setting("lsoda", TIGHT, jacobian=DIFFERENCES),
            gradients=900,
            seconds=1,
            start=7,
            arrives=False,
        )
    )
    found = jacobian_source.answer(runs)
    assert found.numbers["only_exact_arrived"] == 1
    assert ("arrived with the exact Jacobian only", 1) in found.summary.rows
    assert found.numbers["pairs"] == 3


# --------------------------------------------------------------------------- solver and tolerance


def choices(*, loose_seconds, article_arrives=True):
    """The article's setting at 2 s, two other choices, and thalweg's own at 10 ms."""
    return [
        arriving("iris", ARTICLE, gradients=8000, seconds=2.0, arrives=article_arrives),
        arriving("iris", setting("zvode", LOOSE), gradients=900, seconds=loose_seconds),
        arriving("iris", setting("zvode", TIGHT, cap=2), gradients=9000, seconds=6.0),
        arriving("iris", setting("auto"), gradients=30, seconds=0.01),
    ]


def test_each_choice_is_judged_by_itself():
    """Against the setting that differs in nothing else."""
    found = solver_and_tolerance.answer(choices(loose_seconds=0.4))
    assert found.verdict == (
        "The change to tolerances 1e-2, 1e-2 matters most: it is 5 times as quick; "
        "order 2 at most is 3 times as slow."
    )
    assert found.summary.rows == (
        (
            "iris",
            "8,000 gradients, 2 s",
            "`zvode 1e-2`: 900 gradients, 0.4 s",
            "30 gradients, 0.01 s",
        ),
    )
    other = solver_and_tolerance.answer(choices(loose_seconds=4.0))
    assert other.verdict == "The change to order 2 at most matters most: it is 3 times as slow."
    effects = dict(row[::2] for row in solver_and_tolerance.changes(other.numbers).rows)
    assert effects["tolerances 1e-2, 1e-2"] == "2 times as slow"


def test_a_choice_that_changes_nothing_is_given_no_factor():
    """Nobody wants to read "1 times as quick"."""
    found = solver_and_tolerance.answer(choices(loose_seconds=2.0))
    effects = dict(row[::2] for row in solver_and_tolerance.changes(found.numbers).rows)
    assert effects["tolerances 1e-2, 1e-2"] == "changes little"


def test_a_setting_that_never_arrives_is_said_to():
    """And what lets it arrive is worth more than any factor."""
    found = solver_and_tolerance.answer(choices(loose_seconds=0.4, article_arrives=False))
    assert found.summary.rows[0][1] == "not within its budget"
    assert "tolerances 1e-2, 1e-2 matters most: it lets runs arrive at all" in found.verdict
    article = rows_of(found.tables[0])[0]
    assert (article["arrived"], article["seconds"]) == (0, None)


def test_starts_from_which_nothing_arrives_are_left_out():
    """They say nothing of the methods."""
    runs = choices(loose_seconds=0.4)
    hopeless = [
        arriving("iris", setting_of(run.spec), gradients=5, seconds=9, start=1, arrives=False)
        for run in runs
    ]
    with_them = solver_and_tolerance.answer([*runs, *hopeless])
    assert with_them.verdict == solver_and_tolerance.answer(runs).verdict


# ------------------------------------------------------------------------------- work by accuracy


def bands(*, jacobians, newton_failures=0):
    """The article's solver on Iris: ten steps to 40 %, ten to 85 %, ten to 100 % accuracy."""
    rows = np.arange(31)
    accuracy = np.select([rows <= 10, rows <= 20], [0.4, 0.85], 1.0)
    late = np.maximum(rows - 10, 0)
    return made_up(
        "iris",
        ARTICLE,
        loss=np.exp(-rows),
        gradients=1 + 3 * rows + 83 * np.minimum(late, jacobians),
        jacobians=np.minimum(late, jacobians),
        newton_iterations=2 * rows,
        newton_failures=newton_failures * late,
        error_test_failures=np.minimum(late, 1),
        measure=accuracy,
    )


def test_work_is_booked_to_the_band_of_its_accuracy():
    """Sums by band are those of the rows made up, and together they are the whole."""
    run = bands(jacobians=4)
    sums = work_by_accuracy.work_in_bands(run)
    assert sums["steps"].tolist() == [10, 0, 10, 0, 0, 10]
    assert sums["jacobians"].tolist() == [0, 0, 4, 0, 0, 0]
    assert sums["gradients"].sum() == run.work["gradients"]
    assert sums["gradients"][0] == 31


def test_the_cause_of_the_work_is_named():
    """Differences for Jacobians, rejected attempts, or plain Newton iterations."""
    found = work_by_accuracy.answer([bands(jacobians=4)])
    assert "67 % of its steps" in found.verdict
    assert "mostly on finite differences for Jacobians" in found.verdict
    row = dict(zip(found.summary.columns, found.summary.rows[0], strict=True))
    assert (row["Jacobians"], row["steps per Jacobian"]) == (4, 5)
    plain = work_by_accuracy.answer([bands(jacobians=0)])
    assert "mostly on Newton iterations of accepted steps" in plain.verdict
    failing = work_by_accuracy.answer([bands(jacobians=0, newton_failures=5)])
    assert "mostly on rejected attempts" in failing.verdict
    assert failing.numbers["iris"]["late_newton_failures"] == 100
    assert failing.numbers["iris"]["late_error_test_failures"] == 1


def test_what_a_solver_does_not_report_is_left_empty():
    """Unknown is not 0."""
    run = bands(jacobians=4)
    lsoda = dataclasses.replace(
        run, spec=dataclasses.replace(run.spec, maker=setting("lsoda", TIGHT).maker)
    )
    row = rows_of(work_by_accuracy.answer([lsoda]).tables[0])[2]
    assert row["Newton failures"] is None
    assert row["error-test failures"] is None
    assert row["Jacobians"] == 4


# ------------------------------------------------------------------------------------ all of them


def test_runs_that_were_made_are_read_as_those_made_up():
    """Three short runs on exclusive or: their columns are there, and each question has its say."""
    runs = [
        execute(RunSpec("xor", how.label, how.maker, 0, {"steps": 30, "seconds": 5}, ("path",)))
        for how in (ARTICLE, setting("cvode", LOOSE), setting("dopri5", LOOSE))
    ]
    assert [run.error for run in runs] == ["", "", ""]
    found = revisited.answers(runs)
    assert found["stiffness"].numbers["xor"]["by_tolerance"].keys() == {TIGHT, LOOSE}
    steps = {row["method"]: row["steps"] for row in rows_of(found["stiffness"].tables[0])}
    assert steps == {"zvode": 30, "cvode 1e-2": 30}
    assert sum(found["same_minimum"].numbers["kinds"].values()) == 1  # of the article's tolerances
    assert len(found["solver_and_tolerance"].tables[0].rows) in (0, 3)
    assert "Undecided" in found["work_by_accuracy"].verdict


def test_without_runs_every_answer_says_that_there_are_none():
    """And failed runs are as good as none."""
    broken = [failed(arriving("iris", ARTICLE, gradients=10, seconds=1))]
    for runs in ([], broken):
        found = revisited.answers(runs)
        assert set(found) == {
            "same_minimum",
            "solver_and_tolerance",
            "stiffness",
            "work_by_accuracy",
            "jacobian_source",
        }
        for answer in found.values():
            assert answer.verdict.startswith("Undecided: ")
            assert answer.summary is None
            assert answer.question.endswith("?")
            answer.as_json()


def test_each_row_of_a_table_names_the_runs_it_comes_from():
    """So that every number traces to a record."""
    runs = [
        *both_sources(exact_seconds=1, exact_gradients=100),
        *choices(loose_seconds=1),
        bands(jacobians=3),
        walking(setting("cvode", TIGHT), h=1.0),
    ]
    known = {run.id for run in runs}
    for answer in revisited.answers(runs).values():
        for table in answer.tables:
            assert all(row_ids and set(row_ids) <= known for row_ids in table.run_ids)


def test_a_source_that_mostly_arrives_alone_wins_whatever_the_others_took():
    """Runs that never arrive count as infinitely long, not as missing."""
    runs = both_sources(exact_seconds=3.0, exact_gradients=100)
    for start in range(10, 15):
        exact, differences = setting("lsoda", TIGHT), setting("lsoda", TIGHT, jacobian=DIFFERENCES)
        runs += [
            arriving("iris", exact, gradients=90, seconds=1, start=start),
            arriving("iris", differences, gradients=9, seconds=1, start=start, arrives=False),
        ]
    found = jacobian_source.answer(runs)
    assert "lets the same solver arrive within its budget" in found.verdict
    assert found.numbers["pairs"] == 3
