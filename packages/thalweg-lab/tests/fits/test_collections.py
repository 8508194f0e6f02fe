"""The collections' problems have the published values at their starts and at their minima."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from thalweg_lab import fits
from thalweg_lab.fits import FitProblem

BY_NAME = {task.name: task for task in fits.collections()}
each = pytest.mark.parametrize("task", fits.collections(), ids=BY_NAME)
# Norms of the residuals at once, ten and a hundred times the standard start, from the reference
# output of MINPACK's own tests, which have eight digits.
NORMS = {
    "Rosenbrock": (4.9193496, 1.3400631e3, 1.4300005e5),
    "Helical valley": (5.0e1, 1.0295630e2, 9.9126182e2),
    "Powell singular": (1.4662878e1, 1.2709839e3, 1.2688790e5),
    "Freudenstein-Roth": (2.0012496e1, 1.2432834e4, 1.1426455e7),
    "Bard": (6.4561363, 3.6141853e1, 3.8411468e2),
    "Kowalik-Osborne": (7.2891510e-2, 2.9793701, 2.9959062e1),
    "Meyer": (4.1153467e4, 4.1682169e6),
    "Watson": (5.4772256, 1.2088127e4, 1.2691093e6),
    "Box": (3.2111584e1,),
    "Jennrich-Sampson": (6.4585650e1,),
    "Brown-Dennis": (2.8154384e3, 5.5507335e5, 6.1211252e7),
    "Chebyquad": (1.9651386e-1,),
    "Brown almost linear": (1.6530216e1, 9.7656240e6, 9.7656250e16),
    "Osborne 1": (9.3756402e-1,),
    "Osborne 2": (1.4468654,),
}


def test_there_are_sixty_problems_with_three_starts_each():
    """35 of Moré, Garbow and Hillstrom, 25 of CUTEst; none twice."""
    count = Counter(task.collection for task in fits.collections())
    assert count == {"MGH": 35, "CUTEst": 25}
    assert len(BY_NAME) == 60
    assert all(list(task.starts) == ["1", "10", "100"] for task in fits.collections())
    assert len({task.source for task in fits.collections() if task.collection == "MGH"}) == 35


@pytest.mark.parametrize("name", NORMS)
def test_the_norms_at_the_starts_are_those_of_minpack(name: str):
    """A slip in a residual, in the data or in a start would show here."""
    task = BY_NAME[name]
    for published, start in zip(NORMS[name], task.starts.values(), strict=False):
        assert np.sqrt(task.squares(start)) == pytest.approx(published, rel=1e-7)


def test_a_zero_start_is_replaced_and_not_multiplied():
    """Ten times zero would be the same start three times."""
    assert BY_NAME["EXPFIT"].starts["10"].tolist() == [10.0, 10.0]
    assert BY_NAME["Helical valley"].starts["100"].tolist() == [-100.0, 0.0, 0.0]


@pytest.mark.parametrize("task", [t for t in BY_NAME.values() if t.minimizer is not None])
def test_the_known_parameters_attain_the_least_squares(task: FitProblem):
    """Most are small numbers without an error; circles have ten digits."""
    assert task.minimizer is not None
    scale = task.squares(task.starts["1"])
    assert task.squares(task.minimizer) == pytest.approx(task.minimum, rel=1e-9, abs=1e-28 * scale)


def nearby(start: np.ndarray) -> list[np.ndarray]:
    """The start, and others around it, further and further away."""
    random = np.random.default_rng(0)
    moved = [start + (start == 0.0) * 0.3 for _ in range(24)]
    return [start] + [s * (1.0 + k / 15 * random.normal(size=s.size)) for k, s in enumerate(moved)]


@each
def test_the_published_minimum_is_found_and_is_the_least(task: FitProblem):
    """SciPy finds it from the standard start or one nearby, and finds nothing below it."""
    residuals = jax.jit(task.residuals)
    jacobian = jax.jit(jax.jacfwd(task.residuals))
    starts = nearby(task.starts["1"] if task.minimizer is None else task.minimizer)
    tight: dict[str, Any] = {"x_scale": "jac", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    best, wanted = np.inf, task.minimum + 1e-5 * task.minimum + 1e-16
    for start in starts:
        found = optimize.least_squares(
            lambda x: np.asarray(residuals(x)),
            start,
            lambda x: np.asarray(jacobian(x)),
            method="trf",
            max_nfev=1000,
            **tight,
        )
        best = min(best, 2.0 * float(found.cost))
        if best <= wanted:
            break
    assert task.minimum * (1.0 - 1e-5) <= best <= wanted


@each
def test_residuals_and_derivatives_are_finite_at_every_start(task: FitProblem):
    """Otherwise no solver could begin there; the sum of squares itself may overflow."""
    jacobian = jax.jit(jax.jacfwd(task.residuals))
    for start in task.starts.values():
        assert np.isfinite(np.asarray(task.residuals(jnp.asarray(start)))).all()
        assert np.isfinite(np.asarray(jacobian(jnp.asarray(start)))).all()
