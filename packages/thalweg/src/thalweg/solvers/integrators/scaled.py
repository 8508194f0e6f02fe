"""Fits of few parameters: `implicit-geodesic` in the units of each parameter, in several trials.

A step solves `(JᵀJ + M/h) d = -Jᵀr` with `M_i = |J_i|²`, by the singular values of `J M^-½`. So no
unit matters: not that of the residuals, nor that of any parameter. The first steps are short, as
the first long steps of a fit tend to end on a plateau, where a parameter has lost its effect.

Where a trial ends at anything but a minimum that explains most of the loss, the run goes back to
the start and tries again in another way; all ways share one compiled program. The last trial goes
on from the best point found. The best end counts, and it is called converged only if

* no column of the Jacobian has vanished since the start of the trial, and
* the Jacobian has full rank there, or the exact Hessian has no negative eigenvalue.

At the end the loss no longer shows which of two points is better. There, steps of Gauss and Newton
are taken while they shrink, which brings parameters to some ten digits instead of seven.

Source: Moré 1978, "The Levenberg-Marquardt algorithm" (the scaling); Bates & Watts 1981,
Technometrics 23 (the size of the projected residuals as a measure of convergence).
Decision: docs/decisions/0031-trials-of-a-fit.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow import Flow, LeastSquaresFlow
from thalweg.flow.stencil import along_by_points
from thalweg.solution import VISIBLE, End, Outcome
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    PLATEAU,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.integrators import geodesic
from thalweg.solvers.integrators.geodesic import (
    ImplicitGeodesic,
    Trial,
    after_search,
    curved_attempt,
)
from thalweg.solvers.integrators.linearised import System, column_metric
from thalweg.solvers.integrators.shifted_systems import SingularSpace
from thalweg.solvers.step_control import (
    H_MAX,
    Search,
    attempt_until_taken,
    finite_code,
    has_vanished,
    is_flat,
    is_spent,
    judge_by_loss,
    start_search,
    step_result,
)

LARGEST, CURRENT, ROOT = 0, 1, 2  # M_i: the largest |J_i|² so far, the present one, or |J_i|


class Way(NamedTuple):
    """How a trial begins.

    Attributes:
        metric: LARGEST, CURRENT or ROOT.
        first_h: The first step size; with the first two metrics, 1 damps as much as J curves.
        resumes: Whether it goes on from the best point so far, not from the start.
    """

    metric: int
    first_h: float
    resumes: bool = False


WAYS = (Way(LARGEST, 1e-2), Way(CURRENT, 1e-4), Way(LARGEST, 1e4), Way(LARGEST, 1e-2, resumes=True))
TRIAL_STEPS = 200  # after which a trial is left for the next one; the last has no limit
EXPLAINED = 0.1  # of the loss at the start, above which another trial is worth its steps
RANK = 1e-7  # smallest singular value over the largest, up to which J counts as singular
LEAST_CURRENT = 1e-12  # of the largest square of a column, for columns that have shrunk
SHRINKS = 0.5  # factor by which the projected residuals fall while polishing
MOST = 64  # parameters; beyond, other methods are quicker


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        search: Step size and column sizes of the present trial.
        trial: Which trial, from 0.
        steps: Steps of the present trial.
        projected: |Uᵀr| at the last polishing step; infinite before the first.
        is_polishing: Whether the loss no longer shows progress.
        start: θ at the start of the run, `(n,)`; NaN before the first step.
        best: The best end of the trials so far.
    """

    search: geodesic.State
    trial: jax.Array
    steps: jax.Array
    projected: jax.Array
    is_polishing: jax.Array
    start: jax.Array
    best: TrialEnd


class TrialEnd(NamedTuple):
    """How a trial ended.

    Attributes:
        theta: Where, `(n,)`.
        loss: The loss there.
        code: CONVERGED, PLATEAU or STALLED.
        trial: Which trial it was.
        columns: The running maxima of the squared column norms of J, `(n,)`.
        vanished: The columns of J that have vanished, a bool each, `(n,)`.
        is_doubtful: Whether J is singular there, so that only the Hessian knows whether it is a
            minimum.
    """

    theta: jax.Array
    loss: jax.Array
    code: jax.Array
    trial: jax.Array
    columns: jax.Array
    vanished: jax.Array
    is_doubtful: jax.Array


