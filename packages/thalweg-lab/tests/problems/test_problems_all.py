"""Every problem, whatever it is, can be trained: finite losses, correct gradients, true sizes."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from thalweg.flow import build_flow
from thalweg.flow.compiled import is_small
from thalweg.flow.flatten import flatten
from thalweg.problem import Composite, LeastSquares
from thalweg_lab import problems

EXAMPLES = 100  # of each problem, about, for its gradient
QUICKLY: dict[str, str | bool] = {
    "xla_backend_optimization_level": "0"
}  # each program runs five times only
STEP = 1e-4  # of the central differences, along directions of length 1
load = functools.cache(problems.load)
each = pytest.mark.parametrize("name", problems.NAMES)


@each
def test_a_problem_states_its_true_size(name: str):
    """`size` counts the weights of the start, and equal seeds give equal starts."""
    task = load(name)
    leaves = jax.tree.leaves(task.start(3))
    assert sum(leaf.size for leaf in leaves) == task.size
    assert all(leaf.dtype == np.float64 for leaf in leaves)
    again, other = jax.tree.leaves(task.start(3)), jax.tree.leaves(task.start(4))
    assert all((a == b).all() for a, b in zip(leaves, again, strict=True))
    assert any((a != b).any() for a, b in zip(leaves, other, strict=True))


@pytest.mark.parametrize(("name", "small"), [("iris", True), ("poisson", False), ("wine", False)])
def test_programs_compile_quickly_only_where_they_run_no_slower(name: str, small: bool):  # noqa: FBT001
    """By XLA's older emitters a step takes 1.4 times as long on `poisson`, but not on `iris`."""
    task = load(name)
    flow = build_flow(task.problem, flatten(task.start(0))[1])
    assert is_small(flow) is small


def some_of(data: Any) -> Any:
    """Evenly spaced examples."""
    return jax.tree.map(lambda part: part[:: max(1, len(part) // EXAMPLES)], data)


def smaller(problem: Any) -> Any:
    """The same problem on some of its examples: as it is differentiated, only sooner."""
    if isinstance(problem, Composite):
        return Composite(problem.outputs, problem.loss, some_of(problem.data), problem.l2)
    blocks = [b.weight * LeastSquares(b.function, some_of(b.data)) for b in problem.blocks]
    return functools.reduce(lambda a, b: a + b, blocks)


@each
def test_the_gradient_at_a_start_is_the_derivative_of_a_finite_loss(name: str):
    """Central differences of the loss along a random direction and along ∇L agree with ∇L."""
    task = load(name)
    theta, spec = flatten(task.start(0))
    flow = build_flow(smaller(task.problem), spec)
    value_and_grad = (
        jax.jit(flow.value_and_grad)
        .lower(flow.data, theta)
        .compile(
            None if name == "mnist-cnn" else QUICKLY  # convolutions run long where not optimised
        )
    )
    loss, grad = value_and_grad(flow.data, theta)
    assert np.isfinite(loss)
    assert loss > task.targets[-1]
    random = np.random.default_rng(0)
    for direction in (random.standard_normal(len(theta)), np.asarray(grad)):
        unit = direction / np.linalg.norm(direction)
        after, _ = value_and_grad(flow.data, theta + STEP * unit)
        before, _ = value_and_grad(flow.data, theta - STEP * unit)
        derivative = (float(after) - float(before)) / (2 * STEP)
        assert derivative == pytest.approx(float(np.vdot(grad, unit)), rel=1e-4, abs=1e-7)


@each
def test_a_problem_says_what_it_is(name: str):
    """It has the name that it is loaded by, a known kind, a source, and descending targets."""
    task = load(name)
    assert task.name == name
    assert task.kind in problems.KINDS
    assert task.source.endswith(".")
    assert list(task.targets) == sorted(set(task.targets), reverse=True)
    assert (name in problems.DEMO) == bool(task.story) == bool(task.pictures({name: task.start(0)}))


@each
def test_a_start_can_be_judged(name: str):
    """The measure of an untrained network is finite, and a share lies between 0 and 1."""
    task = load(name)
    value = task.measure.of(task.start(0))
    assert 0 <= value <= (1 if task.measure.is_share else np.inf)


def test_the_problems_range_from_ten_weights_to_almost_a_hundred_thousand():
    """Small, medium and large ones, and some of each kind."""
    sizes = [load(name).size for name in problems.NAMES]
    assert min(sizes) < 50
    assert max(sizes) > 50_000
    assert {load(name).kind for name in problems.NAMES} == set(problems.KINDS)
