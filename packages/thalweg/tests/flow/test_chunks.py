"""Examples in chunks: each counts once, filling counts nothing, and memory keeps to its budget."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_cases import rows_in_chunk, uneven_memory
from thalweg import Composite, LeastSquares
from thalweg.flow import build_flow
from thalweg.flow.chunks import bytes_of, chunk_lengths, lay_out, map_chunks, sum_chunks
from thalweg.flow.flatten import flatten

RNG = np.random.default_rng(2)
EXAMPLES = 200
X, Y = RNG.normal(size=(EXAMPLES, 2)), RNG.normal(size=EXAMPLES)
LABELS = RNG.integers(0, 40, size=EXAMPLES)
MIB = 2**20


@pytest.mark.parametrize("count", [1, 2, 6, 7])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_every_example_counts_once(count, length):
    """Mapped in order, and summed with its weight, whatever the length of the chunks."""
    x = np.arange(1.0, count + 1)
    chunked = lay_out((x, {"twice": 2 * x}), weight=0.25, length=min(length, count), dtype=x.dtype)
    weights = (chunked.scale**2).ravel()
    assert (weights[:count] == 0.25).all()
    assert not weights[count:].any()
    mapped = map_chunks(lambda data, _: data[0] + data[1]["twice"], chunked)
    assert (mapped[:count] == 3 * x).all()
    total = sum_chunks(lambda data, scale: {"sum": jnp.vdot(scale**2, data[0])}, chunked)
    assert total["sum"] == 0.25 * x.sum()


def test_floats_take_the_dtype_of_the_parameters_and_labels_keep_theirs():
    """float64 data for float32 parameters are cast once, at the start; integers stay integers."""
    data = (np.ones((3, 2)), np.arange(3), np.array([True, False, True]))
    chunked = lay_out(data, weight=1.0, length=2, dtype=np.dtype(np.float32))
    assert [leaf.dtype for leaf in chunked.examples] == [np.float32, jnp.asarray([1]).dtype, bool]
    assert chunked.scale.dtype == np.float32


def test_filling_brings_no_nan_of_its_own():
    """A residual that is NaN at 0 stays finite: filling repeats an example, it is no row of 0."""
    problem = LeastSquares(lambda p, x: jnp.log(x) * p, data=(np.arange(1.0, 6.0),))
    theta, spec = flatten(np.ones(1))
    flow = build_flow(problem, spec, memory_budget=uneven_memory(problem, spec))
    assert 5 % rows_in_chunk(flow) != 0
    r, jacobian = flow.jacobian(flow.data, jnp.asarray(theta))
    assert np.isfinite(r).all()
    assert np.isfinite(jacobian).all()


def test_bytes_of_an_example_grow_with_what_it_computes():
    """Every intermediate value is counted, those of a loop as often as it runs."""

    def once(x):
        return jnp.sin(x)

    def often(x):
        return jax.lax.scan(lambda at, _: (jnp.sin(at), None), x, length=9)[0]

    x = jax.ShapeDtypeStruct((100,), np.float32)
    assert bytes_of(jax.make_jaxpr(once)(x)) == 400
    assert bytes_of(jax.make_jaxpr(often)(x)) >= 9 * 400
    assert bytes_of(jax.make_jaxpr(lambda v: jnp.cos(once(v)))(x)) == 800


def test_what_all_examples_share_is_not_counted_for_each():
    """Of the parameters alone nothing is counted; of parameters and an example, all is."""
    theta, x = (jax.ShapeDtypeStruct((size,), np.float64) for size in (50, 2))
    shared = bytes_of(jax.make_jaxpr(lambda p, _: jnp.sin(p))(theta, x), shared=1)
    mixed = bytes_of(jax.make_jaxpr(lambda p, x: jnp.sin(p) * x[0])(theta, x), shared=1)
    assert shared == 0
    assert mixed >= 400


def network(p, x):
    """A network with one hidden layer."""
    return p["out"] @ jnp.tanh(p["in"] @ x)


def misfit(p, x, y):
    """The residual of a fit."""
    return network(p, x)[0] - y


def cross_entropy(z, y):
    """Of as many classes as there are outputs."""
    return jax.nn.logsumexp(z) - z[y]


def weights(hidden, outputs):
    """Parameters of the network."""
    return {"in": RNG.normal(size=(hidden, 2)), "out": RNG.normal(size=(outputs, hidden))}


def squares(memory):
    """The flow of a fit with 180 parameters; its whole Jacobian would take 0.27 MiB."""
    theta, spec = flatten(weights(60, 1))
    return build_flow(LeastSquares(misfit, data=(X, Y)), spec, memory_budget=memory), theta


def classes(memory):
    """The flow of 40 classes with 420 parameters; the Jacobian of its outputs takes 26 MiB."""
    theta, spec = flatten(weights(10, 40))
    return build_flow(
        Composite(network, cross_entropy, data=(X, LABELS)), spec, memory_budget=memory
    ), theta


@given(
    count=st.integers(1, 10_000),
    memory=st.integers(1, 10**7),
    product_bytes=st.integers(0, 10**6),
    jacobian_bytes=st.integers(0, 10**6),
)
def test_chunks_and_rows_of_the_jacobian_keep_to_the_budget(
    count, memory, product_bytes, jacobian_bytes
):
    """What is held at a time is at most the budget, where a single example fits in it at all.

    Pieces for the Jacobian divide a chunk evenly, and filling is less than one chunk, or one
    piece where there is one chunk.
    """
    length, rows = chunk_lengths(
        count, memory_budget=memory, product_bytes=product_bytes, jacobian_bytes=jacobian_bytes
    )
    assert length % rows == 0
    assert rows == 1 or rows * (product_bytes + jacobian_bytes) <= memory
    assert length == 1 or min(length, count) * product_bytes <= memory
    filling = -count % length
    assert filling < (rows if length >= count else length)


def temporaries(function, flow, theta):
    """Bytes that a compiled program holds beside its arguments and results."""
    return jax.jit(function).lower(flow.data, theta).compile().memory_analysis().temp_size_in_bytes


def products(flow, data, theta):
    """A product of each kind."""
    v = jnp.ones_like(theta)
    return flow.hessian(data, theta).product(v), flow.gauss_newton(data, theta).product(v)


def test_the_compiled_products_keep_to_the_budget():
    """What XLA sets aside for slopes and products is at most the budget, be it large or small."""
    flow, theta = squares(4 * MIB)
    few, few_theta = squares(MIB // 8)
    for function in (products, lambda flow, *args: flow.value_and_grad(*args)):
        large = temporaries(lambda data, at, f=function: f(flow, data, at), flow, theta)
        small = temporaries(lambda data, at, f=function: f(few, data, at), few, few_theta)
        assert large <= 4 * MIB
        assert small <= MIB // 8


def test_the_compiled_normal_equations_keep_to_the_budget():
    """No more than the budget beside two copies of the matrix itself."""
    flow, theta = squares(MIB // 2)
    matrix = theta.size**2 * 8
    assert temporaries(flow.normal_equations, flow, theta) <= MIB // 2 + 2 * matrix


def test_the_compiled_matrix_of_a_convex_loss_keeps_to_the_budget():
    """Many outputs an example: all their Jacobians together would take six times the budget."""
    flow, theta = classes(4 * MIB)
    matrix = theta.size**2 * 8
    assert temporaries(flow.dense_gauss_newton, flow, theta) <= 4 * MIB + 2 * matrix


def test_the_compiled_matrix_of_a_network_with_filters_keeps_to_the_budget():
    """XLA would let every example meet every other, in ten times the budget and more."""

    def scores(p, x):
        layout = ("NHWC", "HWIO", "NHWC")
        seen = x[None, :, :, None]
        for kernel in p["filters"]:
            seen = jnp.tanh(
                jax.lax.conv_general_dilated(
                    seen, kernel, (2, 2), "VALID", dimension_numbers=layout
                )
            )
        return seen.reshape(-1) @ p["out"]

    filters = [RNG.normal(size=(4, 4, 1, 4)), RNG.normal(size=(4, 4, 4, 4))]
    params = {"filters": filters, "out": RNG.normal(size=(16, 4))}
    data = RNG.normal(size=(EXAMPLES, 16, 16)), LABELS % 4
    theta, spec = flatten(params)
    flow = build_flow(Composite(scores, cross_entropy, data=data), spec, memory_budget=16 * MIB)
    assert temporaries(flow.dense_gauss_newton, flow, theta) <= 16 * MIB
