"""`secant-euler`: the shared suite, its algebra against dense twins, and how it hands over."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from method_suite import FIT, FIT_START, suite_for
from thalweg.solvers.integrators.pairs import (
    Displacement,
    Products,
    direction,
    forgotten,
    largest_curvature,
    no_pairs,
    with_pair,
)
from thalweg.solvers.integrators.secant import SecantEuler

# More steps than other methods: the matrix has to come near the curvature first.
TestSecantEuler = suite_for(
    SecantEuler(),
    steps=(256, 512, 1024, 2048),
    first_state=lambda theta: (theta, no_pairs(theta, 30)),
)

ROOM = 4


@functools.cache
def compiled(function):
    """One program for all examples."""
    return jax.jit(function)


def stored(pairs):
    """The pairs as they are told by age: `(2m, n)`, steps first, 0 where there is none."""
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

    Its products with the pairs are told beside it.
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
    """Negative, none, or not a number: the pairs stay, and what they make of the gradient too."""
    random = np.random.default_rng(0)
    s, grad = random.normal(size=5), random.normal(size=5)
    before = extended(no_pairs(jnp.zeros(5), ROOM), s, grad, grad + s, is_taken=False)
    after = extended(before, s, grad, grad + bad * s, is_taken=False)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)
    assert np.allclose(after.onto_grad, stored(after) @ grad)


def test_pairs_that_are_forgotten_leave_no_trace():
    """What follows is what no pairs would make of it, although their rows are still there."""
    random = np.random.default_rng(1)
    grad, pairs = random.normal(size=5), no_pairs(jnp.zeros(5), ROOM)
    for _ in range(ROOM + 1):
        s = random.normal(size=5)
        pairs = extended(pairs, s, grad, grad + 2 * s, is_taken=False)
    pairs, empty = forgotten(pairs, is_anew=jnp.ones((), bool)), no_pairs(jnp.zeros(5), ROOM)
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


def test_each_attempt_costs_one_gradient():
    """And the start one more; nothing else is computed."""
    work = tw.minimize(FIT, FIT_START, "secant-euler", tw.Stop(steps=40, seconds=60)).work
    assert work.gradients == 40 + work.rejected_steps + 1
    assert work._replace(gradients=0, rejected_steps=0) == tw.Work()


def relay(**options):
    """Secants first, then the method with the true curvature."""
    return SecantEuler(then=tw.ImplicitGeodesic(), **options)


def test_it_hands_over_once_secants_pay_no_longer():
    """Up to then the run is that of secants alone; the second method goes on where they ended."""
    stop = tw.Stop(steps=60, seconds=60)
    alone = tw.minimize(FIT, FIT_START, SecantEuler(), stop).history["loss"]
    solution = tw.minimize(FIT, FIT_START, relay(patience=20, share=1e-3), stop)
    history = solution.history
    first = int(np.flatnonzero(history["jacobians"])[0]) - 1
    assert 5 <= first < 50
    assert np.array_equal(history["loss"][: first + 1], alone[: first + 1])
    assert f"`implicit-geodesic` took over at step {first}." in solution.message
    assert np.array_equal(history["jacobians"][first:], np.arange(len(history["step"]) - first))
    assert (np.diff(history["t"]) >= 0).all()
    assert (np.diff(history["gradients"]) >= 1).all()
    assert (np.diff(history["loss"]) <= 0).all()


def test_a_pair_from_far_away_is_left_out():
    """The curvature over an attempt that overshot by far tells nothing of where the run goes on."""
    empty = no_pairs(jnp.zeros(3), ROOM)
    left = extended(empty, np.ones(3), np.ones(3), 2 * np.ones(3), is_near=False)
    assert left.known == 0
    assert not left.rows.any()


def test_it_hands_over_where_no_secant_step_lowers_the_loss():
    """What stalls the first method is for the second to better: no row tells of the failure."""
    kink = tw.Scalar(lambda p: jnp.abs(p[0] - 0.3) + 0.5 * p[0] ** 2)
    method = SecantEuler(then=tw.ExponentialKrylov(), patience=10**6)
    solution = tw.minimize(kink, np.ones(1), method, tw.Stop(seconds=60, steps=3000))
    assert solution.outcome is tw.Outcome.STALLED
    assert "`exponential-krylov` took over" in solution.message
    assert solution.work.hessian_products > 0
    assert (solution.history["h"][1:-1] > 0).all()


def test_a_checkpoint_knows_which_method_runs(tmp_path):
    """Cut before, at and after the hand-over, the run goes on bit for bit."""
    whole = tw.minimize(
        FIT, FIT_START, relay(patience=20, share=1e-3), tw.Stop(steps=60, seconds=60)
    )
    first = int(np.flatnonzero(whole.history["jacobians"])[0]) - 1
    for cut in (first - 1, first, first + 1, first + 5):
        path = tmp_path / f"{cut}.state"
        for steps in (cut, 60):
            solution = tw.minimize(
                FIT,
                FIT_START,
                relay(patience=20, share=1e-3),
                tw.Stop(steps=steps, seconds=60),
                checkpoint=path,
            )
        for column in ("loss", "h", "t", "gradients", "jacobians"):
            assert np.array_equal(
                whole.history[column], solution.history[column], equal_nan=True
            ), (cut, column)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"pairs": 0}, "`pairs` is 0"), ({"patience": 0}, "`patience`"), ({"share": 1.0}, "`share`")],
)
def test_values_out_of_range_are_refused(options, words):
    """By name, with what was expected."""
    with pytest.raises(tw.ThalwegError, match=words):
        SecantEuler(**options)


def test_what_the_second_method_cannot_do_is_refused_before_the_first_step():
    """A scalar loss has no Gauss-Newton matrix."""
    with pytest.raises(tw.ThalwegError, match="implicit-geodesic"):
        tw.minimize(tw.Scalar(lambda p: p @ p), np.ones(2), relay())


MANY = np.linspace(-1.0, 1.0, 800)
WAVES = np.sin(3 * MANY)
WAVE = tw.LeastSquares(
    lambda p, x, y: p["out"] @ jnp.tanh(p["in"] * x + p["bias"]) - y, data=(MANY, WAVES)
)
WAVE_START = {
    "in": np.linspace(-3.0, 3.0, 8),
    "bias": np.linspace(-1.0, 1.0, 8),
    "out": np.full(8, 0.1),
}


def test_steps_on_samples_go_on_with_all_data_where_these_tell_no_more():
    """Losses are over all data and never rise; a row costs one, and its steps by their share."""
    method = SecantEuler(sample=100)
    solution = tw.minimize(WAVE, WAVE_START, method, tw.Stop(steps=60, seconds=60))
    history = solution.history
    assert (np.diff(history["loss"]) <= 0).all()
    assert (np.diff(history["gradients"] + history["losses"]) >= 1).all()
    assert float(tw.minimize(WAVE, solution.params, stop=tw.Stop(steps=1)).history["loss"][0]) == (
        pytest.approx(solution.loss, rel=1e-12)
    )
    # The first row: the loss at the start, a look at the sample and four steps on it and more where
    # refused, an eighth each; and the loss at the end.
    evaluations = 1 + 4 + history["rejected"][1]
    assert history["gradients"][1] == np.floor(evaluations * 100 / 800)
    assert history["losses"][1] == 2
    # On samples nothing is known of the slope over all data, and with all data it is.
    is_sampled = np.diff(history["losses"]) > 0
    assert 2 < is_sampled.sum() < 60
    assert np.array_equal(np.isnan(history["grad_norm"][:-1]), is_sampled)
    alone = tw.minimize(WAVE, WAVE_START, SecantEuler(), tw.Stop(steps=60, seconds=60))
    spent = alone.history["gradients"][np.argmax(alone.history["loss"] <= 1e-3)]
    reached = np.argmax(history["loss"] <= 1e-3)
    assert (history["gradients"] + history["losses"])[reached] < spent


def test_a_run_on_samples_converges_on_the_slope_over_all_data():
    """It ends at a |∇L| that was asked for, of all data, and does not take a sample's for it."""
    stop = tw.Stop(grad_norm=1e-3, seconds=60)
    solution = tw.minimize(WAVE, WAVE_START, SecantEuler(sample=100), stop)

    def loss(p: dict) -> jax.Array:
        return 0.5 * jnp.mean(
            (jnp.tanh(MANY[:, None] * p["in"] + p["bias"]) @ p["out"] - WAVES) ** 2
        )

    slopes = jax.tree.leaves(jax.grad(loss)(solution.params))
    norm = float(jnp.linalg.norm(jnp.concatenate(slopes)))
    assert solution.outcome == tw.Outcome.CONVERGED
    assert norm <= 1e-3
    assert solution.history["grad_norm"][-1] == pytest.approx(norm, rel=1e-9)


