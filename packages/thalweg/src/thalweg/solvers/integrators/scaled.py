"""Fits of few parameters: `implicit-geodesic` in the units of each parameter, in several trials.

A step solves `(JᵀJ + M/h) d = -Jᵀr` with `M_i = |J_i|²`, by the singular values of `J M^-½`. So no
unit matters: not that of the residuals, nor that of any parameter. The first steps are short, as
the first long steps of a fit tend to end on a plateau, where a parameter has lost its effect.

Where a trial ends at anything but a minimum that explains most of the loss, the run goes back to
the start and tries again in another way; all ways share one compiled program. A trial that takes
many steps is interrupted, and resumed if no other has come further. The best end counts, and it is
called converged only if

* no column of the Jacobian has vanished since the start of the trial, and
* the Jacobian has full rank there, or the exact Hessian has no negative eigenvalue.

At the end the loss no longer shows which of two points is better. There, steps of Gauss and Newton
are taken while they shrink, which brings parameters to some ten digits instead of seven.

Source: Moré 1978, "The Levenberg-Marquardt algorithm" (the scaling); Bates & Watts 1981,
Technometrics 23 (the size of the projected residuals as a measure of convergence).
Decision: docs/decisions/0035-trials-of-a-fit.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow import Flow, LeastSquaresFlow
from thalweg.solution import End, Outcome
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
from thalweg.solvers.integrators.column_units import (
    CURRENT,
    LARGEST,
    Linearised,
    linearised,
)
from thalweg.solvers.integrators.fit_ends import (
    about_not_finite,
    beyond_saddle,
    by_hessian,
    is_minimum,
)
from thalweg.solvers.integrators.geodesic import (
    ImplicitGeodesic,
    Trial,
    after_search,
    curved_attempt,
)
from thalweg.solvers.step_control import (
    H_MAX,
    Search,
    attempt_until_taken,
    finite_code,
    judge_by_loss,
    start_search,
    step_result,
)


class Way(NamedTuple):
    """How a trial begins.

    Attributes:
        metric: LARGEST or CURRENT.
        first_h: The first step size; 1 damps as much as J curves.
    """

    metric: int
    first_h: float


WAYS = (Way(LARGEST, 1e-2), Way(CURRENT, 1e-4), Way(LARGEST, 1e4))
TRIAL_STEPS = 200  # after which a trial is interrupted for the next one
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
        not_finite: Points tried where the model was not finite.
    """

    search: geodesic.State
    trial: jax.Array
    steps: jax.Array
    projected: jax.Array
    is_polishing: jax.Array
    start: jax.Array
    best: TrialEnd
    not_finite: jax.Array


