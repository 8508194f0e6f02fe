"""Adam followed by L-BFGS is Adam, then L-BFGS, within one budget."""

import numpy as np
import optax
import pytest

from thalweg import LBFGS, LeastSquares, OptaxOptimizer, Outcome, Scalar, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.solvers.adapters.adam_then_lbfgs import AdamThenLBFGS

ROSENBROCK = Scalar(lambda p: 50 * (p[1] - p[0] ** 2) ** 2 + 0.5 * (1 - p[0]) ** 2)
START = np.array([-1.2, 1.0])
RECIPE = AdamThenLBFGS(steps=30, learning_rate=0.002)
ADAM = OptaxOptimizer(optax.adam(0.002), name="adam 0.002")


def test_it_begins_as_adam_alone():
    """The first rows are those of Optax's Adam: losses, gradients, counts."""
    alone = minimize(ROSENBROCK, START, ADAM, Stop(steps=29)).history
    together = minimize(ROSENBROCK, START, RECIPE, Stop(steps=29)).history
    for column in ("step", "loss", "grad_norm"):
        assert np.allclose(together[column], alone[column], rtol=1e-12), column
    assert together["gradients"].tolist() == list(range(1, 31))


def test_it_goes_on_as_l_bfgs_from_where_adam_ends():
    """The rows after Adam's are those of L-BFGS from Adam's end, their gradients on top."""
    begun = minimize(ROSENBROCK, START, ADAM, Stop(steps=30))
    after = minimize(ROSENBROCK, begun.params, LBFGS(), Stop(steps=5)).history
    whole = minimize(ROSENBROCK, START, RECIPE, Stop(steps=35)).history
    assert np.allclose(whole["loss"][30:], after["loss"], rtol=1e-6)
    assert (whole["gradients"][30:] == 30 + after["gradients"]).all()


def test_it_ends_in_the_minimum():
    """With a loss of next to nothing at (1, 1)."""
    solution = minimize(ROSENBROCK, START, "adam-l-bfgs", Stop(seconds=30))
    assert solution.outcome is Outcome.CONVERGED
    assert np.allclose(solution.params, 1, atol=1e-6)


def test_without_adam_it_is_l_bfgs():
    """`steps=0` gives the same losses."""
    alone = minimize(ROSENBROCK, START, LBFGS(), Stop(steps=10))
    solution = minimize(ROSENBROCK, START, AdamThenLBFGS(steps=0), Stop(steps=10))
    assert np.allclose(solution.history["loss"], alone.history["loss"], rtol=1e-12)


@pytest.mark.parametrize("gradients", [1, 2, 29, 30, 31, 33])
def test_the_budget_of_gradients_is_kept_in_both_halves(gradients: int):
    """To the unit."""
    solution = minimize(ROSENBROCK, START, RECIPE, Stop(gradients=gradients))
    assert solution.work.gradients == gradients
    assert solution.outcome is Outcome.BUDGET_SPENT


@pytest.mark.parametrize("target", [10.0, 1e-6])
def test_a_target_ends_the_run_in_either_half(target: float):
    """The first row at or below it is the last, and its point is what is returned."""
    solution = minimize(ROSENBROCK, START, RECIPE, Stop(loss=target))
    assert solution.outcome is Outcome.TARGET_REACHED
    assert (solution.history["loss"][:-1] > target).all()
    x, y = np.asarray(solution.params)
    assert 50 * (y - x**2) ** 2 + 0.5 * (1 - x) ** 2 == pytest.approx(solution.loss, abs=1e-12)
    assert (solution.work.gradients <= 30) == (target == 10.0)


def test_the_clock_of_adams_rows_runs_forward():
    """Seconds rise from row to row, and the budget of seconds ends the run."""
    problem = LeastSquares(lambda p: p - 3.0)
    solution = minimize(
        problem, np.zeros(4), AdamThenLBFGS(steps=10**7, learning_rate=1e-6), Stop(seconds=0.3)
    )
    assert (np.diff(solution.history["seconds"]) > 0).all()
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert solution.seconds < 2


def test_a_second_run_compiles_nothing():
    """Programs are kept with the problem."""
    minimize(ROSENBROCK, START, RECIPE, Stop(steps=40))
    assert minimize(ROSENBROCK, START + 0.1, RECIPE, Stop(steps=40)).compile_seconds == 0


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_the_dtype_follows_the_start(real: str):
    """Parameters come back in the dtype that they had."""
    solution = minimize(ROSENBROCK, START.astype(real), RECIPE, Stop(steps=40))
    assert np.asarray(solution.params).dtype == real


@pytest.mark.parametrize("arguments", [{"steps": -1}, {"learning_rate": 0.0}, {"maxcor": 0}])
def test_nonsense_is_refused(arguments: dict):
    """The message names the argument."""
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        AdamThenLBFGS(**arguments)