def test_a_slope_that_is_not_finite_is_told_on_samples_too():
    """Of √p at 0: the sample leads nowhere, and then all data say why."""
    root = tw.LeastSquares(lambda p, x, y: jnp.sqrt(p[0]) * x - y, data=(MANY, WAVES))
    solution = tw.minimize(root, np.zeros(1), SecantEuler(sample=100), tw.Stop(steps=5))
    assert solution.outcome == tw.Outcome.DIVERGED
    assert np.isfinite(solution.loss)


def test_a_sample_that_misleads_is_left():
    """Two examples of 800 can be fitted by what fits no other: the step is not taken."""
    method = SecantEuler(sample=2)
    solution = tw.minimize(WAVE, WAVE_START, method, tw.Stop(steps=200, seconds=60))
    history = solution.history
    assert (np.diff(history["loss"]) <= 0).all()
    assert solution.loss < 1e-3 * history["loss"][0]
    late = np.diff(history["gradients"])[-20:]
    assert np.array_equal(late, 1 + np.diff(history["rejected_steps"])[-20:])


def test_a_run_on_samples_resumes_bit_for_bit(tmp_path):
    """Which sample comes next is in the checkpoint."""
    method = SecantEuler(sample=100)
    whole = tw.minimize(WAVE, WAVE_START, method, tw.Stop(steps=9, seconds=60))
    for steps in (4, 9):
        solution = tw.minimize(
            WAVE,
            WAVE_START,
            method,
            tw.Stop(steps=steps, seconds=60),
            checkpoint=tmp_path / "run.state",
        )
    assert np.array_equal(solution.history["loss"], whole.history["loss"])


def test_samples_need_examples():
    """A loss without data has none to draw from."""
    bowl = tw.Scalar(lambda p: jnp.sum(p**2))
    with pytest.raises(tw.ThalwegError, match="has none or only one"):
        tw.minimize(bowl, np.ones(2), SecantEuler(sample=10), tw.Stop(steps=1))
    with pytest.raises(tw.ThalwegError, match="`sample` is 0"):
        SecantEuler(sample=0)
