"""How stiff a gradient flow is along a path, in the terms of the solvers that walk it.

"Stiff" is where stability and not accuracy limits the step of an explicit method. So the question
is put to a path that a stiff solver has walked: its steps h are what accuracy asks for. At points
of the path, with ρ the spectral radius of the Hessian H,

    h ρ           the step in units of the fastest decay; an explicit Runge-Kutta method of order 5
                  is stable on the negative real axis up to h ρ = 3.3
    ρ / pace      the fastest decay over the rate at which the gradient g itself changes,
                  |gᵀHg| / |g|²; 1 where the solution moves in the fastest mode
    ∫ρ dt / 3.3   the steps that an explicit method needs for stability alone, over the whole path

The verdict compares the last with the steps that the stiff solver took. The ratio of the largest
to the smallest decay rate λ, the textbook number, is told beside it, but decides nothing: a slow
mode that the solution has no share in, or a run that ends before it matters, makes no work.

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
from thalweg.analysis.minima.inertia import DENSE_UP_TO, KRYLOV_DIMENSIONS, ZERO, lanczos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.analysis.minima import Landscape

EXPLICIT_LIMIT = 3.3  # of h ρ on the real axis, for DOPRI5
AT_THE_LIMIT = (0.5, 1.5)  # shares of that limit between which a step counts as held down by it
MILD, PLAIN = 2.0, 20.0  # explicit over implicit steps from which a path is mildly, plainly stiff

Grade = Literal["not stiff", "mildly stiff", "stiff"]


@dataclasses.dataclass(frozen=True)
class Rates:
    """The rates of decay at one point.

    Attributes:
        radius: ρ, the largest |λ|.
        slowest: The smallest λ above 1e-8 ρ; an upper bound of it where Lanczos' method was used;
            NaN where none is.
        pace: |∇LᵀH∇L| / |∇L|², the rate at which the gradient changes now; NaN without a gradient.
        negative: Eigenvalues below -1e-8 ρ, at least so many where Lanczos' method was used.
    """

    radius: float
    slowest: float
    pace: float
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
        values, bent = np.linalg.eigvalsh(matrix), matrix @ grad
    else:
        bent = landscape.product(theta, grad)
        start = grad / np.sqrt(square) if square > 0 else np.zeros_like(grad)
        # ∇L alone may have no share in the fastest mode.
        noise = np.random.default_rng(0).standard_normal(landscape.size)
        start = start + noise / np.linalg.norm(noise)
        values, _ = lanczos(lambda v: landscape.product(theta, v), start, dimensions=dimensions)
    radius = float(np.abs(values).max())
    decaying = values[values > ZERO * radius]
    return Rates(
        radius=radius,
        slowest=float(decaying.min()) if decaying.size else float("nan"),
        pace=abs(float(grad @ bent)) / square if square > 0 else float("nan"),
        negative=int(np.sum(values < -ZERO * radius)),
    )


@dataclasses.dataclass(frozen=True)
class Walk:
    """A path with the rates at some of its points, as arrays of one length k, in order of time.

    Attributes:
        t: Flow time at the points.
        h: The step that led to each point; NaN at the start.
        loss: The loss there.
        radius: ρ there.
        slowest: The slowest decay rate there, NaN where there is none.
        pace: The pace of the solution there, NaN where unknown.
        steps: All steps of the path, not only those to these points.
    """

    t: np.ndarray
    h: np.ndarray
    loss: np.ndarray
    radius: np.ndarray
    slowest: np.ndarray
    pace: np.ndarray
    steps: int

    @property
    def reach(self) -> np.ndarray:
        """H ρ at each point; NaN at the start."""
        return self.h * self.radius

    @property
    def explicit_steps(self) -> float:
        """∫ρ dt / 3.3 by the trapezoidal rule: the explicit steps that stability alone asks for."""
        return float(np.trapezoid(self.radius, self.t) / EXPLICIT_LIMIT)


@dataclasses.dataclass(frozen=True)
class Stiffness:
    """How stiff a path is.

    Attributes:
        grade: In a word, by `work`.
        work: Explicit steps that stability alone asks for, over the steps of the stiff solver.
        explicit_steps: The former.
        steps: The latter.
        reach: Median of h ρ over the points.
        most_reach: Largest h ρ.
        share_beyond: Share of the points whose h ρ an explicit method could not take.
        first_loss_beyond: The loss from which on at least half of the steps are beyond; NaN where
            that never comes.
        lead: Median of ρ over the pace of the solution.
        spread: Median of the largest over the smallest decay rate.
    """

    grade: Grade
    work: float
    explicit_steps: float
    steps: int
    reach: float
    most_reach: float
    share_beyond: float
    first_loss_beyond: float
    lead: float
    spread: float


def judge(walk: Walk) -> Stiffness:
    """How stiff a path is, where a stiff solver walked it.

    Args:
        walk: The path of a solver that no stability limit holds down. At least two points.
    """
    reach = walk.reach[np.isfinite(walk.reach)]
    beyond = reach > EXPLICIT_LIMIT
    work = walk.explicit_steps / max(walk.steps, 1)
    grade: Grade = "not stiff" if work < MILD else "mildly stiff" if work < PLAIN else "stiff"
    return Stiffness(
        grade=grade,
        work=work,
        explicit_steps=walk.explicit_steps,
        steps=walk.steps,
        reach=finite_median(reach),
        most_reach=float(reach.max()) if reach.size else float("nan"),
        share_beyond=float(beyond.mean()) if reach.size else 0.0,
        first_loss_beyond=_first_loss_beyond(walk),
        lead=finite_median(walk.radius / walk.pace),
        spread=finite_median(walk.radius / walk.slowest),
    )


def held_down(walk: Walk) -> float:
    """The share of an explicit solver's steps that stability limits: h ρ between 1.65 and 4.95.

    The error test of such a solver sees instability as error, so its steps swing around the limit.

    Args:
        walk: The path of an explicit solver of order 5.
    """
    reach = walk.reach[np.isfinite(walk.reach)] / EXPLICIT_LIMIT
    low, high = AT_THE_LIMIT
    return float(np.mean((reach >= low) & (reach <= high))) if reach.size else 0.0


def most_common(grades: Sequence[Grade]) -> Grade:
    """The grade in the middle of several paths, the milder of two."""
    order: tuple[Grade, ...] = ("not stiff", "mildly stiff", "stiff")
    ranks = sorted(order.index(grade) for grade in grades)
    return order[ranks[(len(ranks) - 1) // 2]]


def _first_loss_beyond(walk: Walk) -> float:
    beyond = np.where(np.isfinite(walk.reach), walk.reach > EXPLICIT_LIMIT, False)  # noqa: FBT003 - a value
    later = np.cumsum(beyond[::-1])[::-1] / np.arange(len(beyond), 0, -1)
    rows = np.flatnonzero((later >= 0.5) & beyond)  # noqa: PLR2004 - half of them
    return float(walk.loss[rows[0]]) if rows.size else float("nan")
