"""`self-scaled-bfgs`: the matrix is the formula, a step costs a gradient, the better end counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg import networks
from thalweg._run.notes import Earlier, Notes
from thalweg.solution import End
from thalweg.solvers.adapters.self_scaled import updated
from thalweg.solvers.integrators.self_scaled_bfgs import Inverse, SelfScaledBFGS, Trial, _learned

RANDOM = np.random.default_rng(5)
POINTS = RANDOM.normal(size=(60, 2))
CLASSES = (POINTS[:, 0] * POINTS[:, 1] > 0.2).astype(int)


def cross_entropy(scores, label):
    """Of two classes."""
    return jax.nn.logsumexp(scores) - scores[label]


TABLE = tw.Composite(networks.apply, cross_entropy, data=(POINTS, CLASSES), l2=1e-3)


def start(seed=0):
    """A network with eight units."""
    return networks.init((2, 8, 2), seed=seed)


ROSENBROCK = tw.Scalar(lambda p: 50 * (p[1] - p[0] ** 2) ** 2 + 0.5 * (1 - p[0]) ** 2)
VALLEY = np.array([-1.2, 1.0])
learned = jax.jit(_learned)


@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 1.0))
def test_the_matrix_is_that_of_the_formula(seed: int, share: float):
    """As in the adapter, which writes the formula out; and the direction is -H⁺ ∇L⁺."""
    random = np.random.default_rng(seed)
    half = random.normal(size=(6, 6))
    matrix = half @ half.T + 0.1 * np.eye(6)
    grad, change = random.normal(size=(2, 6))
    direction = -matrix @ grad
    step = share * direction
    change *= np.sign(step @ change)
    number = jnp.asarray
    trial = Trial(
        theta=number(step),
        loss=number(0.0),
        grad=number(grad + change),
        length=number(share),
        start_loss=number(1.0),
        start_grad=number(grad),
        direction=number(direction),
        is_fresh=number(0, bool),
        evaluations=number(1),
    )
    inverse = Inverse(number(matrix), number(1.0), number(0, bool), number(0.0))
    found, after = learned(inverse, trial, number(step))
    expected = updated(
        np.asfortranarray(matrix), step, change, curvature=-share * step @ grad, update="bfgs"
    )
    scale = np.abs(expected).max()
    assert np.allclose(found.matrix, expected, rtol=1e-7, atol=1e-8 * scale)
    ahead = expected @ (grad + change)
    assert np.allclose(after, -ahead, rtol=1e-6, atol=1e-7 * np.abs(ahead).max())


def test_each_attempt_costs_one_gradient_and_the_start_one_more():
    """Nothing else is computed."""
    work = tw.minimize(ROSENBROCK, VALLEY, "self-scaled-bfgs", tw.Stop(steps=20)).work
    assert work.gradients == 20 + work.rejected_steps + 1
    assert work._replace(gradients=0, rejected_steps=0) == tw.Work()


def test_it_ends_in_the_minimum_of_a_curved_valley():
    """Converged, to rounding, in few gradients."""
    solution = tw.minimize(ROSENBROCK, VALLEY, "self-scaled-bfgs", tw.Stop(seconds=60))
    assert solution.outcome is tw.Outcome.CONVERGED
    assert solution.params == pytest.approx([1.0, 1.0], abs=1e-7)
    assert solution.work.gradients < 100
    history = solution.history
    assert (np.diff(history["loss"]) <= 0).all()
    assert np.allclose(np.cumsum(history["h"][1:]), history["t"][1:])


def test_it_works_in_float32():
    """As far as that goes."""
    start32 = jax.tree.map(lambda leaf: leaf.astype(np.float32), start())
    solution = tw.minimize(TABLE, start32, "self-scaled-bfgs", tw.Stop(steps=300, seconds=60))
    assert solution.params[0]["weights"].dtype == np.float32
    assert solution.loss < 0.2 * solution.history["loss"][0]
    assert solution.outcome in (tw.Outcome.CONVERGED, tw.Outcome.STALLED)


def test_h_is_the_rate_of_a_gradient_step_of_the_same_length():
    """And t their sum."""
    solution = tw.minimize(ROSENBROCK, VALLEY, "self-scaled-bfgs", tw.Stop(steps=1))
    length = np.linalg.norm(solution.params - VALLEY)
    assert solution.history["h"][1] == pytest.approx(length / solution.history["grad_norm"][0])


def test_small_units_are_no_minimum():
    """A first step that moves the loss by less than its rounding is lengthened."""
    target = np.array([0.5, 1.0, 2.0]) * 1e6
    far = tw.Scalar(lambda p: 1 + 1e-18 * jnp.sum((p - target) ** 2))
    solution = tw.minimize(far, np.zeros(3), "self-scaled-bfgs", tw.Stop(steps=50))
    assert np.linalg.norm(solution.params - target) < 0.1 * np.linalg.norm(target)


def test_a_gradient_that_is_not_finite_is_explained():
    """Of √p at 0."""
    root = tw.Scalar(lambda p: jnp.sum(jnp.sqrt(p)))
    with pytest.raises(tw.ThalwegError, match="derivative by `params` is not"):
        tw.minimize(root, np.zeros(2), "self-scaled-bfgs", tw.Stop(steps=5))


def relay(**options):
    """With the method that `auto` lets begin again."""
    return SelfScaledBFGS(then=tw.ExponentialKrylov(), **options)


@pytest.fixture(scope="module")
def whole():
    """A run that begins again."""
    return tw.minimize(TABLE, start(), relay(), tw.Stop(steps=400, seconds=60))


def test_it_begins_again_at_the_start_and_the_better_end_counts(whole):
    """The second part is the run of that method alone; the message says which came lower."""
    alone = tw.minimize(TABLE, start(), tw.ExponentialKrylov(), tw.Stop(steps=400, seconds=60))
    first = int(np.flatnonzero(whole.history["hessian_products"])[0])
    assert f"`exponential-krylov` took over at step {first - 1} from the start." in whole.message
    count = 10
    again = whole.history["loss"][first : first + count]
    assert np.array_equal(again, alone.history["loss"][1 : count + 1])
    assert whole.loss == pytest.approx(whole.history["loss"].min(), rel=1e-12)
    assert whole.loss == pytest.approx(alone.loss, rel=1e-6)
    assert whole.message.endswith("`self-scaled-bfgs` had come to the same loss.")


@pytest.mark.parametrize("offset", [-1, 0, 1, 5])
def test_a_run_in_parts_is_the_run_in_one(tmp_path, whole, offset):
    """Cut before, at and after it began again, down to what its message says."""
    first = int(np.flatnonzero(whole.history["hessian_products"])[0])
    for steps in (first + offset, 400):
        solution = tw.minimize(
            TABLE,
            start(),
            relay(),
            tw.Stop(steps=steps, seconds=60),
            checkpoint=tmp_path / "run.state",
        )
    for column in ("loss", "h", "t", "gradients", "hessian_products"):
        assert np.array_equal(whole.history[column], solution.history[column], equal_nan=True)
    assert solution.message == whole.message
    assert solution.loss == whole.loss


def test_a_loss_of_zero_is_enough():
    """Nothing is lower, so nothing begins again."""
    bowl = tw.Scalar(lambda p: jnp.sum(p["w"] ** 2))
    solution = tw.minimize(bowl, {"w": np.ones((2, 2))}, relay(), tw.Stop(seconds=60))
    assert solution.loss == 0
    assert solution.work.hessian_products == 0
    assert solution.detail == ""


SECOND = "`second` took over at step 7 from the start. "


@pytest.mark.parametrize(
    ("loss", "last", "outcome", "detail"),
    [
        (0.5, "stalled", "stalled", SECOND + "Known. It came lower than `first`."),
        (1 - 1e-9, "stalled", "stalled", SECOND + "Known. `first` had come to the same loss."),
        (1.1, "stalled", "converged", SECOND + "`first` had come lower; its point is returned."),
        (
            np.inf,
            "budget spent",
            "budget spent",
            SECOND + "`first` had come lower; its point is returned.",
        ),
    ],
)
def test_the_end_of_the_attempt_that_came_lower_is_that_of_the_run(loss, last, outcome, detail):
    """Its point is returned, so its outcome counts, where the last attempt ended by itself."""
    notes = Notes().handed_over(to="second", step=7, earlier=Earlier("first", 1.0, "converged"))
    assert notes.end(End(tw.Outcome(last), "Known."), loss=loss) == (tw.Outcome(outcome), detail)


@pytest.mark.parametrize(
    ("options", "words"), [({"patience": 0}, "`patience` is 0"), ({"share": 1.0}, "`share` is 1.0")]
)
def test_values_out_of_range_are_refused(options, words):
    """By name, with what was expected."""
    with pytest.raises(tw.ThalwegError, match=words):
        SelfScaledBFGS(**options)
