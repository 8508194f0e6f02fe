"""A period ends after so many gradients, and says whether the loss fell far enough in it."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.errors import ConfigError
from thalweg.solvers.step_control import Period, after_step, refuse_patience


def run(losses, spent, **options):
    """Which steps a slow period ended at, of a run through the losses."""
    period = Period(jnp.asarray(jnp.nan), jnp.zeros((), jnp.int32))
    slow = []
    for start, end, cost in zip(losses, losses[1:], spent, strict=False):
        period, is_slow = after_step(
            period,
            start_loss=jnp.asarray(start),
            loss=jnp.asarray(end),
            spent=jnp.asarray(cost, jnp.int32),
            **options,
        )
        slow.append(bool(is_slow))
    return slow


def test_a_loss_that_halves_at_each_step_is_never_slow():
    """A period of three gradients asks for a fall to 0.2; it falls to an eighth."""
    assert not any(run(0.5 ** np.arange(20), [1] * 19, patience=3, share=0.2))


def test_a_loss_that_stops_falling_is_slow_at_the_end_of_each_period():
    """Periods count from the last one's end, by gradients and not by steps."""
    assert run([1.0] * 7, [1] * 6, patience=3, share=0.5) == [False, False, True] * 2
    assert run([1.0] * 5, [2] * 4, patience=3, share=0.5) == [False, True] * 2


def test_the_reference_is_the_loss_at_the_start_of_the_period():
    """From 1 to 0.4 in the first; from 0.4 to 0.3 in the second."""
    losses = [1.0, 0.6, 0.4, 0.35, 0.3]
    assert run(losses, [1] * 4, patience=2, share=0.5) == [False, False, False, True]


def test_a_loss_that_is_no_number_is_slow():
    """It did not fall."""
    assert run([1.0, np.nan], [1], patience=1, share=0.5) == [True]


@pytest.mark.parametrize(
    ("patience", "share", "words"),
    [(0, 0.5, "`patience` is 0"), (1, 0.0, "`share` is 0"), (1, 1.0, "`share` is 1")],
)
def test_settings_out_of_range_are_refused(patience, share, words):
    """By name, with what was expected."""
    with pytest.raises(ConfigError, match=words):
        refuse_patience(patience, share)
