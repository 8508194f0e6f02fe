"""What a method is: a loop inside jit (`AbstractJitMethod`) or on the host (`AbstractHostMethod`).

A jitted method defines its first state and one step; `thalweg._run.driver` runs its steps in
chunks. A host method runs the loop of another library and reports its rows to a `Recorder`.
"""

from __future__ import annotations

import abc
import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax.numpy as jnp

from thalweg.solution import End, Outcome, Work

if TYPE_CHECKING:
    import jax
    import numpy as np

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow

# Result codes inside jit. A method deals with recoverable failures (a step to be retried with a
# smaller h) itself; a step returns one of these.
RUNNING = 0
CONVERGED = 1
STALLED = 2
DIVERGED = 3
HANDED_OVER = 4  # to the method's successor
PLATEAU = 5
RESTARTED = 6  # to the method's successor, from the start of the run

OUTCOMES = {
    CONVERGED: Outcome.CONVERGED,
    STALLED: Outcome.STALLED,
    PLATEAU: Outcome.PLATEAU,
    DIVERGED: Outcome.DIVERGED,
}


class StepResult(NamedTuple):
    """What one step of a jitted method returns to the loop.

    All fields are scalars, except `theta` and `solver_state`.

    Attributes:
        theta: The point after the step, shape `(n,)`; the old point where no step was taken.
        loss: The loss there.
        start_loss: The loss at the start of the step.
        grad_norm: |∇L| at the start of the step.
        h: Size of the step taken.
        rejected: How many attempts were rejected.
        work: What the step spent, a `Work` of int32 scalars.
        code: RUNNING, or why the run ends.
        solver_state: What the method carries to its next step; any pytree of arrays.
    """

    theta: jax.Array
    loss: jax.Array
    start_loss: jax.Array
    grad_norm: jax.Array
    h: jax.Array
    rejected: jax.Array
    work: Work
    code: jax.Array
    solver_state: Any


class AbstractMethod(abc.ABC):
    """Base of all methods. Subclasses are frozen dataclasses, configured once."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for `thalweg methods`
    needs: ClassVar[str]  # what it requires of the problem, or which extra, in words
    kind: ClassVar[str]  # "own", "baseline"

    @abc.abstractmethod
    def check(self, flow: Flow) -> None:
        """Refuse a problem that the method cannot solve.

        Raises:
            ConfigError: It says what the method requires.
            MissingExtraError: It names the extra to install.
        """


def described(method: AbstractMethod) -> str:
    """A method with its settings, as a text that is the same in each process.

    Objects of other libraries show their address, which differs from process to process.
    """
    return re.sub(r" at 0x[0-9a-f]+", "", f"{method.name} {method!r}")


class AbstractJitMethod(AbstractMethod):
    """A method whose loop runs inside jit, in chunks of steps."""

    @property
    def successors(self) -> tuple[AbstractJitMethod, ...]:
        """The methods that follow it, in order.

        Each takes over at the code HANDED_OVER, or from the start at the code RESTARTED.
        """
        return ()

    @abc.abstractmethod
    def init(self, flow: Flow, theta: jax.Array) -> Any:
        """The solver state before the first step. Pure; called on the host, not jitted.

        Args:
            flow: The flow; only its shapes may be used.
            theta: The start, shape `(n,)`.
        """

    @abc.abstractmethod
    def step(self, flow: Any, data: Any, theta: jax.Array, solver_state: Any) -> StepResult:
        """Attempt until one step is taken, or none can be. Pure, runs inside `jax.jit`.

        Args:
            flow: The functions of the flow. Static.
            data: `flow.data`, passed so that it is an argument and not a constant.
            theta: The point, shape `(n,)`.
            solver_state: What `init` or the last step returned.
        """

    def taking_over(self, flow: Flow, solver_state: Any, left: float) -> Any:
        """The state of `init`, where another method has lowered the loss before; on the host.

        Args:
            flow: The flow.
            solver_state: What `init` returned at the present point.
            left: The loss there, as a share of that at the start of the run. Positive.
        """
        del flow, left
        return solver_state

    def outcome_before_restart(self, solver_state: Any) -> Outcome | None:
        """What the code RESTARTED stands in the place of; None where the method does not say.

        Args:
            solver_state: What the last step returned.
        """
        del solver_state

    def beyond(
        self, flow: Flow, theta: jax.Array, solver_state: Any, outcome: Outcome
    ) -> np.ndarray | None:
        """A lower point from which a run goes on that the method itself ended; called on the host.

        Args:
            flow: The flow.
            theta: The last point, shape `(n,)`.
            solver_state: What the last step returned.
            outcome: What the last step's code stands for.

        Returns:
            The point, `(n,)`; None to end the run.
        """
        del flow, theta, solver_state, outcome
        return None

    def ending(self, flow: Flow, theta: jax.Array, solver_state: Any, outcome: Outcome) -> End:
        """What is known of the end of a run that the method itself ended; called on the host.

        Args:
            flow: The flow.
            theta: The last point, shape `(n,)`.
            solver_state: What the last step returned.
            outcome: What the last step's code stands for. A method may weaken it.
        """
        del flow, theta, solver_state
        return End(outcome)


class AbstractHostMethod(AbstractMethod):
    """A method that runs the loop of another library on the host."""

    @abc.abstractmethod
    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Run until the recorder raises `RunEnded`, which must propagate, or the library ends.

        Args:
            flow: The flow; `thalweg.flow.compiled.HostFunctions` gives its compiled functions.
            theta: The start, shape `(n,)`.
            recorder: Takes a row for the start and one after each step.

        Returns:
            The outcome and a detail in words, where the library itself ended the run.
        """


def no_work(**counts: Any) -> Work:
    """A `Work` of int32 scalars inside jit; fields that are not named are 0."""
    zero = jnp.zeros((), jnp.int32)
    return Work._make(jnp.asarray(counts.get(name, zero), jnp.int32) for name in Work._fields)
