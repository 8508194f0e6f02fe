"""Every fast path of a flow equals its brute-force twin: one chunk or many, float32 or float64."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow_cases import CASES, dense, directions, rows_in_chunk, uneven_memory
from thalweg.flow import MEMORY_BUDGET, CompositeFlow, LeastSquaresFlow, build_flow
from thalweg.flow.flatten import flatten
from thalweg.problem import LeastSquares

ONE, MANY = "one chunk", "many chunks"
WITH_DATA = [
    "network with data",
    "weighted blocks",
    "curves with data",
    "classes with weight decay",
    "matrices of outputs",
]
COMPOSITE = ["classes with weight decay", "matrices of outputs"]
SQUARES = [name for name, case in CASES.items() if isinstance(case.problem, LeastSquares)]


def ways(names):
    """Each case in float64 in one chunk, with data in many chunks too; most in float32."""
    runs = [(name, "float64", ONE) for name in names]
    runs += [(name, "float64", MANY) for name in names if name in WITH_DATA]
    runs += [(name, "float32", MANY if name in WITH_DATA else ONE) for name in names[::2]]
    return pytest.mark.parametrize("way", runs, ids=[", ".join(run) for run in runs])


def flow_of(name, real, cut):
    """The flow of a case, and θ."""
    case = CASES[name]
    theta, spec = flatten(jax.tree.map(lambda leaf: leaf.astype(real), case.params))
    memory = uneven_memory(case.problem, spec) if cut == MANY else MEMORY_BUDGET
    return build_flow(case.problem, spec, memory_budget=memory), jnp.asarray(theta)


@functools.cache
def fast(name, real, cut):
    """Everything that the flow computes at the case's parameters."""
    flow, theta = flow_of(name, real, cut)
    along = {key: jnp.asarray(v, theta.dtype) for key, v in directions(name).items()}
    program = jax.jit(
        lambda data, at: compute(flow, data, at, along),
        compiler_options={"xla_backend_optimization_level": 0},  # it runs once
    )
    return {key: np.asarray(value) for key, value in program(flow.data, theta).items()}


def compute(flow, data, theta, along):
    """All quantities in one program, as compilation is what takes the time."""
    loss, grad = flow.value_and_grad(data, theta)
    hessian = flow.hessian(data, theta)
    found = {
        "loss": flow.loss(data, theta),
        "loss with slope": loss,
        "loss with hessian": hessian.loss,
        "grad": grad,
        "grad with hessian": hessian.grad,
        "hessian product": hessian.product(along["v"]),
        "hessian": flow.dense_hessian(data, theta),
    }
    if isinstance(flow, (LeastSquaresFlow, CompositeFlow)):
        slope = flow.gauss_newton(data, theta)
        found |= {
            "loss with products": slope.loss,
            "grad with products": slope.grad,
            "product": slope.product(along["v"]),
        }
    curves = (along["first"],), (along["first"], along["second"])
    if isinstance(flow, LeastSquaresFlow):
        r, jacobian = flow.jacobian(data, theta)
        same_r, pulled, normal = flow.normal_equations(data, theta)
        found |= {
            "residuals": flow.residuals(data, theta),
            "residuals with jacobian": r,
            "residuals with normal equations": same_r,
            "grad with normal equations": pulled,
            "jacobian": jacobian,
            "normal": normal,
            "along_2": flow.along(data, theta, curves[0]),
            "along_3": flow.along(data, theta, curves[1]),
            "pull": flow.pull(data, theta, jnp.cos(jnp.arange(r.size, dtype=r.dtype))),
        }
    if isinstance(flow, CompositeFlow):
        dense_loss, dense_grad, matrix = flow.dense_gauss_newton(data, theta)
        found |= {
            "loss with matrix": dense_loss,
            "grad with matrix": dense_grad,
            "matrix": matrix,
            "pull_curve_2": flow.pull_curve(data, theta, curves[0]),
            "pull_curve_3": flow.pull_curve(data, theta, curves[1]),
        }
    return found


def assert_equal(found, expected, way):
    """Equal to rounding of the dtype, relative to the largest entry; and of that dtype."""
    assert found.dtype == way[1]
    assert found.shape == expected.shape
    tolerance = 1e-12 if way[1] == "float64" else 2e-5
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def unfilled(way, key):
    """The rows of a residual-like result without those of filling, which must all be 0."""
    results = fast(*way)
    is_real = results["residuals"] != 0
    assert not results[key][~is_real].any()
    return results[key][is_real]


