"""A least-squares problem linearised in the units of its columns, and what that tells of a point.

The Jacobian is taken apart into singular values in units of its columns, so JᵀJ is never formed and
no unit of a residual or a parameter matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.solution import VISIBLE
from thalweg.solvers.integrators.linearised import System, residual_force
from thalweg.solvers.integrators.shifted_systems import SingularSpace
from thalweg.solvers.step_control import has_no_effect, has_vanished

if TYPE_CHECKING:
    from thalweg.flow import LeastSquaresFlow
    from thalweg.solvers.integrators import geodesic

LARGEST, CURRENT = 0, 1  # M_i: the largest |J_i|² so far, or the present one
EXPLAINED = 0.1  # share of the squares above which another trial is worth its steps
RANK = 1e-7  # smallest singular value over the largest, up to which J counts as singular
LEAST_CURRENT = 1e-12  # of the largest square of a column, for columns that have shrunk


class Linearised(NamedTuple):
    """A point in units of its columns.

    Attributes:
        system: The problem linearised there.
        start_loss: The loss at the start of the run.
        is_finite: Whether all columns are.
        rounding: What rounding θ to its last digit makes of the residuals.
        noise: The part of the loss that rounding decides.
        flat: Whether rounding hides the descent that is left.
        projected: |Uᵀr| over the directions that J determines.
        vanished: The columns of J that have vanished, with the effect of their parameters, a bool
            each, `(n,)`.
        is_singular: Whether J is singular there.
        is_spent: Whether the residuals left are hardly more than rounding.
        explains: Whether the residuals are small, beside those at the start and beside what the
            parameters make of them.
    """

    system: System
    start_loss: jax.Array
    is_finite: jax.Array
    rounding: jax.Array
    noise: jax.Array
    flat: jax.Array
    projected: jax.Array
    vanished: jax.Array
    is_singular: jax.Array
    is_spent: jax.Array
    explains: jax.Array

    @property
    def is_determined(self) -> jax.Array:
        """Whether J determines all parameters, and residuals are left."""
        return ~jnp.any(self.vanished) & ~self.is_singular & ~self.is_spent


def linearised(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    search: geodesic.State,
    *,
    metric: jax.Array,
) -> Linearised:
    """The problem at a point, in units of its columns.

    Args:
        flow: Least squares.
        data: `flow.data`.
        theta: The point, `(n,)`.
        search: The running maxima of the columns, and the loss at the start.
        metric: Which metric: LARGEST or CURRENT.

    Cost: a Jacobian and about 6 m n² multiplications.
    """
    eps = jnp.finfo(theta.dtype).eps
    r, jacobian = flow.jacobian(data, theta)
    loss, grad = 0.5 * jnp.vdot(r, r), jacobian.T @ r
    squares = jnp.sum(jacobian * jacobian, axis=0)
    columns = jnp.maximum(search.columns, squares)
    units = _units(metric, columns, squares)
    space = SingularSpace.prepare(jacobian, jnp.sqrt(units))
    inside = space.left.T @ r
    is_seen = space.values > RANK * space.values[0]
    start_loss = jnp.where(jnp.isnan(search.start_loss), loss, search.start_loss)
    sizes = squares * theta * theta
    vanished = has_vanished(squares, columns) & has_no_effect(sizes, float(eps))
    ratio = jnp.sqrt(jnp.min(jnp.where(vanished, 1, squares / units)))
    is_singular = (flow.size > len(r)) | (space.values[-1] <= RANK * ratio * space.values[0])
    rounding = eps * jnp.sqrt(jnp.sum(sizes))
    noise = jnp.maximum(VISIBLE * eps * loss, rounding * jnp.linalg.norm(r))
    # A parameter that has shrunk to 1e-150 can have a column that overflows when squared.
    is_finite = jnp.isfinite(rounding) & jnp.all(jnp.isfinite(columns))
    is_spent = is_finite & (loss <= 0.5 * (VISIBLE * rounding) ** 2)
    # Steepest descent in units of the present columns, whose curvature is at most n.
    slope = jnp.sum(jnp.where(squares > 0, grad * grad / jnp.where(squares > 0, squares, 1), 0))
    flat = is_spent | (slope <= 2 * flow.size * noise)

    system = System(
        loss=loss,
        grad=grad,
        metric=units,
        columns=columns,
        squares=squares,
        largest=jnp.max(squares),
        at=space.at,
        force=residual_force(flow, data, theta, r, jacobian.__matmul__),
        products=0,
        jacobians=1,
        factors=True,
    )
    return Linearised(
        system=system,
        start_loss=start_loss,
        flat=flat,
        projected=jnp.linalg.norm(jnp.where(is_seen, inside, 0)),
        vanished=vanished,
        is_singular=is_singular,
        is_finite=is_finite,
        rounding=rounding,
        noise=noise,
        is_spent=is_spent,
        explains=explains(loss, start_loss, sizes),
    )


def explains(loss: Any, start_loss: Any, sizes: Any) -> Any:
    """Whether a fit explains the data, so that no other trial is worth its steps.

    Args:
        loss: ½|r|² here.
        start_loss: That at the start.
        sizes: The squared size of each column of J times its parameter, `(n,)`.
    """
    return (loss <= EXPLAINED * start_loss) & (2 * loss <= EXPLAINED * sizes.max())


def _units(metric: jax.Array, columns: jax.Array, squares: jax.Array) -> jax.Array:
    """The diagonal of M, from the running maxima of the squared column norms and the present ones.

    A column that has always been 0 has no unit of its own, and takes the largest.
    """
    current = jnp.maximum(squares, LEAST_CURRENT * columns)
    units = jnp.where(metric == CURRENT, current, columns)
    largest = jnp.max(units)
    return jnp.where(units > 0, units, jnp.where(largest > 0, largest, 1))
