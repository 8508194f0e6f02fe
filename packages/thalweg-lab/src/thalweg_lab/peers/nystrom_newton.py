"""NNCG: Newton's method by conjugate gradients with a Nyström preconditioner.

Each step solves

    (∇²L + μ) d = ∇L

by conjugate gradients from the last d, preconditioned by the Nyström approximation U S Uᵀ of ∇²L
(of rank s, from products with s random orthonormal vectors, made again every 20 steps), and takes
θ⁺ = θ - t d with t halved from 1 until L falls by at least t dᵀ∇L / 10.

Source: Rathore, Lei, Frangella, Lu & Udell 2024, "Challenges in training PINNs: A loss landscape
perspective", arXiv:2402.01868, and their code, whose defaults these are; Frangella, Tropp & Udell
2023, "Randomized Nyström preconditioning", SIAM J. Matrix Anal. Appl.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg.errors import ConfigError
from thalweg.solvers.adapters.checks import refuse_below
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
    from collections.abc import Callable

    from thalweg.flow import Flow

FREQUENCY = 20  # steps between two preconditioners
TOLERANCE = 1e-16  # of |residual| in conjugate gradients
DECREASE, SHORTEN = 0.1, 0.5  # of the line search
MOST_TRIALS = 60  # of a line search; by then a step is below rounding
STILL_STEPS = 10  # consecutive steps that leave θ unchanged, after which the run ends


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        vectors: U, shape `(n, s)`.
        values: S, falling, shape `(s,)`.
        direction: The last d, shape `(n,)`.
        steps: Steps taken.
        still_steps: Consecutive steps that left θ unchanged.
    """

    vectors: jax.Array
    values: jax.Array
    direction: jax.Array
    steps: jax.Array
    still_steps: jax.Array


