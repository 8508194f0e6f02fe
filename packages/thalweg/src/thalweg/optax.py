"""thalweg's steps as gradient transformations of Optax.

    updates, state = solver.update(grad, state, params, value=value, grad=grad, value_fn=loss)

Of thalweg's methods only `secant-euler` needs no more than values and gradients; the others take
Jacobians or products with the Hessian, which this interface does not give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from thalweg.errors import ConfigError
from thalweg.solvers.integrators.pairs import Pairs, no_pairs
from thalweg.solvers.integrators.secant_steps import Point, take_steps
from thalweg.solvers.step_control import H_MAX

if TYPE_CHECKING:
    from collections.abc import Callable


class SecantEulerState(NamedTuple):
    """What `secant_euler` carries from step to step.

    Attributes:
        h: The step size to try next.
        value: The loss after the last step, which `optax.value_and_grad_from_state` reads.
        grad: The gradient there, a pytree as the parameters.
        pairs: The curvature seen so far.
    """

    h: jax.Array
    value: jax.Array
    grad: Any
    pairs: Pairs


def secant_euler(memory_size: int = 30) -> optax.GradientTransformationExtraArgs:
    """The steps of `thalweg.SecantEuler`, for a loop of Optax.

    Use it as `optax.lbfgs`: its `update` takes the same arguments, and
    `optax.value_and_grad_from_state` finds value and gradient at the new point in its state. There
    is no learning rate; an update is a whole step, which lowers the value. It is zero where no step
    can: the minimum is reached as nearly as rounding allows.

    Args:
        memory_size: How many pairs are kept. At least 1.

    Raises:
        ConfigError: `memory_size` is below 1.

    Cost of an update: one gradient for each attempt at a step, of which most updates make one.

    Examples:
        >>> import jax.numpy as jnp, optax
        >>> from thalweg.optax import secant_euler
        >>> def loss(p):
        ...     return jnp.sum((p - 3.0) ** 2)
        >>> solver, params = secant_euler(), jnp.zeros(2)
        >>> state = solver.init(params)
        >>> value_and_grad = optax.value_and_grad_from_state(loss)
        >>> for _ in range(8):
        ...     value, grad = value_and_grad(params, state=state)
        ...     updates, state = solver.update(
        ...         grad, state, params, value=value, grad=grad, value_fn=loss
        ...     )
        ...     params = optax.apply_updates(params, updates)
        >>> bool(jnp.allclose(params, 3.0))
        True
    """
    if memory_size < 1:
        raise ConfigError(f"`memory_size` is {memory_size}, but at least 1 was expected")

    def init(params: Any) -> SecantEulerState:
        theta, _ = ravel_pytree(params)
        return SecantEulerState(
            h=jnp.ones((), theta.dtype),
            value=jnp.asarray(jnp.inf, theta.dtype),
            grad=jax.tree.map(jnp.zeros_like, params),
            pairs=no_pairs(theta, memory_size),
        )

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Callable[..., Any] | None = None,
        **extra: Any,
    ) -> tuple[Any, SecantEulerState]:
        if params is None or value is None or value_fn is None:
            raise ConfigError(
                "`secant_euler` evaluates the loss at the points that it tries; call "
                "`update(grad, state, params, value=value, grad=grad, value_fn=loss)`"
            )
        theta, unravel = ravel_pytree(params)
        slope, _ = ravel_pytree(updates if grad is None else grad)

        def value_and_grad(at: jax.Array) -> tuple[jax.Array, jax.Array]:
            found, slopes = jax.value_and_grad(value_fn)(unravel(at), **extra)
            return jnp.asarray(found, theta.dtype), ravel_pytree(slopes)[0]

        point = Point(theta, jnp.asarray(value, theta.dtype), slope, jnp.linalg.norm(slope))
        steps = take_steps(value_and_grad, point, state.pairs, state.h, most=1)
        new = SecantEulerState(
            h=jnp.minimum(steps.next_h, H_MAX),
            value=steps.point.loss,
            grad=unravel(steps.point.grad),
            pairs=steps.pairs,
        )
        return unravel(steps.point.theta - theta), new

    return optax.GradientTransformationExtraArgs(init, update)
