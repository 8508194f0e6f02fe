"""`secant-euler`: the shared suite, its cost, steps on samples, and how it hands over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from method_suite import FIT, FIT_START, suite_for
from thalweg.errors import DataError
from thalweg.solvers.integrators.pairs import no_pairs
from thalweg.solvers.integrators.secant import SecantEuler

# More steps than other methods: the matrix has to come near the curvature first.
TestSecantEuler = suite_for(
    SecantEuler(),
    steps=(256, 512, 1024, 2048),
    first_state=lambda theta: (theta, no_pairs(theta, 30)),
)


def test_each_attempt_costs_one_gradient():
    """And the start one more; nothing else is computed."""
    work = tw.minimize(FIT, FIT_START, "secant-euler", tw.Stop(steps=40, seconds=60)).work
    assert work.gradients == 40 + work.rejected_steps + 1
    assert work._replace(gradients=0, rejected_steps=0) == tw.Work()


def test_the_step_size_stays_where_it_has_an_effect():
    """Along Rosenbrock's valley h does not grow beyond what shortens a step.

    Left free, it exceeds 1e10 there, and is halved tens of times at the next bend.
    """
    valley = tw.LeastSquares(
        lambda p: jnp.stack([10 * (p[1:] - p[:-1] ** 2), 1 - p[:-1]]).reshape(-1)
    )
    solution = tw.minimize(valley, np.linspace(-1.2, 1.0, 30), SecantEuler(), tw.Stop(seconds=60))
    history = solution.history
    assert solution.outcome is tw.Outcome.CONVERGED
    assert np.allclose(solution.params, 1, atol=1e-9)
    is_far = history["loss"][1:] > 1e-4
    assert 1 < history["h"][1:][is_far].max() < 100


def relay(**options):
    """Secants first, then the method with the true curvature."""
    return SecantEuler(then=tw.ImplicitGeodesic(), **options)


def test_it_hands_over_when_secant_steps_no_longer_pay():
    """Until then the run is that of secants alone; the second method continues where they ended."""
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


def test_it_hands_over_where_no_secant_step_lowers_the_loss():
    """The second method continues where the first one stalls, and no row records the failure."""
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
    [
        ({"pairs": 0}, "`pairs` is 0"),
        ({"patience": 0}, "`patience`"),
        ({"share": 1.0}, "`share`"),
        ({"samples_only": True, "sample": 9}, "needs both `sample` and `then`"),
        ({"samples_only": True, "then": SecantEuler()}, "needs both `sample` and `then`"),
    ],
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


def test_steps_on_samples_continue_on_all_data_when_samples_no_longer_predict_it():
    """Losses are over all data and never rise; a row costs one, and its steps by their share."""
    method = SecantEuler(sample=100)
    solution = tw.minimize(WAVE, WAVE_START, method, tw.Stop(steps=60, seconds=60))
    history = solution.history
    assert (np.diff(history["loss"]) <= 0).all()
    assert (np.diff(history["gradients"] + history["losses"]) >= 1).all()
    assert float(tw.minimize(WAVE, solution.params, stop=tw.Stop(steps=1)).history["loss"][0]) == (
        pytest.approx(solution.loss, rel=1e-12)
    )
    # The first row: an evaluation of the sample, four steps on it and the rejected attempts, an
    # eighth each; and the loss over all data at the start and at the end.
    evaluations = 1 + 4 + history["rejected"][1]
    assert history["gradients"][1] == np.floor(evaluations * 100 / 800)
    assert history["losses"][1] == 2
    # On samples the gradient over all data is not known; afterwards it is.
    is_sampled = np.diff(history["losses"]) > 0
    assert 2 < is_sampled.sum() < 60
    assert np.array_equal(np.isnan(history["grad_norm"][:-1]), is_sampled)
    alone = tw.minimize(WAVE, WAVE_START, SecantEuler(), tw.Stop(steps=60, seconds=60))
    spent = alone.history["gradients"][np.argmax(alone.history["loss"] <= 1e-3)]
    reached = np.argmax(history["loss"] <= 1e-3)
    assert (history["gradients"] + history["losses"])[reached] < spent


def test_where_samples_no_longer_predict_all_data_another_method_may_take_over():
    """At once; up to there the run is that with steps on all data later.

    Where the last steps on a sample were taken back, no row records them.
    """
    stop = tw.Stop(steps=60, seconds=60)
    whole = tw.minimize(WAVE, WAVE_START, SecantEuler(sample=100), stop).history
    method = SecantEuler(sample=100, samples_only=True, then=tw.BogackiShampine())
    solution = tw.minimize(WAVE, WAVE_START, method, stop)
    history = solution.history
    is_sampled = np.diff(whole["losses"]) > 0
    left = int((is_sampled & (whole["h"][1:] > 0)).sum())
    assert 2 < left < 60
    assert f"`bogacki-shampine` took over at step {left}." in solution.detail
    for column in ("loss", "h", "gradients", "losses"):  # other programs, so to rounding
        found, expected = (h[column][: left + 1] for h in (history, whole))
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=column)
    assert (np.diff(history["loss"]) <= 0).all()


def test_a_gradient_of_a_sample_that_is_not_finite_is_left_to_the_next_method():
    """Of √p at 0: that method finds no step either, and the error says why."""
    root = tw.LeastSquares(lambda p, x, y: jnp.sqrt(p[0]) * x - y, data=(MANY, WAVES))
    method = SecantEuler(sample=100, samples_only=True, then=tw.BogackiShampine())
    with pytest.raises(DataError, match="its derivative by `params` is not"):
        tw.minimize(root, np.zeros(1), method, tw.Stop(steps=5))


def test_a_run_on_samples_converges_on_the_gradient_over_all_data():
    """It ends at the |∇L| that `Stop` names, over all data, and not at that of a sample."""
    stop = tw.Stop(grad_norm=1e-3, seconds=60)
    solution = tw.minimize(WAVE, WAVE_START, SecantEuler(sample=100), stop)

    def loss(p: dict) -> jax.Array:
        return 0.5 * jnp.mean(
            (jnp.tanh(MANY[:, None] * p["in"] + p["bias"]) @ p["out"] - WAVES) ** 2
        )

    grads = jax.tree.leaves(jax.grad(loss)(solution.params))
    norm = float(jnp.linalg.norm(jnp.concatenate(grads)))
    assert solution.outcome == tw.Outcome.CONVERGED
    assert norm <= 1e-3
    assert solution.history["grad_norm"][-1] == pytest.approx(norm, rel=1e-9)


def test_a_gradient_that_is_not_finite_ends_a_run_on_samples():
    """Of √p at 0: no step on the sample is possible, and all data show why."""
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
    """The checkpoint holds which sample comes next."""
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
