"""The problems with fixed points are the equations and conditions that their sources train."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import networks
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg_lab import problems
from thalweg_lab.pde.fixed_points import INSIDE, PLACES, SIZES, TIMES, WIDE_SIZES

load = functools.cache(problems.load)
U = Any  # a function of x and t


def convection(u: U, x: Any, t: Any) -> Any:
    """As the paper writes it."""
    return jax.grad(u, 1)(x, t) + 40 * jax.grad(u)(x, t)


def reaction(u: U, x: Any, t: Any) -> Any:
    """As the paper writes it."""
    return jax.grad(u, 1)(x, t) - 5 * u(x, t) * (1 - u(x, t))


def wave(u: U, x: Any, t: Any) -> Any:
    """As the paper writes it."""
    return jax.grad(jax.grad(u, 1), 1)(x, t) - 4 * jax.grad(jax.grad(u))(x, t)


def bell(x: Any) -> Any:
    """The start of the reaction."""
    return np.exp(-0.5 * ((x - np.pi) / (np.pi / 4)) ** 2)


def beats(x: Any) -> Any:
    """The start of the wave."""
    return np.sin(np.pi * x) + 0.5 * np.sin(5 * np.pi * x)


@pytest.mark.parametrize(
    ("name", "equation", "start", "length"),
    [
        ("convection-40", convection, np.sin, 2 * np.pi),
        ("convection-40-wide", convection, np.sin, 2 * np.pi),
        ("reaction", reaction, bell, 2 * np.pi),
        ("wave", wave, beats, 1.0),
    ],
)
def test_the_loss_is_half_of_that_of_the_paper(name: str, equation: Any, start: Any, length: float):
    """Mean squares of equation, start and ends, by other derivatives, on the points described."""
    task = load(name)
    layers = task.start(0)
    problem: Any = task.problem
    inside, x, t = (block.data[0] for block in problem.blocks)
    assert (inside.shape, x.shape, t.shape) == ((INSIDE, 2), (PLACES,), (TIMES,))
    assert len(np.unique(inside, axis=0)) == INSIDE
    assert (inside.min(axis=0) > 0).all()
    assert inside[:, 0].max() < length == x[-1] == pytest.approx(length)
    assert inside[:, 1].max() == t[-1] == 1

    def u(x: Any, t: Any) -> Any:
        return networks.apply(layers, jnp.stack([x, t]))[0]

    every = jax.vmap(u)
    total = jnp.mean(jax.vmap(lambda p: equation(u, p[0], p[1]))(inside) ** 2)
    total += jnp.mean((every(x, 0 * x) - start(x)) ** 2)
    low, high = every(0 * t, t), every(0 * t + length, t)
    if name == "wave":
        total += jnp.mean(jax.vmap(jax.grad(u, 1))(x, 0 * x) ** 2)
        total += jnp.mean(low**2) + jnp.mean(high**2)
    else:
        total += jnp.mean((high - low) ** 2)
    theta, spec = flatten(layers)
    flow = build_flow(task.problem, spec)
    assert float(jax.jit(flow.loss)(flow.data, theta)) == pytest.approx(float(total) / 2)
    sizes = WIDE_SIZES if name.endswith("wide") else SIZES
    assert task.size == theta.size == networks.count(sizes)


def test_the_widths_are_those_of_papers():
    """Three hidden layers of 50, and four of 200."""
    assert (networks.count(SIZES), networks.count(WIDE_SIZES)) == (5301, 121401)


def test_a_time_in_windows_is_cut_after_the_first():
    """Points, and the solution that errors are measured against, up to a tenth of the time."""
    task = load("kuramoto-sivashinsky")
    problem: Any = task.problem
    inside, start = (block.data[0]["point"] for block in problem.blocks)
    assert inside.shape == (2000, 2)
    assert 0 < inside[:, 1].min() < inside[:, 1].max() < 0.1
    assert np.ptp(start[:, 1]) == 0
    assert np.ptp(start[:, 0]) > 1.9
    assert "t ≤ 0.1" in task.title


@pytest.mark.parametrize("name", ["helmholtz", "poisson-5d", "kuramoto-sivashinsky"])
def test_a_script_with_its_own_network_falls_towards_its_solution(name: str):
    """A descent of the loss, in few steps, also lowers the error against the solution."""
    import thalweg as tw

    task = load(name)
    start = task.start(1)
    solution = tw.minimize(task.problem, start, "l-bfgs", tw.Stop(gradients=30))
    assert solution.loss < 0.5 * solution.history["loss"][0]
    assert task.measure.of(solution.params) < task.measure.of(start)
