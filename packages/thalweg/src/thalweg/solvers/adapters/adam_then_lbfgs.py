"""Adam for a number of steps, then L-BFGS: the usual recipe for physics-informed networks.

From a poor start Adam finds a valley, where L-BFGS may end at a bad point; L-BFGS then descends
along the valley, where Adam would be slow. Adam's steps run inside jit; L-BFGS is SciPy's.

Source: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707; Markidis, Front. Big
Data 4 (2021) 669097, on the order of the two.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow.compiled import compiled
from thalweg.solution import Work
from thalweg.solvers.adapters.checks import refuse_below
from thalweg.solvers.adapters.scipy_minimize import LBFGS
from thalweg.solvers.base import AbstractHostMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome

CHUNK = 200  # most steps of Adam between two checks of the clock ...
LOOK_AFTER = 0.05  # ... which is checked about every so many seconds


class _Steps(NamedTuple):
    """A chunk of Adam's steps.

    Attributes:
        done: Steps taken.
        at: The point after them, shape `(n,)`.
        seen: The point before the last of them, to which the last loss belongs.
        state: Optax's state.
        losses: Shape `(CHUNK,)`, before each step.
        norms: |∇L|, shape `(CHUNK,)`, before each step.
    """

    done: Any
    at: jax.Array
    seen: jax.Array
    state: Any
    losses: jax.Array
    norms: jax.Array


@final
@dataclasses.dataclass(frozen=True)
class AdamThenLBFGS(AbstractHostMethod):
    """Adam, then SciPy's L-BFGS-B from where Adam ended.

    Attributes:
        steps: Steps of Adam. At least 0.
        learning_rate: Learning rate of Adam. Positive.
        maxcor: Number of pairs that L-BFGS keeps. At least 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost: a gradient for each step of Adam, then that of `l-bfgs`. Adam checks the clock every 0.05
    seconds, or after each step if that takes longer.
    """

    name: ClassVar[str] = "adam-l-bfgs"
    summary: ClassVar[str] = "1,000 steps of Adam, then SciPy's L-BFGS-B"
    needs: ClassVar[str] = "any problem"
    kind: ClassVar[str] = "baseline"

    _: dataclasses.KW_ONLY
    steps: int = 1000
    learning_rate: float = 1e-3
    maxcor: int = 50

    def __post_init__(self) -> None:
        refuse_below("steps", self.steps, 0)
        if not (self.learning_rate > 0 and np.isfinite(self.learning_rate)):
            raise ConfigError(
                f"`learning_rate` is {self.learning_rate!r}, but a finite number above 0 was "
                "expected"
            )
        LBFGS(maxcor=self.maxcor)

    def check(self, flow: Flow) -> None:
        """Accept any problem."""

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Run Adam until its steps or the budget are spent, then L-BFGS."""
        at, spent = self._adam(flow, theta, recorder)
        return LBFGS(maxcor=self.maxcor).run(flow, at, recorder, spent=spent)

    def _adam(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[np.ndarray, int]:
        """The point after Adam, and the gradients spent to reach it."""
        import optax

        optimiser = optax.adam(self.learning_rate)
        stop = recorder.stop
        target = np.asarray(-np.inf if stop.loss is None else stop.loss, flow.spec.dtype)
        start = (jnp.asarray(theta), optimiser.init(jnp.asarray(theta)))
        program = compiled(
            flow,
            (self.name, self.learning_rate),
            _chunk(flow, optimiser),
            start,
            np.int32(0),
            target,
            recorder=recorder,
        )
        spent, most = 0, 1
        while spent < self.steps:
            began = recorder.seconds
            left = self.steps - spent
            if stop.gradients is not None:
                left = min(left, max(1, int(stop.gradients) - spent))
            if stop.steps is not None:  # the start is row 0 and not a step
                left = min(left, max(1, int(stop.steps) + 1 - spent))
            chunk: _Steps = jax.block_until_ready(
                program(flow.data, start, np.int32(min(most, left)), target)
            )
            start = (chunk.at, chunk.state)
            seconds = (recorder.seconds - began) / int(chunk.done)
            _log(chunk, recorder, spent=spent, began=began, seconds=seconds)
            spent += int(chunk.done)
            recorder.check()
            most = int(np.clip(LOOK_AFTER / max(seconds, 1e-9), 1, CHUNK))
        return np.asarray(start[0]), spent


def _chunk(flow: Flow, optimiser: Any) -> Callable[..., _Steps]:
    """The function that takes up to `most` steps; it ends at the target or a loss not finite."""
    import optax

    def chunk(data: Any, start: Any, most: jax.Array, target: jax.Array) -> _Steps:
        def goes_on(steps: _Steps) -> jax.Array:
            last = steps.losses[steps.done - 1]
            is_good = (steps.done == 0) | (jnp.isfinite(last) & (last > target))
            return (steps.done < most) & is_good

        def step(steps: _Steps) -> _Steps:
            loss, grad = flow.value_and_grad(data, steps.at)
            updates, state = optimiser.update(grad, steps.state, steps.at)
            return _Steps(
                done=steps.done + 1,
                at=jnp.asarray(optax.apply_updates(steps.at, updates)),
                seen=steps.at,
                state=state,
                losses=steps.losses.at[steps.done].set(loss),
                norms=steps.norms.at[steps.done].set(jnp.linalg.norm(grad)),
            )

        at, state = start
        unknown = jnp.full(CHUNK, jnp.nan, at.dtype)
        return jax.lax.while_loop(goes_on, step, _Steps(0, at, at, state, unknown, unknown))

    return chunk


def _log(chunk: _Steps, recorder: Recorder, *, spent: int, began: float, seconds: float) -> None:
    """Log the steps of a chunk.

    Args:
        chunk: The steps.
        recorder: Takes the rows.
        spent: Gradients before the chunk.
        began: When the chunk began, in seconds of the run.
        seconds: Mean time of a step.
    """
    done = int(chunk.done)
    counters: dict[str, Any] = {name: np.zeros(done, np.int64) for name in Work._fields}
    recorder.extend(
        {
            **counters,
            "t": np.full(done, np.nan),
            "h": np.full(done, np.nan),
            "seconds": began + seconds * np.arange(1, done + 1),
            "loss": np.asarray(chunk.losses[:done], np.float64),
            "grad_norm": np.asarray(chunk.norms[:done], np.float64),
            "rejected": np.zeros(done, np.int64),
            "gradients": spent + np.arange(1, done + 1),
        },
        theta=np.asarray(chunk.seen),
    )
