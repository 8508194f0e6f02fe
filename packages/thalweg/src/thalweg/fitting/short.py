"""A short run of Levenberg-Marquardt steps, tried before the careful method of `auto`.

Most fits need no more: they start where the normal equations lead to the minimum. One small program
holds the whole run, so that a new model compiles quickly and a further fit takes one call. Its end
is taken only where a minimum is certain and explains the data; else `auto`'s method starts over.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.fitting.batch import (
    CONVERGED,
    LEAST_REFINED,
    REFINED,
    State,
    begin,
    certain,
    step,
    with_jacobian,
)
from thalweg.fitting.bounds import box_of
from thalweg.fitting.residuals import variation
from thalweg.solution import HISTORY_COLUMNS, Outcome, Start, Work
from thalweg.solvers.integrators.column_units import explains
from thalweg.solvers.integrators.fit_ends import about_not_finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.fitting.batch import Residuals
    from thalweg.fitting.engine import Engine
    from thalweg.fitting.residuals import Data, Form

NAME = "levenberg-marquardt"
REASON = "a short run ended at a certain minimum that explains the data"
REASON_LEAST = "a short run ended at a certain minimum, and the careful method at none below it"
MOST_STEPS = 60  # attempts; fits that need more start over with the careful method
OF_ROWS = 1 + 3 * MOST_STEPS  # entries of the vector before the state: their count, and the rows


class Short(NamedTuple):
    """A short run, on the host.

    Attributes:
        state: How it ended.
        residuals: S there, `(m,)`.
        jacobian: Its Jacobian, `(m, k)`.
        loss: The loss after each attempt, `(attempts,)`; the first evaluates the start.
        grad_norm: |∇L| there.
        is_taken: Whether the attempt was accepted.
    """

    state: State
    residuals: np.ndarray
    jacobian: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    is_taken: np.ndarray


def short_run(residuals: Residuals, kinds: tuple[int, ...]) -> Callable[[Data, Any], jax.Array]:
    """The whole run as one pure function of data and start, `(k,)`; to be jitted.

    Where parameters have bounds, each step is the best within them.

    It returns one vector, which `_unpacked` reads: each array of a program takes time to fetch.
    """

    def run(data: Data, theta: jax.Array) -> jax.Array:
        box = box_of(kinds, data.low, data.high) if any(kinds) else None

        def goes_on(carry: tuple[jax.Array, State, jax.Array]) -> jax.Array:
            return (carry[0] < MOST_STEPS) & (carry[1].code <= REFINED)

        def attempt(
            carry: tuple[jax.Array, State, jax.Array],
        ) -> tuple[jax.Array, State, jax.Array]:
            count, state, rows = carry
            new = step(residuals, data, state, box, refines=True)
            is_taken = (count == 0) | jnp.any(new.at.theta != state.at.theta)
            row = jnp.stack([new.at.loss, jnp.linalg.norm(new.at.gradient), 1.0 * is_taken])
            return count + 1, new, rows.at[count].set(row)

        first = jnp.int32(0), begin(theta), jnp.zeros((MOST_STEPS, 3), theta.dtype)
        count, state, rows = jax.lax.while_loop(goes_on, attempt, first)
        end = certain(state, LEAST_REFINED, box)
        parts = [
            count,
            rows,
            *jax.tree.leaves(end),
            *with_jacobian(residuals, data, end.at.theta),
        ]
        return jnp.concatenate([part.ravel().astype(theta.dtype) for part in parts])

    return run


def _unpacked(vector: np.ndarray, k: int) -> Short:
    """The run of a fit of k parameters, from its vector."""
    rows = vector[1:OF_ROWS].reshape(-1, 3)[: int(vector[0])]
    structure, places, rest = _places(k)
    state = jax.tree.unflatten(structure, [vector[place].reshape(shape) for place, shape in places])
    m = (len(vector) - rest) // (k + 1)
    s, jacobian = vector[rest : rest + m], vector[rest + m :].reshape(m, k)
    return Short(state, s, jacobian, rows[:, 0], rows[:, 1], rows[:, 2] > 0)


@functools.lru_cache
def _places(k: int) -> tuple[Any, list[tuple[slice, tuple[int, ...]]], int]:
    """The structure of a `State`, where its leaves lie in a vector, and where they end."""
    leaves, structure = jax.tree.flatten(begin(np.zeros(k), arrays=np))
    ends = OF_ROWS + np.cumsum([np.size(leaf) for leaf in leaves])
    places = [
        (slice(int(end) - np.size(leaf), int(end)), np.shape(leaf))
        for end, leaf in zip(ends, leaves, strict=True)
    ]
    return structure, places, int(ends[-1])


class ShortEnd(NamedTuple):
    """A certain minimum that a short run ended at.

    Attributes:
        start: What came of the start; `params` has the parameters there.
        residuals: S there, `(m,)`.
        jacobian: Its Jacobian, `(m, k)`.
        explains: Whether it explains the data, so that no other trial is worth its time.
    """

    start: Start
    residuals: np.ndarray
    jacobian: np.ndarray
    explains: bool


def run_short(engine: Engine, data: Data, start: np.ndarray) -> ShortEnd | None:
    """Try a short run.

    Args:
        engine: The programs.
        data: The data.
        start: The start within the bounds, `(k,)`.

    Returns:
        What came of it; None where it did not end at a certain minimum.
    """
    began = time.perf_counter() - engine.compile_seconds
    short = _unpacked(np.asarray(engine.short(data, start)), len(start))
    seconds = time.perf_counter() - engine.compile_seconds - began
    state = short.state
    if int(state.code) not in {REFINED, CONVERGED}:
        return None
    history = _history(short, seconds)
    work = Work._make(int(history[name][-1]) for name in Work._fields)
    detail = about_not_finite(int(state.not_finite)).strip()
    theta, loss = state.at.theta, float(state.at.loss)
    end = Start(0, None, theta, loss, Outcome.CONVERGED, detail, history, work)
    explained = _explains(state, data, engine.form)
    return ShortEnd(end, short.residuals, short.jacobian, explained)


def _explains(state: State, data: Data, form: Form) -> bool:
    """Whether a minimum explains the data.

    A start may be close already, so that a loss counts as small also beside that of a constant.
    """
    beside = float(state.start_loss)
    if form.loss == "linear":
        beside = max(beside, variation(data, form.sigma) / 2)
    sizes = np.diagonal(state.at.normal) * state.at.theta**2
    return bool(explains(float(state.at.loss), beside, sizes))


def _history(short: Short, seconds: float) -> dict[str, np.ndarray]:
    """The history: row 0 the start, then a row an accepted step."""
    attempt = np.flatnonzero(short.is_taken)
    steps = np.arange(len(attempt))
    unknown, none = np.full(len(steps), np.nan), np.zeros(len(steps), np.int64)
    known = dict.fromkeys(HISTORY_COLUMNS, none) | {
        "step": steps,
        "t": unknown,
        "h": unknown,
        "seconds": seconds * attempt / max(int(attempt[-1]), 1),
        "loss": short.loss[attempt],
        "grad_norm": short.grad_norm[attempt],
        "rejected": np.diff(attempt - steps, prepend=0),
        "rejected_steps": attempt - steps,
        "gradients": attempt + 1,
        "jacobians": attempt + 1,
        "factorizations": attempt,
    }
    return {name: known[name] for name in HISTORY_COLUMNS}
