"""The benchmark's tables follow from the runs: targets, ratios, means, profiles, goals."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_case import ADAM, BAD, ENTRY, LBFGS, race, spec
from small_study import made_up
from thalweg_lab.bench.goals import Goal, goals
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.profiles import profiles
from thalweg_lab.bench.results import raced, work
from thalweg_lab.bench.running import Race
from thalweg_lab.bench.targets import (
    AT_LEAST,
    AT_MOST,
    MEASURED,
    Target,
    compare,
    mean_reached,
    mean_with_bounds,
    reach_by,
    reference_of,
    targets_of,
)
from thalweg_lab.study import Run, RunSpec

SPEC = RunSpec("xor", "auto", {"name": "auto"}, 0, {"seconds": 1.0})
NEVER = math.inf
losses = st.lists(st.floats(1e-12, 10) | st.just(math.nan), min_size=1, max_size=30)


def run(*values: float) -> Run:
    """A run with these losses, a tenth of a second apart."""
    return made_up(SPEC, values)


@given(losses, st.lists(st.floats(1e-12, 10), min_size=1, max_size=5))
def test_a_loss_is_reached_where_a_search_row_by_row_finds_it_first(
    loss: list[float], targets: list[float]
):
    """At the first row at or below it, whatever comes later, NaN or a rise; else never."""
    spent = np.arange(float(len(loss)))
    expected = [
        next((second for second, value in zip(spent, loss, strict=True) if value <= t), NEVER)
        for t in targets
    ]
    assert reach_by(np.asarray(loss), spent, targets).tolist() == expected


def test_targets_are_powers_of_ten_from_below_every_start_to_where_half_arrive():
    """One of two starts alone makes no target: 0.001 is left out, and 1, where a start stands."""
    ours = [run(1.0, 0.02, 0.0005), run(30.0, 0.02)]
    assert targets_of({"ours": ours}, reference=0.0) == pytest.approx([0.1])
    assert targets_of({"ours": ours[:1]}, reference=0.0) == pytest.approx([0.1, 0.01, 0.001])
    assert targets_of({}, reference=0.0) == []


def test_targets_of_a_loss_with_a_minimum_are_counted_from_the_lowest_loss_found():
    """0.5 + 10^k, as far down as the median of some entrant comes."""
    groups = {"ours": [run(3.0, 0.5)], "peer": [run(3.0, 0.52)]}
    reference = reference_of(groups, has_minimum=True)
    assert reference == 0.5
    found = targets_of(groups, reference=reference)
    assert found[:3] == pytest.approx([1.5, 0.6, 0.51])
    assert min(found) > 0.5
    assert reference_of(groups, has_minimum=False) == 0.0


@given(st.lists(st.lists(st.floats(1e-10, 50), min_size=1, max_size=6), min_size=1, max_size=5))
def test_some_entrant_has_a_time_to_every_target_and_none_to_the_next(losses: list[list[float]]):
    """The targets end at the lowest loss that is reached from more than half of the starts."""
    group = [run(*run_losses) for run_losses in losses]
    found = targets_of({"ours": group}, reference=0.0)

    def arrivals(loss: float) -> int:
        return sum(min(each) <= loss for each in losses)

    half = len(losses) / 2
    assert all(arrivals(loss) > half for loss in found)
    assert all(loss < each[0] for loss in found for each in losses)
    if found:
        assert arrivals(found[-1] / 10) <= half


@pytest.mark.parametrize(
    ("ours", "peers", "expected"),
    [
        (2.0, {"a": 6.0, "b": 5.0}, (2.5, MEASURED, "b")),
        (2.0, {"a": 1.0, "b": NEVER}, (0.5, MEASURED, "a")),
        (2.0, {"a": NEVER}, (5.0, AT_LEAST, "")),
        (2.0, {}, (5.0, AT_LEAST, "")),
        (NEVER, {"a": 4.0}, (0.4, AT_MOST, "a")),
        (2.0, {"a": math.nan, "b": 8.0}, (4.0, MEASURED, "b")),
    ],
)
def test_a_ratio_is_the_quickest_peers_time_by_ours_or_a_bound_by_the_budget(
    ours: float, peers: dict[str, float], expected: tuple[float, str, str]
):
    """Ten seconds of budget stand for a time that was not found; the bound says so."""
    found = compare(0.1, ours, peers, missed=(10.0, 10.0))
    assert (found.ratio, found.bound, found.winner) == expected
    assert found.is_lost == (expected[0] < 1)


def test_where_nobody_arrives_there_is_no_ratio_and_no_loss():
    """NaN is neither ahead nor behind."""
    found = compare(0.1, NEVER, {"a": NEVER}, missed=(10.0, 10.0))
    assert math.isnan(found.ratio)
    assert not found.is_lost


def test_the_mean_is_given_with_bounds_and_without_the_targets_that_no_peer_reached():
    """Of 4, 1 and a bound of 16: 4 with it, 2 without; NaN where there is no target."""
    targets = [
        Target(0.1, 1.0, 4.0, "a", 4.0, MEASURED),
        Target(0.01, 1.0, 1.0, "a", 1.0, AT_MOST),
        Target(0.001, 1.0, NEVER, "", 16.0, AT_LEAST),
    ]
    assert mean_with_bounds(targets) == pytest.approx(4.0)
    assert mean_reached(targets) == pytest.approx(2.0)
    assert math.isnan(mean_with_bounds([]))


def test_profiles_of_three_targets_worked_out_by_hand():
    """Dolan and Moré's definition; a solver that did not race on a target fails it."""
    found = profiles([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 1.0}, {"a": 1.0}])
    assert {name: (x.tolist(), y.tolist()) for name, (x, y) in found.items()} == {
        "a": ([1.0, 3.0], pytest.approx([2 / 3, 1.0])),
        "b": ([1.0, 2.0, 3.0], pytest.approx([1 / 3, 2 / 3, 2 / 3])),
    }
    assert profiles([{"a": NEVER}])["a"][1].tolist() == [0.0]


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.floats(1e-3, 1e3) | st.just(NEVER), min_size=1),
        min_size=1,
        max_size=8,
    )
)
def test_profiles_are_stairs_and_each_target_has_somebody_who_is_the_quickest(
    cases: list[dict[str, float]],
):
    """They do not fall, lie in [0, 1], and at 1 add up to the solved targets' share or more."""
    found = profiles(cases)
    solved = [case for case in cases if min(case.values()) < NEVER]
    for across, up in found.values():
        assert across[0] == 1.0
        assert (np.diff(across) > 0).all()
        assert (np.diff(up) >= 0).all()
        assert 0 <= up[0] <= up[-1] <= 1
    assert sum(up[0] for _, up in found.values()) >= (1.0 if solved else 0.0) - 1e-9


