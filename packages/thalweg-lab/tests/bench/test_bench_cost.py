"""What a step costs: operations counted against sums by hand, growth against known powers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg_lab.bench.cost import GRADIENT, Size, exponent, measure
from thalweg_lab.bench.memory import MIB, peaks
from thalweg_lab.bench.operations import Operations, operations

A, B = jnp.ones((3, 5)), jnp.ones((5, 7))
SQUARE = jnp.eye(6)
WORD = 8


def test_a_product_of_matrices_is_two_operations_a_triple():
    """2·3·5·7, and all three matrices are moved; the same under vmap, so many times."""
    once = Operations(2 * 3 * 5 * 7, WORD * (15 + 35 + 21))
    assert operations(jnp.matmul, A, B) == once
    batch = jnp.ones((4, 3, 5)), jnp.ones((4, 5, 7))
    assert operations(jax.vmap(jnp.matmul), *batch) == once.times(4)


@given(st.integers(1, 9))
def test_a_loop_of_known_length_counts_each_turn(length: int):
    """Which XLA's count of a compiled program does not."""

    def loop(a: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, _: (x @ a, None), a, length=length)[0]

    assert operations(loop, SQUARE) == operations(jnp.matmul, SQUARE, SQUARE).times(length)


def test_a_branch_counts_as_its_dearest_side_and_an_open_loop_once():
    """So a step is one attempt."""
    dear = operations(jnp.matmul, SQUARE, SQUARE).flops

    def branch(a: jax.Array) -> jax.Array:
        return jax.lax.cond(a[0, 0] > 0, lambda: a @ a, lambda: a)

    def open_loop(a: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda x: x[0, 0] > 0, lambda x: x @ x, a)

    assert operations(branch, SQUARE).flops == dear
    assert operations(open_loop, SQUARE).flops == dear


def test_factorisations_count_their_textbook_operations():
    """A Cholesky factor n³ / 3, a triangular solve n² a right-hand side."""

    def factor(a: jax.Array) -> jax.Array:
        return jax.lax.linalg.cholesky(a, symmetrize_input=False)

    # Its upper triangle is then set to zero, element by element.
    assert 6**3 / 3 <= operations(factor, SQUARE).flops <= 6**3 / 3 + 2 * 6**2

    def solve(a: jax.Array, b: jax.Array) -> jax.Array:
        return jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=True)

    assert operations(solve, SQUARE, jnp.ones((6, 2))).flops == 6 * 6 * 2


def test_a_gradient_of_a_network_counts_as_xla_counts_it():
    """An independent count of a program without loops: matrix products agree within 30 %."""

    def loss(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.tanh(x @ w) ** 2)

    w, x = jnp.ones((40, 30)), jnp.ones((50, 40))
    counted = operations(jax.grad(loss), w, x).flops
    analysis = jax.jit(jax.grad(loss)).lower(w, x).cost_analysis()
    assert analysis is not None
    assert counted == pytest.approx(analysis["flops"], rel=0.3)


@given(st.floats(-3, 3), st.floats(0.1, 10))
def test_the_exponent_of_a_power_law_is_its_power(power: float, factor: float):
    """Whatever stands before it."""
    sizes = [10.0, 20.0, 80.0]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(
        power, abs=1e-9
    )


def test_one_size_has_no_exponent():
    """A line needs two points."""
    assert np.isnan(exponent([5.0, 5.0], [1.0, 2.0]))


def test_a_step_is_measured_beside_a_plain_gradient_and_a_plain_product():
    """Every figure is there and positive; a step with a factorisation does more than a gradient."""
    method = {"dense": ImplicitGeodesic(algebra="parameters")}
    costs = measure({"weights": (Size(4, 1, 40),)}, methods=method)
    gradient, step = costs.steps
    assert (gradient.method, step.method) == (GRADIENT, "dense")
    assert step.weights == Size(4, 1, 40).weights == 13
    assert step.flops > gradient.flops > 2 * 40 * 2 * 4  # at least the products of both layers
    assert min(step.seconds, gradient.seconds, costs.product_rate, step.bytes) > 0
    assert costs.gradients(gradient) == 1.0


def test_what_a_step_holds_grows_with_the_square_of_the_weights_where_its_matrix_does():
    """A matrix n x n of few data; at four times the weights at least twelve times the memory."""
    method = {"dense": ImplicitGeodesic(algebra="parameters")}
    sizes = (Size(50, 1, 10), Size(200, 1, 10))
    costs = measure({"weights": sizes}, methods=method)
    few, many = (step.held for step in costs.steps if step.method == "dense")
    assert few >= WORD * sizes[0].weights ** 2
    assert many >= 12 * few
    assert costs.exponent("dense", "weights", "held") == pytest.approx(2, abs=0.2)


def test_peak_memory_keeps_to_the_budget():
    """In a process of its own: a Jacobian of 122 MiB, no more than a quarter above a budget of 32.

    Vectors of one number a residual are beside the budget.
    """
    (peak,) = peaks(Size(16, 2, 50_000), budgets=(32 * MIB,), algebras=("parameters",))
    assert peak.jacobian > 120 * MIB
    assert peak.before > 50 * MIB  # JAX alone
    assert 8 * MIB < peak.taken < 1.25 * peak.budget
