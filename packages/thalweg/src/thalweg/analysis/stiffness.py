"""How stiff a gradient flow is along a trajectory, in the terms of the solvers that follow it.

A flow is stiff where stability, not accuracy, limits the step of an explicit method. So a
trajectory that a stiff solver has computed is examined: its steps h are those that accuracy asks
for. At points of the trajectory, with ρ the spectral radius of the Hessian H,

    h ρ              the step in units of the fastest decay; an explicit Runge-Kutta method of order
                     5 is stable on the negative real axis up to h ρ = 3.3
    ρ / change rate  the fastest decay rate over the rate at which the gradient g itself changes,
                     |gᵀHg| / |g|²; 1 if the solution moves in the fastest mode
    ∫ρ dt / 3.3      the steps that an explicit method needs for stability alone, over the whole
                     trajectory

The grade compares the last with the number of steps that the stiff solver took. The ratio of the
largest to the smallest decay rate λ, the textbook number, is given too, but does not decide: a slow
mode that the solution does not contain, or that would matter only after the end of the run, costs
no steps.

Source: Hairer & Wanner, *Solving Ordinary Differential Equations II*, 2nd ed., IV.1 and IV.2 (the
stability domain of DOPRI5); Söderlind, Jay & Calvo 2015, "Stiffness 1952-2012: sixty years in
search of a definition", BIT 55; Shampine & Gear 1979, "A user's view of solving stiff ordinary
differential equations", SIAM Review 21.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from thalweg._util.numbers import finite_median
from thalweg.analysis.minima.inertia import DENSE_UP_TO, KRYLOV_DIMENSIONS, ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.analysis.minima import Landscape

EXPLICIT_LIMIT = 3.3  # of h ρ on the real axis, for DOPRI5
AT_THE_LIMIT = (0.5, 1.5)  # shares of that limit between which stability is said to limit a step
MILD, PLAIN = 2.0, 20.0  # explicit over implicit steps from which a flow is mildly stiff, stiff

Grade = Literal["not stiff", "mildly stiff", "stiff"]


@dataclasses.dataclass(frozen=True)
class Rates:
    """The rates of decay at one point.

    Attributes:
        radius: ρ, the largest |λ|.
        slowest: The smallest λ above 1e-8 ρ, or an upper bound of it by Lanczos' method; NaN if
            there is none.
        change_rate: |∇LᵀH∇L| / |∇L|², the rate at which the gradient changes; NaN if it is 0.
        negative: Number of eigenvalues below -1e-8 ρ, or a lower bound by Lanczos' method.
    """

    radius: float
    slowest: float
    change_rate: float
    negative: int


def rates_at(
    landscape: Landscape,
    theta: np.ndarray,
    *,
    dense_up_to: int = DENSE_UP_TO,
    dimensions: int = KRYLOV_DIMENSIONS,
) -> Rates:
    """The rates of decay at θ of shape `(n,)`.

    Cost: n Hessian products and an eigenproblem of order n, or `dimensions` products.
    """
    _, grad = landscape.value_and_grad(theta)
    square = float(grad @ grad)
    if landscape.size <= dense_up_to:
        matrix = landscape.hessian(theta)
        values, curved = np.linalg.eigvalsh(matrix), matrix @ grad
    else:
        curved = landscape.product(theta, grad)
        start = grad / np.sqrt(square) if square > 0 else np.zeros_like(grad)
        # ∇L alone may have no component in the fastest mode.
        noise = np.random.default_rng(0).standard_normal(landscape.size)
        start = start + noise / np.linalg.norm(noise)
        values, _ = landscape.ritz(theta, start, dimensions=dimensions)
    radius = float(np.abs(values).max())
    decaying = values[values > ZERO * radius]
    return Rates(
        radius=radius,
        slowest=float(decaying.min()) if decaying.size else float("nan"),
        change_rate=abs(float(grad @ curved)) / square if square > 0 else float("nan"),
        negative=int(np.sum(values < -ZERO * radius)),
    )


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A trajectory with the rates at some of its points: arrays of one length k, in order of time.

    Attributes:
        t: Flow time at the points.
        h: The step that led to each point; NaN at the start.
        loss: The loss there.
        radius: ρ there.
        slowest: The slowest decay rate there; NaN if there is none.
        change_rate: The rate at which the gradient changes there; NaN if unknown.
        steps: Number of all steps of the trajectory, not only those to these points.
    """

    t: np.ndarray
    h: np.ndarray
    loss: np.ndarray
    radius: np.ndarray
    slowest: np.ndarray
    change_rate: np.ndarray
    steps: int

    @property
    def h_rho(self) -> np.ndarray:
        """The product h ρ at each point; NaN at the start."""
        return self.h * self.radius

    @property
    def explicit_steps(self) -> float:
        """∫ρ dt / 3.3 by the trapezoidal rule: the explicit steps needed for stability alone."""
        return float(np.trapezoid(self.radius, self.t) / EXPLICIT_LIMIT)


