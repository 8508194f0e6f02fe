"""Self-scaled quasi-Newton methods are their formulas, and end in minima."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg import LeastSquares, Outcome, Scalar, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.adapters.self_scaled import UPDATES, SelfScaled, updated

each = pytest.mark.parametrize("update", UPDATES)
ROSENBROCK = Scalar(lambda p: 50 * (p[1] - p[0] ** 2) ** 2 + 0.5 * (1 - p[0]) ** 2)
START = np.array([-1.2, 1.0])


def pair(seed: int, size: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A positive definite H, and s and y with yᵀs > 0."""
    random = np.random.default_rng(seed)
    half = random.normal(size=(size, size))
    step, change = random.normal(size=(2, size))
    change *= np.sign(step @ change)
    return half @ half.T + 0.1 * np.eye(size), step, change


def by_formula(inverse, step, change, update):
    """H⁺ from the Hessian's matrix B = H⁻¹ and the weights as they are printed."""
    n, ys = len(step), change @ step
    b, h = step @ np.linalg.solve(inverse, step) / ys, change @ inverse @ change / ys
    a = b * h - 1
    phi, tau = 1.0, min(1, 1 / b)
    if update == "broyden":
        rho_minus = min(1, h * (1 - np.sqrt(a / (1 + a))))
        theta = max((rho_minus - 1) / a, min(1 / rho_minus, (1 - b) / b))
        phi = (1 - theta) / (1 + a * theta)
        spread = (1 + a * theta) ** (1 / (1 - n))
        if theta <= 0:
            tau = min(min(1, 1 / b) * spread, 1 + a * theta)
        else:
            tau = min(1, 1 / b) * min(spread, 1 / theta)
    hy = inverse @ change
    v = np.sqrt(change @ hy) * (step / ys - hy / (change @ hy))
    shrunk = inverse - np.outer(hy, hy) / (change @ hy) + phi * np.outer(v, v)
    return shrunk / tau + np.outer(step, step) / ys


@each
@given(seed=st.integers(0, 10_000))
def test_the_update_is_its_formula(update: str, seed: int):
    """One pass over H gives what the formula gives; H⁺y = s, and H⁺ is positive definite."""
    inverse, step, change = pair(seed)
    curvature = float(step @ np.linalg.solve(inverse, step))
    expected = by_formula(inverse, step, change, update)
    found = updated(np.asfortranarray(inverse), step, change, curvature=curvature, update=update)
    scale = np.abs(expected).max()
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-7 * scale)
    assert np.allclose(found @ change, step, atol=1e-7 * scale)
    assert np.linalg.eigvalsh((found + found.T) / 2).min() > -1e-8 * scale


@each
def test_the_update_leaves_the_matrix_where_the_gradient_does_not_rise(update: str):
    """yᵀs <= 0 says nothing of a minimum."""
    inverse, step, change = pair(1)
    kept = updated(np.asfortranarray(inverse), step, -change, curvature=1.0, update=update)
    assert (kept == inverse).all()


@each
def test_it_finds_the_minimum_of_rosenbrocks_function(update: str):
    """The end is (1, 1), with next to nothing left of the loss, in fewer than 100 gradients."""
    solution = minimize(ROSENBROCK, START, SelfScaled(update=update), Stop(seconds=30))
    assert solution.outcome is Outcome.CONVERGED
    assert np.allclose(solution.params, 1, atol=1e-6)
    assert solution.work.gradients < 100
    assert solution.method == UPDATES[update]


@each
def test_it_solves_a_linear_problem_as_exactly_as_a_direct_solver(update: str):
    """The loss falls to that of NumPy's lstsq within rounding."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(30, 8)), random.normal(size=30)
    problem = LeastSquares(lambda w, row, y: row @ w - y, data=(a, b))
    best = np.linalg.lstsq(a, b)[0]
    solution = minimize(problem, np.zeros(8), SelfScaled(update=update), Stop(seconds=30))
    assert solution.outcome is Outcome.CONVERGED
    assert np.allclose(solution.params, best, atol=1e-6)


@pytest.mark.parametrize("gradients", range(1, 12))
def test_the_budget_of_gradients_is_kept_to_the_unit(gradients: int):
    """Also inside a line search."""
    solution = minimize(ROSENBROCK, START, "ss-broyden", Stop(gradients=gradients))
    assert solution.work.gradients == gradients
    assert solution.outcome is Outcome.BUDGET_SPENT
    assert (np.diff(solution.history["loss"]) <= 0).all()


def test_a_target_ends_the_run():
    """The first row at or below it is the last."""
    solution = minimize(ROSENBROCK, START, "ss-bfgs", Stop(loss=1e-3))
    assert solution.outcome is Outcome.TARGET_REACHED
    assert (solution.history["loss"][:-1] > 1e-3).all()


def test_nonsense_is_refused():
    """The message names what there is, and how much memory a matrix would take."""
    with pytest.raises(ConfigError, match=r"'dfp', but one of bfgs, broyden"):
        SelfScaled(update="dfp")
    theta, spec = flatten(np.zeros(30_000))
    flow = build_flow(Scalar(lambda p: p @ p), spec)
    assert theta.shape == (30_000,)
    with pytest.raises(ConfigError, match="7 GiB for its matrices of 30000 parameters"):
        SelfScaled().check(flow)
