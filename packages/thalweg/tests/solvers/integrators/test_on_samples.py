"""What methods on samples share: whole counts of fractions, and evaluations around a block."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.solvers.integrators.on_samples import between_evaluations, whole_counts

counted = jax.jit(whole_counts)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30))
def test_nothing_that_was_spent_is_lost(rows):
    """Whole counts and the fraction that waits add up to the sum of all rows, row by row."""
    total, uncounted = 0, jnp.zeros(())
    for number, spent in enumerate(rows, 1):
        counts, uncounted = counted(uncounted, jnp.asarray(spent))
        assert counts.dtype == jnp.int32
        assert counts >= 0
        assert 0 <= uncounted < 1
        total += int(counts)
        assert total + float(uncounted) == pytest.approx(sum(rows[:number]), abs=1e-9)


def test_each_counter_has_its_own_fraction():
    """Counters of a pytree do not mix, and keep the dtype of what waits."""
    waiting = {"a": jnp.asarray(0.5, jnp.float32), "b": jnp.asarray(0.25, jnp.float32)}
    counts, rest = counted(waiting, {"a": jnp.asarray(0.75), "b": jnp.asarray(2.0)})
    assert {name: int(count) for name, count in counts.items()} == {"a": 1, "b": 2}
    assert {name: float(part) for name, part in rest.items()} == {"a": 0.25, "b": 0.25}
    assert all(part.dtype == jnp.float32 for part in rest.values())


@pytest.mark.parametrize("is_new", [True, False])
def test_the_start_is_evaluated_only_where_it_is_not_known(is_new):
    """Twice for the first row of a run, once for the others; the block is taken once."""
    known = jnp.asarray(np.nan if is_new else 9.0)

    @jax.jit
    def row(known, is_new):
        return between_evaluations(
            lambda is_start: jnp.where(is_start, 3.0, 3.0 - 1.0),  # a block of one step of -1
            lambda theta: theta**2,
            no_block=jnp.asarray(0.0),
            known=known,
            is_new=is_new,
        )

    found = row(known, jnp.asarray(is_new))
    assert [float(value) for value in found] == [9.0, 2.0, 4.0, 2.0 if is_new else 1.0]