def test_a_race_worked_out_by_hand():
    """Medians over three starts to the targets 1, 0.1, 0.01, 0.001, with a budget of 4 seconds."""
    found = raced(race())
    assert [target.loss for target in found.targets] == pytest.approx([1.0, 0.1, 0.01, 0.001])
    assert found.ours.label == OURS
    assert found.ours.seconds == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert found.ours.compiled_seconds == pytest.approx([2.1, 2.2, 2.3, 2.4])
    assert found.ours.success == (1.0, 1.0, 1.0, 1.0)
    assert found.ours.work == (2.0, 3.0, 4.0, 5.0)  # a gradient a row, the start's among them

    lbfgs, adam, bad = (found.timing(label) for label in (LBFGS, ADAM, BAD))
    assert lbfgs is not None
    assert lbfgs.seconds == pytest.approx([0.2, 0.3, NEVER, NEVER])
    assert lbfgs.success == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0.0])
    assert adam is not None
    assert adam.seconds == pytest.approx([0.1, NEVER, NEVER, NEVER])
    assert adam.first_step_seconds == pytest.approx(1.1)  # the quicker of two
    assert bad is not None
    assert (bad.failed, bad.error) == (3, "ValueError: <b>no</b>")
    assert bad.success == (0.0, 0.0, 0.0, 0.0)

    ratios = [(target.ratio, target.bound, target.winner) for target in found.targets]
    assert ratios == [
        (pytest.approx(1.0), MEASURED, ADAM),
        (pytest.approx(1.5), MEASURED, LBFGS),
        (pytest.approx(4.0 / 0.3), AT_LEAST, ""),
        (pytest.approx(10.0), AT_LEAST, ""),
    ]
    assert found.mean == pytest.approx((1.0 * 1.5 * (4.0 / 0.3) * 10.0) ** 0.25)
    assert found.mean_reached == pytest.approx(1.5**0.5)
    assert found.lost == ()
    # With compilation, ours 2.1 and 2.2 s, theirs 1.1 and 1.3 s.
    assert [target.ratio for target in found.compiled[:2]] == pytest.approx([1.1 / 2.1, 1.3 / 2.2])
    # No peer came to 0.01 within 4 s and the quickest compilation, 1 s.
    assert (found.compiled[2].ratio, found.compiled[2].bound) == (pytest.approx(5 / 2.3), AT_LEAST)