class Linearised(NamedTuple):
    """A point in units of its columns.

    Attributes:
        system: The problem linearised there.
        start_loss: The loss at the start of the run.
        noise: The part of the loss that rounding decides.
        flat: Whether rounding hides the descent that is left.
        projected: |Uᵀr| over the directions that J determines.
        vanished: As in `TrialEnd`.
        is_singular: Whether J is singular there.
        is_spent: Whether next to nothing is left of the loss at the start.
    """

    system: System
    start_loss: jax.Array
    noise: jax.Array
    flat: jax.Array
    projected: jax.Array
    vanished: jax.Array
    is_singular: jax.Array
    is_spent: jax.Array

    @property
    def is_determined(self) -> jax.Array:
        """Whether J determines all parameters, and residuals are left."""
        return ~jnp.any(self.vanished) & ~self.is_singular & ~self.is_spent


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaledGeodesic(AbstractJitMethod):
    """Curved steps in the units of each parameter, in several trials; for few parameters.

    A row with h = 0 begins another trial, at the start or at the best point so far.

    Attributes:
        ways: How each trial begins, at least one. The last has no limit of steps.

    Raises:
        ConfigError: There is no way.

    Cost a step: one Jacobian and about 6 m n² multiplications; for each attempt a few passes over
    the data.
    """

    ways: tuple[Way, ...] = WAYS

    order: ClassVar[int] = 1
    name: ClassVar[str] = "scaled-geodesic"
    summary: ClassVar[str] = "curved steps in units of each parameter, in several trials; for fits"
    needs: ClassVar[str] = f"LeastSquares, up to {MOST} parameters"
    kind: ClassVar[str] = "own"

    def __post_init__(self) -> None:
        if not self.ways:
            raise ConfigError("`ways` is empty, but at least one way to begin a trial was expected")

    def check(self, flow: Flow) -> None:
        """Refuse what is not least squares with few parameters."""
        if not isinstance(flow, LeastSquaresFlow):
            raise ConfigError(
                f"`{self.name}` needs a LeastSquares problem; write the loss as residuals, or use "
                "`exponential-krylov`"
            )
        if flow.size > MOST or not flow.keeps_jacobian:
            raise ConfigError(
                f"`{self.name}` is for up to {MOST} parameters and a Jacobian that fits into "
                f"memory, but there are {flow.size}; use `implicit-geodesic`"
            )

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Begin with the first trial."""
        unknown = jnp.asarray(jnp.inf, theta.dtype)
        zero, no = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
        first = ImplicitGeodesic().init(flow, theta)
        return State(
            search=first._replace(h=jnp.asarray(self.ways[0].first_h, theta.dtype)),
            trial=zero,
            steps=zero,
            projected=unknown,
            is_polishing=no,
            start=jnp.full_like(theta, jnp.nan),
            best=TrialEnd(
                theta=theta,
                loss=unknown,
                code=zero,
                trial=zero,
                columns=jnp.zeros_like(theta),
                vanished=jnp.zeros(theta.shape, bool),
                is_doubtful=no,
            ),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take a step of the present trial; where it has ended, begin the next one."""
        state = solver_state._replace(
            start=jnp.where(jnp.isnan(solver_state.start), theta, solver_state.start)
        )
        metric = jnp.asarray([way.metric for way in self.ways])[state.trial]
        at = linearised(flow, data, theta, state.search, metric=metric)
        order = ImplicitGeodesic().coefficients(flow)
        trial, search = _search(flow, data, theta, at, state, order)
        following = after_search(state.search, trial, search)._replace(
            columns=at.system.columns, start_loss=at.start_loss
        )
        is_noise = search.is_taken & (following.noisy_steps >= geodesic.NOISY_STEPS)
        code = jnp.where(is_noise, jnp.where(at.flat, CONVERGED, STALLED), search.code)
        # Below the rounding of the loss, the trial goes on while the projected residuals fall.
        begins_to_polish = (code == CONVERGED) & ~state.is_polishing & at.is_determined
        attempts = search.rejected + jnp.where(search.is_taken, 1, 0)
        result = step_result(
            search._replace(code=jnp.where(begins_to_polish, RUNNING, code).astype(jnp.int32)),
            start=(theta, at.system.loss, jnp.linalg.norm(at.system.grad)),
            end=(trial.theta, trial.loss, trial.h),
            work=no_work(
                gradients=1,
                hessian_products=(order - 1) * attempts,
                jacobians=1,
                factorizations=1,
                rejected_steps=search.rejected,
                losses=attempts,
            ),
            solver_state=state._replace(
                search=following,
                steps=state.steps + 1,
                projected=jnp.where(state.is_polishing, at.projected, state.projected),
                is_polishing=state.is_polishing | begins_to_polish,
            ),
        )
        return self._after_step(result, at)

    def _after_step(self, result: StepResult, at: Linearised) -> StepResult:
        """The result of a step; where its trial has ended, that of all trials or the next one."""
        state: State = result.solver_state
        is_last = state.trial >= len(self.ways) - 1
        is_late = ~is_last & (state.steps >= TRIAL_STEPS) & (result.code == RUNNING)
        is_over = is_late | ((result.code != RUNNING) & (result.code != DIVERGED))
        is_plateau = (result.code == CONVERGED) & jnp.any(at.vanished) & ~at.is_spent
        code = jnp.where(is_late, STALLED, jnp.where(is_plateau, PLATEAU, result.code))
        this = TrialEnd(
            theta=result.theta,
            loss=result.loss,
            code=code,
            trial=jnp.where(result.loss < state.best.loss, state.trial, state.best.trial),
            columns=at.system.columns,
            vanished=at.vanished,
            is_doubtful=at.is_singular & ~at.is_spent,
        )
        resumes = jnp.asarray([way.resumes for way in self.ways])
        is_best = is_over & ((this.loss < state.best.loss) | resumes[state.trial])
        best: TrialEnd = _either(is_best, this, state.best)
        is_enough = at.is_spent | (
            (code == CONVERGED) & at.is_determined & (result.loss <= EXPLAINED * at.start_loss)
        )
        ends = is_over & (is_last | is_enough)
        begins = is_over & ~ends
        k = jnp.minimum(state.trial + 1, len(self.ways) - 1)
        stays = ends | resumes[k]
        moved = result._replace(
            theta=jnp.where(stays, best.theta, state.start),
            loss=jnp.where(stays, best.loss, at.start_loss),
            h=jnp.zeros_like(result.h),
            code=jnp.where(ends, best.code, RUNNING).astype(jnp.int32),
        )
        fresh = _fresh(
            state,
            trial=k,
            h=jnp.asarray([way.first_h for way in self.ways], result.loss.dtype)[k],
            columns=jnp.where(resumes[k], best.columns, 0),
        )
        moved_state = _either(begins, fresh, state)._replace(best=best)
        return _either(is_over, moved._replace(solver_state=moved_state), result)

    def ending(self, flow: Flow, theta: jax.Array, solver_state: State, outcome: Outcome) -> End:
        """Which trial it was, and what is known of the point: minimum, plateau or saddle."""
        best = solver_state.best
        made = int(solver_state.trial) + 1
        detail = "" if made == 1 else f"Trial {int(best.trial) + 1} of {made} found this point. "
        vanished = np.flatnonzero(np.asarray(best.vanished))
        if outcome is Outcome.PLATEAU:
            names = ", ".join(f"`{flow.spec.component(int(k))}`" for k in vanished)
            return End(outcome, f"{detail}The loss does not depend on {names} here.")
        if outcome is Outcome.CONVERGED and bool(best.is_doubtful):
            outcome, curvature = _by_hessian(flow, theta)
            detail += curvature
        return End(outcome, detail.strip())


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
        metric: Which metric: LARGEST, CURRENT or ROOT.

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
    vanished = has_vanished(squares, columns)
    ratio = jnp.sqrt(jnp.min(jnp.where(vanished, 1, squares / units)))
    is_singular = (flow.size > len(r)) | (space.values[-1] <= RANK * ratio * space.values[0])
    # What rounding θ to its last digit makes of the residuals, and that of the loss.
    rounding = eps * jnp.sqrt(jnp.vdot(squares, theta * theta))
    noise = jnp.maximum(VISIBLE * eps * loss, rounding * jnp.linalg.norm(r))
    slope, largest_curvature = jnp.linalg.norm(space.values * inside), space.values[0] ** 2
    flat = is_flat(loss=loss, start_loss=start_loss, grad_norm=slope, largest=largest_curvature) | (
        slope**2 <= 2 * noise * largest_curvature
    )

    def force(coefficients: tuple[jax.Array, ...]) -> jax.Array:
        if not coefficients:
            return r
        push = jacobian.__matmul__
        return along_by_points(flow, data, theta, coefficients, r=r, push=push)

    system = System(
        loss=loss,
        grad=grad,
        metric=units,
        columns=columns,
        squares=squares,
        largest=jnp.max(squares),
        at=space.at,
        force=force,
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
        noise=noise,
        is_spent=is_spent(loss, start_loss) | (loss <= rounding**2),
    )


