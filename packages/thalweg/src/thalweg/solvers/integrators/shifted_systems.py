"""Linear algebra of the shifted curvature matrix `C + M/h`, in three spaces.

An implicit step solves `(C + M/h) d = -force`, with C = JᵀJ or Jᵀ∇²ℓJ and a diagonal metric M.
What is solved in depends on the sizes: the space of parameters (n x n), that of residuals (m x m,
by the push-through identity), or a Krylov space. Each class prepares once a linearisation, `at(h)`
factors once an attempt, and the solver it returns serves the step and its corrections.

A force is what each space takes: a vector of residuals `(m,)`, or its pull-back Jᵀu `(n,)`.

Source: Hairer & Wanner, *Solving ODEs II*, IV.8; Golub & Van Loan, *Matrix Computations*, 4th
ed., 2.1.4 (push-through), 10.1 (Lanczos).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, final

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

Pair = tuple[jax.Array, jax.Array]
EnoughTest = Callable[[jax.Array, jax.Array, jax.Array, Pair], tuple[Pair, jax.Array]]

HALVING_SIZE = 512  # from this order on, a symmetric product is worth computing by halves


def symmetric_product(a: jax.Array) -> jax.Array:
    """`aᵀa` of shape `(n, n)`, computing each off-diagonal block once.

    Cost: about 5/8 of the plain product for large n.
    """
    n = a.shape[1]
    if n < HALVING_SIZE:
        return a.T @ a
    left, right = a[:, : n // 2], a[:, n // 2 :]
    corner = left.T @ right
    return jnp.block([[symmetric_product(left), corner], [corner.T, symmetric_product(right)]])


def _factor(matrix: jax.Array) -> jax.Array:
    """The lower Cholesky factor; NaN where the matrix is not positive definite to rounding."""
    return jax.lax.linalg.cholesky(matrix, symmetrize_input=False)


def _solve(factor: jax.Array, right: jax.Array) -> jax.Array:
    return solve_triangular(
        factor, solve_triangular(factor, right, lower=True), lower=True, trans=1
    )


@final
class ParameterSpace(NamedTuple):
    """`(C + M/h) d = -force` with C of shape `(n, n)`; forces have shape `(n,)`.

    Cost: n³/3 multiplications an attempt, n² a solve.
    """

    curvature: jax.Array
    metric: jax.Array

    def at(self, h: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """Factor at a step size; the solver maps a force to a step."""
        factor = _factor(self.curvature + jnp.diag(self.metric / h))
        return lambda force: -_solve(factor, force)


@final
class ResidualSpace(NamedTuple):
    """`(JᵀJ + M/h) d = -Jᵀu` by `d = -M⁻¹Jᵀ (J M⁻¹ Jᵀ + 1/h)⁻¹ u`; forces are u, `(m,)`.

    Cost: m³/3 multiplications an attempt, m² + 2mn a solve.
    """

    jacobian: jax.Array
    metric: jax.Array
    gram: jax.Array

    @classmethod
    def prepare(cls, jacobian: jax.Array, metric: jax.Array) -> ResidualSpace:
        """Form J M⁻¹ Jᵀ of shape `(m, m)`. Cost: m² n multiplications."""
        return cls(jacobian, metric, symmetric_product((jacobian / jnp.sqrt(metric)).T))

    def at(self, h: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """Factor at a step size; the solver maps residuals to a step."""
        factor = _factor(self.gram + jnp.eye(len(self.gram), dtype=self.gram.dtype) / h)
        return lambda force: -(self.jacobian.T @ _solve(factor, force)) / self.metric


class Krylov(NamedTuple):
    """An orthonormal basis V of a Krylov space and the matrix in it, diagonalised.

    `C V ≈ V Q Λ Qᵀ`, and V's first vector is the starting force over its norm. Unused rows of the
    basis are 0.

    Attributes:
        basis: V, transposed: `(limit, n)`.
        values: Λ, the Ritz values, `(limit,)`; of unused dimensions 1e30 or more.
        vectors: Q, `(limit, limit)`.
        used: How many dimensions are used.
        norm: The norm of the starting force.
        rest: What the test of enough had left when the space ended; 0 for an invariant space.
    """

    basis: jax.Array
    values: jax.Array
    vectors: jax.Array
    used: jax.Array
    norm: jax.Array
    rest: jax.Array

    def at(self, h: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """The solver of `(C + 1/h) d = -force` within the space; forces have shape `(n,)`."""
        weight = 1 / (1 / h + jnp.maximum(self.values, 0))

        def solve(force: jax.Array) -> jax.Array:
            inside = self.vectors.T @ (self.basis @ force)
            return -((self.vectors @ (weight * inside)) @ self.basis)

        return solve


UNUSED = 1e30  # a Ritz value so large that its dimension takes no part
SPENT = 100  # a new direction of this many roundings is none
BLOCK = 32  # rows of the basis that are orthogonalised against at a time


def _orthogonalised(w: jax.Array, basis: jax.Array, k: jax.Array) -> jax.Array:
    """`w` without its share of the first k+1 rows of the basis, reading few rows more."""

    def against(rows: int) -> Callable[[jax.Array], jax.Array]:
        return lambda v: v - (basis[:rows] @ v) @ basis[:rows]

    sizes = [*range(BLOCK, len(basis), BLOCK), len(basis)]
    return jax.lax.switch(k // BLOCK, [against(size) for size in sizes], w)


def lanczos(
    product: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    limit: int,
    is_enough: EnoughTest,
) -> Krylov:
    """Build a Krylov space by Lanczos with full reorthogonalisation.

    Args:
        product: v -> Cv with a symmetric C.
        start: The starting force, shape `(n,)`.
        limit: The largest dimension. At least 1.
        is_enough: `is_enough(k, alpha, beta, state) -> (state, done)` is asked after each
            dimension, k counted from 0; `alpha` and `beta` are the entries of the tridiagonal
            matrix, `state` is a pair of scalars that begins as (1, 1).

    Cost: one product and 4 k n multiplications for dimension k, and one `(limit, limit)`
    eigenproblem at the end.
    """
    n, real = start.size, start.dtype
    tiny, eps = jnp.finfo(real).tiny, jnp.finfo(real).eps
    norm = jnp.linalg.norm(start)
    basis = jnp.zeros((limit + 1, n), real).at[0].set(start / jnp.maximum(norm, tiny))
    empty = jnp.zeros(limit, real)

    def extend(carry: tuple) -> tuple:
        basis, alpha, beta, k, state, _ = carry
        w = product(basis[k])
        before = jnp.where(k > 0, beta[k - 1], 0)
        diagonal = jnp.vdot(basis[k], w)
        w = w - diagonal * basis[k] - before * basis[k - 1]
        w = _orthogonalised(w, basis, k)
        size = jnp.linalg.norm(w)
        # The space is invariant once nothing but rounding is left.
        is_spent = size <= SPENT * eps * (jnp.abs(diagonal) + before)
        basis = basis.at[k + 1].set(jnp.where(is_spent, 0, w / jnp.maximum(size, tiny)))
        alpha = alpha.at[k].set(diagonal)
        beta = beta.at[k].set(jnp.where(is_spent, 0, size))
        state, done = is_enough(k, alpha, beta, state)
        return basis, alpha, beta, k + 1, state, done | is_spent | ~jnp.isfinite(size)

    def goes_on(carry: tuple) -> jax.Array:
        return (carry[3] < limit) & ~carry[5]

    one = jnp.ones((), real)
    first = (basis, empty, empty, jnp.zeros((), jnp.int32), (one, one), jnp.zeros((), bool))
    basis, alpha, beta, used, (_, rest), _ = jax.lax.while_loop(goes_on, extend, first)
    index = jnp.arange(limit)
    diagonal = jnp.where(index < used, alpha, UNUSED)
    coupling = jnp.where(index[:-1] < used - 1, beta[:-1], 0)
    values, vectors = jnp.linalg.eigh(
        jnp.diag(diagonal) + jnp.diag(coupling, 1) + jnp.diag(coupling, -1)
    )
    kept = jnp.where((index < used)[:, None], basis[:limit], 0)
    return Krylov(kept, values, vectors, used, norm, rest)


def forcing_test(h: jax.Array, forcing: jax.Array | float) -> EnoughTest:
    """Enough once the relative residual of `(C + 1/h) d = -force` is below `forcing`.

    The residual norm after k dimensions is the product of β_i / |pivot_i| of the LDLᵀ
    factorisation of T + 1/h, so it costs two numbers a dimension. With negative curvature the
    pivots lose their sign, not their size.
    """

    def is_enough(
        k: jax.Array, alpha: jax.Array, beta: jax.Array, state: Pair
    ) -> tuple[Pair, jax.Array]:
        pivot, rest = state
        before = jnp.where(k > 0, beta[k - 1], 0)
        pivot = alpha[k] + 1 / h - before**2 / pivot
        rest = rest * beta[k] / jnp.abs(pivot)
        return (pivot, rest), ~(rest > forcing)

    return is_enough
