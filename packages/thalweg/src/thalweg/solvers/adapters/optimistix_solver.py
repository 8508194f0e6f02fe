"""Optimistix's Levenberg-Marquardt and BFGS, inside the jitted loop.

    lm      (JᵀJ + λ I) d = -Jᵀr by a QR decomposition of J stacked on √λ I, λ by trust region
    bfgs    d = -B ∇L(θ), B ≈ (∇²L)⁻¹ dense, with a backtracking Armijo search

Each call of Optimistix's `step` evaluates one trial point, and accepts or rejects the one before. A
step here calls it until a point is accepted; the last trial point is kept in Optimistix's state.

Source: Rader, Lyons & Kidger 2024, arXiv:2402.09983 (Optimistix); Nocedal & Wright, *Numerical
Optimization*, 2nd ed., chapters 3, 6 and 10.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError
from thalweg.flow import LeastSquaresFlow
from thalweg.solvers.adapters.checks import refuse_unknown
from thalweg.solvers.adapters.whole_jacobian import end_code, with_jacobian
from thalweg.solvers.base import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    AbstractJitMethod,
    StepResult,
    no_work,
)
from thalweg.solvers.dense import refuse_large

if TYPE_CHECKING:
    from thalweg.flow import Flow

ALGORITHMS = {
    "lm": "Optimistix's Levenberg-Marquardt, with a QR decomposition for each trial",
    "bfgs": "Optimistix's BFGS with a dense matrix and a backtracking search",
}
MOST_TRIALS = 200  # consecutive; each shortens the step, which by then is below rounding


class State(NamedTuple):
    """The solver state.

    Attributes:
        state: The arrays of Optimistix's state.
        start_loss: The loss at the start of the run; NaN before the first step.
    """

    state: Any
    start_loss: jax.Array


class _Search(NamedTuple):
    """The search of one step.

    Attributes:
        theta: The last accepted point, shape `(n,)`.
        state: The arrays of Optimistix's state.
        trials: Trial points so far.
        is_over: Whether Optimistix ended.
    """

    theta: jax.Array
    state: Any
    trials: jax.Array
    is_over: jax.Array


@final
@dataclasses.dataclass(frozen=True)
class OptimistixSolver(AbstractJitMethod):
    """Optimistix's Levenberg-Marquardt or BFGS. Needs the extra `optimistix`.

    A row is an accepted step; its `rejected` counts the trial points before it that were not taken.
    At each trial point `lm` takes a Jacobian, which counts as a gradient, and a QR decomposition.
    `bfgs` takes a gradient at each accepted point, and the loss alone at the others. They have no
    flow time, so `t` and `h` are NaN.

    Attributes:
        algorithm: `lm`, for `LeastSquares`, or `bfgs`.
        tolerance: Optimistix's `rtol` and `atol`: changes of θ and of the residuals or the loss
            below which the run ends. None for the spacing of the parameters' dtype: the run
            continues until rounding stops it. Positive.

    Raises:
        ConfigError: An unknown algorithm, or a tolerance out of its range.

    Cost: `lm` O((m + n) n²) for each trial point, and memory for three Jacobians; `bfgs` O(n²) for
    each step, and memory for three matrices.
    """

    kind: ClassVar[str] = "baseline"

    algorithm: str = "lm"
    _: dataclasses.KW_ONLY
    tolerance: float | None = None

    def __post_init__(self) -> None:
        refuse_unknown("algorithm", self.algorithm, ALGORITHMS)
        if self.tolerance is not None and not self.tolerance > 0:
            raise ConfigError(
                f"`tolerance` is {self.tolerance!r}, but a number above 0 was expected; leave it "
                "out to continue until rounding stops the run"
            )

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - one class, two
        """`optimistix-lm` or `optimistix-bfgs`."""
        return f"optimistix-{self.algorithm}"

    @property
    def summary(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it is, in a few words."""
        return ALGORITHMS[self.algorithm]

    @property
    def needs(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - as above
        """What it needs of the problem, and which extra."""
        structure = "LeastSquares" if self.algorithm == "lm" else "any problem, n² memory"
        return f"{structure}; extra `optimistix`"

    def check(self, flow: Flow) -> None:
        """Refuse if the library is missing, or the problem is of the wrong kind or too large.

        Raises:
            MissingExtraError: Optimistix is not installed.
            ConfigError: `lm` does not apply, or the matrices of `bfgs` would not fit into memory.
        """
        import_extra("optimistix", library="optimistix", extra="optimistix", needed_by=self.name)
        if self.algorithm == "lm" and not isinstance(flow, LeastSquaresFlow):
            raise ConfigError(
                "`optimistix-lm` needs residuals, but the problem is not a `LeastSquares`; choose "
                "`optimistix-bfgs` or another method, or state the problem by its residuals"
            )
        if self.algorithm == "bfgs":
            refuse_large(self.name, flow)

    def init(self, flow: Flow, theta: jax.Array) -> State:
        """Optimistix's state before the first trial point."""
        arrays, _ = self._split(self._start(flow, flow.data, theta))
        return State(arrays, jnp.asarray(jnp.nan, theta.dtype))

    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: State) -> StepResult:
        """Try points until one is accepted or Optimistix ends."""
        is_first = jnp.isnan(solver_state.start_loss)
        _, rest = self._split(self._start(flow, data, theta))  # the part without arrays

        def search(before: _Search) -> _Search:
            state = self._join(before.state, rest)
            point, after, is_over = self._trial(flow, data, before.theta, state)
            arrays, _ = self._split(after)
            return _Search(point, arrays, before.trials + 1, is_over)

        zero = jnp.zeros((), jnp.int32)
        none = _Search(theta, solver_state.state, zero, jnp.asarray(False))  # noqa: FBT003 - an array
        # The first trial point of a run is its start, which is always accepted.
        begun = jax.lax.cond(is_first, search, lambda before: before, none)
        loss, grad = self._value_and_grad(self._join(begun.state, rest))
        start_loss = jnp.where(is_first, loss, solver_state.start_loss)
        taken_before = begun.state.num_accepted_steps

        def goes_on(now: _Search) -> jax.Array:
            is_taken = now.state.num_accepted_steps > taken_before
            return ~is_taken & ~now.is_over & (now.trials < MOST_TRIALS)

        last = jax.lax.while_loop(
            goes_on,
            search,
            begun._replace(trials=zero, is_over=jnp.asarray(False)),  # noqa: FBT003 - an array
        )
        new_loss, new_grad = self._value_and_grad(self._join(last.state, rest))
        is_taken = last.state.num_accepted_steps > taken_before
        is_finite = jnp.isfinite(new_loss) & jnp.isfinite(loss) & jnp.isfinite(grad).all()
        code = jax.lax.cond(
            last.is_over | ~is_taken,
            lambda: end_code(
                flow, data, last.theta, loss=new_loss, grad=new_grad, start_loss=start_loss
            ),
            lambda: jnp.asarray(RUNNING, jnp.int32),
        )
        code = jnp.where((grad == 0).all(), CONVERGED, code)
        rejected = last.trials - is_taken
        first = jnp.where(is_first, 1, 0)
        return StepResult(
            theta=last.theta,
            loss=new_loss,
            start_loss=loss,
            grad_norm=jnp.linalg.norm(grad),
            h=jnp.asarray(jnp.nan, theta.dtype),
            rejected=rejected,
            work=self._work(last.trials + first, rejected),
            code=jnp.where(is_finite, code, DIVERGED).astype(jnp.int32),
            solver_state=State(last.state, start_loss),
        )

    def _work(self, trials: jax.Array, rejected: jax.Array) -> Any:
        """The work of the trial points."""
        if self.algorithm == "lm":
            return no_work(
                gradients=trials, jacobians=trials, factorizations=trials, rejected_steps=rejected
            )
        return no_work(gradients=trials - rejected, losses=rejected, rejected_steps=rejected)

    def _solver(self, real: np.dtype) -> Any:
        """Optimistix's solver."""
        import optimistix

        tolerance = float(np.finfo(real).eps) if self.tolerance is None else self.tolerance
        make = {"lm": optimistix.LevenbergMarquardt, "bfgs": optimistix.BFGS}[self.algorithm]
        return make(rtol=tolerance, atol=tolerance)

    def _function(self, flow: Any) -> Any:
        """The residuals or the loss, as Optimistix calls them: `fn(θ, data) -> (value, None)`."""
        if self.algorithm == "bfgs":
            return lambda theta, data: (flow.loss(data, theta), None)
        residuals = with_jacobian(flow.residuals, flow.jacobian)
        return lambda theta, data: (residuals(data, theta), None)

    def _start(self, flow: Any, data: Any, theta: jax.Array) -> Any:
        """Optimistix's state before the first trial point, in the dtype of θ."""
        function = self._function(flow)
        value, _ = jax.eval_shape(function, theta, data)
        solver = self._solver(theta.dtype)
        return _in_dtype(
            solver.init(function, theta, data, {}, value, None, frozenset()), theta.dtype
        )

    def _trial(
        self, flow: Any, data: Any, theta: jax.Array, state: Any
    ) -> tuple[jax.Array, Any, jax.Array]:
        """One call of `step`: the last accepted point, Optimistix's state, and whether it ends."""
        import optimistix

        solver, function = self._solver(theta.dtype), self._function(flow)
        point, after, _ = solver.step(function, theta, data, {}, state, frozenset())
        is_over, result = solver.terminate(function, point, data, {}, after, frozenset())
        has_failed = result != optimistix.RESULTS.successful
        return point, _in_dtype(after, theta.dtype), is_over | has_failed

    def _value_and_grad(self, state: Any) -> tuple[jax.Array, jax.Array]:
        """L and ∇L at the last accepted point, which the state holds."""
        known = state.f_info
        return known.as_min(), known.compute_grad() if self.algorithm == "lm" else known.grad

    def _split(self, state: Any) -> tuple[Any, Any]:
        """The arrays of a state, and the rest of it, such as traced functions."""
        import equinox

        return equinox.partition(state, equinox.is_array)

    def _join(self, arrays: Any, rest: Any) -> Any:
        import equinox

        return equinox.combine(arrays, rest)


def _in_dtype(state: Any, real: np.dtype) -> Any:
    """The state with its real numbers in the dtype of θ; Optimistix starts in JAX's default."""
    import equinox

    def cast(leaf: Any) -> Any:
        is_real = equinox.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(real) if is_real else leaf

    return jax.tree.map(cast, state)


def lm() -> OptimistixSolver:
    """Levenberg-Marquardt, until rounding stops it."""
    return OptimistixSolver("lm")


def bfgs() -> OptimistixSolver:
    """BFGS, until rounding stops it."""
    return OptimistixSolver("bfgs")
