"""Small problems of every kind, and their brute-force twins.

A twin knows nothing of chunks or products: it is one function of θ over all examples at once,
differentiated to dense Jacobians, Hessians and tensors of third derivatives.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import Composite, LeastSquares, Scalar
from thalweg.flow import Flow, build_flow
from thalweg.flow.flatten import flatten
from thalweg.problem import Problem

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 2))
EDGE = RNG.normal(size=(3,))
LABELS = RNG.integers(0, 3, size=7)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A problem, its parameters in float64, and the same problem over all examples at once.

    Attributes:
        problem: What thalweg is given.
        params: Where everything is compared.
        whole: `whole(params)` is the vector of scaled residuals (least squares) or the array of
            all outputs, examples first (composite); None for a scalar loss.
        loss: Composite only: the mean loss as a function of all outputs.
        l2: Composite only: the weight decay.
    """

    problem: Problem
    params: Any
    whole: Callable[[Any], Any] | None = None
    loss: Callable[[Any], Any] | None = None
    l2: float = 0.0


def network(p, x):
    """Two inputs, two tanh units, two outputs, with a skip connection."""
    return p["out"] @ jnp.tanh(p["in"] @ x + p["shift"]) + 0.1 * x


NETWORK = {
    "in": RNG.normal(size=(2, 2)),
    "out": RNG.normal(size=(2, 2)),
    "shift": RNG.normal(size=2),
}


def misfit(p, example, y):
    """Three residuals of one example, as a pytree."""
    z = network(p, example["x"])
    return {"all": z - y, "product": z[0] * z[1]}


def slope_misfit(p, x):
    """A residual that holds a derivative of the network by its input."""
    return jax.grad(lambda at: jnp.tanh(p["in"] @ at).sum())(x)[0] - jnp.sin(x[1])


def decay_misfit(p, shift):
    """Five residuals of one example and two parameters: a curve at five times."""
    return p["height"] * jnp.exp(-p["rate"] * jnp.arange(5, dtype=shift.dtype)) - shift


def edge_misfit(p, b):
    """A residual on another set of points."""
    return network(p, jnp.array([b, 1.0], b.dtype))


def prior(p):
    """A residual without data."""
    return jax.tree.map(lambda leaf: 0.3 * leaf**2, p)


def tall(p):
    """Five residuals of two parameters."""
    return [p[0] ** 3 - 1, p[0] * p[1], jnp.sin(p[1]), jnp.exp(p), p[1] - p[0]]


def wide(p):
    """Two residuals of four parameters."""
    return jnp.stack([jnp.tanh(p["a"]).sum() - p["b"][0] ** 2, p["a"][0] * p["b"][1] - 1])


def cross_entropy(z, y):
    """Of three classes; z holds the scores of the second and third."""
    scores = jnp.concatenate([jnp.zeros(1, z.dtype), z])
    return jax.nn.logsumexp(scores) - scores[y]


def matrix_outputs(p, x):
    """A 2 x 2 array of outputs for one example, a pytree."""
    z = network(p, x["left"])
    return jnp.outer(z, x["right"])


def quartic(z, y):
    """Convex in a matrix z, with a Hessian that couples its entries."""
    return jnp.sum((z - y["to"]) ** 2) ** 2 + jnp.cosh(z.sum())


def bowl(p):
    """A loss of which nothing is known."""
    return jnp.sum(jnp.sin(p["a"]) * p["b"] ** 2) + jnp.exp(p["a"][0] * p["b"][1])


WIDE = {"a": RNG.normal(size=2), "b": RNG.normal(size=2)}
PAIRS = {"left": X, "right": Y}


def each(function: Callable[..., Any], *data: Any) -> Callable[[Any], Any]:
    """A function of one example, as a function of the parameters over all examples."""
    return lambda p: jax.vmap(lambda *example: function(p, *example))(*data)


CASES = {
    "network with data": Case(
        LeastSquares(misfit, data=({"x": X}, Y)),
        NETWORK,
        lambda p: jnp.sqrt(1 / 7) * by_example(each(misfit, {"x": X}, Y)(p)),
    ),
    "weighted blocks": Case(
        LeastSquares(slope_misfit, data=(X,))
        + 2.0 * LeastSquares(edge_misfit, data=(EDGE,))
        + 0.5 * LeastSquares(prior),
        NETWORK,
        lambda p: jnp.concatenate(
            [
                jnp.sqrt(1 / 7) * each(slope_misfit, X)(p),
                jnp.sqrt(2 / 3) * each(edge_misfit, EDGE)(p).ravel(),
                jnp.sqrt(1 / 2) * stack(prior(p)),
            ]
        ),
    ),
    "curves with data": Case(
        LeastSquares(decay_misfit, data=(EDGE,)),
        {"height": np.array([1.5]), "rate": np.array([0.3])},
        lambda p: jnp.sqrt(1 / 3) * each(decay_misfit, EDGE)(p).ravel(),
    ),
    "more residuals than parameters, no data": Case(
        LeastSquares(tall), np.array([0.8, -0.3]), lambda p: stack(tall(p))
    ),
    "fewer residuals than parameters, no data": Case(
        LeastSquares(wide), WIDE, lambda p: stack(wide(p))
    ),
    "classes with weight decay": Case(
        Composite(network, cross_entropy, data=(X, LABELS), l2=0.05),
        NETWORK,
        each(network, X),
        lambda z: jnp.mean(jax.vmap(cross_entropy)(z, LABELS)),
        l2=0.05,
    ),
    "matrices of outputs": Case(
        Composite(matrix_outputs, quartic, data=(PAIRS, {"to": Y})),
        NETWORK,
        each(matrix_outputs, PAIRS),
        lambda z: jnp.mean(jax.vmap(quartic)(z, {"to": Y})),
    ),
    "scalar": Case(Scalar(bowl), WIDE),
}