class _Solve(NamedTuple):
    """Conjugate gradients: the solution so far, its residual, and both preconditioned."""

    x: jax.Array
    residual: jax.Array
    z: jax.Array
    p: jax.Array
    taken: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class NystromNewton(AbstractJitMethod):
    """Newton's method by conjugate gradients with a Nyström preconditioner.

    Attributes:
        damping: μ. Positive.
        rank: s. At least 1; at most n are used.
        most_products: The most products with ∇²L that a step takes for its solution.

    Raises:
        ConfigError: A value is out of its range.

    Cost of a step: a gradient, up to `most_products` products, and now and then `rank` of them.
    """

    name: ClassVar[str] = "nystrom-newton"
    summary: ClassVar[str] = "Newton's method by Nyström-preconditioned conjugate gradients"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    damping: float = 1e-2
    rank: int = 60
    most_products: int = 1000

    def __post_init__(self) -> None:
        if not self.damping > 0:
            raise ConfigError(f"`damping` is {self.damping}, but a number above 0 was expected")
        refuse_below("rank", self.rank, 1)
        refuse_below("most_products", self.most_products, 1)

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """No preconditioner yet."""
        del flow
        rank, zero = min(self.rank, theta.size), jnp.zeros((), jnp.int32)
        return State(
            vectors=jnp.zeros((theta.size, rank), theta.dtype),
            values=jnp.zeros(rank, theta.dtype),
            direction=jnp.zeros_like(theta),
            steps=zero,
            still_steps=zero,
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """One solution, then the line search."""
        old = solver_state
        loss, grad, product = flow.hessian(data, theta)
        is_due = old.steps % FREQUENCY == 0
        key = jax.random.fold_in(jax.random.key(0), old.steps)
        vectors, values = jax.lax.cond(
            is_due,
            lambda: nystrom(product, key, old.vectors),
            lambda: (old.vectors, old.values),
        )
        direction, count = solved(
            product,
            grad,
            old.direction,
            preconditioner=(vectors, values),
            damping=self.damping,
            most=self.most_products,
        )
        t, reached, trials, is_taken = _searched(
            lambda t: flow.loss(data, theta - t * direction), loss, -jnp.vdot(grad, direction)
        )
        end = jnp.where(is_taken, theta - t * direction, theta)
        still = jnp.where(jnp.all(end == theta), old.still_steps + 1, 0).astype(jnp.int32)
        code = jnp.where(still >= STILL_STEPS, STALLED, RUNNING)
        norm = jnp.linalg.norm(grad)
        code = jnp.where(norm == 0, CONVERGED, code)
        return StepResult(
            theta=end,
            loss=jnp.where(is_taken, reached, loss),
            start_loss=loss,
            grad_norm=norm,
            h=jnp.asarray(jnp.nan, theta.dtype),
            rejected=trials - 1,
            work=no_work(
                gradients=1,
                losses=trials,
                hessian_products=count + 1 + jnp.where(is_due, len(values), 0),
                rejected_steps=trials - 1,
            ),
            code=jnp.where(jnp.isfinite(loss), code, DIVERGED).astype(jnp.int32),
            solver_state=State(
                vectors,
                values,
                # The next solution starts from it.
                jnp.where(jnp.isfinite(direction).all(), direction, 0),
                old.steps + 1,
                still,
            ),
        )


def _searched(
    loss_at: Callable[[jax.Array], jax.Array], loss: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Armijo's rule: t, the loss there, how many were tried, and whether it falls enough.

    Args:
        loss_at: The loss at t.
        loss: That at 0.
        slope: Its derivative at 0.
    """

    def is_enough(t: jax.Array, reached: jax.Array) -> jax.Array:
        return reached <= loss + DECREASE * t * slope

    def is_too_long(trial: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        t, reached, trials = trial
        return ~is_enough(t, reached) & (trials < MOST_TRIALS)

    def shortened(trial: tuple[jax.Array, jax.Array, jax.Array]) -> Any:
        t = SHORTEN * trial[0]
        return t, loss_at(t), trial[2] + 1

    first = (jnp.full_like(loss, 1 / SHORTEN), jnp.full_like(loss, jnp.inf))
    t, reached, trials = jax.lax.while_loop(
        is_too_long, shortened, (*first, jnp.zeros((), jnp.int32))
    )
    return t, reached, trials, jnp.isfinite(reached) & is_enough(t, reached)


def nystrom(
    product: Callable[[jax.Array], jax.Array], key: jax.Array, like: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """U `(n, s)` and S `(s,)`, falling: U S Uᵀ is the Nyström approximation of a symmetric matrix.

    Args:
        product: From a vector to its product with the matrix.
        key: What draws the s test vectors.
        like: An array of the shape of U.
    """
    size, rank = like.shape
    test = jnp.linalg.qr(jax.random.normal(key, (size, rank), like.dtype))[0]
    eps = jnp.finfo(like.dtype).eps
    images = jax.lax.map(product, test.T).T + eps * test  # (n, s)
    core = test.T @ images
    values, turns = jnp.linalg.eigh((core + core.T) / 2)
    # The authors take Cholesky's factor, and shift the core where it has none.
    is_definite = values[0] > rank * eps * jnp.abs(values).max()
    shift = jnp.where(is_definite, 0, eps + jnp.abs(values[0]))
    shifted = jnp.maximum(values + shift, eps * jnp.abs(values).max())
    left, singular, _ = jnp.linalg.svd(images @ (turns / jnp.sqrt(shifted)), full_matrices=False)
    return left, jnp.maximum(singular**2 - eps - shift, 0)


def solved(
    product: Callable[[jax.Array], jax.Array],
    right: jax.Array,
    start: jax.Array,
    *,
    preconditioner: tuple[jax.Array, jax.Array],
    damping: float,
    most: int,
) -> tuple[jax.Array, jax.Array]:
    """The solution of (A + μ) x = right by preconditioned conjugate gradients, and its iterations.

    Args:
        product: From a vector to its product with A.
        right: Shape `(n,)`.
        start: The first x, shape `(n,)`.
        preconditioner: U and S of `nystrom`.
        damping: μ.
        most: The most iterations.
    """
    vectors, values = preconditioner

    def precondition(v: jax.Array) -> jax.Array:
        inside = vectors.T @ v
        weights = (values[-1] + damping) / (values + damping)
        return vectors @ (weights * inside) + (v - vectors @ inside)

    def goes_on(now: _Solve) -> jax.Array:
        return (jnp.linalg.norm(now.residual) > TOLERANCE) & (now.taken < most)

    def iterate(now: _Solve) -> _Solve:
        image = product(now.p) + damping * now.p
        before = jnp.vdot(now.residual, now.z)
        length = before / jnp.vdot(now.p, image)
        residual = now.residual - length * image
        z = precondition(residual)
        return _Solve(
            now.x + length * now.p,
            residual,
            z,
            z + jnp.vdot(residual, z) / before * now.p,
            now.taken + 1,
        )

    residual = right - (product(start) + damping * start)
    z = precondition(residual)
    last = jax.lax.while_loop(
        goes_on, iterate, _Solve(start, residual, z, z, jnp.zeros((), jnp.int32))
    )
    return last.x, last.taken
