"""The time to a target in a new process: who is measured, how, and what the tables say of it."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from bench_case import LBFGS, NEVER, launched, new_process, race
from thalweg._util.machine import this_machine
from thalweg.errors import ConfigError, ThalwegError
from thalweg_lab.bench import new_process as module
from thalweg_lab.bench.document import Results, results_of
from thalweg_lab.bench.new_process import (
    COLD,
    FILE,
    WARM,
    Launch,
    compare_launches,
    known_of,
    load_new_processes,
    measure_new_processes,
    middle_target,
)
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.results import raced
from thalweg_lab.bench.suite import QUICK
from thalweg_lab.bench.targets import AT_LEAST, AT_MOST
from thalweg_lab.pages.bench_markdown import markdown
from thalweg_lab.pages.bench_page import render_bench
from thalweg_lab.pages.bench_words import time_text

ADAM = {"name": "adam", "learning_rate": 0.1}


def results() -> Results:
    """The made-up race with what was made up of new processes."""
    return results_of(QUICK, [race()]).with_new_processes((launched(),))


def test_a_launch_compiles_in_a_new_process_and_loads_in_the_next():
    """A tiny problem, both sides from one start: first with nothing kept, then with programs kept.

    What is missed counts as never; what is reached is at or below the target.
    """
    launches = compare_launches("xor", {OURS: ADAM, "slow": ADAM}, 0.1, seconds=5.0, pairs=1)
    assert [(one.label, one.cache) for one in launches] == [
        (OURS, COLD),
        (OURS, WARM),
        ("slow", COLD),
        ("slow", WARM),
    ]
    assert all(one.loss <= 0.1 and 0 < one.seconds < math.inf for one in launches)
    assert len({one.loss for one in launches}) == 1  # the same run, bit for bit
    (missed, _) = compare_launches("xor", {OURS: ADAM}, 1e-30, seconds=0.01, pairs=1)
    assert (missed.seconds, missed.cpu_seconds) == (NEVER, NEVER)
    assert missed.loss > 1e-30


def test_a_process_that_dies_is_named():
    """With the problem and what it printed last."""
    with pytest.raises(ThalwegError, match=r"on `xor` .* died \(.*nonsense"):
        compare_launches("xor", {OURS: {"name": "nonsense"}}, 0.1, seconds=1.0, pairs=1)


def test_the_peer_is_the_quickest_with_compilation_to_the_middle_target():
    """Of four targets the third, which no peer reached: then there is nothing to compare."""
    whole = raced(race())
    assert [target.winner for target in whole.compiled] == ["Adam", LBFGS, "", ""]
    assert middle_target(whole) is None
    upper = dataclasses.replace(whole, compiled=whole.compiled[:2])
    assert middle_target(upper) == (whole.compiled[1].loss, LBFGS)
    assert middle_target(dataclasses.replace(whole, compiled=())) is None


def test_medians_count_a_miss_as_never_and_ratios_are_the_peers_over_ours():
    """By hand: 5 and 0.5 seconds for thalweg, 2 and 1 for the peer, one miss of three."""
    found = launched()
    assert (found.median(OURS, COLD), found.median(OURS, WARM)) == (5.0, 0.5)
    assert (found.median(LBFGS, COLD), found.median(LBFGS, WARM)) == (2.0, 1.0)
    assert (found.compared(COLD).ratio, found.compared(WARM).ratio) == (0.4, 2.0)
    assert found.compared(COLD, "cpu_seconds").ratio == pytest.approx(0.2)


def test_where_a_side_misses_the_target_the_budget_of_a_second_makes_a_bound():
    """The peer takes 0.3 s, or thalweg 0.2 s, and the other misses; then both miss."""
    ours, peers = Launch(OURS, 0, COLD, 0.2, 0.4, 0.05), Launch(LBFGS, 0, COLD, 0.3, 0.6, 0.09)
    no_ours, no_peers = (
        dataclasses.replace(one, seconds=NEVER, cpu_seconds=NEVER, loss=1.0)
        for one in (ours, peers)
    )
    missed = new_process(no_ours, peers).compared(COLD)
    assert (missed.ratio, missed.bound) == (0.3, AT_MOST)
    alone = new_process(ours, no_peers).compared(COLD)
    assert (alone.ratio, alone.bound) == (5.0, AT_LEAST)
    assert math.isnan(new_process(no_ours, no_peers).compared(COLD).ratio)


def test_a_target_that_thalweg_misses_counts_in_the_goals_and_is_marked():
    """The least ratio of all problems; a bound has no place in the mean."""
    launches = (
        Launch(OURS, 0, COLD, NEVER, NEVER, 1.0),
        Launch(OURS, 0, WARM, NEVER, NEVER, 1.0),
        Launch(LBFGS, 0, COLD, 0.3, 0.6, 0.09),
        Launch(LBFGS, 0, WARM, 0.1, 0.2, 0.09),
    )
    found = results_of(QUICK, [race()]).with_new_processes((new_process(*launches),))
    row = next(line for line in markdown(found).splitlines() if f"| {COLD} |" in line)
    assert row.split(" | ")[3:] == ["not reached", time_text(0.3), LBFGS, "≤ 0.3", "≤ 0.6 |"]
    goal = next(goal for goal in found.goals if goal.name.startswith("In a new process"))
    assert goal.found == 0.3
    assert goal.standing == "missed by a factor of 3.3"
    assert "thalweg misses the target of `xor`" in goal.detail


def test_runs_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The record comes back as it was; another peer or target is measured again."""
    made: list[str] = []

    def launch(problem: str, makers: dict[str, object], *_: object, **__: object) -> object:
        made.append(problem)
        assert list(makers) == [OURS, LBFGS]
        return launched().launches

    monkeypatch.setattr(module, "compare_launches", launch)
    upper = raced(race())
    upper = dataclasses.replace(upper, compiled=upper.compiled[:2])
    entrants = {"xor": race().entrants}
    assert load_new_processes(tmp_path) == ()
    found = measure_new_processes([upper], entrants, tmp_path)
    assert found == measure_new_processes([upper], entrants, tmp_path)
    kept = load_new_processes(tmp_path)
    assert found == known_of([upper], kept) == kept
    assert [(one.budget, one.machine) for one in found] == [
        (4.0, dataclasses.asdict(this_machine()))
    ]
    assert [one.launches for one in found] == [launched().launches]
    assert made == ["xor"]
    other = dataclasses.replace(
        upper, compiled=(dataclasses.replace(upper.compiled[1], loss=0.07),)
    )
    assert known_of([other], kept) == ()
    measure_new_processes([other], entrants, tmp_path)
    assert made == ["xor", "xor"]
    assert len(load_new_processes(tmp_path)) == 2


