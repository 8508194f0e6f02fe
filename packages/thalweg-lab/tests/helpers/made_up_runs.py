"""Runs of the study `revisited`, made up row by row, so that what they show is known."""

from typing import Any

import numpy as np

from thalweg.solution import HISTORY_COLUMNS, Work
from thalweg_lab.study import Run, RunSpec

SIZES = {"xor": 9, "iris": 83}


def made_up(problem, how, *, start=0, params=None, outcome="budget spent", **columns):
    """A run with some columns of its history given and the others 0."""
    params = np.zeros(SIZES[problem]) if params is None else params
    length = len(next(iter(columns.values())))
    history: dict[str, Any] = {name: np.zeros(length) for name in HISTORY_COLUMNS}
    history["step"] = np.arange(length)
    history |= {name: np.asarray(values, float) for name, values in columns.items()}
    path = np.asarray(columns.pop("path", np.empty((0, len(params)))), float)
    rows = history.pop("path_rows", np.empty(0)).astype(int)
    history.pop("path", None)
    return Run(
        spec=RunSpec(problem, how.label, how.maker, start, {"seconds": 1.0}),
        outcome=outcome,
        loss=float(np.min(history["loss"])),
        seconds=float(history["seconds"][-1]),
        steps=length - 1,
        work={name: int(history[name][-1]) for name in Work._fields},
        history=history,
        params=np.asarray(params, float),
        path=path,
        path_rows=rows,
    )


def rows_of(table) -> list[dict[str, Any]]:
    """The rows of a table by column."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def end(how, layers, *, start=0, loss=0.0):
    """A run on exclusive or that ended at some weights."""
    flat = np.concatenate([np.ravel(leaf) for layer in layers for leaf in layer])
    return made_up("xor", how, start=start, params=flat, loss=[0.3, loss])


def solution_of_xor():
    """Two units that fit the four patterns exactly: (biases, weights) a layer, as JAX sorts them.

    With u = tanh(x + y - ½) and v = tanh(x + y - 3/2) the output is a u - a v + c, equal at the
    ends x + y = 0 and 2, and higher between.
    """
    low, high = np.tanh(-0.5) - np.tanh(-1.5), np.tanh(0.5) - np.tanh(-0.5)
    a = 1 / (high - low)
    hidden = (np.array([-0.5, -1.5]), np.ones((2, 2)))
    return [hidden, (np.array([-a * low]), np.array([[a], [-a]]))]


def twin_of_xor():
    """The same network with its units exchanged and one of them negated."""
    (biases, weights), (c, out) = solution_of_xor()
    signs = np.array([-1.0, 1.0])
    return [
        (biases[::-1] * signs, weights[:, ::-1] * signs),
        (c, out[::-1] * signs[:, None]),
    ]


def other_solution_of_xor():
    """Another exact fit, by the bits' difference: u = tanh(x - y + ½), v = tanh(x - y - ½)."""
    alike, unlike = 2 * np.tanh(0.5), np.tanh(1.5) - np.tanh(0.5)
    a = 1 / (unlike - alike)
    hidden = (np.array([0.5, -0.5]), np.array([[1.0, 1.0], [-1.0, -1.0]]))
    return [hidden, (np.array([-a * alike]), np.array([[a], [-a]]))]


def saddle_of_xor():
    """All patterns at ½ by outer weights 0, with a unit that could tell them apart."""
    return [
        (np.zeros(2), np.array([[1.0, 0.0], [-1.0, 0.0]])),
        (np.array([0.5]), np.zeros((2, 1))),
    ]


def walking(how, *, h, loss_of=lambda t: np.exp(-t), rows=21):
    """A run on exclusive or at rest in its solution, with equal steps of flow time."""
    flat = np.concatenate([np.ravel(leaf) for layer in solution_of_xor() for leaf in layer])
    t = h * np.arange(rows)
    return made_up(
        "xor",
        how,
        params=flat,
        loss=loss_of(t),
        t=t,
        h=np.full(rows, h),
        path=np.tile(flat, (3, 1)),
        path_rows=np.array([0, rows // 2, rows - 1]),
    )
