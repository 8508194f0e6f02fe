"""The cost of a step and its growth with size, compared with plain code on the same machine.

Networks with tanh fit a wave of one variable: wider networks on the same data, the same network on
more data, deeper networks with about the same number of weights. Each method takes a few steps.
The time of a step is their mean. Its operations are its work counters times the operations of the
plain functions, plus factorisations and matrix products:

    gradients, losses, products    as `thalweg_lab.bench.operations` counts the plain functions
    Jacobians                      including the product JᵀJ or JJᵀ
    factorisations                 k³ / 3, with k the smaller of n and m

A product with a higher-order tensor, as in `implicit-geodesic`, counts as a Hessian product. Memory
is what XLA allocates for the largest compiled program of a method: its arguments, its results and
its temporaries. Growth is the slope of the regression line through the logarithms.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg._minimize import minimize
from thalweg.flow import LeastSquaresFlow, build_flow, flow_of
from thalweg.flow.compiled import quickest
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import forget_programs
from thalweg.problem import LeastSquares
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.krylov import ExponentialKrylov
from thalweg.stop import Stop
from thalweg_lab.bench.operations import Operations, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from thalweg.solvers.base import AbstractMethod

STEPS = 8  # of a method at a size
PLAIN_ORDER = 1024  # of the matrices in the plain product
WAVES = 20.0


@dataclasses.dataclass(frozen=True)
class Size:
    """A network and its data.

    Attributes:
        width: Units of each hidden layer.
        depth: Hidden layers.
        residuals: Examples, each with one residual.
    """

    width: int
    depth: int
    residuals: int

    @property
    def layers(self) -> tuple[int, ...]:
        """Units per layer."""
        return (1, *(self.width,) * self.depth, 1)

    @property
    def weights(self) -> int:
        """The number n of weights."""
        return networks.count(self.layers)


BASE = Size(16, 2, 1000)
AXES: dict[str, tuple[Size, ...]] = {
    "weights": tuple(dataclasses.replace(BASE, width=width) for width in (8, 16, 40)),
    "residuals": tuple(dataclasses.replace(BASE, residuals=count) for count in (500, 1000, 4000)),
    # About 500 weights each.
    "depth": (Size(166, 1, 1000), Size(21, 2, 1000), Size(9, 6, 1000)),
}
METHODS: dict[str, AbstractMethod] = {
    "implicit-geodesic, n x n": ImplicitGeodesic(algebra="parameters"),
    "implicit-geodesic, m x m": ImplicitGeodesic(algebra="residuals"),
    "implicit-geodesic, matrix-free": ImplicitGeodesic(algebra="krylov"),
    "exponential-krylov": ExponentialKrylov(),
}
GRADIENT = "a plain gradient"


@dataclasses.dataclass(frozen=True)
class Step:
    """The cost of a step of a method at a size; a plain gradient counts as a method.

    Attributes:
        method: The method.
        axis: What varies: `weights`, `residuals` or `depth`.
        weights: n.
        residuals: m.
        depth: Hidden layers.
        seconds: Time of a step.
        flops: Floating-point operations of a step.
        bytes: Bytes that the matrix operations of a step move.
        held: Bytes that the compiled program occupies.
    """

    method: str
    axis: str
    weights: int
    residuals: int
    depth: int
    seconds: float
    flops: float
    bytes: float
    held: int

    @property
    def rate(self) -> float:
        """Floating-point operations per second."""
        return self.flops / self.seconds

    @property
    def along(self) -> int:
        """The value of what varies."""
        return getattr(self, self.axis)


@dataclasses.dataclass(frozen=True)
class Costs:
    """All steps, and the rate of the plain matrix product.

    Attributes:
        product_rate: Floating-point operations per second of the plain product.
        steps: The steps, including plain gradients.
    """

    product_rate: float
    steps: tuple[Step, ...]

    def share_of_product(self, step: Step) -> float:
        """The rate of a step as a share of the plain product's."""
        return step.rate / self.product_rate

    def share_of_gradient(self, step: Step) -> float:
        """The rate of a step as a share of a plain gradient's at the same size."""
        return step.rate / self._plain(step).rate

    def gradients(self, step: Step) -> float:
        """The time of a step in plain gradients at the same size."""
        return step.seconds / self._plain(step).seconds

    def _plain(self, step: Step) -> Step:
        return next(
            other
            for other in self.steps
            if other.method == GRADIENT and other.axis == step.axis and other.along == step.along
        )

    def exponent(self, method: str, axis: str, column: str = "seconds") -> float:
        """The exponent with which a column grows along an axis; NaN for fewer than two sizes."""
        chosen = [step for step in self.steps if (step.method, step.axis) == (method, axis)]
        return exponent([s.along for s in chosen], [getattr(s, column) for s in chosen])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the regression line through `(log size, log value)`; NaN for fewer than two."""
    if len(set(sizes)) < 2:  # noqa: PLR2004 - a line
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(
    axes: Mapping[str, tuple[Size, ...]] = AXES,
    *,
    methods: Mapping[str, AbstractMethod] = METHODS,
    show: Callable[[str], None] = lambda _: None,
) -> Costs:
    """Measure all steps. JAX's x64 flag must be on.

    Args:
        axes: What varies, and the sizes.
        methods: The methods by label.
        show: Called with a description of each size before it is measured.
    """
    rate = product_rate()
    known: dict[Size, list[tuple[str, float, Operations, int]]] = {}
    steps = []
    for axis, sizes in axes.items():
        for size in sizes:
            if size not in known:
                show(f"{size.weights:,} weights, {size.residuals:,} residuals, {size.depth} layers")
                known[size] = list(_at(size, methods))
            steps += [
                Step(name, axis, size.weights, size.residuals, size.depth, seconds, *counted, held)
                for name, seconds, counted, held in known[size]
            ]
    return Costs(rate, tuple(steps))


def problem_of(size: Size) -> LeastSquares:
    """The fit of a wave at a size."""
    x = np.linspace(-1.0, 1.0, size.residuals)
    wave = np.sin(WAVES * x) * np.exp(-(x**2))

    def residual(params: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
        return networks.apply(params, x[None])[0] - y

    return LeastSquares(residual, data=(x, wave))


def _at(
    size: Size, methods: Mapping[str, AbstractMethod]
) -> Sequence[tuple[str, float, Operations, int]]:
    """Seconds, operations and memory of a step of each method, and of a plain gradient."""
    start = networks.init(size.layers, seed=0)
    theta, spec = flatten(start)
    flow = build_flow(problem_of(size), spec)
    assert isinstance(flow, LeastSquaresFlow)  # noqa: S101 - it is built from residuals
    at = jnp.asarray(theta)
    plain = {
        "gradients": operations(flow.value_and_grad, flow.data, at),
        "losses": operations(flow.loss, flow.data, at),
        "hessian_products": operations(
            lambda data, point, v: flow.hessian(data, point).product(v), flow.data, at, at
        ),
        "jacobians": operations(flow.jacobian, flow.data, at),
    }
    gradient = jax.jit(flow.value_and_grad).lower(flow.data, at).compile()
    seconds = quickest(gradient, flow.data, at)
    rows = [(GRADIENT, seconds, plain["gradients"], _held(gradient))]
    for name, method in methods.items():
        forget_programs()  # so that the flow keeps those of this method only
        problem = problem_of(size)
        solution = minimize(problem, start, method, Stop(steps=STEPS))
        count = max(int(solution.history["step"][-1]), 1)
        total = Operations()
        for counter, cost in plain.items():
            total = total.plus(cost.times(getattr(solution.work, counter)))
        total = total.plus(_algebra(method, flow, solution.work))
        seconds = float(solution.history["seconds"][-1]) / count
        programs = flow_of(problem, spec).programs.values()
        held = max(_held(program.call) for program in programs)
        rows.append((name, seconds, total.times(1 / count), held))
    return rows


def _held(program: Any) -> int:
    """Bytes that a compiled program occupies; arrays updated in place count once."""
    sizes = program.memory_analysis()
    return (
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        + sizes.temp_size_in_bytes
        - sizes.alias_size_in_bytes
    )


def _algebra(method: AbstractMethod, flow: LeastSquaresFlow, work: Any) -> Operations:
    """The matrix products and factorisations that are not part of the plain functions."""
    space = method.space(flow) if isinstance(method, ImplicitGeodesic) else "krylov"
    if space == "krylov":
        return Operations()
    n, m = flow.size, flow.residual_count
    inner, outer = (m, n) if space == "parameters" else (n, m)
    word = flow.spec.dtype.itemsize
    product = Operations(2.0 * inner * outer**2, float(word * (2 * inner * outer + outer**2)))
    factor = Operations(outer**3 / 3, float(word * 2 * outer**2))
    return product.times(work.jacobians).plus(factor.times(work.factorizations))


def product_rate(order: int = PLAIN_ORDER, dtype: str = "float64") -> float:
    """Floating-point operations per second of a plain product of two square matrices."""
    a = jnp.asarray(np.random.default_rng(0).standard_normal((order, order)), dtype)
    product = jax.jit(functools.partial(jnp.matmul, precision="highest"))  # as in our methods
    return 2.0 * order**3 / quickest(product, a, a)