def _units(metric: jax.Array, columns: jax.Array, squares: jax.Array) -> jax.Array:
    """The diagonal of M, from the running maxima of the squared column norms and the present ones.

    A column that has always been 0 has no unit of its own, and takes the largest.
    """
    current = jnp.maximum(squares, LEAST_CURRENT * columns)
    units = jnp.where(metric == CURRENT, current, columns)
    largest = jnp.max(units)
    units = jnp.where(units > 0, units, jnp.where(largest > 0, largest, 1))
    return jnp.where(metric == ROOT, column_metric(columns), units)


def _search(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    at: Linearised,
    state: State,
    order: int,
) -> tuple[Trial, Search]:
    """Attempt curved steps until one lowers the loss; while polishing, one step of Newton's."""
    system = at.system

    def attempt(_: Trial, search: Search) -> tuple[Trial, Search]:
        trial, predicted = curved_attempt(
            flow, data, theta, system=system, h=search.next_h, order=order
        )
        judged = judge_by_loss(
            search,
            h=trial.h,
            loss=system.loss,
            trial_loss=trial.loss,
            predicted=jnp.where(jnp.any(trial.theta != theta), predicted, 0),
            flat=at.flat,
        )
        is_kept = trial.loss <= system.loss + at.noise
        polished = judged._replace(
            is_taken=is_kept,
            rejected=search.rejected + jnp.where(is_kept, 0, 1),
            code=jnp.where(is_kept, RUNNING, CONVERGED).astype(jnp.int32),
        )
        return trial, _either(state.is_polishing, polished, judged)

    has_shrunk = at.projected <= SHRINKS * state.projected
    code = finite_code(system.loss, jnp.linalg.norm(system.grad))
    code = jnp.where((code == RUNNING) & state.is_polishing & ~has_shrunk, CONVERGED, code)
    h = jnp.where(state.is_polishing, H_MAX, state.search.h)
    return attempt_until_taken(attempt, Trial(theta, system.loss, h), start_search(h, code))


