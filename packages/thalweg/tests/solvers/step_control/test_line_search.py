"""The line search ends at a length that meets the strong Wolfe conditions, on any smooth line."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thalweg.solvers.step_control.line_search import (
    CURVATURE,
    MOST_TRIALS,
    SUFFICIENT_DECREASE,
    narrowed,
    start_line_search,
)

advance = jax.jit(narrowed)


def search(line, first=1.0):
    """Search along `line`, a function of α that returns loss and slope; the trials made, too."""
    loss, slope = line(0.0)
    state = start_line_search(jnp.asarray(loss), jnp.asarray(slope), jnp.asarray(first))
    trials = []
    while bool(state.goes_on):
        length = float(state.next_length)
        trials.append(length)
        state, _ = advance(state, *map(jnp.asarray, line(length)))
    return state, trials


def assert_wolfe(line, state):
    """Both conditions, evaluated afresh."""
    (loss, slope), (start_loss, start_slope) = line(float(state.low.length)), line(0.0)
    assert state.is_found
    assert loss <= start_loss + SUFFICIENT_DECREASE * float(state.low.length) * start_slope
    assert abs(slope) <= CURVATURE * abs(start_slope)


@given(
    depth=st.floats(0.05, 20.0),
    tilt=st.floats(0.1, 3.0),
    pace=st.floats(0.3, 8.0),
    first=st.floats(1e-4, 1e3),
)
@example(depth=1.0, tilt=1.0, pace=1.0, first=1.0)
def test_it_ends_at_a_length_that_meets_both_conditions(depth, tilt, pace, first):
    """A bowl with waves, which has several minima, from first trials too long and too short."""

    def line(length):
        wave, bend = math.sin(pace * length), math.cos(pace * length)
        return (
            length**2 / 50 - tilt * length - depth * wave,
            length / 25 - tilt - depth * pace * bend,
        )

    state, trials = search(line, first)
    assert_wolfe(line, state)
    assert len(trials) <= MOST_TRIALS


@pytest.mark.parametrize("first", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_a_parabola_takes_few_trials(first):
    """One more once it is enclosed, as the cubic through both ends is the parabola itself."""

    def line(length):
        return 0.5 * (length - 3) ** 2, length - 3

    state, trials = search(line, first)
    assert_wolfe(line, state)
    growths = max(0, math.ceil(math.log2(3 / first)))
    # From far beyond, a trial comes as near to 0 as the margin of a tenth allows.
    shrinks = max(0, math.ceil(math.log10(first / 3)))
    assert len(trials) <= growths + shrinks + 2


def test_it_steps_back_from_where_the_loss_is_not_finite():
    """Beyond 0.01 there is nothing; the minimum lies before."""

    def line(length):
        return (
            (math.nan, math.nan) if length > 0.01 else ((length - 0.006) ** 2, 2 * length - 0.012)
        )

    state, _ = search(line)
    assert_wolfe(line, state)
    assert 0 < float(state.low.length) <= 0.01


def test_a_line_that_only_rises_gives_up():
    """The start remains the low end, after a bounded number of trials."""
    state, trials = search(lambda length: (abs(length), 1.0 if length > 0 else -1.0))
    assert not state.is_found
    assert float(state.low.length) == 0
    assert len(trials) <= MOST_TRIALS


def test_a_line_that_falls_for_ever_keeps_its_lowest_point():
    """Its slope never flattens, so no length is found, but the step is the longest tried."""
    state, trials = search(lambda length: (-length, -1.0))
    assert not state.is_found
    assert float(state.low.length) == trials[-1] == 2.0 ** (MOST_TRIALS - 1)


def test_a_first_trial_too_short_to_be_seen_is_lengthened():
    """The loss does not change in its last digit before α = 1e5."""

    def line(length):
        return 1 + 1e-22 * ((length - 1e6) ** 2 - 1e12), 2e-22 * (length - 1e6)

    state, trials = search(line)
    assert float(state.low.length) > 1e5
    assert float(state.low.loss) < 1
    assert np.all(np.diff(trials[:10]) > 0)
