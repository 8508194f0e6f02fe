"""The record of one run: what was run on what, how it went, and enough to run it again.

Times and work to each target are read off the whole history; what is kept of the history itself
is thinned to at most `KEPT_ROWS` rows, evenly spaced in the logarithm of the step.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg.solution import Solution

SCHEMA_VERSION = 1
KEPT_ROWS = 400
KEPT_COLUMNS = ("step", "seconds", "gradients", "loss", "grad_norm", "h", "rejected_steps")


@dataclasses.dataclass(frozen=True)
class FirstBelow:
    """When a run first reached a target.

    Attributes:
        target: The loss that was to be reached.
        seconds: Wall time without compilation; None where it was not reached.
        gradients: Gradients by then; None where it was not reached.
    """

    target: float
    seconds: float | None
    gradients: int | None


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One finished run.

    Attributes:
        problem: Name of the problem.
        method: The name that was asked for, such as `auto`.
        settings: The method's settings, in words.
        seed: Seed of the starting parameters.
        budget: Seconds that the run was given, compilation not counted.
        ran: The name of the method that ran, which `auto` picks.
        reason: Why it was picked, where it was.
        outcome: Why the run ended, one of the values of `thalweg.Outcome`.
        message: The outcome in a sentence.
        loss: The least loss.
        measure: The problem's own measure of the parameters returned.
        seconds: Wall time without compilation.
        compile_seconds: Wall time spent compiling.
        steps: Accepted steps.
        work: Totals of the work counters.
        ladder: When each target was first reached.
        history: The columns `KEPT_COLUMNS`, thinned.
        schema_version: Version of this layout.
    """

    problem: str
    method: str
    settings: str
    seed: int
    budget: float
    ran: str
    reason: str
    outcome: str
    message: str
    loss: float
    measure: float
    seconds: float
    compile_seconds: float
    steps: int
    work: dict[str, int]
    ladder: tuple[FirstBelow, ...]
    history: dict[str, np.ndarray]
    schema_version: int = SCHEMA_VERSION

    def as_json(self) -> dict[str, Any]:
        """The record as values that JSON knows; what is not finite becomes null."""
        return json_values(dataclasses.asdict(self))


def record_of(
    solution: Solution,
    *,
    problem: str,
    method: str,
    settings: str,
    seed: int,
    budget: float,
    targets: tuple[float, ...],
    measure: float,
) -> RunRecord:
    """The record of a solution, with what it does not know itself."""
    history = solution.history
    return RunRecord(
        problem=problem,
        method=method,
        settings=settings,
        seed=seed,
        budget=budget,
        ran=solution.method,
        reason=solution.reason,
        outcome=solution.outcome.value,
        message=solution.message,
        loss=solution.loss,
        measure=measure,
        seconds=float(max(history["seconds"], default=0.0)),
        compile_seconds=solution.compile_seconds,
        steps=int(max(history["step"], default=0)),
        work={name: int(count) for name, count in solution.work._asdict().items()},
        ladder=tuple(first_below(history, target) for target in targets),
        history=thin(history),
    )


def first_below(history: Mapping[str, np.ndarray], target: float) -> FirstBelow:
    """When the loss of a history was first at or below a target."""
    rows = np.flatnonzero(history["loss"] <= target)
    if not rows.size:
        return FirstBelow(target, None, None)
    row = rows[0]
    return FirstBelow(target, float(history["seconds"][row]), int(history["gradients"][row]))


def thin(history: Mapping[str, np.ndarray], *, rows: int = KEPT_ROWS) -> dict[str, np.ndarray]:
    """The kept columns at no more than `rows` rows: the first, the last and between them."""
    count = len(history["loss"])
    kept = np.arange(count)
    if count > rows:
        kept = np.unique(np.geomspace(1, count, rows).round().astype(int) - 1)
    return {name: np.asarray(history[name])[kept] for name in KEPT_COLUMNS}


def json_values(value: Any) -> Any:
    """Nested dictionaries, sequences and arrays as lists; NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_values(value.tolist())
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
