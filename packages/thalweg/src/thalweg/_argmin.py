"""Minimizers as differentiable functions of what a problem depends on.

At a minimum `∇L(θ; a) = 0`, so that `dθ = -H⁻¹ (∂∇L/∂a) da` with the Hessian H of L there. The run
itself is not differentiated.

Source: the implicit function theorem; see Blondel et al., "Efficient and modular implicit
differentiation" (NeurIPS 2022).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from thalweg._minimize import minimize
from thalweg.errors import ConfigError
from thalweg.flow.outputs import flat_residual
from thalweg.problem import Composite, LeastSquares, Scalar, Sum, tracers_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.problem import Block, Problem
    from thalweg.solvers.base import AbstractMethod
    from thalweg.stop import Stop

MOST = 5000  # parameters, as the Hessian is a dense matrix


def argmin(
    problem_of: Callable[[Any], Problem],
    params: Any,
    args: Any,
    *,
    method: str | AbstractMethod = "auto",
    stop: Stop | None = None,
) -> Any:
    """The parameters at a minimum, as a function of `args` that `jax.grad` can differentiate.

    Derivatives follow from the minimum by the implicit function theorem, in forward and reverse
    mode and to any order. They are those of the minimum that the run from `params` finds.

    Args:
        problem_of: Maps `args` to a problem, which may use them anywhere: in its data, or inside
            its functions.
        params: The start, a pytree of float arrays.
        args: A pytree of arrays and numbers.
        method: As in `minimize`.
        stop: As in `minimize`.

    Returns:
        The parameters found, a pytree like `params`. Where the run did not end at a minimum, a
        `RuntimeWarning` says so, as the derivatives then hold approximately at best.

    Raises:
        ConfigError: It was called under `jax.jit` or `jax.vmap`, something cannot be run, or a
            derivative was asked for with more than 5,000 parameters.

    Cost: a run; for a derivative n products with the Hessian, a matrix `(n, n)` and 2n³/3
    multiplications.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> import thalweg as tw
        >>> def problem_of(target):
        ...     return tw.LeastSquares(lambda p: p["a"] ** 2 - target)
        >>> def root(target):
        ...     return tw.argmin(problem_of, {"a": jnp.ones(())}, target)["a"]
        >>> round(float(root(4.0)), 4), round(float(jax.grad(root)(4.0)), 4)
        (2.0, 0.25)
    """
    _, unravel = ravel_pytree(params)

    @jax.custom_jvp
    def found(args: Any) -> jax.Array:
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(args)):
            raise ConfigError(
                "`argmin` was called under `jax.jit` or `jax.vmap`, but a run needs numbers: call "
                "it outside; `jax.grad` and `jax.jacobian` around it work"
            )
        solution = minimize(problem_of(args), params, method, stop)
        if not solution.outcome.is_success:
            text = f"`argmin` ended with the outcome {solution.outcome.value}. {solution.message}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        return ravel_pytree(solution.params)[0]

    @found.defjvp
    def _derivative(primals: tuple[Any], tangents: tuple[Any]) -> tuple[jax.Array, jax.Array]:
        theta = found(*primals)
        if theta.size > MOST:
            raise ConfigError(
                f"the derivatives of `argmin` need a dense Hessian and are for up to {MOST:,} "
                f"parameters, but there are {theta.size:,}"
            )

        def gradient(theta: jax.Array, args: Any) -> jax.Array:
            with tracers_allowed():
                problem = problem_of(args)
            return jax.grad(lambda at: _loss(problem, unravel(at)))(theta)

        _, moved = jax.jvp(lambda args: gradient(theta, args), primals, tangents)
        hessian = jax.jacfwd(gradient)(theta, *primals)
        return theta, -jnp.linalg.solve(hessian, moved)

    return unravel(found(args))


def _loss(problem: Problem, params: Any) -> jax.Array:
    """The loss of a problem, without a flow: for data that JAX traces. Pure."""
    if isinstance(problem, Sum):
        return jnp.sum(jnp.stack([_loss(part, params) for part in problem.parts]))
    if isinstance(problem, Scalar):
        return problem.loss(params)
    if isinstance(problem, Composite):
        inputs, truth = problem.data
        each = jax.vmap(lambda x, y: problem.loss(problem.outputs(params, x), y))(inputs, truth)
        theta = ravel_pytree(params)[0]
        return jnp.mean(each) + 0.5 * problem.l2 * jnp.vdot(theta, theta)
    if isinstance(problem, LeastSquares):
        return jnp.sum(jnp.stack([_block_loss(block, params) for block in problem.blocks]))
    raise ConfigError(f"`argmin` does not know problems of type {type(problem).__name__}")


def _block_loss(block: Block, params: Any) -> jax.Array:
    def squares(*example: Any) -> jax.Array:
        r = flat_residual(block.function(params, *example))
        return 0.5 * jnp.vdot(r, r)

    if block.data is None:
        return block.weight * squares()
    return block.weight * jnp.mean(jax.vmap(squares)(*block.data))
