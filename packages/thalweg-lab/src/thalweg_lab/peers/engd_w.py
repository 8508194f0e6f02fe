"""Energy natural gradient descent by Woodbury's identity, with the momentum of SPRING.

The loss is ½ |r|², J the Jacobian of r. Step k = 1, 2, ... follows

    φ = μ φ₋ + Jᵀ (J Jᵀ + λ)⁻¹ (-r - μ J φ₋),   φ₋ = 0 at first
    θ⁺ = θ + η φ / √(1 - μ²ᵏ)

with the η of the grid 1, 1/2, ... 2⁻³⁰ at which the loss is least. Without momentum, μ = 0, it is
ENGD-W: a step of Gauss and Newton with the damping λ. Where no η lowers the loss, θ stays.

φ is the minimiser of |Jφ + r|² + λ |φ - μ φ₋|², so with fewer parameters than residuals the same φ
comes from (JᵀJ + λ) (φ - μ φ₋) = -Jᵀr - μ JᵀJ φ₋, a smaller system.

Source: Guzmán-Cordero, Dangel, Goldshlager & Zeinhofer 2025, "Improving energy natural gradient
descent through Woodbury, momentum, and randomization", arXiv:2505.12149, and their code, where this
is `RNGD` with the exact kernel and `grid_line_search`; Goldshlager, Abrahamsen & Lin 2024,
"A Kaczmarz-inspired approach to accelerate the optimization of neural network wavefunctions",
arXiv:2401.10190 (SPRING).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from thalweg._util.symmetric_product import symmetric_product
from thalweg.errors import ConfigError
from thalweg.flow import LeastSquaresFlow
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.dense import MATRICES, refuse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow import Flow

HALVINGS = 31  # step sizes of the line search, from 1 down
# Bytes of a loss up to which all step sizes are tried at once: 0.6 of the time on a network of 481
# weights and 400 examples, but 1.8 to 3.7 times as long where it takes 8 MB and more.
TOGETHER = 2**20
SKIPPED_STEPS = 100  # consecutive steps that lower the loss at no step size, after which it ends


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        phi: φ of the last step, shape `(n,)`; 0 before the first.
        steps: Steps taken.
        skipped: Consecutive steps that lowered the loss at no step size.
    """

    phi: jax.Array
    steps: jax.Array
    skipped: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class EngdW(AbstractJitMethod):
    """Energy natural gradient descent by Woodbury's identity, with the momentum of SPRING.

    Attributes:
        damping: λ. Positive.
        momentum: μ, at least 0 and below 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost of a step: a Jacobian, its product with itself and a Cholesky factor, in the smaller of
    the spaces of parameters and residuals, and 31 losses.
    """

    name: ClassVar[str] = "engd-w"
    summary: ClassVar[str] = "energy natural gradient by Woodbury's identity, SPRING's momentum"
    needs: ClassVar[str] = "LeastSquares"
    kind: ClassVar[str] = "baseline"

    damping: float = 1e-8
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not self.damping > 0:
            raise ConfigError(f"`damping` is {self.damping}, but a number above 0 was expected")
        if not 0 <= self.momentum < 1:
            raise ConfigError(
                f"`momentum` is {self.momentum}, but a number from 0 to below 1 was expected"
            )

    def check(self, flow: Flow) -> None:
        """Refuse a problem without residuals, or whose smaller matrix does not fit into memory.

        Raises:
            ConfigError: Naming which.
        """
        if not isinstance(flow, LeastSquaresFlow):
            raise ConfigError(
                f"`{self.name}` needs residuals, but the problem is not a `LeastSquares`; choose "
                "another method, or state the problem by its residuals"
            )
        width = flow.spec.dtype.itemsize * flow.matrix_sizes[0]
        refuse_bytes(self.name, MATRICES * width * flow.matrix_sizes[0], flow, use="`soap`")

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """No momentum yet."""
        del flow
        zero = jnp.zeros((), jnp.int32)
        return State(jnp.zeros_like(theta), zero, zero)

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """One system, then the best of the grid of step sizes."""
        old = solver_state
        loss, grad, increment = _system(
            flow, data, theta, shift=self.momentum * old.phi, damping=self.damping
        )
        phi = self.momentum * old.phi + increment
        steps = old.steps + 1
        direction = phi / jnp.sqrt(1 - self.momentum ** (2 * steps.astype(theta.dtype)))
        sizes = 0.5 ** jnp.arange(HALVINGS, dtype=theta.dtype)
        every = jax.vmap if flow.pass_bytes <= TOGETHER else _one_by_one
        losses = every(lambda size: flow.loss(data, theta + size * direction))(sizes)
        losses = jnp.where(jnp.isnan(losses), jnp.inf, losses)
        best = jnp.argmin(losses)
        is_taken = losses[best] <= loss
        skipped = jnp.where(losses[best] < loss, 0, old.skipped + 1)
        most = SKIPPED_STEPS if self.momentum else 1  # without momentum it would be the same again
        code = jnp.where(skipped >= most, STALLED, RUNNING)
        norm = jnp.linalg.norm(grad)
        code = jnp.where(norm == 0, CONVERGED, code)
        return StepResult(
            theta=jnp.where(is_taken, theta + sizes[best] * direction, theta),
            loss=jnp.where(is_taken, losses[best], loss),
            start_loss=loss,
            grad_norm=norm,
            h=jnp.asarray(jnp.nan, theta.dtype),
            rejected=jnp.zeros((), jnp.int32),
            work=no_work(jacobians=1, losses=HALVINGS, factorizations=1),
            code=jnp.where(jnp.isfinite(loss), code, DIVERGED).astype(jnp.int32),
            solver_state=State(phi, steps, skipped.astype(jnp.int32)),
        )


def _one_by_one(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """`jax.vmap`, but one after the other."""
    return lambda values: jax.lax.map(function, values)


def _system(
    flow: LeastSquaresFlow, data: Any, theta: jax.Array, *, shift: jax.Array, damping: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """L, ∇L and the minimiser d of |J (d + shift) + r|² + λ |d|², each space by its own system."""
    smaller, _ = flow.matrix_sizes
    if smaller == flow.size:
        r, grad, matrix = flow.normal_equations(data, theta)
        found = _solve(matrix, -grad - matrix @ shift, damping)
        return 0.5 * jnp.vdot(r, r), grad, found
    push: Callable[[jax.Array], jax.Array]
    if flow.has_factors:  # the kernel layer by layer, as in the authors' code
        r, factors = flow.factors(data, theta)
        ones = [jnp.ones_like(each) for each in flow.spec.split(theta)]
        kernel, pull = factors.gram(ones), factors.pull
        push = lambda v: factors.push(flow.spec.split(v))  # noqa: E731 - beside its opposite
    else:
        r, jacobian = flow.jacobian(data, theta)
        kernel, pull = symmetric_product(jacobian.T), jacobian.T.__matmul__
        push = jacobian.__matmul__
    found = pull(_solve(kernel, -r - push(shift), damping))
    return 0.5 * jnp.vdot(r, r), pull(r), found


def _solve(matrix: jax.Array, right: jax.Array, damping: float) -> jax.Array:
    """(matrix + λ)⁻¹ right."""
    shifted = matrix + damping * jnp.eye(len(matrix), dtype=matrix.dtype)
    return cho_solve(cho_factor(shifted, lower=True), right)
