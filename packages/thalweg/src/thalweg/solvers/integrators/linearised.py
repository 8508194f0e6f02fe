"""A problem linearised at a point, for implicit steps, in one of three spaces.

A `System` holds the loss, its gradient, and the shifted curvature matrix `C + M/h` in the space of
parameters, of residuals, or a Krylov space. The metric is `M = |J_i|`, the largest norm so far of
the i-th column of the Jacobian. In powers this is half way between no scaling and MINPACK's
`|J_i|²`.

Source: Moré 1978, "The Levenberg-Marquardt algorithm" (running maxima as a scaling).
Decision: docs/decisions/0012-metric-without-a-knob.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg._util.symmetric_product import symmetric_product
from thalweg.flow import CompositeFlow, LeastSquaresFlow
from thalweg.flow.layers import separable
from thalweg.flow.stencil import along_by_points, by_order
from thalweg.solvers.integrators.lanczos import forcing_test, lanczos
from thalweg.solvers.integrators.shifted_systems import (
    LayeredSpace,
    ParameterSpace,
    ResidualSpace,
)

Metric = Callable[[jax.Array], jax.Array]
Force = Callable[[jax.Array, jax.Array | int], jax.Array]

METRIC_FLOOR = 1e-3  # smallest entry of the metric, relative to its root mean square


class System(NamedTuple):
    """The linearised problem at a point.

    Attributes:
        loss: L.
        grad: ∇L, `(n,)`.
        metric: The diagonal of M, `(n,)`.
        columns: Running maxima of the squared column norms of J, `(n,)`.
        squares: The squared column norms of J now, `(n,)`; NaN where they are never formed.
        largest: An estimate of C's largest eigenvalue, or its largest diagonal entry.
        at: From h to the solver of `(C + M/h) d = -force`.
        force: From the coefficients as rows, `(K, n)`, and k to the force of c_k.
        products: Hessian or Gauss-Newton products spent.
        jacobians: Jacobians spent.
        factors: Whether `at` factors a matrix.
    """

    loss: jax.Array
    grad: jax.Array
    metric: jax.Array
    columns: jax.Array
    squares: jax.Array
    largest: jax.Array
    at: Callable[[jax.Array], Callable[[jax.Array], jax.Array]]
    force: Force
    products: jax.Array | int
    jacobians: int
    factors: bool


def column_metric(columns: jax.Array) -> jax.Array:
    """M from the squared column norms: their square root, bounded below, of mean square 1."""
    mean = jnp.maximum(jnp.mean(columns), jnp.finfo(columns.dtype).tiny)
    return jnp.sqrt(columns / mean + METRIC_FLOOR**2)


def unit_metric(columns: jax.Array) -> jax.Array:
    """M = 1, that of the plain gradient flow."""
    return jnp.ones_like(columns)


def _force(first: jax.Array, bend: Force) -> Force:
    """The force of c₁, and that of each further coefficient."""

    def force(coefficients: jax.Array, k: jax.Array | int) -> jax.Array:
        at_least_second = jnp.maximum(k, 2)
        return jax.lax.cond(k == 1, lambda: first, lambda: bend(coefficients, at_least_second))

    return force


def _pulled_force(
    flow: LeastSquaresFlow | CompositeFlow, data: Any, theta: jax.Array, grad: jax.Array
) -> Force:
    """Forces in the space of parameters, without a Jacobian."""
    if isinstance(flow, CompositeFlow):
        return _force(
            grad,
            lambda rows, k: by_order(lambda c: flow.pull_curve(data, theta, c), rows, k),  # pyright: ignore[reportArgumentType] - of `_force`
        )

    def residuals(at: jax.Array) -> jax.Array:
        return flow.residuals(data, at)

    def push(v: jax.Array) -> jax.Array:
        return jax.jvp(residuals, (theta,), (v,))[1]

    def bend(coefficients: jax.Array, k: Any) -> jax.Array:
        r = residuals(theta)
        bent = along_by_points(flow, data, theta, coefficients, k, r=r, push=push)
        return flow.pull(data, theta, bent)

    return _force(grad, bend)


def residual_force(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    r: jax.Array,
    push: Callable[[jax.Array], jax.Array],
) -> Force:
    """Forces in the space of residuals, `(m,)`, from the residuals and products Jv."""

    def bend(coefficients: jax.Array, k: Any) -> jax.Array:
        return along_by_points(flow, data, theta, coefficients, k, r=r, push=push)

    return _force(r, bend)


def parameter_system(
    flow: LeastSquaresFlow | CompositeFlow,
    data: Any,
    theta: jax.Array,
    columns: jax.Array,
    metric_of: Metric = column_metric,
) -> System:
    """The system in the space of parameters, of order n.

    Args:
        flow: Least squares, or a convex loss of outputs.
        data: `flow.data`.
        theta: The point, `(n,)`.
        columns: The running maxima so far, `(n,)`.
        metric_of: From the running maxima to the metric.

    Cost: a Jacobian and m n² multiplications. Where the Jacobian does not fit into one chunk, it
    is not kept, and each correction costs a gradient.
    """
    if isinstance(flow, CompositeFlow):
        loss, grad, curvature = flow.dense_gauss_newton(data, theta)
        force = _pulled_force(flow, data, theta, grad)
        return _dense_system(loss, grad, curvature, columns, force, metric_of)
    if not flow.keeps_jacobian:
        r, grad, curvature = flow.normal_equations(data, theta)
        force = _pulled_force(flow, data, theta, grad)
        return _dense_system(0.5 * jnp.vdot(r, r), grad, curvature, columns, force, metric_of)
    r, jacobian = flow.jacobian(data, theta)
    grad = jacobian.T @ r
    force_of_residuals = residual_force(flow, data, theta, r, jacobian.__matmul__)

    def kept_force(coefficients: jax.Array, k: jax.Array | int) -> jax.Array:
        return jacobian.T @ force_of_residuals(coefficients, k)

    curvature = symmetric_product(jacobian, is_divided=flow.devices is not None)
    return _dense_system(0.5 * jnp.vdot(r, r), grad, curvature, columns, kept_force, metric_of)


def _dense_system(
    loss: jax.Array,
    grad: jax.Array,
    curvature: jax.Array,
    columns: jax.Array,
    force: Force,
    metric_of: Metric,
) -> System:
    squares = jnp.diag(curvature)
    columns = jnp.maximum(columns, squares)
    metric = metric_of(columns)
    return System(
        loss=loss,
        grad=grad,
        metric=metric,
        columns=columns,
        squares=squares,
        largest=jnp.max(squares),
        at=ParameterSpace(curvature, metric).at,
        force=force,
        products=0,
        jacobians=1,
        factors=True,
    )


def residual_system(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    columns: jax.Array,
    metric_of: Metric = column_metric,
) -> System:
    """The system in the space of residuals, of order m.

    Args:
        flow: Least squares.
        data: `flow.data`.
        theta: The point, `(n,)`.
        columns: The running maxima so far, `(n,)`.
        metric_of: From the running maxima to the metric.

    Cost: a Jacobian, which is kept, and m² n multiplications. For dense networks, where the
    Jacobian is kept as factors, a few passes and m² multiplications a unit; the metric is then the
    nearest one that is separable by layer.
    """
    if flow.has_factors:
        return _layered_system(flow, data, theta, columns, metric_of)
    r, jacobian = flow.jacobian(data, theta)
    squares = jnp.sum(jacobian * jacobian, axis=0)
    columns = jnp.maximum(columns, squares)
    metric = metric_of(columns)
    return System(
        loss=0.5 * jnp.vdot(r, r),
        grad=jacobian.T @ r,
        metric=metric,
        columns=columns,
        squares=squares,
        largest=jnp.max(squares),
        at=ResidualSpace.prepare(jacobian, metric).at,
        force=residual_force(flow, data, theta, r, jacobian.__matmul__),
        products=0,
        jacobians=1,
        factors=True,
    )


def _layered_system(
    flow: LeastSquaresFlow, data: Any, theta: jax.Array, columns: jax.Array, metric_of: Metric
) -> System:
    """`residual_system` where J is made of dense layers."""
    spec = flow.spec
    r, factors = flow.factors(data, theta)
    squares = factors.squares()
    columns = jnp.maximum(columns, squares)
    by_array = separable(spec.split(metric_of(columns)))
    metric = jnp.concatenate([jnp.ravel(each) for each in by_array])

    def push(v: jax.Array) -> jax.Array:
        return factors.push(spec.split(v))

    return System(
        loss=0.5 * jnp.vdot(r, r),
        grad=factors.pull(r),
        metric=metric,
        columns=columns,
        squares=squares,
        largest=jnp.max(squares),
        at=LayeredSpace(factors, metric, factors.gram(by_array)).at,
        force=residual_force(flow, data, theta, r, push),
        products=0,
        jacobians=1,
        factors=True,
    )


def krylov_system(
    flow: LeastSquaresFlow | CompositeFlow,
    data: Any,
    theta: jax.Array,
    columns: jax.Array,
    *,
    h: jax.Array,
    limit: int,
    forcing: float,
) -> System:
    """The system in a Krylov space started from ∇L, matrix-free and without a metric.

    Args:
        flow: Least squares, or a convex loss of outputs.
        data: `flow.data`.
        theta: The point, `(n,)`.
        columns: Returned unchanged: the columns of J are never formed.
        h: The step size that the space is made for; smaller ones are resolved better.
        limit: The largest dimension.
        forcing: Relative residual of the shifted solve at which the space is large enough.

    Cost: one gradient, and one Gauss-Newton product a dimension.
    """
    linear = flow.gauss_newton(data, theta)
    basis = lanczos(
        linear.product,
        linear.grad,
        limit=min(limit, flow.size),
        is_enough=forcing_test(h, forcing),
    )
    used = jnp.arange(len(basis.values)) < basis.used
    return System(
        loss=linear.loss,
        grad=linear.grad,
        metric=jnp.ones_like(theta),
        columns=columns,
        squares=jnp.full_like(theta, jnp.nan),
        largest=jnp.max(jnp.where(used, basis.values, 0)),
        at=basis.at,
        force=_pulled_force(flow, data, theta, linear.grad),
        products=basis.used,
        jacobians=0,
        factors=False,
    )
