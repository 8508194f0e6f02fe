"""Optax's optimisers inside the jitted loop follow their own recurrences, step by step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from thalweg import LeastSquares, Outcome, Scalar, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.flow.programs import forget_programs
from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer

NAMES = ("gradient-descent", "momentum", "adam", "optax-l-bfgs")
each = pytest.mark.parametrize("name", NAMES)
CURVATURES = np.array([0.5, 3.0, 20.0])
START = np.array([1.0, -2.0, 0.5])


@functools.cache  # one problem for all tests, so that its functions are compiled once
def quadratic():
    """L = ½ Σ λ θ²."""
    return LeastSquares(lambda theta: jnp.asarray(np.sqrt(CURVATURES), theta.dtype) * theta)


def descent(steps, *, rate=0.01, decay=0.0):
    """Points of gradient descent with momentum, from Polyak's recurrence."""
    theta, velocity, points = START.copy(), np.zeros(3), []
    for _ in range(steps):
        velocity = decay * velocity + CURVATURES * theta
        theta = theta - rate * velocity
        points.append(theta)
    return np.array(points)


def adam(steps, *, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Points of Adam, from algorithm 1 of Kingma & Ba."""
    theta, first, second, points = START.copy(), np.zeros(3), np.zeros(3), []
    for t in range(1, steps + 1):
        grad = CURVATURES * theta
        first = b1 * first + (1 - b1) * grad
        second = b2 * second + (1 - b2) * grad**2
        theta = theta - rate * (first / (1 - b1**t)) / (np.sqrt(second / (1 - b2**t)) + eps)
        points.append(theta)
    return np.array(points)


RECURRENCES = {
    "gradient-descent": (descent, 0.01),
    "momentum": (functools.partial(descent, decay=0.9), 0.01),
    "adam": (adam, 1e-3),
}


@pytest.mark.parametrize("name", RECURRENCES)
def test_the_recurrence_is_the_textbooks(name):
    """Losses and grad_norms of 300 steps are those of the recurrence in NumPy; h is the rate."""
    recurrence, rate = RECURRENCES[name]
    points = np.concatenate([[START], recurrence(300)])
    solution = minimize(quadratic(), START, name, Stop(steps=300))
    history = solution.history
    np.testing.assert_allclose(history["loss"], 0.5 * points**2 @ CURVATURES, rtol=1e-9)
    grad_norms = np.linalg.norm(points * CURVATURES, axis=1)
    np.testing.assert_allclose(history["grad_norm"], grad_norms, rtol=1e-9)
    np.testing.assert_allclose(history["h"][1:], rate)
    np.testing.assert_allclose(history["t"], rate * np.arange(301), rtol=1e-12)


@pytest.mark.parametrize("name", RECURRENCES)
def test_a_step_costs_one_gradient(name):
    """The new point's gradient serves the next step; only the first step costs two."""
    history = minimize(quadratic(), START, name, Stop(steps=50)).history
    np.testing.assert_array_equal(history["gradients"], [0, *range(2, 52)])
    assert not history["losses"].any()


def test_l_bfgs_is_optaxs_own_loop():
    """The losses are those of the loop that Optax's documentation gives."""
    solver = optax.lbfgs()

    def loss(theta):
        return 0.5 * jnp.sum(CURVATURES * theta**2)

    value_and_grad = optax.value_and_grad_from_state(loss)

    @jax.jit
    def step(theta, state):
        value, grad = value_and_grad(theta, state=state)
        updates, state = solver.update(grad, state, theta, value=value, grad=grad, value_fn=loss)
        return optax.apply_updates(theta, updates), state, value

    theta, losses = jnp.asarray(START), []
    state = solver.init(theta)
    for _ in range(6):
        theta, state, value = step(theta, state)
        losses.append(float(value))
    solution = minimize(quadratic(), START, "optax-l-bfgs", Stop(steps=5))
    np.testing.assert_allclose(solution.history["loss"], losses, rtol=1e-8)


def test_trial_points_of_a_line_search_are_counted():
    """As many gradients are counted as a counter inside the loss sees evaluations."""
    seen = []

    def loss(theta):
        jax.debug.callback(lambda: seen.append(1))
        bend = theta[1:] - theta[:-1] ** 2
        return 50 * jnp.sum(bend**2) + 0.5 * jnp.sum((1 - theta) ** 2)

    stop = Stop(steps=8)
    solution = minimize(Scalar(loss), START, "optax-l-bfgs", stop)
    jax.effects_barrier()
    after_the_run = len(seen) - solution.work.gradients
    trials_of_one_more_step = 1 + 20  # the loop learns the last |∇L| by a step it does not take
    assert solution.work.rejected_steps > 0
    assert 1 <= after_the_run <= trials_of_one_more_step
    assert solution.work.gradients == 1 + 8 + solution.work.rejected_steps


def test_l_bfgs_reaches_the_minimum():
    """On a quadratic L-BFGS gets to machine precision and then says that nothing moves."""
    solution = minimize(quadratic(), START, "optax-l-bfgs", Stop(steps=2000))
    assert solution.outcome in (Outcome.CONVERGED, Outcome.STALLED)
    np.testing.assert_allclose(solution.params, 0, atol=1e-12)


@each
def test_targets_are_obeyed(name):
    """A run ends at the first row at or below what was asked for, and within its budgets."""
    by_loss = minimize(quadratic(), START, name, Stop(loss=1.0))
    assert by_loss.outcome is Outcome.TARGET_REACHED
    assert by_loss.history["loss"][-1] <= 1.0 < by_loss.history["loss"][-2]
    by_gradient = minimize(quadratic(), START, name, Stop(grad_norm=3.0))
    assert by_gradient.outcome is Outcome.CONVERGED
    assert by_gradient.history["grad_norm"][-1] <= 3.0 < by_gradient.history["grad_norm"][-2]
    by_gradients = minimize(quadratic(), START, name, Stop(gradients=5))
    assert by_gradients.outcome is Outcome.BUDGET_SPENT
    assert 5 <= by_gradients.work.gradients <= 5 + 20  # a step is not cut


def test_a_rate_that_is_too_large_diverges_and_says_so():
    """Above 2/λ gradient descent grows without bound; the best point is kept."""
    wild = OptaxOptimizer(optax.sgd(1.0))
    solution = minimize(quadratic(), START, wild, Stop(steps=5000))
    assert solution.outcome is Outcome.DIVERGED
    assert solution.loss == solution.history["loss"].min()
    assert np.isfinite(solution.params).all()


def test_a_start_without_gradient_has_converged():
    """Where ∇L is exactly 0 there is nothing to do."""
    solution = minimize(quadratic(), np.zeros(3), "adam", Stop(steps=10))
    assert solution.outcome is Outcome.CONVERGED


def test_a_rate_of_nothing_stalls():
    """An optimiser that leaves θ as it is for 100 steps is ended, one that warms up is not."""
    still = minimize(quadratic(), START, OptaxOptimizer(optax.sgd(0.0)), Stop(steps=1000))
    assert still.outcome is Outcome.STALLED
    assert still.history["step"][-1] == 100
    warm = optax.sgd(optax.linear_schedule(0.0, 0.01, 20))
    assert minimize(quadratic(), START, OptaxOptimizer(warm), Stop(steps=200)).loss < 1.0


@pytest.mark.parametrize(
    ("transformation", "rate"),
    [
        (optax.sgd(0.02), np.nan),
        (optax.inject_hyperparams(optax.sgd)(learning_rate=0.02), 0.02),
    ],
)
def test_any_optimiser_runs_and_h_is_its_rate_where_known(transformation, rate):
    """A configured optimiser is one more method; a learning rate in the state is used."""
    solution = minimize(quadratic(), START, OptaxOptimizer(transformation), Stop(steps=20))
    losses = 0.5 * descent(20, rate=0.02) ** 2 @ CURVATURES
    np.testing.assert_allclose(solution.history["loss"][1:], losses, rtol=1e-6)
    np.testing.assert_allclose(solution.history["h"][1:], rate, rtol=1e-6)
    assert solution.method == "optax"


def test_a_line_search_without_gradients_counts_losses():
    """Backtracking costs losses at its trial points and one gradient at the point it takes."""
    search = optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=15)
    )
    solution = minimize(quadratic(), START, OptaxOptimizer(search), Stop(steps=30))
    assert solution.work.gradients == 31
    assert solution.work.losses >= 30
    assert np.all(np.diff(solution.history["loss"]) < 0)


@each
def test_float32_parameters_stay_float32(name):
    """With float32 the run stays in float32, also with the x64 flag on."""
    solution = minimize(quadratic(), START.astype(np.float32), name, Stop(steps=60))
    assert solution.params.dtype == np.float32
    assert solution.loss < solution.history["loss"][0]


@each
def test_a_second_run_compiles_nothing(name):
    """A name stands for one object, so the second run finds the first one's program."""
    problem = quadratic.__wrapped__()
    forget_programs()
    first, second = (minimize(problem, START, name, Stop(steps=3)) for _ in range(2))
    assert second.compile_seconds == 0.0 < first.compile_seconds
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


def test_what_is_no_optimiser_is_refused():
    """A name or a class instead of a configured optimiser is answered in one sentence."""
    with pytest.raises(ConfigError, match="optimiser of Optax such as"):
        OptaxOptimizer("adam")
