"""The rule by which attempts are judged: a table of cases, and a twin in plain Python."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.solvers.base import CONVERGED, DIVERGED, RUNNING, STALLED
from thalweg.solvers.step_control import (
    H_MAX,
    MAX_ATTEMPTS,
    Search,
    attempt_until_taken,
    finite_code,
    judge_by_error,
    judge_by_loss,
    start_search,
)

EPS = float(np.finfo(np.float64).eps)
NAN, INF = math.nan, math.inf


@functools.cache
def compiled(*, regrowth=2.0):
    """One program for all cases."""
    return jax.jit(functools.partial(judge_by_loss, regrowth=regrowth))


def before(*, h=1.0, was_too_long=False, rejected=0):
    """A search after some attempts."""
    return start_search(jnp.asarray(h))._replace(
        was_too_long=jnp.asarray(was_too_long), rejected=jnp.asarray(rejected, jnp.int32)
    )


def judged(trial_loss, predicted, *, h=1.0, loss=1.0, flat=False, regrowth=2.0, **earlier):
    """One attempt, judged by the library, as plain Python values."""
    found = compiled(regrowth=regrowth)(
        before(h=h, **earlier),
        h=jnp.asarray(h),
        loss=jnp.asarray(loss),
        trial_loss=jnp.asarray(trial_loss),
        predicted=jnp.asarray(predicted),
        flat=jnp.asarray(flat),
    )
    return Search(*(leaf.item() for leaf in found))


def twin(
    trial_loss, predicted, *, h=1.0, loss=1.0, flat=False, regrowth=2.0, was_too_long=False,
    rejected=0,
):  # fmt: skip
    """The same in plain Python, one case after the other, written from the table in words."""
    gain = NAN
    if predicted > 0 and math.isfinite(trial_loss):
        gain = (loss - trial_loss) / predicted
    found = {"gain": gain, "error": NAN, "is_taken": gain > 1e-4}
    if found["is_taken"]:
        next_h = 2 * h if gain > 0.75 else h if gain > 0.25 else h / 2
        if was_too_long:
            next_h = min(next_h, regrowth * h)
        found |= {"was_too_long": was_too_long, "rejected": rejected, "code": RUNNING}
        return Search(next_h=min(next_h, H_MAX), **found)
    found["rejected"] = rejected + 1
    is_last = rejected + 1 >= MAX_ATTEMPTS
    is_invisible = predicted <= EPS * abs(loss)
    if is_invisible and not was_too_long and not flat and h < H_MAX:
        found |= {"was_too_long": False, "code": STALLED if is_last else RUNNING}
        return Search(next_h=min(1024 * h, H_MAX), **found)
    failure = CONVERGED if flat else STALLED
    found |= {"was_too_long": True, "code": failure if is_invisible or is_last else RUNNING}
    return Search(next_h=h / 2, **found)


VISIBLE, HIDDEN = 1e-3, 1e-20  # predicted decreases of a loss of 1

CASES = {
    # name: (arguments, taken?, factor on h, too long?, code)
    "as predicted": ((1 - VISIBLE, VISIBLE), {}, True, 2, False, RUNNING),
    "half of it": ((1 - VISIBLE / 2, VISIBLE), {}, True, 1, False, RUNNING),
    "a tenth of it": ((1 - VISIBLE / 10, VISIBLE), {}, True, 0.5, False, RUNNING),
    "nothing": ((1.0, VISIBLE), {}, False, 0.5, True, RUNNING),
    "a rise": ((1 + VISIBLE, VISIBLE), {}, False, 0.5, True, RUNNING),
    "NaN": ((NAN, VISIBLE), {}, False, 0.5, True, RUNNING),
    "infinite": ((INF, VISIBLE), {}, False, 0.5, True, RUNNING),
    "infinitely low": ((-INF, VISIBLE), {}, False, 0.5, True, RUNNING),
    "an attempt that failed": ((0.5, NAN), {}, False, 0.5, True, RUNNING),
    "a predicted rise": ((0.5, -VISIBLE), {"was_too_long": True}, False, 0.5, True, STALLED),
    "too short": ((1.0, HIDDEN), {}, False, 1024, False, RUNNING),
    "hidden after too long": ((1.0, HIDDEN), {"was_too_long": True}, False, 0.5, True, STALLED),
    "hidden where flat": ((1.0, HIDDEN), {"flat": True}, False, 0.5, True, CONVERGED),
    "hidden at the largest h": ((1.0, HIDDEN), {"h": H_MAX}, False, 0.5, True, STALLED),
    "a gain in rounding": ((1 - EPS, HIDDEN), {"flat": True}, True, 2, False, RUNNING),
    "the last attempt": ((1.0, VISIBLE), {"rejected": MAX_ATTEMPTS - 1}, False, 0.5, True, STALLED),
    "one before it": ((1.0, VISIBLE), {"rejected": MAX_ATTEMPTS - 2}, False, 0.5, True, RUNNING),
    "the last where flat": (
        (1.0, VISIBLE), {"rejected": MAX_ATTEMPTS - 1, "flat": True}, False, 0.5, True, CONVERGED,
    ),
    "no growth after too long": (
        (1 - VISIBLE, VISIBLE), {"was_too_long": True, "regrowth": 1.0}, True, 1, True, RUNNING,
    ),
    "growth otherwise": ((1 - VISIBLE, VISIBLE), {"was_too_long": True}, True, 2, True, RUNNING),
    "below 0": ((-5.0 - VISIBLE, VISIBLE), {"loss": -5.0}, True, 2, False, RUNNING),
    "hidden below 0": ((-5.0, HIDDEN), {"loss": -5.0}, False, 1024, False, RUNNING),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_table_of_cases(name):
    """Taken or rejected, the next size, and why a search ends: one line for each case."""
    (trial_loss, predicted), options, taken, factor, too_long, code = CASES[name]
    found = judged(trial_loss, predicted, **options)
    assert found.is_taken is taken
    assert found.next_h == pytest.approx(factor * options.get("h", 1.0))
    assert found.was_too_long is too_long
    assert found.code == code
    assert found.rejected == options.get("rejected", 0) + (not taken)


def test_the_rule_is_its_twin_in_plain_python():
    """On all combinations of signs, sizes and histories, to the last bit."""
    grid = itertools.product(
        (1.0, 0.0, -5.0),
        (-INF, -1.0, -1e-5, -1e-17, 0.0, 1e-17, 1e-3, INF, NAN),
        (-1.0, -1e-20, 0.0, 1e-20, 1e-4, 1.0, 1e9, INF, NAN),
        (1e-3, 0.7 * H_MAX, H_MAX),
        (False, True),
        (False, True),
        (0, MAX_ATTEMPTS - 1),
        (1.0, 2.0),
    )
    count = 0
    for loss, change, predicted, h, flat, was_too_long, rejected, regrowth in grid:
        case = {
            "loss": loss, "h": h, "flat": flat, "was_too_long": was_too_long,
            "rejected": rejected, "regrowth": regrowth,
        }  # fmt: skip
        found, expected = (f(loss + change, predicted, **case) for f in (judged, twin))
        np.testing.assert_array_equal(found, expected, err_msg=f"{change=} {predicted=} {case}")
        count += 1
    assert count == 3 * 9 * 9 * 3 * 2 * 2 * 2 * 2


def test_an_unknown_flatness_is_that_of_a_point_that_is_not_flat():
    """What a method that finds out after the search relies on."""
    for trial_loss, predicted in ((1.0, HIDDEN), (1.0, VISIBLE), (1 - VISIBLE, VISIBLE)):
        loss, h = jnp.asarray(1.0), jnp.asarray(1.0)
        found = judge_by_loss(
            before(), h=h, loss=loss, trial_loss=jnp.asarray(trial_loss),
            predicted=jnp.asarray(predicted),
        )  # fmt: skip
        for one, other in zip(found, judged(trial_loss, predicted), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("error", "moves", "rejected", "taken", "growth", "code"),
    [
        (0.0, True, 0, True, 0.9 * (0.9 / 5) ** -0.7, RUNNING),
        (0.0, True, 3, True, 1.0, RUNNING),
        (1.0, True, 0, True, 0.9, RUNNING),
        (8.0, True, 0, False, 0.45, RUNNING),
        (1e9, True, 0, False, 0.2, RUNNING),
        (NAN, True, 0, False, 0.2, RUNNING),
        (8.0, False, 0, False, 0.45, STALLED),
        (1.0, False, 0, True, 0.9, RUNNING),
        (8.0, True, MAX_ATTEMPTS - 1, False, 0.45, STALLED),
    ],
)
def test_the_table_of_errors(error, moves, rejected, taken, growth, code):
    """The same for accuracy control; the growth is that of the PI rule after an error of 1."""
    found = judge_by_error(
        before(h=2.0, rejected=rejected),
        h=jnp.asarray(2.0),
        error=jnp.asarray(error),
        last_error=jnp.asarray(1.0),
        moves=jnp.asarray(moves),
        order=3,
        longest=5.0,
    )
    assert bool(found.is_taken) is taken
    assert float(found.next_h) == pytest.approx(2.0 * growth)
    assert int(found.code) == code
    assert int(found.rejected) == rejected + (not taken)


def searched(loss_after, *, h=1.0, code=RUNNING):
    """A search in which `loss_after(h)` is the loss after a step of size h, from a loss of 1."""

    def attempt(count, search):
        h = search.next_h
        one = jnp.ones_like(h)
        return count + 1, judge_by_loss(
            search, h=h, loss=one, trial_loss=loss_after(h), predicted=0.5 * one
        )

    start = start_search(jnp.asarray(h), code)
    count, search = attempt_until_taken(attempt, jnp.zeros((), jnp.int32), start)
    return int(count), search


@pytest.mark.parametrize(
    ("loss_after", "attempts", "rejected", "code"),
    [
        (lambda h: 1 - 0.4 * h, 1, 0, RUNNING),
        (lambda h: jnp.where(h > 0.1, 2.0, 0.5), 5, 4, RUNNING),
        (lambda h: 1 + h, MAX_ATTEMPTS, MAX_ATTEMPTS, STALLED),
    ],
    ids=["at once", "after four halvings", "never"],
)
def test_attempts_go_on_until_one_is_taken_or_none_can_be(loss_after, attempts, rejected, code):
    """Each is counted, and the last one is returned."""
    found, search = searched(loss_after)
    assert found == attempts
    assert int(search.rejected) == rejected
    assert bool(search.is_taken) is (code == RUNNING)
    assert int(search.code) == code


def test_a_start_that_is_not_finite_is_not_searched():
    """DIVERGED, without an attempt."""
    finite, bad = jnp.asarray(1.0), jnp.asarray(NAN)
    assert int(finite_code(finite, finite)) == RUNNING
    assert int(finite_code(finite, bad)) == DIVERGED
    found, search = searched(lambda h: 1 - h, code=finite_code(bad))
    assert found == 0
    assert int(search.code) == DIVERGED
    assert not bool(search.is_taken)