def test_a_damaged_record_is_refused_by_name(tmp_path: Path):
    """With what to do."""
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ConfigError, match=FILE):
        load_new_processes(tmp_path)


def test_page_markdown_json_and_goals_say_the_same():
    """Ratios of wall time and of processor time, with nothing kept and with programs kept."""
    found = results()
    page, text = render_bench(found), markdown(found)
    cells = ("xor", "0.1", COLD, time_text(5.0), time_text(2.0), LBFGS, "0.4", "0.2")
    assert f"| {' | '.join(cells)} |" in text
    assert 'id="new-process"' in page
    (problem,) = json.loads(json.dumps(found.as_json(), allow_nan=False))["new_process"]
    assert problem["medians"][COLD]["ratio"] == 0.4
    assert problem["medians"][WARM]["ratio"] == 2.0
    assert problem["launches"][-1]["seconds"] is None
    standing = {goal.name.partition(":")[0]: goal for goal in found.goals}
    assert standing["In a new process, compilation included"].found == 0.4
    assert standing["In a second process, compiled programs kept"].is_met


def test_without_new_processes_nothing_is_said_of_them():
    """Neither a section nor a table; the goals were not run."""
    without = results_of(QUICK, [race()])
    assert 'id="new-process"' not in render_bench(without)
    assert COLD not in markdown(without)
    (goal, _) = [goal for goal in without.goals if "process" in goal.name]
    assert goal.standing == "not run"
