"""Methods of other libraries take steps on the problems of the demo, or say why they cannot."""

import functools

import numpy as np
import pytest

from thalweg import Stop, minimize
from thalweg.errors import ConfigError
from thalweg_lab import problems

ON_THE_HOST = ("scipy-radau", "scipy-bdf", "dop853", "cvode", "cvode-krylov", "scipy-dogbox")
# Compiling takes some seconds for each problem and method, so each is tried on one of the three.
COMPILED = {
    "kvaerno3": "bessel",
    "tsit5": "digits",
    "optimistix-lm": "poisson",
    "optimistix-bfgs": "digits",
}
FOR_LEAST_SQUARES = ("scipy-dogbox", "optimistix-lm")
load = functools.cache(problems.load)


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        (method, problem)
        for method in ON_THE_HOST
        for problem in problems.DEMO
        if (method, problem) != ("scipy-radau", "digits")  # its complex matrix takes many seconds
    ],
)
def test_it_lowers_the_loss(method, problem):
    """A step lowers the loss; on a loss that has no residuals, methods for them say so."""
    training = load(problem)
    if problem == "digits" and method in FOR_LEAST_SQUARES:
        with pytest.raises(ConfigError, match="the problem is not a `LeastSquares`"):
            minimize(training.problem, training.start(0), method)
        return
    solution = minimize(training.problem, training.start(0), method, Stop(steps=1))
    assert np.isfinite(solution.history["loss"]).all()
    assert solution.history["step"][-1] == 1
    assert solution.loss < solution.history["loss"][0]


@pytest.mark.parametrize(("method", "problem"), COMPILED.items())
def test_it_lowers_the_loss_in_a_compiled_loop(method, problem):
    """Two steps lower the loss."""
    training = load(problem)
    solution = minimize(training.problem, training.start(0), method, Stop(steps=2))
    assert solution.history["step"][-1] == 2
    assert solution.loss < solution.history["loss"][0]