def stack(tree: Any) -> jax.Array:
    """A pytree as one vector."""
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def by_example(tree: Any) -> jax.Array:
    """A pytree of arrays with examples first as one vector, example by example."""
    leaves = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(tree)]
    return jnp.concatenate(leaves, axis=1).ravel()


def directions(name: str) -> dict[str, np.ndarray]:
    """The vectors that products and derivatives are taken along, float64."""
    draw = np.random.default_rng(5)
    n = flatten(CASES[name].params)[1].size
    return {key: draw.normal(size=n) for key in ("v", "first", "second")}


def uneven_memory(problem: Problem, spec: Any) -> int:
    """The least power of two of bytes for which chunks hold two examples or more."""
    memory = 256
    while rows_in_chunk(build_flow(problem, spec, memory_budget=memory)) < 2:
        memory *= 2
    return memory


def rows_in_chunk(flow: Flow) -> int:
    """How many examples the chunks of the first block hold."""
    first = flow.data[0]
    return first.scale.shape[1]


@functools.cache
def dense(name: str) -> dict[str, np.ndarray]:
    """Everything by brute force, float64, at the case's parameters."""
    case = CASES[name]
    theta, spec = flatten(case.params)
    along = directions(name)
    results = jax.jit(lambda at: _dense(case, spec, at, along))(jnp.asarray(theta))
    return {key: np.asarray(value) for key, value in results.items()}


def _dense(case: Case, spec: Any, theta: jax.Array, along: dict[str, np.ndarray]) -> dict[str, Any]:
    whole, loss = case.whole, case.loss
    if whole is None:
        return _derivatives(lambda at: case.problem.loss(spec.unravel(at)), theta)

    def stacked(at: jax.Array) -> jax.Array:
        return whole(spec.unravel(at)).ravel()

    jacobian = jax.jacrev(stacked)(theta)
    if loss is None:
        second, third = _curve_derivatives(stacked, theta, along)
        return {
            **_derivatives(lambda at: 0.5 * jnp.sum(stacked(at) ** 2), theta),
            "residuals": stacked(theta),
            "jacobian": jacobian,
            "gauss_newton": jacobian.T @ jacobian,
            "along_2": second,
            "along_3": third,
        }

    shape = jax.eval_shape(whole, case.params).shape

    def mean(z: jax.Array) -> jax.Array:
        return loss(z.reshape(shape))

    second, third = _curve_derivatives(lambda at: jax.grad(mean)(stacked(at)), theta, along)
    middle = jax.hessian(mean)(stacked(theta))
    return {
        **_derivatives(lambda at: mean(stacked(at)) + 0.5 * case.l2 * jnp.sum(at**2), theta),
        "gauss_newton": jacobian.T @ middle @ jacobian + case.l2 * jnp.eye(theta.size),
        "pull_curve_2": jacobian.T @ second,
        "pull_curve_3": jacobian.T @ third,
    }


def _derivatives(loss: Callable[[jax.Array], jax.Array], theta: jax.Array) -> dict[str, Any]:
    return {"loss": loss(theta), "grad": jax.grad(loss)(theta), "hessian": jax.hessian(loss)(theta)}


def _curve_derivatives(
    function: Callable[[jax.Array], jax.Array], theta: jax.Array, along: dict[str, np.ndarray]
) -> tuple[jax.Array, jax.Array]:
    """Of order 2 along θ + as, and of order 3 along θ + as + bs², by whole tensors.

    The chain rule: D²f[a, a], and D³f[a, a, a] + 6 D²f[a, b].
    """
    a, b = along["first"], along["second"]
    second = jax.jacfwd(jax.jacrev(function))
    third = jax.jacfwd(second)(theta)
    bend = second(theta)
    return (
        jnp.einsum("mij,i,j->m", bend, a, a),
        jnp.einsum("mijk,i,j,k->m", third, a, a, a) + 6 * jnp.einsum("mij,i,j->m", bend, a, b),
    )