class TrialEnd(NamedTuple):
    """How a trial ended.

    Attributes:
        theta: Where, `(n,)`.
        loss: The loss there.
        code: CONVERGED, PLATEAU or STALLED; RUNNING where it was interrupted.
        trial: Which trial it was.
        search: Step size and column sizes there.
        vanished: The columns of J that have vanished, a bool each, `(n,)`.
        is_doubtful: Whether J is singular there, so that only the Hessian knows whether it is a
            minimum.
    """

    theta: jax.Array
    loss: jax.Array
    code: jax.Array
    trial: jax.Array
    search: geodesic.State
    vanished: jax.Array
    is_doubtful: jax.Array


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaledGeodesic(AbstractJitMethod):
    """Curved steps in the units of each parameter, in several trials; for few parameters.

    A row with h = 0 begins another trial, at the start or at the best point so far.

    Attributes:
        ways: How each trial begins, at least one.

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
                search=first,
                vanished=jnp.zeros(theta.shape, bool),
                is_doubtful=no,
            ),
            not_finite=zero,
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Take a step of the present trial; where it has ended, begin the next one."""
        state = solver_state._replace(
            start=jnp.where(jnp.isnan(solver_state.start), theta, solver_state.start)
        )
        is_resumed = state.trial == len(self.ways)
        way = jnp.where(is_resumed, state.best.trial, state.trial)
        metric = jnp.asarray([each.metric for each in self.ways])[way]
        at = linearised(flow, data, theta, state.search, metric=metric)
        order = ImplicitGeodesic().coefficients(flow)
        trial, search, not_finite = _search(flow, data, theta, at, state, order)
        following = after_search(state.search, trial, search)._replace(
            columns=at.system.columns, start_loss=at.start_loss
        )
        is_noise = search.is_taken & (following.noisy_steps >= geodesic.NOISY_STEPS)
        code = jnp.where(is_noise, jnp.where(at.flat, CONVERGED, STALLED), search.code)
        code = jnp.where((code == CONVERGED) & ~at.is_finite, STALLED, code)
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
                not_finite=state.not_finite + not_finite,
            ),
        )
        return self._after_step(result, at)

    def _after_step(self, result: StepResult, at: Linearised) -> StepResult:
        """The result of a step; where its trial is over, the end of all or the next trial.

        A branch: with selections, XLA computes every condition again for each of some twenty
        arrays, which doubled the time that the program takes to compile.
        """
        state: State = result.solver_state
        is_resumed = state.trial == len(self.ways)
        is_interrupted = ~is_resumed & (state.steps >= TRIAL_STEPS) & (result.code == RUNNING)
        is_over = is_interrupted | ((result.code != RUNNING) & (result.code != DIVERGED))
        return jax.lax.cond(
            is_over,
            lambda: self._after_trial(result, at, is_resumed, is_interrupted),
            lambda: result,
        )

    def _after_trial(
        self, result: StepResult, at: Linearised, is_resumed: jax.Array, is_interrupted: jax.Array
    ) -> StepResult:
        """The end of all trials, or the beginning of the next one."""
        state: State = result.solver_state
        is_plateau = (result.code == CONVERGED) & jnp.any(at.vanished) & ~at.is_spent
        this = TrialEnd(
            theta=result.theta,
            loss=result.loss,
            code=jnp.where(is_plateau, PLATEAU, result.code),
            trial=jnp.where(is_resumed, state.best.trial, state.trial),
            search=state.search,
            vanished=at.vanished,
            is_doubtful=at.is_singular & ~at.is_spent,
        )
        is_best = (this.loss < state.best.loss) | is_resumed
        best: TrialEnd = _either(is_best, this, state.best)
        is_enough = (at.is_spent & ~is_interrupted) | (
            (this.code == CONVERGED) & at.is_determined & at.explains
        )
        # Past the last way, only a trial that was interrupted is resumed.
        following = state.trial + 1
        is_last = following + jnp.where(best.code == RUNNING, 0, 1) > len(self.ways)
        ends = is_last | is_enough
        resumes = following == len(self.ways)
        way = jnp.minimum(following, len(self.ways) - 1)
        first = state.search._replace(
            h=jnp.asarray([each.first_h for each in self.ways], result.loss.dtype)[way],
            columns=jnp.zeros_like(state.search.columns),
            noisy_steps=jnp.zeros_like(state.search.noisy_steps),
            is_warming_up=jnp.ones_like(state.search.is_warming_up),
        )
        fresh = state._replace(
            search=_either(resumes, best.search, first),
            trial=following,
            steps=jnp.zeros_like(state.steps),
            projected=jnp.full_like(state.projected, jnp.inf),
            is_polishing=jnp.zeros_like(state.is_polishing),
        )
        return result._replace(
            theta=jnp.where(ends | resumes, best.theta, state.start),
            loss=jnp.where(ends | resumes, best.loss, at.start_loss),
            h=jnp.zeros_like(result.h),
            code=jnp.where(ends, best.code, RUNNING).astype(jnp.int32),
            solver_state=_either(ends, state, fresh)._replace(best=best),
        )

    def beyond(
        self, flow: Flow, theta: jax.Array, solver_state: State, outcome: Outcome
    ) -> np.ndarray | None:
        """A lower point beside a saddle."""
        is_doubtful = outcome is Outcome.CONVERGED and bool(solver_state.best.is_doubtful)
        return beyond_saddle(flow, theta) if is_doubtful else None

    def ending(self, flow: Flow, theta: jax.Array, solver_state: State, outcome: Outcome) -> End:
        """Which trial it was, and what is known of the point: minimum, plateau or saddle."""
        best = solver_state.best
        made = min(int(solver_state.trial) + 1, len(self.ways))
        detail = "" if made == 1 else f"Trial {int(best.trial) + 1} of {made} found this point. "
        detail += about_not_finite(int(solver_state.not_finite))
        vanished = np.flatnonzero(np.asarray(best.vanished))
        if outcome is Outcome.PLATEAU:
            names = ", ".join(f"`{flow.spec.component(int(k))}`" for k in vanished)
            return End(outcome, f"{detail}The loss does not depend on {names} here.")
        if outcome is Outcome.STALLED and is_minimum(flow, theta):
            detail += "By the exact Hessian it is a minimum."
            return End(Outcome.CONVERGED, detail)
        if outcome is Outcome.CONVERGED and bool(best.is_doubtful):
            outcome, curvature = by_hessian(flow, theta, solver_state.start)
            detail += curvature
        return End(outcome, detail.strip())


def _search(
    flow: LeastSquaresFlow,
    data: Any,
    theta: jax.Array,
    at: Linearised,
    state: State,
    order: int,
) -> tuple[Trial, Search, jax.Array]:
    """Attempt curved steps until one lowers the loss; while polishing, one step of Newton's.

    Returns:
        The last attempt, what was decided, and how many attempts were not finite.
    """
    system = at.system

    def attempt(before: tuple[Trial, Any], search: Search) -> tuple[tuple[Trial, Any], Search]:
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
        not_finite = before[1] + jnp.where(jnp.isfinite(trial.loss), 0, 1)
        return (trial, not_finite), _either(state.is_polishing, polished, judged)

    has_shrunk = (at.projected <= SHRINKS * state.projected) & (at.projected > at.rounding)
    code = finite_code(system.loss, jnp.linalg.norm(system.grad))
    code = jnp.where((code == RUNNING) & ~at.is_finite, STALLED, code)
    code = jnp.where((code == RUNNING) & state.is_polishing & ~has_shrunk, CONVERGED, code)
    h = jnp.where(state.is_polishing, H_MAX, state.search.h)
    first = Trial(theta, system.loss, h), jnp.zeros((), jnp.int32)
    (trial, not_finite), search = attempt_until_taken(attempt, first, start_search(h, code))
    return trial, search, not_finite


def _either(condition: jax.Array, yes: Any, no: Any) -> Any:
    """One of two pytrees of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
