"""Studies for tests: definitions, and runs that are made up instead of made."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.solution import HISTORY_COLUMNS, Work
from thalweg_lab.study import Grid, Run, RunSpec, Study

METHODS = {"ours": {"name": "auto"}, "Adam 0.01": {"name": "adam", "learning_rate": 0.01}}
MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "system": "Linux x86_64",
    "python": "3.12.1",
    "versions": {"thalweg": "0.1.0", "diffrax": None},
}


def small_study(*, starts: int = 2, **changes: Any) -> Study:
    """XOR and a sine by two methods."""
    grid: dict[str, Any] = {
        "problems": ("xor", "sine"),
        "methods": METHODS,
        "starts": tuple(range(starts)),
        "stop": {"steps": 3},
    }
    return Study(name="small", title="A small study", grids=(Grid(**{**grid, **changes}),))


def made_up(
    spec: RunSpec,
    losses: Sequence[float] = (1.0, 0.5, 0.1),
    *,
    measures: Sequence[float] | None = None,
    **changes: Any,
) -> Run:
    """A run as if it had been made: one gradient and a tenth of a second a row."""
    rows = len(losses)
    history = {name: np.zeros(rows) for name in HISTORY_COLUMNS}
    history |= {
        "step": np.arange(rows),
        "loss": np.asarray(losses, float),
        "seconds": 0.1 * np.arange(rows),
        "gradients": 1 + np.arange(rows),
    }
    if measures is not None:
        history["measure"] = np.asarray(measures, float)
    values = {
        "outcome": "budget spent",
        "loss": float(min(losses, default=math.nan)),
        "measure": 0.25,
        "seconds": 0.1 * (rows - 1),
        "compile_seconds": 1.5,
        "steps": rows - 1,
        "work": {**Work()._asdict(), "gradients": rows},
        "params": np.arange(4.0),
        "path": np.zeros((0, 4)),
        "path_rows": np.zeros(0, np.int64),
        "began": "2026-01-02T03:04:05+00:00",
        "machine": MACHINE,
        "commit": "0123456789abcdef0123456789abcdef01234567+dirty",
    }
    return Run(**{"spec": spec, "history": history, **values, **changes})


def failed(spec: RunSpec, error: str) -> Run:
    """A run that raised."""
    return made_up(spec, (), outcome="failed", error=error, work={}, seconds=0.0, steps=0)
