"""The secant matrix of the pairs, against the updates of BFGS on dense matrices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.solvers.integrators.pairs import (
    Displacement,
    Products,
    direction,
    discarded,
    largest_curvature,
    no_pairs,
    with_pair,
)

ROOM = 4


@functools.cache
def compiled(function):
    """One program for all examples."""
    return jax.jit(function)


def stored(pairs):
    """The pairs by age: `(2m, n)`, steps first, 0 where there is none."""
    m = len(pairs.gram) // 2
    slots = (int(pairs.newest) + 2 + np.arange(m)) % (m + 1)
    rows = np.asarray(pairs.rows).reshape(2, m + 1, -1)[:, slots]
    return np.where(np.arange(m)[:, None] >= m - int(pairs.known), rows, 0).reshape(2 * m, -1)


def extended(pairs, s, grad, new, **options):
    """The pairs with one more, over any step s, whose products with them are computed here."""
    displacement = Displacement(s, stored(pairs) @ s)
    products = compiled(Products.of)(s, grad, new)
    return compiled(with_pair)(pairs, displacement, grad, new, products, **options)


def dense_secant_matrix(kept, grad, h):
    """`-(B + 1/h)⁻¹ ∇L` by the rank-two updates of BFGS, one after the other, on shifted pairs."""
    shifted = [(s, y + s / h) for s, y in kept]
    n = grad.size
    if not shifted:
        return -h * grad
    s, y = shifted[-1]
    matrix = (y @ y) / (s @ y) * np.eye(n)
    for s, y in shifted:
        bs = matrix @ s
        matrix = matrix - np.outer(bs, bs) / (s @ bs) + np.outer(y, y) / (s @ y)
    return -np.linalg.solve(matrix, grad)


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 7),
    power=st.integers(-3, 3),
)
def test_the_compact_direction_is_that_of_the_dense_updates(seed, count, power):
    """With none, some or more pairs than there is room for, whatever the shift.

    Its products with the pairs are right too.
    """
    random = np.random.default_rng(seed)
    n, h = 6, 10.0**power
    half = random.normal(size=(n, n))
    curvature = half @ half.T + np.eye(n)
    pairs, kept = no_pairs(jnp.zeros(n), ROOM), []
    grad = random.normal(size=n)
    for _ in range(count):
        s = random.normal(size=n)
        new = grad + curvature @ s
        is_taken = bool(random.integers(2))
        pairs = extended(pairs, s, grad, new, is_taken=is_taken)
        kept = [*kept, (s, new - grad)][-ROOM:]
        grad = new if is_taken else grad
    found = compiled(direction)(pairs, grad, h)
    assert np.allclose(found.vector, dense_secant_matrix(kept, grad, h), rtol=1e-6, atol=1e-9)
    rows = stored(pairs)
    assert np.allclose(found.onto_pairs, rows @ found.vector, rtol=1e-6, atol=1e-9)
    assert np.allclose(pairs.gram, rows @ rows.T, rtol=1e-9, atol=1e-9)
    assert np.allclose(pairs.onto_grad, rows @ grad, rtol=1e-9, atol=1e-9)
    assert np.allclose(rows[ROOM - len(kept) : ROOM], [s for s, _ in kept] or rows[:0])
    ratios = [(y @ y) / (s @ y) for s, y in kept]
    assert largest_curvature(pairs) == pytest.approx(max(ratios, default=0.0))


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan, np.inf], ids=str)
def test_a_pair_without_positive_curvature_is_left_out(bad):
    """Negative, none, or not a number: the pairs stay, and their products with the gradient too."""
    random = np.random.default_rng(0)
    s, grad = random.normal(size=5), random.normal(size=5)
    before = extended(no_pairs(jnp.zeros(5), ROOM), s, grad, grad + s, is_taken=False)
    after = extended(before, s, grad, grad + bad * s, is_taken=False)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)
    assert np.allclose(after.onto_grad, stored(after) @ grad)


def test_discarded_pairs_leave_no_trace():
    """Later directions are those of a start without pairs, although the old rows remain."""
    random = np.random.default_rng(1)
    grad, pairs = random.normal(size=5), no_pairs(jnp.zeros(5), ROOM)
    for _ in range(ROOM + 1):
        s = random.normal(size=5)
        pairs = extended(pairs, s, grad, grad + 2 * s, is_taken=False)
    pairs, empty = discarded(pairs, jnp.ones((), bool)), no_pairs(jnp.zeros(5), ROOM)
    assert pairs.rows.any()
    for _ in range(2):
        s = random.normal(size=5)
        pairs, empty = (
            extended(each, s, grad, grad + 3 * s, is_taken=False) for each in (pairs, empty)
        )
    assert np.allclose(stored(pairs), stored(empty))
    assert np.allclose(pairs.gram, empty.gram)
    found = [compiled(direction)(each, grad, 0.5).vector for each in (pairs, empty)]
    assert np.allclose(*found)


def test_a_pair_from_far_away_is_left_out():
    """The curvature over an attempt that overshot by far is not that of where the run goes on."""
    empty = no_pairs(jnp.zeros(3), ROOM)
    left = extended(empty, np.ones(3), np.ones(3), 2 * np.ones(3), is_near=False)
    assert left.known == 0
    assert not left.rows.any()
