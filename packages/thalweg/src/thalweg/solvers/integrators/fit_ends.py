"""What is said of the end of a fit: saddle, redundant parameter, points that were not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg.flow.compiled import compiled
from thalweg.solution import VISIBLE, Outcome
from thalweg.solvers.integrators.column_units import RANK

if TYPE_CHECKING:
    import jax

    from thalweg.flow import Flow

# Lengths that are tried along a direction in which the loss curves down, in that after which a
# parabola of this curvature would have lost all of it.
PARTS = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3)


def about_not_finite(count: int) -> str:
    """A sentence on the points where the model was not finite, if there were any."""
    if not count:
        return ""
    points = "one point" if count == 1 else f"{count} points"
    return f"The model was not finite at {points} on the way; shorter steps avoided them. "


def _at(flow: Flow, name: str, theta: Any) -> Any:
    """A function of the flow at a point; compiled once, for all fits of a model."""
    at = np.asarray(theta, flow.spec.dtype)
    return compiled(flow, name, getattr(flow, name), at)(flow.data, flow.everywhere(at))


def _hessian_at(flow: Flow, theta: Any) -> np.ndarray:
    return np.asarray(_at(flow, "dense_hessian", theta))


class _Curvature(NamedTuple):
    """The least curvature at a point, in units in which the Hessian has a diagonal of ±1.

    Attributes:
        least: The smallest eigenvalue of the Hessian.
        noise: What of an eigenvalue may be rounding.
        direction: Its eigenvector, in units of θ, `(n,)`.
    """

    least: float
    noise: float
    direction: np.ndarray


def _least_curvature(hessian: np.ndarray) -> _Curvature:
    scale = np.sqrt(np.abs(np.diag(hessian)))
    scale[scale == 0] = 1
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    noise = len(scale) * RANK * max(values[-1], 0)
    return _Curvature(float(values[0]), float(noise), vectors[:, 0] / scale)


def beyond_saddle(flow: Flow, theta: jax.Array) -> np.ndarray | None:
    """The lowest of some points along the direction in which the loss curves down; None if none.

    Cost: a dense Hessian, and a loss for each point where there is such a direction.
    """
    found = _least_curvature(_hessian_at(flow, theta))
    if not found.least < -found.noise:
        return None

    def loss_at(point: np.ndarray) -> float:
        return float(_at(flow, "loss", point))

    here = np.asarray(theta)
    loss = loss_at(here)
    length = np.sqrt(2 * loss / -found.least)
    points = [here + sign * length * part * found.direction for part in PARTS for sign in (1, -1)]
    losses = [loss, *map(loss_at, points)]
    best = int(np.nanargmin(losses))
    return None if best == 0 else points[best - 1]


def is_minimum(flow: Flow, theta: jax.Array) -> bool:
    """Whether a Newton step would gain nothing visible, and the loss curves up in all directions.

    Where J loses a column, as that of a in a²x does at a = 0, its products with the residuals are
    no measure of how flat the loss is; its exact curvature is.

    Cost: a gradient and a dense Hessian.
    """
    loss, gradient = (np.asarray(each) for each in _at(flow, "value_and_grad", theta))
    hessian = _hessian_at(flow, theta)
    if not (np.isfinite(hessian).all() and np.isfinite(gradient).all()):
        return False
    found = _least_curvature(hessian)
    if not found.least > found.noise:
        return False
    gain = gradient @ np.linalg.solve(hessian, gradient) / 2
    return bool(gain <= VISIBLE * np.finfo(hessian.dtype).eps * loss)


def by_hessian(flow: Flow, theta: jax.Array, start: jax.Array) -> tuple[Outcome, str]:
    """What the exact Hessian says of a point where the gradient is zero and J is singular."""
    least, noise, direction = _least_curvature(_hessian_at(flow, theta))
    main = np.argmax(np.abs(direction))
    name = f"`{flow.spec.component(int(main))}`"
    if least < -noise:
        return Outcome.PLATEAU, f"It is a saddle: the loss falls along a direction with {name}."
    if least > noise:
        return Outcome.CONVERGED, ""
    if _is_redundant(flow, theta, start):
        return Outcome.CONVERGED, f"The model has a parameter too many: {name} is undetermined."
    return Outcome.PLATEAU, (
        f"The loss hardly changes along a direction, mostly {name}, which may lead to infinity."
    )


def _is_redundant(flow: Any, *points: jax.Array) -> bool:
    """Whether J lacks rank to the last digit at all points, so that its model does."""
    eps = np.finfo(flow.spec.dtype).eps
    for theta in points:
        jacobian = np.asarray(_at(flow, "jacobian", theta)[1])
        norms = np.linalg.norm(jacobian, axis=0)
        if not (np.isfinite(norms).all() and norms.all()):
            return False
        values = np.linalg.svd(jacobian / norms, compute_uv=False)
        if len(values) == flow.size and values[-1] > VISIBLE * eps * values[0]:
            return False
    return True
