"""diffrax's Runge-Kutta methods on the gradient flow dθ/dt = -∇L(θ), inside the jitted loop.

    kvaerno5   implicit (ESDIRK), L-stable, order 5, seven stages
    kvaerno3   the same of order 3, four stages
    tsit5      explicit, order 5, six evaluations a step

with diffrax's `PIDController` as an I controller, its default. Step and controller are called as
`diffeqsolve` calls them, but in a loop of thalweg's, which logs each step. The controller chooses
the first step, while `diffeqsolve` of diffrax 0.7 always begins with 0.01.

In each attempt an implicit solver computes two Jacobians: that of the explicit first stage, which
is the identity whatever the Hessian is, and one for all other stages.

The flow does not depend on t. So each step begins at time 0, and h loses no digits to a large t.

Source: Kværnø 2004, "Singly diagonally implicit Runge-Kutta methods with an explicit first stage";
Tsitouras 2011, "Runge-Kutta pairs of order 5(4)"; Kidger 2021, arXiv:2202.02435 (diffrax).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from thalweg._util.extras import import_extra
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.whole_jacobian import end_code, with_jacobian
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    STALLED,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.dense import refuse_large
from thalweg.solvers.step_control import H_MAX, Accuracy

if TYPE_CHECKING:
    from thalweg.flow import Flow

SOLVERS = {
    "kvaerno5": ("Kvaerno5", "implicit Runge-Kutta of order 5 by Kværnø"),
    "kvaerno3": ("Kvaerno3", "implicit Runge-Kutta of order 3 by Kværnø"),
    "tsit5": ("Tsit5", "explicit Runge-Kutta of order 5 by Tsitouras"),
}
EXPLICIT = ("tsit5",)
EXPLICIT_CALLS = 6  # evaluations of tsit5 in an attempt; the last is the first of the next step
JACOBIANS = 2  # in an attempt, see above
START_CALLS = 2  # evaluations by which the controller chooses the first step
MOST_REJECTIONS = 100  # consecutive; each shortens h, which by then is below rounding


class State(NamedTuple):
    """The solver state.

    Attributes:
        h: The size of the next step; unknown before the first.
        loss: L at the current point; NaN before the first step.
        grad: ∇L there, shape `(n,)`.
        start_loss: L at the start of the run.
        solver: The state of diffrax's solver.
        controller: The state of diffrax's step-size controller.
    """

    h: jax.Array
    loss: jax.Array
    grad: jax.Array
    start_loss: jax.Array
    solver: Any
    controller: Any


class _Attempt(NamedTuple):
    """The last attempt of a step.

    Attributes:
        theta: Its end point, shape `(n,)`.
        field: -∇L there, from the solver's last stage: exact for an explicit solver.
        h: Its size.
        next_h: The size to try next.
        is_taken: Whether its error is within the tolerances.
        rejected: Attempts rejected so far.
        newton_failures: Those among them whose Newton iteration did not converge.
        calls: Evaluations so far.
        solver: The solver's state after it.
        controller: The controller's state after it.
    """

    theta: jax.Array
    field: jax.Array
    h: jax.Array
    next_h: jax.Array
    is_taken: jax.Array
    rejected: jax.Array
    newton_failures: jax.Array
    calls: jax.Array
    solver: Any
    controller: Any


@final
@dataclasses.dataclass(frozen=True)
class DiffraxSolver(AbstractJitMethod):
    """One of diffrax's Runge-Kutta methods on the gradient flow. Needs the extra `diffrax`.

    A row is an accepted step; its `rejected` counts attempts that failed the error test or whose
    Newton iteration did not converge.

    In `work`, `gradients` counts the evaluations of the vector field, and for the implicit solvers
    one more for each row, for its loss and |∇L|; `tsit5` has just evaluated there, so that a row
    costs one evaluation of the loss alone. `jacobians` counts exact Hessians, two in each attempt.

    Attributes:
        solver: `kvaerno5`, `kvaerno3` or `tsit5`.
        rtol: Relative tolerance of a step. Not negative.
        atol: Absolute tolerance of a step. Positive.
        loosest: The relative tolerance at the start of a schedule; both tolerances then fall with
            the square root of the loss, as in `Accuracy`, down to `rtol` and `atol`. None for
            constant tolerances.

    Raises:
        ConfigError: A value is out of its range.

    Cost: the evaluations counted in `work`; a Jacobian costs n Hessian products, O(n²) memory, and
    O(n³) for its LU decomposition. `tsit5` needs none.
    """

    kind: ClassVar[str] = "baseline"

    solver: str = "kvaerno5"
    _: dataclasses.KW_ONLY
    rtol: float = 1e-6
    atol: float = 1e-8
    loosest: float | None = None

    def __post_init__(self) -> None:
        refuse_unknown("solver", self.solver, SOLVERS)
        _ = self.accuracy  # which refuses tolerances out of their range

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - one class, three
        """The solver's name."""
        return self.solver

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it is, in a few words."""
        return f"diffrax's {SOLVERS[self.solver][1]}"

    @property
    def needs(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it needs of the problem, and which extra."""
        return "any problem" + (", n² memory" if self.is_implicit else "") + "; extra `diffrax`"

    @property
    def accuracy(self) -> Accuracy:
        """The tolerances."""
        return Accuracy(rtol=self.rtol, atol=self.atol, loosest=self.loosest)

    @property
    def is_implicit(self) -> bool:
        """Whether its steps are solved for by Newton's method."""
        return self.solver not in EXPLICIT

    def check(self, flow: Flow) -> None:
        """Refuse if the library is missing or the matrices are too large.

        Raises:
            MissingExtraError: diffrax is not installed.
            ConfigError: The matrices would not fit into memory.
        """
        import_extra("diffrax", library="diffrax", extra="diffrax", needed_by=self.name)
        if self.is_implicit:
            refuse_large(self.name, flow)

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """The states of solver and controller before the first step."""
        import diffrax

        del flow
        unknown = jnp.asarray(jnp.nan, theta.dtype)
        one = jnp.ones((), theta.dtype)
        term = diffrax.ODETerm(lambda _t, y, _args: y)  # of the right shape
        solver, controller = self._parts(1.0)
        _, controller_state = controller.init(
            term, 0 * one, one, theta, one, None, solver.func, solver.error_order(term)
        )
        states = solver.init(term, 0 * one, one, _counted(theta), None)
        return State(
            h=one,
            loss=unknown,
            grad=jnp.zeros_like(theta),
            start_loss=unknown,
            solver=jax.tree.map(jnp.asarray, states),
            controller=jax.tree.map(jnp.asarray, controller_state),
        )

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Attempt until the error is within the tolerances; the run ends when nothing moves."""
        is_first = jnp.isnan(solver_state.start_loss)
        loss, grad = jax.lax.cond(
            is_first,
            lambda: flow.value_and_grad(data, theta),
            lambda: (solver_state.loss, solver_state.grad),
        )
        start_loss = jnp.where(is_first, loss, solver_state.start_loss)
        factor = self.accuracy.factor(loss, start_loss)
        field = with_jacobian(
            lambda data, at: -flow.value_and_grad(data, at)[1],
            lambda data, at: (
                -flow.value_and_grad(data, at)[1],
                -flow.dense_hessian(data, at),
            ),
        )
        last = self._attempts(field, data, theta, solver_state, factor, is_first)
        new_loss, new_grad, work = self._arrive(flow, data, last)
        began = jnp.where(is_first, 1 + START_CALLS, 0)
        is_finite = jnp.isfinite(loss) & jnp.isfinite(grad).all()
        is_lost = ~last.is_taken
        is_over = (last.next_h >= H_MAX) | (grad == 0).all()
        code = jax.lax.cond(
            is_over | is_lost,
            lambda: end_code(
                flow, data, last.theta, loss=new_loss, grad=new_grad, start_loss=start_loss
            ),
            lambda: jnp.asarray(RUNNING, jnp.int32),
        )
        code = jnp.where(is_lost & (code != CONVERGED), STALLED, code)
        code = jnp.where(is_finite, code, DIVERGED)
        attempts = last.rejected + last.is_taken
        if self.is_implicit:
            work = work._replace(
                jacobians=JACOBIANS * attempts,
                factorizations=JACOBIANS * attempts,
                newton_iterations=last.calls,
                newton_failures=last.newton_failures,
            )
        work = work._replace(
            gradients=work.gradients + last.calls + began,
            rejected_steps=last.rejected,
            error_test_failures=last.rejected - last.newton_failures,
        )
        return StepResult(
            theta=last.theta,
            loss=new_loss,
            start_loss=loss,
            grad_norm=jnp.linalg.norm(grad),
            h=jnp.where(last.is_taken, last.h, 0),
            rejected=last.rejected,
            work=jax.tree.map(lambda count: jnp.asarray(count, jnp.int32), work),
            code=code.astype(jnp.int32),
            solver_state=State(
                last.next_h, new_loss, new_grad, start_loss, last.solver, last.controller
            ),
        )

    def _attempts(
        self,
        field: Any,
        data: Any,
        theta: jax.Array,
        solver_state: State,
        factor: jax.Array,
        is_first: jax.Array,
    ) -> _Attempt:
        """Attempt until a step is taken, or `MOST_REJECTIONS` are reached."""
        import diffrax

        solver, controller = self._parts(factor)
        term = diffrax.ODETerm(lambda _t, y, args: (field(args, y[0]), jnp.zeros_like(y[1])))
        plain = diffrax.ODETerm(lambda _t, y, args: field(args, y))
        order = solver.error_order(term)
        zero = jnp.zeros((), theta.dtype)

        def first_h() -> jax.Array:
            h, _ = controller.init(plain, zero, zero + H_MAX, theta, None, data, solver.func, order)
            return jnp.asarray(h, theta.dtype)

        def attempt(last: _Attempt) -> _Attempt:
            h = last.next_h
            there, raw_error, dense, state, result = solver.step(
                term,
                zero,
                h,
                _counted(theta),
                data,
                solver_state.solver,
                jnp.asarray(False),  # noqa: FBT003 - an array
            )
            error = jnp.where(jnp.isnan(raw_error[0]), jnp.inf, raw_error[0])
            is_taken, begins, ends, _, controller_state, _ = controller.adapt_step_size(
                zero, h, theta, there[0], data, error, order, last.controller
            )
            has_solved = result == diffrax.RESULTS.successful
            stages, counters = dense["k"]  # both times h
            failed = jnp.where(is_taken, 0, 1)
            return _Attempt(
                theta=there[0],
                field=stages[-1] / h,
                h=h,
                next_h=jnp.minimum(ends - begins, H_MAX),
                is_taken=jnp.asarray(is_taken),
                rejected=last.rejected + failed,
                newton_failures=last.newton_failures + failed * jnp.where(has_solved, 0, 1),
                calls=last.calls + self._calls(counters / h, is_first),
                solver=jax.tree.map(jnp.asarray, state),
                controller=jax.tree.map(jnp.asarray, controller_state),
            )

        def goes_on(last: _Attempt) -> jax.Array:
            return ~last.is_taken & (last.rejected < MOST_REJECTIONS)

        h = jax.lax.cond(is_first, first_h, lambda: solver_state.h)
        last = jax.lax.while_loop(goes_on, attempt, _not_attempted(theta, solver_state, h))
        # If no attempt was accepted, the point stays.
        return last._replace(theta=jnp.where(last.is_taken, last.theta, theta))

    def _arrive(self, flow: Any, data: Any, last: _Attempt) -> tuple[jax.Array, jax.Array, Any]:
        """L and ∇L at the end of the step, and their cost."""
        if self.is_implicit:
            loss, grad = flow.value_and_grad(data, last.theta)
            return loss, grad, no_work(gradients=1)
        return flow.loss(data, last.theta), -last.field, no_work(losses=1)

    def _calls(self, counters: jax.Array, is_first: jax.Array) -> jax.Array:
        """Evaluations of an attempt, from the counters of its stages, shape `(stages,)`."""
        if not self.is_implicit:
            return jnp.where(is_first, EXPLICIT_CALLS + 1, EXPLICIT_CALLS).astype(jnp.int32)
        counts = jnp.round(counters).astype(jnp.int32)
        # The first stage is the last one of the previous step, except in the first step.
        later = jnp.sum(counts[1:], dtype=jnp.int32)
        return later + jnp.where(is_first, counts[0], 0)

    def _parts(self, factor: Any) -> tuple[Any, Any]:
        """Solver and controller, with the tolerances multiplied by `factor`."""
        import diffrax

        rtol, atol = factor * self.rtol, factor * self.atol
        make = getattr(diffrax, SOLVERS[self.solver][0])
        controller = diffrax.PIDController(rtol=rtol, atol=atol)
        if not self.is_implicit:
            return make(), controller
        from thalweg.solvers.adapters.diffrax_newton import CountedChord

        return make(root_finder=CountedChord(rtol, atol)), controller


def _not_attempted(theta: jax.Array, solver_state: State, h: jax.Array) -> _Attempt:
    """The value before the first attempt, which will have the size `h`."""
    none = jnp.zeros((), jnp.int32)
    return _Attempt(
        theta=theta,
        field=jnp.zeros_like(theta),
        h=jnp.zeros((), theta.dtype),
        next_h=h,
        is_taken=jnp.asarray(False),  # noqa: FBT003 - an array
        rejected=none,
        newton_failures=none,
        calls=none,
        solver=solver_state.solver,
        controller=solver_state.controller,
    )


def _counted(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """θ with a counter, for `CountedChord`."""
    return theta, jnp.zeros((), theta.dtype)


def kvaerno5() -> DiffraxSolver:
    """Kværnø's method of order 5, atol 1e-8, rtol 1e-6."""
    return DiffraxSolver("kvaerno5")


def kvaerno3() -> DiffraxSolver:
    """Kværnø's method of order 3, atol 1e-8, rtol 1e-6."""
    return DiffraxSolver("kvaerno3")


def tsit5() -> DiffraxSolver:
    """Tsitouras's method of order 5, atol 1e-8, rtol 1e-6."""
    return DiffraxSolver("tsit5")
