"""Adam for a number of steps, then L-BFGS: the usual recipe for physics-informed networks.

Adam finds a valley from a poor start, where L-BFGS may end in a bad place; L-BFGS then goes down
it, where Adam would crawl. Adam's steps run inside jit, L-BFGS is SciPy's.

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
from thalweg.solvers.adapters.scipy_minimize import LBFGS
from thalweg.solvers.base import AbstractHostMethod

if TYPE_CHECKING:
    from thalweg._recorder import Recorder
    from thalweg.flow import Flow
    from thalweg.solution import Outcome

CHUNK = 200  # the most steps of Adam between two looks at the clock ...
LOOK_AFTER = 0.05  # ... which come about every so many seconds


class _Walk(NamedTuple):
    """A chunk of Adam's steps.

    Attributes:
        done: Steps taken.
        at: The point after them, shape `(n,)`.
        seen: The point before the last of them, to which the last loss belongs.
        state: Optax's.
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
    """Adam, then SciPy's L-BFGS-B from where it ends.

    Attributes:
        steps: Of Adam. At least 0.
        learning_rate: Of Adam. Positive.
        maxcor: Pairs that L-BFGS keeps. At least 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost: a gradient a step of Adam, then that of `l-bfgs`. Adam looks at the clock every 0.05
    seconds, or after each step where that takes longer.
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
        if self.steps < 0:
            raise ConfigError(f"`steps` is {self.steps!r}, but at least 0 was expected")
        if not (self.learning_rate > 0 and np.isfinite(self.learning_rate)):
            raise ConfigError(
                f"`learning_rate` is {self.learning_rate!r}, but a finite number above 0 was "
                "expected"
            )
        LBFGS(maxcor=self.maxcor)

    def check(self, flow: Flow) -> None:
        """Nothing is refused."""

    def run(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[Outcome, str]:
        """Adam until its steps or the budget are spent, then L-BFGS."""
        at, spent = self._adam(flow, theta, recorder)
        return LBFGS(maxcor=self.maxcor).run(flow, at, recorder, spent=spent)

    def _adam(self, flow: Flow, theta: np.ndarray, recorder: Recorder) -> tuple[np.ndarray, int]:
        """The point after Adam, and the gradients that were spent on the way there."""
        import optax

        optimiser = optax.adam(self.learning_rate)

        def chunk(data: Any, start: Any, most: jax.Array, target: jax.Array) -> Any:
            def goes_on(walk: _Walk) -> jax.Array:
                last = walk.losses[walk.done - 1]
                is_good = (walk.done == 0) | (jnp.isfinite(last) & (last > target))
                return (walk.done < most) & is_good

            def step(walk: _Walk) -> _Walk:
                loss, grad = flow.value_and_grad(data, walk.at)
                updates, state = optimiser.update(grad, walk.state, walk.at)
                return _Walk(
                    done=walk.done + 1,
                    at=jnp.asarray(optax.apply_updates(walk.at, updates)),
                    seen=walk.at,
                    state=state,
                    losses=walk.losses.at[walk.done].set(loss),
                    norms=walk.norms.at[walk.done].set(jnp.linalg.norm(grad)),
                )

            at, state = start
            unknown = jnp.full(CHUNK, jnp.nan, at.dtype)
            return jax.lax.while_loop(goes_on, step, _Walk(0, at, at, state, unknown, unknown))

        stop = recorder.stop
        target = np.asarray(-np.inf if stop.loss is None else stop.loss, flow.spec.dtype)
        start = (jnp.asarray(theta), optimiser.init(jnp.asarray(theta)))
        program = compiled(
            flow,
            (self.name, self.learning_rate),
            chunk,
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
            if stop.steps is not None:  # the start is row 0, and no step
                left = min(left, max(1, int(stop.steps) + 1 - spent))
            walk = jax.block_until_ready(
                program(flow.data, start, np.int32(min(most, left)), target)
            )
            done, start = int(walk.done), (walk.at, walk.state)
            took = (recorder.seconds - began) / done
            rows: dict[str, Any] = {name: np.zeros(done, np.int64) for name in Work._fields}
            recorder.extend(
                {
                    **rows,
                    "t": np.full(done, np.nan),
                    "h": np.full(done, np.nan),
                    "seconds": began + took * np.arange(1, done + 1),
                    "loss": np.asarray(walk.losses[:done], np.float64),
                    "grad_norm": np.asarray(walk.norms[:done], np.float64),
                    "rejected": np.zeros(done, np.int64),
                    "gradients": spent + np.arange(1, done + 1),
                },
                theta=np.asarray(walk.seen),
            )
            spent += done
            recorder.check()
            most = int(np.clip(LOOK_AFTER / max(took, 1e-9), 1, CHUNK))
        return np.asarray(start[0]), spent
