"""The benchmark's runs: which are made, in which order, once each, and kept."""

import math
from pathlib import Path

import pytest

from small_study import failed, made_up
from thalweg.errors import ConfigError
from thalweg_lab import problems
from thalweg_lab.bench.peers import OURS, PEERS, known
from thalweg_lab.bench.plan import (
    TUNING_START,
    best_maker,
    entrants,
    first_specs,
    label_of,
    most_seconds,
    race_specs,
    tuning_specs,
)
from thalweg_lab.bench.running import run_bench, runs_of
from thalweg_lab.bench.suite import ENTRIES, FULL, PUBLISHED, QUICK, Entry, entries
from thalweg_lab.study import Store
from thalweg_lab.study.configured import mistakes

ENTRY = Entry(
    "sine", "least squares", ("l-bfgs", "adam", "bfgs"), seconds=1.0, starts=2, floor=1e-9
)
# Seconds of runs that the suites may take at most.
LONGEST = {QUICK: 15 * 60, FULL: 180 * 60, PUBLISHED: 345 * 60}


def test_every_entry_names_problems_peers_and_settings_that_exist():
    """And each peer's settings are options that its method has."""
    assert {entry.problem for entry in ENTRIES} <= set(problems.NAMES)
    assert len({entry.problem for entry in ENTRIES}) == len(ENTRIES)
    assert {entry.kind for entry in ENTRIES} <= set(problems.KINDS)
    assert {name for entry in ENTRIES for name in entry.peers} <= set(PEERS)
    makers = [
        maker
        for peer in known(tuple(PEERS))
        for maker in (*peer.makers(), peer.default_maker)
        if maker is not None
    ]
    assert [found for maker in makers for found in mistakes(maker)] == []


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.is_quick], ids=lambda e: e.problem)
def test_an_entry_says_of_its_problem_what_the_problem_says_itself(entry: Entry):
    """The kind, by which goals are computed."""
    assert problems.load(entry.problem).kind == entry.kind


def test_the_quick_suite_is_a_part_of_the_full_one_and_all_end_in_time():
    """Without compilation; that of published problems is another."""
    quick, full = entries(QUICK), entries(FULL)
    published = entries(PUBLISHED)
    assert {e.problem for e in quick} < {e.problem for e in full}
    assert {e.problem for e in (*full, *published)} == {e.problem for e in ENTRIES}
    assert not {e.problem for e in full} & {e.problem for e in published}
    assert {suite: most_seconds(entries(suite)) <= most for suite, most in LONGEST.items()} == (
        dict.fromkeys(LONGEST, True)
    )


def test_starts_seconds_and_problems_can_be_chosen():
    """A problem of the full suite in the quick one too; an unknown one is refused by name."""
    (found,) = entries(QUICK, only=["burgers"], starts=4, seconds=0.5)
    assert (found.problem, found.starts, found.seconds) == ("burgers", 4, 0.5)
    with pytest.raises(ConfigError, match="`bugers`"):
        entries(QUICK, only=["bugers"])


def test_peers_can_be_chosen_and_the_runs_of_the_others_stay_the_same():
    """So a race with some peers makes runs that the whole race finds finished."""
    (whole,) = entries(FULL, only=["poisson"])
    (some,) = entries(FULL, only=["poisson"], peers=["soap", "engd-w", "bfgs"])
    assert some.peers == ("engd-w", "soap", "bfgs")
    assert set(tuning_specs(some)) < set(tuning_specs(whole))
    assert set(first_specs(some)) < set(first_specs(whole))
    with pytest.raises(ConfigError, match="`soup` is not a peer"):
        entries(FULL, peers=["soup"])


def test_the_error_is_watched_where_the_time_to_it_is_wanted():
    """In the race alone; specifications of other problems, and so their ids, have no watch."""
    (entry,) = entries(PUBLISHED, only=["poisson-5d"])
    assert {spec.watch for spec in race_specs(entry, entrants(entry, []))} == {("measure",)}
    assert {spec.watch for spec in (*tuning_specs(entry), *first_specs(entry))} == {()}
    assert {spec.watch for spec in race_specs(ENTRY, entrants(ENTRY, []))} == {()}
    # The id that this run has had since the first record of the benchmark.
    old = race_specs(ENTRY, entrants(ENTRY, []))[0]
    assert (old.problem, old.method, old.id) == ("sine", "auto", "23ed307befb3")


