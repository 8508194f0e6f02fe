"""First-order methods and L-BFGS from Optax, inside the jitted loop.

Gradient descent is explicit Euler on the flow, `θ⁺ = θ - h ∇L(θ)`, with the learning rate as its
step; this defines the unit of flow time. Momentum and Adam do not integrate the flow; for them `h`
is the learning rate and `t` its sum.

Source: Kingma & Ba 2015, arXiv:1412.6980 (Adam); Polyak 1964 (momentum).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)

if TYPE_CHECKING:
    from thalweg.flow import Flow

ADAM_RATE = 1e-3  # Kingma & Ba's
DESCENT_RATE = 1e-2  # stable where the largest curvature is below 200
MOMENTUM_DECAY = 0.9
STILL_STEPS = 100  # consecutive steps that leave θ unchanged, after which the run ends


class State(NamedTuple):
    """The solver state.

    Attributes:
        state: Optax's state.
        loss: L at the current point; meaningless before the first step.
        grad: ∇L there, shape `(n,)`.
        is_known: Whether `loss` and `grad` are known.
        still_steps: Consecutive steps that left θ unchanged.
    """

    state: Any
    loss: jax.Array
    grad: jax.Array
    is_known: jax.Array
    still_steps: jax.Array


@final
@dataclasses.dataclass(frozen=True)
class OptaxOptimizer(AbstractJitMethod):
    """Any optimiser of Optax, including those with a line search such as `optax.lbfgs()`.

    Compiled programs are reused only for the same object: keep a configured optimiser, and a second
    run compiles nothing.

    Attributes:
        transformation: An `optax.GradientTransformation`.
        name: The value of `Solution.method`.
        summary: What it is, in a few words.
        learning_rate: The column `h`, unless the optimiser's state holds the learning rate, as
            with `optax.inject_hyperparams`. None if unknown: then `h` and `t` are NaN, as they are
            for a line search along a direction other than -∇L.

    Raises:
        ConfigError: `transformation` is not an optimiser of Optax.

    Cost: one gradient for each step; with a line search one for each trial point, of which
    `rejected` counts those that were not taken.
    """

    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    transformation: Any
    _: dataclasses.KW_ONLY
    name: str = "optax"  # pyright: ignore[reportIncompatibleVariableOverride] - set by the caller
    summary: str = "an optimiser of Optax"  # pyright: ignore[reportIncompatibleVariableOverride]
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if not all(callable(getattr(self.transformation, part, None)) for part in _PARTS):
            raise ConfigError(
                f"`transformation` is of type {type(self.transformation).__name__}, but an "
                "optimiser of Optax such as `optax.adam(1e-3)` was expected"
            )

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Optax's initial state; loss and gradient are unknown."""
        del flow
        return State(
            state=jax.tree.map(jnp.asarray, self.transformation.init(theta)),
            loss=jnp.asarray(jnp.nan, theta.dtype),
            grad=jnp.zeros_like(theta),
            is_known=jnp.asarray(False),  # noqa: FBT003 - an array
            still_steps=jnp.zeros((), jnp.int32),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take one update; the new loss and gradient are kept for the next step."""
        import optax

        def loss_at(at: jax.Array) -> jax.Array:
            return flow.loss(data, at)

        loss, grad = jax.lax.cond(
            solver_state.is_known,
            lambda: (solver_state.loss, solver_state.grad),
            lambda: flow.value_and_grad(data, theta),
        )
        update = optax.with_extra_args_support(self.transformation).update
        updates, raw_state = update(
            grad, solver_state.state, theta, value=loss, grad=grad, value_fn=loss_at
        )
        # The loop needs each leaf in its old dtype, whatever Optax returns.
        state = jax.tree.map(
            lambda new, old: jnp.asarray(new, old.dtype), raw_state, solver_state.state
        )
        trial = jnp.asarray(optax.apply_updates(theta, updates))
        trials = optax.tree.get(state, "num_linesearch_steps")
        found = _found_by_line_search(state, trials)
        if found is None:
            new_loss, new_grad = flow.value_and_grad(data, trial)
            work = no_work(
                gradients=jnp.where(solver_state.is_known, 1, 2),
                losses=0 if trials is None else trials,
            )
        else:
            new_loss, new_grad = found
            work = no_work(gradients=trials + jnp.where(solver_state.is_known, 0, 1))
        rejected = jnp.zeros((), jnp.int32) if trials is None else jnp.maximum(trials - 1, 0)
        still_steps = jnp.where(jnp.all(trial == theta), solver_state.still_steps + 1, 0)
        grad_norm = jnp.linalg.norm(grad)
        code = jnp.where(still_steps >= STILL_STEPS, STALLED, RUNNING)
        code = jnp.where(grad_norm == 0, CONVERGED, code)
        code = jnp.where(jnp.isfinite(new_loss), code, DIVERGED)
        return StepResult(
            theta=trial,
            loss=new_loss.astype(theta.dtype),
            start_loss=loss,
            grad_norm=grad_norm,
            h=self._rate(state, trials).astype(theta.dtype),
            rejected=rejected.astype(jnp.int32),
            work=work._replace(rejected_steps=rejected.astype(jnp.int32)),
            code=code.astype(jnp.int32),
            solver_state=State(
                state=state,
                loss=new_loss.astype(theta.dtype),
                grad=new_grad.astype(theta.dtype),
                is_known=jnp.asarray(True),  # noqa: FBT003 - an array
                still_steps=still_steps.astype(jnp.int32),
            ),
        )

    def _rate(self, state: Any, trials: Any) -> jax.Array:
        """The learning rate of this step; NaN if unknown."""
        import optax

        held = None if trials is not None else optax.tree.get(state, "learning_rate")
        rate = self.learning_rate if held is None else held
        return jnp.asarray(jnp.nan if rate is None else rate)


_PARTS = ("init", "update")


def _found_by_line_search(state: Any, trials: Any) -> tuple[jax.Array, jax.Array] | None:
    """L and ∇L at the new point, if a line search has just evaluated them."""
    import optax

    if trials is None:
        return None
    loss, grad = optax.tree.get(state, "value"), optax.tree.get(state, "grad")
    return None if loss is None or grad is None else (loss, grad)


# One object each, so that a second run by name reuses the compiled program of the first.


@functools.cache
def gradient_descent() -> OptaxOptimizer:
    """Gradient descent at learning rate 0.01."""
    import optax

    return OptaxOptimizer(
        optax.sgd(DESCENT_RATE),
        name="gradient-descent",
        summary=f"gradient descent at learning rate {DESCENT_RATE}",
        learning_rate=DESCENT_RATE,
    )


@functools.cache
def momentum() -> OptaxOptimizer:
    """Gradient descent with momentum 0.9 at learning rate 0.01."""
    import optax

    return OptaxOptimizer(
        optax.sgd(DESCENT_RATE, momentum=MOMENTUM_DECAY),
        name="momentum",
        summary=f"gradient descent at learning rate {DESCENT_RATE} with momentum {MOMENTUM_DECAY}",
        learning_rate=DESCENT_RATE,
    )


@functools.cache
def adam() -> OptaxOptimizer:
    """Adam at learning rate 0.001."""
    import optax

    return OptaxOptimizer(
        optax.adam(ADAM_RATE),
        name="adam",
        summary=f"Adam at learning rate {ADAM_RATE}",
        learning_rate=ADAM_RATE,
    )


@functools.cache
def l_bfgs() -> OptaxOptimizer:
    """Optax's L-BFGS, 10 pairs, with its zoom line search."""
    import optax

    return OptaxOptimizer(
        optax.lbfgs(),
        name="optax-l-bfgs",
        summary="Optax's L-BFGS, 10 pairs, with a zoom line search",
    )
