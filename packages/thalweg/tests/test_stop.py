"""Criteria end a run: which one is met, in which order, on a clock that the test holds."""

import dataclasses
import math

import numpy as np
import pytest

from thalweg import Outcome, Stop, Work
from thalweg._recorder import Recorder, RunEnded
from thalweg.solution import HISTORY_COLUMNS
from thalweg.stop import DEFAULT_SECONDS


@dataclasses.dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: float = 100.0


def started(stop, **options):
    """A recorder after its start, and its clock."""
    clock = Clock()
    recorder = Recorder(stop, clock=lambda: clock.now, **options)
    recorder.start()
    return recorder, clock


def log(recorder, loss=1.0, grad_norm=1.0, gradients=0, theta=0.0):
    """One row."""
    recorder.row(
        theta=np.array([theta]), loss=loss, grad_norm=grad_norm, work=Work(gradients=gradients)
    )


def outcome_of(recorder, **row):
    """How the run ends with this row; None where it goes on."""
    try:
        log(recorder, **row)
    except RunEnded as ended:
        return ended.outcome
    return None


def test_an_open_stop_gets_the_default_budget():
    """A call without any criterion comes back after 60 seconds; with one, time has no limit."""
    recorder, clock = started(Stop())
    clock.now += DEFAULT_SECONDS - 0.1
    assert outcome_of(recorder) is None
    clock.now += 0.1
    assert outcome_of(recorder) is Outcome.BUDGET_SPENT
    recorder, clock = started(Stop(loss=0.0))
    clock.now += 1e6
    assert outcome_of(recorder) is None
    assert recorder.seconds_left == math.inf


@pytest.mark.parametrize(
    ("stop", "row", "outcome"),
    [
        (Stop(loss=0.5), {"loss": 0.5}, Outcome.TARGET_REACHED),
        (Stop(grad_norm=0.5), {"grad_norm": 0.5}, Outcome.CONVERGED),
        (Stop(steps=1), {}, Outcome.BUDGET_SPENT),
        (Stop(gradients=7), {"gradients": 7}, Outcome.BUDGET_SPENT),
        (Stop(loss=0.5), {"loss": math.nan}, Outcome.DIVERGED),
        (Stop(loss=0.5), {"loss": math.inf}, Outcome.DIVERGED),
        (Stop(loss=0.5, steps=1), {"loss": 0.5}, Outcome.TARGET_REACHED),
    ],
)
def test_a_criterion_ends_the_run_in_the_row_that_meets_it(stop, row, outcome):
    """Not before; and a target that is met counts as reached, though the budget is gone too."""
    recorder, _ = started(stop)
    assert outcome_of(recorder) is None
    assert outcome_of(recorder, **row) is outcome


def test_compilation_is_not_run_time():
    """What passes inside `compiling` counts as such, and is no part of the budget."""
    recorder, clock = started(Stop(seconds=1))
    with recorder.compiling():
        clock.now += 30
    clock.now += 0.5
    assert outcome_of(recorder) is None
    assert recorder.compile_seconds == 30
    assert recorder.history()["seconds"].tolist() == [0.5]


def test_a_callback_ends_the_run_after_a_step_and_never_at_the_start():
    """It sees each step once, in order, and any true result ends the run."""
    seen = []

    def callback(snapshot):
        seen.append((snapshot.step, snapshot.loss))
        return "enough" if snapshot.step == 2 else 0

    recorder, _ = started(Stop(loss=0.0), callback=callback)
    assert [outcome_of(recorder, loss=loss) for loss in (3.0, 2.0, 1.0)] == [
        None,
        None,
        Outcome.STOPPED_BY_CALLBACK,
    ]
    assert seen == [(1, 2.0), (2, 1.0)]


def test_the_best_point_is_kept_though_the_loss_rises():
    """Also where NaN follows."""
    recorder, _ = started(Stop(loss=0.0))
    for loss in (3.0, 1.0, 2.0, math.nan):
        outcome_of(recorder, loss=loss, theta=loss)
    assert recorder.best_loss == 1.0
    assert recorder.best_theta.tolist() == [1.0]


def test_the_history_has_every_column_at_one_length():
    """Counts are whole numbers, the rest floats."""
    recorder, _ = started(Stop(loss=0.0))
    for gradients in range(4):
        log(recorder, gradients=gradients)
    history = recorder.history()
    assert tuple(history) == HISTORY_COLUMNS
    assert {len(column) for column in history.values()} == {4}
    assert history["step"].tolist() == history["gradients"].tolist() == [0, 1, 2, 3]
    assert history["gradients"].dtype == np.int64
    assert recorder.work == Work(gradients=3)


def test_a_row_that_an_interrupt_cut_short_is_left_out():
    """An interrupt strikes anywhere, also between two columns; lengths stay equal."""

    def struck():
        raise KeyboardInterrupt
        yield

    recorder, _ = started(Stop(loss=0.0))
    log(recorder)
    row = {name: [0] for name in HISTORY_COLUMNS if name != "step"}
    with pytest.raises(KeyboardInterrupt):
        recorder.extend(row | {"rejected": struck()}, theta=np.zeros(1))
    assert {len(column) for column in recorder.history().values()} == {1}


def test_a_run_that_logged_nothing_has_an_empty_history():
    """An interrupt may come before the first row."""
    recorder, _ = started(Stop(loss=0.0))
    assert {len(column) for column in recorder.history().values()} == {0}
    assert recorder.work == Work()


def test_numbers_of_numpy_are_numbers():
    """A criterion may come out of a computation."""
    stop = Stop(loss=np.float32(0.5), steps=np.int64(3))
    recorder, _ = started(stop)
    assert [outcome_of(recorder) for _ in range(4)] == [None, None, None, Outcome.BUDGET_SPENT]


def test_infinite_is_no_limit():
    """`math.inf` and None say the same of every criterion that is a budget."""
    assert Stop(seconds=5, steps=math.inf, gradients=math.inf) == Stop(seconds=5)


def test_infinite_time_lifts_the_default_budget():
    """It says something, so the stop is not open."""
    recorder, clock = started(Stop(seconds=math.inf))
    clock.now += 1e9
    assert outcome_of(recorder) is None
    assert recorder.seconds_left == math.inf


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_says_what_happened(outcome):
    """In a sentence on one line."""
    assert outcome.message.endswith(".")
    assert "\n" not in outcome.message
    assert outcome.is_success == (outcome in (Outcome.CONVERGED, Outcome.TARGET_REACHED))


def test_every_criterion_of_the_contract_is_a_field():
    """And each is open unless it is set."""
    names = [field.name for field in dataclasses.fields(Stop)]
    assert names == ["loss", "grad_norm", "seconds", "steps", "gradients"]
    assert Stop().is_open
    assert not any(Stop(**{name: 1}).is_open for name in names)