def test_a_target_that_no_peer_reached_is_not_lost_however_late_thalweg_came():
    """A run ends a little after its budget, so a bound may be just below 1."""
    assert not compare(0.1, 10.5, {"a": NEVER}, missed=(10.0, 10.0)).is_lost


def test_work_counts_products_twice_and_a_jacobian_by_its_residuals():
    """3 gradients + 1 loss + 2·5 products + 4·2 Jacobians of four residuals."""
    made = run(1.0)
    made.history.update(
        gradients=np.array([3]),
        losses=np.array([1]),
        hessian_products=np.array([5]),
        jacobians=np.array([2]),
    )
    assert work(made, 4).tolist() == [22.0]


def test_the_time_to_an_error_is_the_median_over_starts_of_the_first_row_below_it():
    """Rows where the error was not taken are passed over; one start of three misses 0.01."""
    entry = dataclasses.replace(ENTRY, errors=(0.1, 0.01))
    measures = ((1, 0.5, math.nan, 0.1, 0.001), (1, math.nan, 0.05, 0.005, 0.5), (1,) * 5)
    made = [
        made_up(spec(OURS, start), (2.0, 1.5, 1.0, 0.5, 0.1), measures=each)
        for start, each in enumerate(measures)
    ]
    found = raced(Race(entry=entry, entrants={OURS: {"name": "auto"}}, runs=made))
    assert found.errors == (0.1, 0.01)
    assert found.ours.error_seconds == pytest.approx((0.3, 0.4))
    assert raced(race()).ours.error_seconds == ()
    without = raced(dataclasses.replace(race(), entry=entry))
    assert set(without.ours.error_seconds) == {NEVER}


@pytest.mark.parametrize(
    ("goal", "standing"),
    [
        (Goal("speed", "times", 10.0, 12.0, ""), "met"),
        (Goal("speed", "times", 10.0, 10.0, ""), "met"),
        (Goal("speed", "times", 10.0, 4.0, ""), "missed by a factor of 2.5"),
        (Goal("error", "decades", 2.0, 0.5, ""), "missed by 1.5 decades"),
        (Goal("first", "times", 1.5, 3.0, "", is_less_better=True), "missed by a factor of 2"),
        (Goal("first", "times", 1.5, 1.5, "", is_less_better=True), "met"),
        (Goal("speed", "times", 10.0, math.nan, ""), "not run"),
    ],
)
def test_a_goal_is_met_missed_by_so_much_or_not_run(goal: Goal, standing: str):
    """What was not run is not met."""
    assert goal.standing == standing
    assert goal.is_met == (standing == "met")


def test_goals_are_computed_from_the_problems_of_their_kind():
    """Least squares by the mean over targets and the worst target; the rest was not run."""
    found = goals([raced(race())])
    assert found[0].found == pytest.approx((1.0 * 1.5 * (4.0 / 0.3) * 10.0) ** 0.25)
    assert found[1].found == pytest.approx(1.0)
    assert found[1].is_met
    assert [goal.standing for goal in found[2:6]] == ["not run"] * 4
    assert found[6].found == pytest.approx(2.1 / 1.1)
