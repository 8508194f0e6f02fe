"""Dense linear algebra of the shifted curvature matrix `C + M/h`, in three spaces.

An implicit step solves `(C + M/h) d = -force`, with C = JᵀJ or Jᵀ∇²ℓJ and a diagonal metric M.
The space to solve in depends on the sizes: parameters (n x n), residuals (m x m, by the
push-through identity), singular vectors (few parameters, to full precision), or a Krylov space
(`lanczos.Krylov`). Each class is prepared once a
linearisation, `at(h)` factors once an attempt, and the solver that it returns serves the step and
its corrections.

A force is what each space takes: a vector of residuals `(m,)`, or its pull-back Jᵀu `(n,)`.

Source: Hairer & Wanner, *Solving ODEs II*, IV.8; Golub & Van Loan, *Matrix Computations*, 4th
ed., 2.1.4 (push-through).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from thalweg._util.symmetric_product import symmetric_product

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.flow.layers import Factors


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


@final
class LayeredSpace(NamedTuple):
    """`ResidualSpace` for a Jacobian that is kept as factors of its layers; forces are u, `(m,)`.

    Cost: m³/3 multiplications an attempt, m² + m n a solve.

    Attributes:
        factors: J.
        metric: M, separable, shape `(n,)`.
        gram: J M⁻¹ Jᵀ, shape `(m, m)`.
    """

    factors: Factors
    metric: jax.Array
    gram: jax.Array

    def at(self, h: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """Factor at a step size; the solver maps residuals to a step."""
        factor = _factor(self.gram + jnp.eye(len(self.gram), dtype=self.gram.dtype) / h)
        return lambda force: -self.factors.pull(_solve(factor, force)) / self.metric


@final
class SingularSpace(NamedTuple):
    """`(JᵀJ + M/h) d = -Jᵀu` by the singular values of `J M^-½ = U S Vᵀ`; forces are u, `(m,)`.

    JᵀJ is never formed, so nothing is lost to squaring, and no units of residuals or parameters
    overflow.

    Cost: one decomposition, about 6 m n² multiplications; none an attempt, 2 m n + n² a solve.

    Attributes:
        scale: M^½, the size of each column, shape `(n,)`.
        left: U, shape `(m, k)` with k = min(m, n).
        values: S, falling, shape `(k,)`.
        right: Vᵀ, shape `(k, n)`.
    """

    scale: jax.Array
    left: jax.Array
    values: jax.Array
    right: jax.Array

    @classmethod
    def prepare(cls, jacobian: jax.Array, scale: jax.Array) -> SingularSpace:
        """Decompose J in units of `scale`."""
        return cls(scale, *jnp.linalg.svd(jacobian / scale, full_matrices=False))

    def at(self, h: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """The solver at a step size; it maps residuals to a step."""
        weights = self.values / (self.values**2 + 1 / h)

        def solve(force: jax.Array) -> jax.Array:
            return -((weights * (self.left.T @ force)) @ self.right) / self.scale

        return solve
