"""What bad input gets: one sentence, before anything is computed."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import pde
from thalweg.errors import ConfigError

LINE, SQUARE = pde.Interval(0, 1), pde.Box((0, 0), (1, 1))


def poisson(u, x):
    """Laplace's equation."""
    return pde.laplacian(u)(x)


def solve(domain, equation, conditions=(), *, options=None, **more):
    """A run that must not get to its first step."""
    problem = pde.Problem(domain, equation, list(conditions), **more)
    chosen: dict[str, Any] = options or {"points": 20}
    return pde.solve(problem, seconds=1, network=pde.MLP(4, 1), **chosen)


BAD = {
    "a residual that is a matrix": (
        lambda: solve(LINE, lambda u, x: jnp.ones((2, 2)) * u(x)),
        "`residual of equation` has shape",
    ),
    "no return": (lambda: solve(LINE, lambda u, x: None), "ends with `return`"),  # noqa: ARG005
    "a value of the wrong length": (
        lambda: solve(SQUARE, poisson, [pde.Dirichlet(jnp.zeros(3))], outputs=2),
        r"`value of Dirichlet on edge` has shape \(3,\), but \(\) or \(2,\) was expected",
    ),
    "a measurement outside": (
        lambda: solve(LINE, poisson, [pde.Data([0.5, 1.5], [0, 0])]),
        r"1 of 2 points of `Data` lie outside of the domain, first \(1.5\)",
    ),
    "measurements without values": (
        lambda: solve(LINE, poisson, [pde.Data([0.5, 0.6], [0])]),
        "one row for each of the 2 points",
    ),
    "an edge that does not exist": (
        lambda: solve(SQUARE, poisson, [pde.Dirichlet(0.0, on="roof")]),
        "there is no edge 'roof'; this domain has 'left', 'right', 'bottom', 'top'",
    ),
    "an equation that is singular": (
        lambda: solve(LINE, lambda u, x: pde.laplacian(u)(x) / (x - x)),
        "the residual of `equation` is NaN or infinite at",
    ),
    "a slope that is singular": (
        lambda: solve(LINE, lambda u, x: jnp.sqrt(u(x) * 0)),
        "no finite derivative by the parameters",
    ),
    "a value that is not finite": (
        lambda: solve(LINE, poisson, [pde.Dirichlet(lambda x: 1 / x)]),
        r"the value of `Dirichlet on edge` is NaN or infinite at \(0\)",
    ),
    "too few points": (
        lambda: solve(SQUARE, poisson, options={"points": 3}),
        "`points` is 3, which is too few for 2",
    ),
    "a start without time": (
        lambda: solve(LINE, poisson, [pde.Initial(0.0)]),
        "give the problem a `time`",
    ),
    "windows without time": (
        lambda: solve(LINE, poisson, options={"windows": 2}),
        "no `time` to cut",
    ),
    "a component that does not exist": (
        lambda: solve(LINE, poisson, [pde.Dirichlet(0.0, component=1)]),
        "u has 1 output",
    ),
    "a distance that is not known": (
        lambda: solve(pde.LShape(), poisson, [pde.Dirichlet(0.0, hard=True)]),
        "leave out `hard=True`",
    ),
    "hard values that differ": (
        lambda: solve(
            LINE,
            poisson,
            [pde.Dirichlet(0.0, on="left", hard=True), pde.Dirichlet(1.0, on="right", hard=True)],
        ),
        "the values of the hard conditions differ by 1",
    ),
    "an interface without a side": (
        lambda: solve(LINE, poisson, [pde.Interface(lambda u, x, n: u(x))]),  # noqa: ARG005
        "`Interface` needs `inside=`",
    ),
    "a time that ends before it starts": (
        lambda: solve(LINE, poisson, time=(1, 0)),
        "a finite start before",
    ),
    "a network that is none": (
        lambda: pde.solve(pde.Problem(LINE, poisson, []), network=3),
        "`network` is of type int",
    ),
    "no problem": (lambda: pde.solve(3), "`problem` is of type int"),  # pyright: ignore[reportArgumentType]
    "a reference that is none": (
        lambda: solve(LINE, poisson, reference=3, options={"points": 20, "steps": 1}),
        "`reference` is of type int",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case: str):
    """What was found and what to do, on one line."""
    use, words = BAD[case]
    with pytest.raises(ConfigError, match=words) as caught:
        use()
    assert "\n" not in str(caught.value)


def test_points_outside_are_not_evaluated():
    """A network knows nothing outside of its domain; edges belong to it."""
    hole = SQUARE - pde.Disk((0.5, 0.5), 0.2)
    result = solve(hole, poisson, [pde.Dirichlet(1.0)], options={"points": 20, "steps": 1})
    assert np.isfinite(result.u(np.array([[0.0, 0.0], [1.0, 1.0], [0.3, 0.5]]))).all()
    with pytest.raises(ConfigError, match="1 of 2 points lie outside of the domain, first"):
        result.u(np.array([[0.5, 0.5], [0.1, 0.1]]))
    with pytest.raises(ConfigError, match="the last axis holds the coordinates"):
        result.u(np.zeros(3))
    with pytest.raises(ConfigError, match="any other `u"):
        result.u(np.zeros((3, 2)), 1.0)


def test_two_measurements_of_one_field_are_two_terms():
    """Conditions are told apart by what they are, whatever arrays they hold."""
    conditions = [pde.Data([0.1, 0.2], [0, 0]), pde.Data([0.7, 0.8, 0.9], [0, 1, 1])]
    problem = pde.Problem(LINE, poisson, conditions)
    result = pde.solve(problem, seconds=1, steps=1, network=pde.MLP(4, 1), points=20)
    assert result.points == {"equation": 20, "Data, 1": 2, "Data, 2": 3}
