"""Self-scaled quasi-Newton methods: Broyden's family with a dense matrix that is rescaled.

The matrix H stands for (∇²L)⁻¹. After a step s along -H ∇L, with y the change of ∇L,

    H⁺ = (H - H y yᵀ H / yᵀHy + φ yᵀHy v vᵀ) / τ + s sᵀ / yᵀs,   v = s / yᵀs - H y / yᵀHy

φ = τ = 1 is BFGS. With b = sᵀH⁻¹s / yᵀs, h = yᵀHy / yᵀs, a = b h - 1 and n unknowns,

    SSBFGS     φ = 1,   τ = min(1, 1/b)
    SSBroyden  φ = (1 - θ) / (1 + a θ),   σ = 1 + a θ,   ρ = min(1, h (1 - √(a / (1+a)))),
               θ = max((ρ - 1) / a, min(1/ρ, (1 - b) / b)),
               τ = min(1, 1/b) min(σ^{1/(1-n)}, 1/θ) for θ > 0,
               τ = min(min(1, 1/b) σ^{1/(1-n)}, σ) else

A scale τ below 1 enlarges H in all directions but s, so that large eigenvalues of earlier Hessians
do not shorten later steps. The line search is SciPy's, under the strong Wolfe conditions. The
methods have no flow time, so the columns `t` and `h` are NaN.

Source: Urbán, Stefanou & Pons 2025, "Unveiling the optimization process of physics informed neural
networks", J. Comput. Phys. 523, 113656 (SSBroyden is their SSBroyden2); Al-Baali 1998, Comput.
Optim. Appl. 9, 191-203; Nocedal & Wright, *Numerical Optimization*, 2nd ed., section 6.3.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from thalweg.flow.compiled import HostFunctions
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.host_loop import (
    Evaluations,
    blas_threads,
    end_of_run,
    unfinished_rows,
)
from thalweg.solvers.base import AbstractHostMethod
from thalweg.solvers.dense import refuse_bytes

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome

UPDATES = {"bfgs": "ss-bfgs", "broyden": "ss-broyden"}  # update -> name of the method
SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # of the line search, as SciPy's BFGS has them
MOST_TRIALS = 30  # of a line search


@final
@dataclasses.dataclass(frozen=True)
class SelfScaled(AbstractHostMethod):
    """Self-scaled BFGS or Broyden. It continues until rounding stops it.

    When a line search fails, H is reset to the identity; when that fails too, the run ends.

    Attributes:
        update: `broyden` for SSBroyden, `bfgs` for SSBFGS.

    Raises:
        ConfigError: `update` is neither.

    Cost: one gradient for each trial point; for each step one product with H and two passes over
    it; memory for n² numbers.
    """

    needs: ClassVar[str] = "any problem, n² memory"
    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    update: str = "broyden"

    def __post_init__(self) -> None:
        refuse_unknown("update", self.update, UPDATES)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - by update
        """`ss-broyden` or `ss-bfgs`."""
        return UPDATES[self.update]

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - by update
        """One line for the list of methods."""
        family = {"bfgs": "BFGS", "broyden": "Broyden"}[self.update]
        return f"self-scaled {family} with a dense matrix"

    def check(self, flow: Flow) -> None:
        """Refuse a matrix that does not fit into memory.

        Raises:
            ConfigError: It would not fit.
        """
        refuse_bytes(self.name, 8 * flow.size**2, flow, use="`l-bfgs`")

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Minimise until the recorder ends the run or no line search lowers the loss."""
        functions = HostFunctions(flow, recorder)
        evaluations = Evaluations(functions, recorder)
        at = np.asarray(theta, np.float64)
        with unfinished_rows(evaluations):
            evaluations.row(at)
            # The line search deals with trial points at which the loss overflows.
            with np.errstate(all="ignore"), blas_threads(flow.size):
                at = self._descend(evaluations, at)
        outcome, _ = end_of_run(flow, functions, recorder, at)
        return outcome, "no line search lowered the loss any more"

    def _descend(self, evaluations: Evaluations, at: np.ndarray) -> np.ndarray:
        """Take steps until a line search along -∇L fails; returns the last point."""
        loss, grad = evaluations(at)
        # As in SciPy's BFGS, the first trial step has a length of about 1.
        before = loss + float(np.linalg.norm(grad)) / 2
        inverse = np.eye(len(at), order="F")
        is_fresh = True
        while True:
            direction = -inverse @ grad
            length = _line_search(evaluations, at, direction, grad=grad, losses=(loss, before))
            if length is None or (at + length * direction == at).all():
                if is_fresh:
                    return at
                inverse = np.eye(len(at), order="F")
                is_fresh = True
                continue
            step = length * direction
            at = at + step
            before, (loss, new_grad) = loss, evaluations(at)
            evaluations.row(at)
            change = new_grad - grad
            # sᵀH⁻¹s = -α sᵀ∇L, as s = -α H ∇L
            inverse = updated(
                inverse, step, change, curvature=-length * float(step @ grad), update=self.update
            )
            grad, is_fresh = new_grad, False


