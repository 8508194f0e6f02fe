"""Self-scaled Broyden with a dense matrix and a Wolfe line search, in one compiled loop.

The update is that of thalweg's own `self-scaled-broyden`, but H begins as the identity. The line
search is Optax's zoom under the strong Wolfe conditions, and a step is one program. As in the
authors' code, which is SciPy's BFGS with another update, the first trial step of a search has
the length that the last decrease suggests, at most that of the whole step:

    α = min(1, 2.02 (L₋ - L) / -dᵀ∇L),   L₋ - L = |∇L| / 2 in the first step

When a search lowers the loss no more, H is reset to the identity.

Source: Urbán, Stefanou & Pons 2025, "Unveiling the optimization process of physics informed neural
networks", J. Comput. Phys. 523, 113656, and their code, where this is SSBroyden2; Nocedal & Wright,
*Numerical Optimization*, 2nd ed., algorithms 3.5 and 3.6.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.solvers.dense import refuse_bytes
from thalweg.solvers.integrators.self_scaled_broyden import updated
from thalweg.solvers.step_control import first_length
from thalweg_lab.peers.base import AbstractTransformation

if TYPE_CHECKING:
    from thalweg.flow import Flow
    from thalweg.flow.flatten import ParamSpec

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # of the line search, as the authors' code has them
MOST_TRIALS = 30  # of a line search


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        inverse: H, shape `(n, n)`.
        direction: -H ∇L at the point, `(n,)`; meaningless before the first step.
        before: The loss before the last step; NaN before there is one.
        is_fresh: Whether H is the identity.
        search: Optax's state of the line search.
    """

    inverse: jax.Array
    direction: jax.Array
    before: jax.Array
    is_fresh: jax.Array
    search: Any


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class SSBroyden(AbstractTransformation):
    """Self-scaled Broyden, in one compiled loop.

    Attributes:
        initial_scale: Whether the first update after a start or a reset scales the identity to the
            curvature it has seen, an option of the authors' code.

    Cost: one gradient for each trial point; for each step two passes over H; memory for n² numbers.
    """

    name: ClassVar[str] = "ss-broyden-jax"
    summary: ClassVar[str] = "self-scaled Broyden with a zoom line search, in a compiled loop"
    needs: ClassVar[str] = "any problem, n² memory"

    initial_scale: bool = False

    def check(self, flow: Flow) -> None:
        """Refuse a matrix that does not fit into memory.

        Raises:
            ConfigError: It would not fit.
        """
        refuse_bytes(
            self.name, 2 * flow.spec.dtype.itemsize * flow.size**2, flow, use="`optax-l-bfgs`"
        )

    def transformation(self, spec: ParamSpec) -> Any:
        """The transformation; it includes the line search."""
        del spec
        import optax

        zoom: Any = optax.scale_by_zoom_linesearch(
            MOST_TRIALS,
            slope_rtol=SUFFICIENT_DECREASE,
            curv_rtol=CURVATURE,
            initial_guess_strategy="one",
        )

        def init(theta: jax.Array) -> State:
            return _first_state(theta, zoom.init(theta))

        def update(
            updates: jax.Array,
            state: State,
            theta: jax.Array,
            *,
            value: jax.Array,
            grad: jax.Array,
            value_fn: Any,
        ) -> tuple[jax.Array, State]:
            del updates  # the gradient, as Optax passes it on
            direction, guess = _first_trial(state, value, grad)
            step, search = zoom.update(
                guess * direction, state.search, theta, value=value, grad=grad, value_fn=value_fn
            )
            is_lower = (search.value <= value) & (search.learning_rate > 0)
            step = jnp.where(is_lower, step, 0)
            new_grad = jnp.where(is_lower, search.grad, grad)
            length = guess * search.learning_rate
            inverse, new_direction, is_kept = updated(
                state.inverse,
                step,
                new_grad - grad,
                # sᵀH⁻¹s = -α sᵀ∇L, as s = -α H ∇L
                curvature=-length * jnp.vdot(step, grad),
                grad=new_grad,
                is_lower=is_lower,
                scales_first=state.is_fresh if self.initial_scale else None,
            )
            return step, State(
                inverse=inverse,
                direction=new_direction,
                before=jnp.where(is_kept, value, jnp.nan).astype(theta.dtype),
                is_fresh=~is_kept,
                search=search._replace(
                    value=jnp.where(is_lower, search.value, value), grad=new_grad
                ),
            )

        return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType] - of arrays


def _first_state(theta: jax.Array, search: Any) -> State:
    """Nothing is known yet but the state of the line search."""
    return State(
        inverse=jnp.eye(theta.size, dtype=theta.dtype),
        direction=jnp.zeros_like(theta),
        before=jnp.asarray(jnp.nan, theta.dtype),
        is_fresh=jnp.ones((), bool),
        search=search,
    )


def _first_trial(state: State, value: jax.Array, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The direction of a search, and α of the module: its first trial."""
    is_first = jnp.isnan(state.before)
    direction = jnp.where(is_first, -grad, state.direction)
    before = jnp.where(is_first, value + jnp.linalg.norm(grad) / 2, state.before)
    return direction, first_length(before - value, jnp.vdot(direction, grad))