def _fresh(state: State, *, trial: jax.Array, h: jax.Array, columns: jax.Array) -> State:
    """The state at the beginning of a trial."""
    search = state.search
    return state._replace(
        search=search._replace(
            h=h,
            columns=columns,
            noisy_steps=jnp.zeros_like(search.noisy_steps),
            is_warming_up=jnp.ones_like(search.is_warming_up),
        ),
        trial=trial.astype(jnp.int32),
        steps=jnp.zeros_like(state.steps),
        projected=jnp.full_like(state.projected, jnp.inf),
        is_polishing=jnp.zeros_like(state.is_polishing),
    )


def _by_hessian(flow: Flow, theta: jax.Array) -> tuple[Outcome, str]:
    """What the exact Hessian says of a point where the gradient is zero and J is singular."""
    hessian = np.asarray(flow.jit(flow.dense_hessian)(flow.data, flow.everywhere(theta)))
    scale = np.sqrt(np.abs(np.diag(hessian)))
    scale[scale == 0] = 1
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    noise = len(scale) * RANK * max(values[-1], 0)
    main = np.argmax(np.abs(vectors[:, 0] / scale))
    name = f"`{flow.spec.component(int(main))}`"
    if values[0] < -noise:
        return Outcome.PLATEAU, f"It is a saddle: the loss falls along a direction with {name}."
    if values[0] > noise:
        return Outcome.CONVERGED, ""
    return Outcome.CONVERGED, f"The data leave a direction undetermined, mostly {name}."


def _either(condition: jax.Array, yes: Any, no: Any) -> Any:
    """One of two pytrees of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