def test_all_methods_race_from_one_start_before_the_next():
    """So that a machine that slows down meanwhile slows all alike."""
    specs = race_specs(ENTRY, entrants(ENTRY, []))
    starts = [spec.start for spec in specs]
    assert starts == sorted(starts)
    of_each = [{s.method for s in specs if s.start == start} for start in range(ENTRY.starts)]
    assert of_each[0] == of_each[1]
    assert len(specs) == len(set(specs)) == 2 * len(of_each[0])


def test_peers_are_tuned_from_a_start_that_does_not_race():
    """With the same budget; a peer without a choice is not tuned, thalweg never."""
    tuning = tuning_specs(ENTRY)
    race = race_specs(ENTRY, entrants(ENTRY, []))
    assert {spec.start for spec in tuning} == {TUNING_START}
    assert TUNING_START not in {spec.start for spec in race}
    assert {spec.maker["name"] for spec in tuning} == {"l-bfgs", "adam"}
    assert {tuple(spec.stop.items()) for spec in tuning + race} == {
        (("seconds", 1.0), ("loss", 1e-9))
    }


def test_the_setting_with_the_lowest_final_loss_races():
    """Of equal losses the quicker; one that raised or was not run cannot win."""
    peer = PEERS["adam"]
    specs = [spec for spec in tuning_specs(ENTRY) if spec.maker["name"] == "adam"]
    runs = [made_up(spec, (1.0, 0.5)) for spec in specs]
    runs[0] = failed(specs[0], "ValueError: no")
    runs[1] = made_up(specs[1], (1.0, math.nan), loss=math.nan)
    runs[4] = made_up(specs[4], (1.0, 0.25), seconds=2.0)
    runs[5] = made_up(specs[5], (1.0, 0.25), seconds=1.0)
    assert best_maker(peer, runs) == specs[5].maker
    assert best_maker(peer, runs[:5]) == specs[4].maker
    # All that come to the floor are equal there: the quickest of them.
    runs[2] = made_up(specs[2], (1.0, 0.9), seconds=0.01)
    assert best_maker(peer, runs, floor=0.95) == specs[2].maker


def test_each_peer_races_at_its_best_and_at_its_defaults_and_shares_equal_runs():
    """Adam's default rate, where it is the best too, is run once and stands in both lines."""
    specs = [spec for spec in tuning_specs(ENTRY) if spec.maker["name"] == "adam"]
    best = next(spec for spec in specs if spec.maker["learning_rate"] == 1e-3)
    racing = entrants(ENTRY, [made_up(best, (1.0, 0.1))])
    assert racing["Adam"] == racing["Adam, defaults"] == best.maker
    assert next(iter(racing)) == OURS
    labels = [spec.method for spec in race_specs(ENTRY, racing) if spec.start == 0]
    assert labels.count(label_of(best.maker)) == 1


def test_the_first_step_is_taken_twice_by_each_method():
    """With nothing but one step as the budget."""
    specs = first_specs(ENTRY)
    assert {tuple(spec.stop.items()) for spec in specs} == {(("steps", 1),)}
    assert [spec.maker["name"] for spec in specs] == 2 * ["auto", "l-bfgs", "adam", "bfgs"]


def test_runs_are_made_once_and_kept(tmp_path: Path):
    """The same call again makes nothing; with another start only what is missing."""
    small = Entry("xor", "least squares", ("bfgs",), seconds=0.05, starts=1, floor=1e-6)
    shown: list[tuple[str, int]] = []

    def show(_: Entry, what: str, _done: int, total: int) -> None:
        shown.append((what, total))

    (race,), unable = run_bench([small], tmp_path, show=show)
    assert shown == [("first steps", 4)] * 4 + [("race", 2)] * 2
    assert unable == []
    assert [run.spec.start for run in runs_of(race, OURS)] == [0]
    assert all(not run.is_failed for run in (*race.first, *race.runs))
    assert all(run.compile_seconds > 0 for run in race.first)

    shown.clear()
    (again,), _ = run_bench([small], tmp_path, show=show)
    assert shown == []
    assert [run.id for run in again.runs] == [run.id for run in race.runs]

    made = Store(tmp_path).ids()
    assert len(made) == 6
