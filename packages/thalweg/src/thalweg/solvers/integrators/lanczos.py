"""Lanczos' method: a Krylov space of a symmetric matrix, of which only products are known.

    C V = V T + β v eᵀ,   T = Q Λ Qᵀ tridiagonal,   V = [v₁ ... v_k],   v₁ the start over its norm

Every new vector is orthogonalised against all the others, so the Ritz values Λ stay within the
spectrum of C and none appears twice. Steps solve in the space, or take functions of C in it; the
analysis of end points reads signs and sizes of eigenvalues off Λ.

Source: Golub & Van Loan, *Matrix Computations*, 4th ed., 10.1 (Lanczos) and 10.3 (complete
reorthogonalisation); Parlett, *The Symmetric Eigenvalue Problem*, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Pair = tuple[jax.Array, jax.Array]
EnoughTest = Callable[[jax.Array, jax.Array, jax.Array, Pair], tuple[Pair, jax.Array]]

UNUSED = 1e30  # a Ritz value so large that its dimension takes no part
SPENT = 100  # roundings up to which a new direction is nothing but rounding
BLOCK = 32  # rows of the basis that are orthogonalised against at a time


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
        rest: The second number of the state of `is_enough` when the space ended; for `forcing_test`
            the relative residual, 0 for an invariant space.
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


def _orthogonalised(w: jax.Array, basis: jax.Array, k: jax.Array) -> jax.Array:
    """`w` without its components along the first k+1 rows, reading few rows of the basis more."""

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
        is_enough: `is_enough(k, alpha, beta, state) -> (state, done)` is called after each
            dimension, k counted from 0. `alpha` and `beta` are the entries of the tridiagonal
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


def up_to_limit(
    k: jax.Array, alpha: jax.Array, beta: jax.Array, state: Pair
) -> tuple[Pair, jax.Array]:
    """Never enough: the space grows until it is invariant, or as large as it may get."""
    del k, alpha, beta
    return state, jnp.zeros((), bool)
