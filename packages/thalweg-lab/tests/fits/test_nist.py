"""NIST's problems of nonlinear regression hold NIST's numbers, and each model is NIST's model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg_lab import fits
from thalweg_lab.fits import FitProblem

each = pytest.mark.parametrize("task", fits.nist(), ids=lambda task: task.name)
# Lanczos1 has residuals of 1e-13, of which float64 keeps three digits.
DIGITS = {"Lanczos1": 2}


def test_nist_grades_eight_problems_as_lower_eleven_as_average_and_eight_as_higher():
    """As NIST's own list of the data sets counts them."""
    grades = [task.difficulty for task in fits.nist()]
    assert len(grades) == 27
    assert [grades.count(each) for each in ("lower", "average", "higher")] == [8, 11, 8]


@each
def test_the_squares_are_least_at_the_certified_parameters_and_as_certified(task: FitProblem):
    """A digit lost from the data or a slip in a model would show here.

    A Gauss-Newton step from the certified parameters, which have eleven digits, leads to the
    minimum itself: it moves no parameter by more than those digits allow.
    """
    assert task.minimizer is not None
    b = jnp.asarray(task.minimizer)
    jacobian = np.asarray(jax.jacfwd(task.residuals)(b))
    lengths = np.linalg.norm(jacobian, axis=0)
    step = np.linalg.lstsq(jacobian / lengths, np.asarray(task.residuals(b)))[0] / lengths
    assert np.abs(step / task.minimizer).max() < 2e-10
    squares = task.squares(task.minimizer - step)
    assert squares == pytest.approx(task.minimum, rel=10.0 ** -DIGITS.get(task.name, 9), abs=0.0)


@each
def test_the_problem_of_examples_has_the_same_squares(task: FitProblem):
    """`problem`, which has the mean over the examples, and `residuals` agree at both starts."""
    assert list(task.starts) == ["1", "2"]
    for start in task.starts.values():
        theta, spec = flatten(jnp.asarray(start))
        flow = build_flow(task.problem, spec)
        loss, gradient = jax.jit(flow.value_and_grad)(flow.data, theta)
        examples = task.problem.blocks[0].length
        assert np.isfinite(np.asarray(gradient)).all()
        assert 2.0 * examples * float(loss) == pytest.approx(
            task.squares(start), rel=1e-12, abs=0.0
        )
