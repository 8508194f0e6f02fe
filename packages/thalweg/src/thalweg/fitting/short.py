"""A short run of Levenberg-Marquardt steps, tried before the careful method of `auto`.

Most fits need no more: they start where the normal equations lead to the minimum. One small program
holds the whole run, so that a new model compiles quickly and a further fit takes one call. Its end
is taken only where a minimum is certain and explains the data; else `auto`'s method starts over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.fitting.batch import CONVERGED, REFINED, State, begin, step
from thalweg.fitting.residuals import variation
from thalweg.solution import HISTORY_COLUMNS, Outcome, Start, Work
from thalweg.solvers.integrators.column_units import explains
from thalweg.solvers.integrators.scaled import about_not_finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.batch import Residuals
    from thalweg.fitting.engine import Engine
    from thalweg.fitting.residuals import Data, Form

NAME = "levenberg-marquardt"
REASON = "a short run ended at a certain minimum that explains the data"
MOST_STEPS = 60  # attempts; fits that need more start over with the careful method


class Row(NamedTuple):
    """What attempts leave for the history, `(MOST_STEPS,)` each."""

    loss: jax.Array
    grad_norm: jax.Array
    is_taken: jax.Array


class Short(NamedTuple):
    """A short run.

    Attributes:
        state: How it ended.
        rows: The attempts, the evaluation of the start as the first.
        attempts: How many there were.
    """

    state: State
    rows: Row
    attempts: jax.Array


def short_run(residuals: Residuals) -> Callable[[Data, Any], Short]:
    """The whole run as one pure function of data and start, `(k,)`; to be jitted."""

    def run(data: Data, theta: jax.Array) -> Short:
        def goes_on(carry: tuple[jax.Array, State, Row]) -> jax.Array:
            return (carry[0] < MOST_STEPS) & (carry[1].code <= REFINED)

        def attempt(carry: tuple[jax.Array, State, Row]) -> tuple[jax.Array, State, Row]:
            count, state, rows = carry
            new = step(residuals, data, state)
            is_taken = (count == 0) | jnp.any(new.at.theta != state.at.theta)
            row = Row(new.at.loss, jnp.linalg.norm(new.at.gradient), is_taken)
            return count + 1, new, jax.tree.map(lambda all_, k: all_.at[count].set(k), rows, row)

        size = jax.eval_shape(residuals, data, theta).size
        whole = jnp.zeros(size, theta.dtype), jnp.zeros((size, theta.size), theta.dtype)
        none = jnp.zeros(MOST_STEPS, theta.dtype)
        first = jnp.int32(0), begin(theta, whole), Row(none, none, none.astype(bool))
        count, state, rows = jax.lax.while_loop(goes_on, attempt, first)
        return Short(state, rows, count)

    return run


def run_short(
    engine: Engine, data: Data, v: np.ndarray
) -> tuple[Start, np.ndarray, np.ndarray] | None:
    """Try a short run from v.

    Args:
        engine: The programs.
        data: The data.
        v: The start, in the variables without bounds, `(k,)`.

    Returns:
        What came of it, residuals `(m,)` and Jacobian `(m, k)` at the end; None where the end is
        not to be trusted.
    """
    began = time.perf_counter() - engine.compile_seconds
    short = engine.short(data, v)
    jax.block_until_ready(short)
    seconds = time.perf_counter() - engine.compile_seconds - began
    if not _is_trusted(short.state, data, engine.form):
        return None
    at = short.state.at
    history = _history(short, seconds)
    work = Work._make(int(history[name][-1]) for name in Work._fields)
    theta, loss = np.asarray(at.theta), float(at.loss)
    detail = about_not_finite(int(short.state.not_finite)).strip()
    end = Start(0, None, theta, loss, Outcome.CONVERGED, detail, history, work)
    return end, np.asarray(at.whole[0]), np.asarray(at.whole[1])


def _is_trusted(state: State, data: Data, form: Form) -> bool:
    """Whether a run ended at a certain minimum that explains the data.

    A start may be close already, so that a loss counts as small also beside that of a constant.
    """
    if int(state.code) not in {REFINED, CONVERGED}:
        return False
    beside = float(state.start_loss)
    if form.loss == "linear":
        beside = max(beside, variation(data, form.sigma) / 2)
    theta = np.asarray(state.at.theta)
    sizes = np.diagonal(np.asarray(state.at.normal)) * theta * theta
    return bool(explains(float(state.at.loss), beside, sizes))


def _history(short: Short, seconds: float) -> dict[str, np.ndarray]:
    """The history: row 0 the start, then a row an accepted step."""
    rows = Row._make(np.asarray(column)[: int(short.attempts)] for column in short.rows)
    attempt = np.flatnonzero(rows.is_taken)
    steps = np.arange(len(attempt))
    unknown, none = np.full(len(steps), np.nan), np.zeros(len(steps), np.int64)
    known = dict.fromkeys(HISTORY_COLUMNS, none) | {
        "step": steps,
        "t": unknown,
        "h": unknown,
        "seconds": seconds * attempt / max(int(attempt[-1]), 1),
        "loss": rows.loss[attempt],
        "grad_norm": rows.grad_norm[attempt],
        "rejected": np.diff(attempt - steps, prepend=0),
        "rejected_steps": attempt - steps,
        "gradients": attempt + 1,
        "jacobians": attempt + 1,
        "factorizations": attempt,
    }
    return {name: known[name] for name in HISTORY_COLUMNS}
