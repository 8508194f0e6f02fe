"""The least of a quadratic within a box: the KKT conditions hold, which prove it.

SciPy's `lsq_linear` with "bvls" is no oracle here: it ends early for some of these problems.
"""

import jax
import numpy as np
import pytest

from thalweg.fitting.batch import solved
from thalweg.fitting.box import first_side, least_in_box, loop

COUNT, SIZE = 200, 6


def problems() -> tuple[np.ndarray, ...]:
    """Matrices with conditions up to 1e6, and boxes around 0 of which some sides are open or 0."""
    rng = np.random.default_rng(3)
    skew = np.exp(rng.uniform(-7, 0, (COUNT, SIZE)))
    matrix = rng.normal(size=(COUNT, SIZE + 2, SIZE)) * skew[:, None]
    right = rng.normal(size=(COUNT, SIZE + 2))
    free = np.stack([np.linalg.lstsq(a, b)[0] for a, b in zip(matrix, right, strict=True)])
    reach = np.abs(free) * rng.choice([0.0, 0.3, 0.9, 2.0, np.inf], size=(2, COUNT, SIZE))
    return matrix, right, -reach[0], reach[1]


def by_jax(normal: jax.Array, force: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """The compiled form, from normal equations."""

    def solve(side: jax.Array) -> tuple[jax.Array]:
        numpy = jax.numpy
        held = side != 0
        there = numpy.where(held, numpy.where(side < 0, low, high), 0)
        alone = numpy.where(held[:, None] | held, 0, normal) + numpy.diag(1.0 * held)
        return (solved(alone, numpy.where(held, there, force - normal @ there))[0],)

    side = first_side(-force, low, high)
    return least_in_box(
        solve, lambda step: normal @ step - force, side, low, high, blank=(force,)
    )[1][0]  # fmt: skip


def by_numpy(
    normal: np.ndarray, force: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """The form of the host."""

    def solve(side: np.ndarray) -> tuple[np.ndarray]:
        step = np.where(side < 0, low, np.where(side > 0, high, 0.0))
        free = side == 0
        rest = force - normal @ np.where(free, 0, step)
        step[free] = np.linalg.solve(normal[np.ix_(free, free)], rest[free])
        return (step,)

    side = first_side(-force, low, high, arrays=np)
    return least_in_box(
        solve, lambda step: normal @ step - force, side, low, high, arrays=np, repeat=loop
    )[1][0]  # fmt: skip


@pytest.mark.parametrize("form", [by_jax, by_numpy])
def test_the_kkt_conditions_hold(form):
    """For 200 problems with any share of their six parameters at a bound."""
    matrix, right, low, high = problems()
    normal = np.einsum("nmi,nmj->nij", matrix, matrix)
    force = np.einsum("nmi,nm->ni", matrix, right)
    if form is by_jax:
        with jax.enable_x64(True):  # noqa: FBT003 - as JAX has it
            steps = np.asarray(jax.jit(jax.vmap(form))(normal, force, low, high))
    else:
        steps = np.stack([form(*each) for each in zip(normal, force, low, high, strict=True)])
    gradient = np.einsum("nij,nj->ni", normal, steps) - force
    units = np.linalg.norm(matrix, axis=1) * np.linalg.norm(right, axis=1)[:, None]
    is_low, is_high = steps <= low, steps >= high
    push = np.where(is_low, np.minimum(gradient, 0), gradient)
    push = np.where(is_high, np.maximum(push, 0), push)
    assert np.all((low <= steps) & (steps <= high))
    assert np.abs(push / units).max() <= 1e-9
    assert COUNT < np.sum(is_low | is_high) < 5 * COUNT
