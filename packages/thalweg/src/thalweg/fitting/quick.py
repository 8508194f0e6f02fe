"""A run of a jitted method with as little around it as possible, for fits of milliseconds.

It makes the same steps as `minimize`, up to `ROWS` of them in a call, without callbacks, progress
or checkpoints.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._run.step_loop import WHOLES
from thalweg.solution import HISTORY_COLUMNS, End, Outcome, Start, Work
from thalweg.solvers.base import CONVERGED, OUTCOMES, RUNNING
from thalweg.stop import DEFAULT_SECONDS

if TYPE_CHECKING:
    from thalweg.fitting.engine import Engine
    from thalweg.fitting.residuals import Data


def run_quickly(
    engine: Engine, method: Any, data: Data, v: np.ndarray, *, is_judged: bool
) -> Start:
    """Run a method from v to its end.

    Args:
        engine: The programs.
        method: A jitted method without successors.
        data: The data.
        v: The start, in the variables without bounds, `(k,)`.
        is_judged: Whether the method looks closer at its end, which takes it seconds where a
            direction is flat.

    Returns:
        What came of it. `params` is the vector v at the end, `(k,)`.
    """
    flow = engine.flow(data)
    begin, onward = engine.loops(method, flow)
    leaves = tuple(jax.tree.leaves(data))
    began = time.perf_counter() - engine.compile_seconds
    outcome, tables, times = Outcome.BUDGET_SPENT, [], [0.0]
    chunk = begin(leaves, v)
    while True:
        filled, code = int(chunk.filled), int(chunk.loop.code)
        tables.append(chunk.rows.columns(filled))
        times.append(time.perf_counter() - engine.compile_seconds - began)
        if code != RUNNING:
            outcome = OUTCOMES[code]
            break
        if times[-1] > DEFAULT_SECONDS:
            break
        try:
            chunk = onward(leaves, chunk.loop)
            jax.block_until_ready(chunk.filled)
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
            break
    loop = chunk.loop
    is_end = int(loop.code) == CONVERGED
    theta = np.asarray(loop.theta if is_end else loop.best_theta)
    end = End(outcome)
    if is_judged and OUTCOMES.get(int(loop.code)) is outcome:
        end = method.ending(engine.flow_with(data), loop.theta, loop.solver_state, outcome)
    history = _history(tables, times)
    work = Work._make(int(history[name][-1]) for name in Work._fields)
    loss = float(loop.loss if is_end else loop.best_loss)
    return Start(0, None, theta, loss, end.outcome, end.detail, history, work)


def _history(tables: list[dict[str, np.ndarray]], times: list[float]) -> dict[str, np.ndarray]:
    """The history of all calls: row 0 the start, then a row a step."""
    log = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    seconds = [
        np.linspace(times[k], times[k + 1], len(table["t"]) + 1)[1:]
        for k, table in enumerate(tables)
    ]
    wholes = {name: np.concatenate([[0], log[name]]) for name in WHOLES}
    reals = {
        "t": np.concatenate([[0.0], log["t"]]),
        "h": np.concatenate([[np.nan], log["h"]]),
        "seconds": np.concatenate([[0.0], *seconds]),
        "loss": np.concatenate([log["start_loss"][:1], log["loss"]]),
        "grad_norm": np.concatenate([log["start_grad_norm"], [np.nan]]),
    }
    known = {"step": np.arange(len(log["t"]) + 1), **reals, **wholes}
    return {name: known[name] for name in HISTORY_COLUMNS}
