"""Early stopping: a run ends when the loss on other data has not fallen for some seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow import MEMORY_BUDGET, flow_of
from thalweg.flow.flatten import flatten
from thalweg.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._rows import Rows

DECREASE = 1e-3  # the relative decrease of the validation loss that counts as progress
SHARE = 0.1  # of the time of a run that evaluations of the validation loss may take


@final
class EarlyStopping:
    """Ends a run when the validation loss has made no progress for a while.

    Pass it as `on_rows` to `thalweg.minimize`, for a single run. The loss is evaluated after calls
    of the compiled program, so the run keeps its speed; evaluations take at most a tenth of the
    time. Progress is a decrease by a thousandth. One object serves one run.

    Args:
        validation: The problem on other data, such as the `LeastSquares` of held-out examples; or a
            function from the parameters to a number.
        seconds: How long the run goes on without progress, in its own time, without compilation.
            Above 0.

    Attributes:
        params: The parameters with the least validation loss; None before a first evaluation.
        loss: That loss; infinite before.
        history: Of each evaluation: "step", "seconds" and the validation "loss".

    Raises:
        ConfigError: An argument is not what is described.

    Examples:
        >>> import jax.numpy as jnp
        >>> import thalweg as tw
        >>> x = jnp.linspace(0.0, 1.0, 8)
        >>> def residual(p, x, y):
        ...     return p["a"] * x - y
        >>> held_out = tw.EarlyStopping(tw.LeastSquares(residual, data=(x, 3 * x)), seconds=5)
        >>> problem = tw.LeastSquares(residual, data=(x, 2 * x))
        >>> solution = tw.minimize(problem, {"a": jnp.ones(())}, on_rows=held_out)
        >>> bool(held_out.loss < 0.3)
        True
    """

    def __init__(self, validation: Problem | Callable[[Any], Any], *, seconds: float) -> None:
        if not (isinstance(validation, Problem) or callable(validation)):
            raise ConfigError(
                f"`validation` is of type {type(validation).__name__}, but a problem or a function "
                "of the parameters was expected"
            )
        if not seconds > 0:
            raise ConfigError(f"`seconds` is {seconds}, but a number above 0 was expected")
        self._validation = validation
        self._seconds = seconds
        self._loss: Callable[[Any], float] | None = None
        self._mark, self._marked_at = np.inf, 0.0  # at the last progress
        self._quiet_until = -np.inf
        self.params: Any = None
        self.loss = np.inf
        self.history: dict[str, list[float]] = {"step": [], "seconds": [], "loss": []}

    def __call__(self, rows: Rows) -> bool:
        """Evaluate if it is time; true where the run is to end."""
        if not len(rows["step"]) or not (rows.is_last or time.perf_counter() > self._quiet_until):
            return False
        if rows.start > 0:
            raise ConfigError("`EarlyStopping` is for a single run; leave out `starts`")
        params, now = rows.params, float(rows["seconds"][-1])
        if self._loss is None:
            self._loss = _loss_of(self._validation, params)
        began = time.perf_counter()
        loss = self._loss(params)
        ended = time.perf_counter()
        self._quiet_until = ended + (ended - began) * (1 / SHARE - 1)
        for name, value in (("step", int(rows["step"][-1])), ("seconds", now), ("loss", loss)):
            self.history[name].append(value)
        if loss < self.loss:
            self.loss, self.params = loss, params
        if loss < self._mark - DECREASE * abs(self._mark) or not np.isfinite(self._mark):
            self._mark, self._marked_at = loss, now
        return now - self._marked_at >= self._seconds


def _loss_of(validation: Any, params: Any) -> Callable[[Any], float]:
    """The validation loss as a function of the parameters, compiled where it is a problem's."""
    if not isinstance(validation, Problem):
        validation(params)  # it may compile
        return lambda params: float(validation(params))
    theta, spec = flatten(params)
    flow = flow_of(validation, spec, memory_budget=MEMORY_BUDGET, devices=None)
    program = flow.jit(flow.loss)
    jax.block_until_ready(program(flow.data, theta))  # compiled before it is timed
    return lambda params: float(program(flow.data, flatten(params)[0]))