@pytest.mark.parametrize("name", WITH_DATA)
def test_a_small_budget_makes_many_chunks_with_filling(name):
    """What is compared below is cut: chunks of more than one example that do not come out even."""
    flow, _ = flow_of(name, "float64", MANY)
    examples = CASES[name].problem.blocks[0].length if name in SQUARES else 7
    length = rows_in_chunk(flow)
    assert not flow.is_one_chunk
    assert 1 < length < examples
    assert examples % length != 0
    assert flow_of(name, "float64", ONE)[0].is_one_chunk


@ways(list(CASES))
def test_loss_and_gradient_are_those_of_the_whole_loss(way):
    """Each function that hands out L or ∇L on its way hands out the same."""
    expected = dense(way[0])
    results = fast(*way)
    for key, value in results.items():
        if key.startswith(("loss", "grad")):
            assert_equal(value, expected[key.split()[0]], way)


@ways(list(CASES))
def test_hessian_products_are_those_of_the_dense_hessian(way):
    """`hessian` and `dense_hessian` against `jax.hessian` of the whole loss."""
    expected = dense(way[0])["hessian"]
    assert_equal(fast(*way)["hessian product"], expected @ directions(way[0])["v"], way)
    assert_equal(fast(*way)["hessian"], expected, way)


@ways(SQUARES + COMPOSITE)
def test_gauss_newton_products_are_those_of_the_dense_matrix(way):
    """`gauss_newton` against JᵀJ, or Jᵀ ∇²ℓ J + l2, with every factor dense."""
    expected = dense(way[0])["gauss_newton"] @ directions(way[0])["v"]
    assert_equal(fast(*way)["product"], expected, way)


@ways(SQUARES)
def test_residuals_are_the_stacked_ones_and_filling_is_zero(way):
    """In the order of blocks and examples; no residual is lost or doubled among the chunks."""
    expected = dense(way[0])["residuals"]
    for key in ("residuals", "residuals with jacobian", "residuals with normal equations"):
        assert_equal(unfilled(way, key), expected, way)


@ways(SQUARES)
def test_the_jacobian_example_by_example_is_that_of_all_residuals(way):
    """`jacobian` against `jax.jacrev` of the whole vector of residuals."""
    assert_equal(unfilled(way, "jacobian"), dense(way[0])["jacobian"], way)


@ways(SQUARES)
def test_normal_equations_are_the_product_of_jacobians(way):
    """The matrix summed over chunks is JᵀJ."""
    assert_equal(fast(*way)["normal"], dense(way[0])["gauss_newton"], way)


@ways(SQUARES)
def test_derivatives_along_a_curve_are_those_of_the_chain_rule(way):
    """`along` of order 2 and 3 against whole tensors of second and third derivatives."""
    for key in ("along_2", "along_3"):
        assert_equal(unfilled(way, key), dense(way[0])[key], way)


@ways(SQUARES)
def test_pulling_back_is_the_transposed_jacobian(way):
    """`pull` of u is Jᵀu; entries of u at filling do not count."""
    results = fast(*way)
    u = np.cos(np.arange(results["residuals"].size))
    expected = dense(way[0])["jacobian"].T @ u[results["residuals"] != 0]
    assert_equal(results["pull"], expected, way)


@ways(COMPOSITE)
def test_the_matrix_of_a_convex_loss_is_the_dense_gauss_newton_matrix(way):
    """`dense_gauss_newton` against Jᵀ ∇²ℓ J + l2, positive semidefinite."""
    matrix = fast(*way)["matrix"]
    assert_equal(matrix, dense(way[0])["gauss_newton"], way)
    values = np.linalg.eigvalsh(matrix.astype(float))
    assert values.min() >= -1e-6 * values.max()


@ways(COMPOSITE)
def test_pulled_curves_are_those_of_the_chain_rule(way):
    """`pull_curve` of order 2 and 3 against whole tensors, with every derivative of ℓ."""
    for key in ("pull_curve_2", "pull_curve_3"):
        assert_equal(fast(*way)[key], dense(way[0])[key], way)


@pytest.mark.parametrize(
    ("real", "asked", "taken"),
    [
        ("float32", None, "HIGHEST"),  # GPUs and TPUs round to three digits by default
        ("float32", "tensorfloat32", "HIGH"),
        ("float64", None, None),
    ],
)
def test_products_in_float32_are_whole_unless_asked_otherwise(real, asked, taken):
    """Each matrix product of a program carries its precision, or none."""
    flow, theta = flow_of("network with data", real, ONE)
    with jax.default_matmul_precision(asked):
        program = str(jax.make_jaxpr(flow.jit(flow.value_and_grad))(flow.data, theta))
    assert "dot_general" in program
    named = set(re.findall(r"Precision\.(\w+)", program))
    assert named == ({taken} if taken else set())