def updated(
    inverse: np.ndarray, step: np.ndarray, change: np.ndarray, *, curvature: float, update: str
) -> np.ndarray:
    """H⁺ by the formula above; H itself if `yᵀs` is not positive.

    Args:
        inverse: H, shape `(n, n)`, symmetric, in Fortran order; overwritten.
        step: s, shape `(n,)`.
        change: y, shape `(n,)`.
        curvature: sᵀH⁻¹s. Positive.
        update: A key of `UPDATES`.
    """
    from scipy.linalg import blas

    change_along = float(step @ change)  # yᵀs
    image = inverse @ change
    inner = float(change @ image)
    if not (change_along > 0 and inner > 0 and np.isfinite(inner)):
        return inverse
    phi, tau = _weights(
        curvature / change_along, inner / change_along, size=len(step), update=update
    )
    if not (np.isfinite(phi) and np.isfinite(tau) and tau > 0):
        return inverse
    # The update as a matrix of rank 2 in the directions Hy and s: one pass over H.
    mixed = -phi / (tau * change_along)
    within = np.array(
        [
            [(phi - 1) / (tau * inner), mixed],
            [mixed, phi * inner / (tau * change_along**2) + 1 / change_along],
        ]
    )
    directions = np.stack([image, step], axis=1)
    return blas.dgemm(  # pyright: ignore[reportAttributeAccessIssue] - defined as SciPy loads
        1.0,
        directions @ within,
        directions,
        beta=1 / tau,
        c=inverse,
        trans_b=True,
        overwrite_c=True,
    )


def _weights(b: float, h: float, *, size: int, update: str) -> tuple[float, float]:
    """φ and τ."""
    scale = min(1.0, 1 / b)
    if update == "bfgs":
        return 1.0, scale
    a = max(b * h - 1, np.finfo(np.float64).eps)  # at least 0 by Cauchy-Schwarz
    rho = min(1.0, h * (1 - np.sqrt(a / (1 + a))))
    theta = max((rho - 1) / a, min(1 / rho, (1 - b) / b))
    sigma = 1 + a * theta
    spread = abs(sigma) ** (1 / (1 - size)) if size > 1 else 1.0
    tau = scale * min(spread, 1 / theta) if theta > 0 else min(scale * spread, sigma)
    return (1 - theta) / sigma, tau


def _line_search(
    evaluations: Evaluations,
    at: np.ndarray,
    direction: np.ndarray,
    *,
    grad: np.ndarray,
    losses: tuple[float, float],
) -> float | None:
    """A step length that meets the strong Wolfe conditions; None if none is found."""
    from scipy.optimize import line_search

    loss, before = losses
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it returns None
        length, *_ = line_search(
            lambda point: evaluations(point)[0],
            lambda point: evaluations(point)[1],
            at,
            direction,
            gfk=grad,
            old_fval=loss,
            old_old_fval=before,
            c1=SUFFICIENT_DECREASE,
            c2=CURVATURE,
            maxiter=MOST_TRIALS,
        )
    return length


def broyden() -> SelfScaled:
    """SSBroyden."""
    return SelfScaled()


def bfgs() -> SelfScaled:
    """SSBFGS."""
    return SelfScaled(update="bfgs")