@dataclasses.dataclass(frozen=True)
class Stiffness:
    """How stiff a flow is along a trajectory.

    Attributes:
        grade: In a word, by `work`.
        work: Ratio of `explicit_steps` to `steps`.
        explicit_steps: Steps that an explicit method needs for stability alone.
        steps: Steps of the stiff solver.
        h_rho: Median of h ρ over the points.
        most_h_rho: Largest h ρ.
        share_beyond: Share of the points with an h ρ beyond the limit of an explicit method.
        first_loss_beyond: The loss from which at least half of the later steps are beyond that
            limit; NaN if there is none.
        rho_over_change_rate: Median of ρ over the rate at which the gradient changes.
        stiffness_ratio: Median of the largest over the smallest decay rate.
    """

    grade: Grade
    work: float
    explicit_steps: float
    steps: int
    h_rho: float
    most_h_rho: float
    share_beyond: float
    first_loss_beyond: float
    rho_over_change_rate: float
    stiffness_ratio: float


def classify_stiffness(trajectory: Trajectory) -> Stiffness:
    """How stiff the flow is along the trajectory of a stiff solver.

    Args:
        trajectory: Of a solver whose steps no stability limit restricts. At least two points.
    """
    h_rho = trajectory.h_rho[np.isfinite(trajectory.h_rho)]
    beyond = h_rho > EXPLICIT_LIMIT
    work = trajectory.explicit_steps / max(trajectory.steps, 1)
    grade: Grade = "not stiff" if work < MILD else "mildly stiff" if work < PLAIN else "stiff"
    return Stiffness(
        grade=grade,
        work=work,
        explicit_steps=trajectory.explicit_steps,
        steps=trajectory.steps,
        h_rho=finite_median(h_rho),
        most_h_rho=float(h_rho.max()) if h_rho.size else float("nan"),
        share_beyond=float(beyond.mean()) if h_rho.size else 0.0,
        first_loss_beyond=_first_loss_beyond(trajectory),
        rho_over_change_rate=finite_median(trajectory.radius / trajectory.change_rate),
        stiffness_ratio=finite_median(trajectory.radius / trajectory.slowest),
    )


def stability_limited_share(trajectory: Trajectory) -> float:
    """The share of an explicit solver's steps that stability limits: h ρ between 1.65 and 4.95.

    The error test of such a solver responds to instability, so its steps oscillate about the limit.

    Args:
        trajectory: Of an explicit solver of order 5.
    """
    h_rho = trajectory.h_rho[np.isfinite(trajectory.h_rho)] / EXPLICIT_LIMIT
    low, high = AT_THE_LIMIT
    return float(np.mean((h_rho >= low) & (h_rho <= high))) if h_rho.size else 0.0


def median_grade(grades: Sequence[Grade]) -> Grade:
    """The median grade of several trajectories; the milder one of two."""
    order: tuple[Grade, ...] = ("not stiff", "mildly stiff", "stiff")
    ranks = sorted(order.index(grade) for grade in grades)
    return order[ranks[(len(ranks) - 1) // 2]]


def _first_loss_beyond(trajectory: Trajectory) -> float:
    beyond = np.where(np.isfinite(trajectory.h_rho), trajectory.h_rho > EXPLICIT_LIMIT, False)  # noqa: FBT003 - a value
    later = np.cumsum(beyond[::-1])[::-1] / np.arange(len(beyond), 0, -1)
    rows = np.flatnonzero((later >= 0.5) & beyond)  # noqa: PLR2004 - half of them
    return float(trajectory.loss[rows[0]]) if rows.size else float("nan")
