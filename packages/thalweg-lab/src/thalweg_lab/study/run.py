"""One run of a study: executed from its specification, and kept as a complete record."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import math
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from thalweg._util.machine import this_machine
from thalweg.solution import HISTORY_COLUMNS, Outcome
from thalweg.stop import Stop
from thalweg_lab.study.spec import RunSpec

if TYPE_CHECKING:
    from thalweg._recorder import Snapshot
    from thalweg.solution import Solution
    from thalweg_lab.problems import TrainingProblem

__all__ = ["FAILED", "SCHEMA_VERSION", "Run", "RunSpec", "execute", "load_problem", "params_of"]

SCHEMA_VERSION = 2  # of the records; raised by every change that an older thalweg would misread
FAILED = "failed"  # outcome of a run that raised
MEASURE_SPACING = 1.02  # the measure is taken at each step up to 50, then at intervals of 2 %
PATH_POINTS = 40  # kept along the trajectory, evenly spaced in the logarithm of the step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    Attributes:
        spec: What was asked for.
        outcome: One of the values of `thalweg.Outcome`, or `failed` where it raised.
        message: The outcome in a sentence.
        error: What a failed run raised; empty for the others.
        ran: The name of the method that ran: what `auto` chose, or the method asked for.
        reason: Why `auto` chose it; otherwise empty.
        loss: The least loss; NaN where there is none.
        measure: The problem's measure of `params`; NaN where there is none.
        seconds: Wall time without compilation.
        compile_seconds: Wall time of compilation; less where earlier runs left compiled programs.
        steps: Accepted steps.
        work: Totals of the work counters, by the names of `thalweg.Work`.
        history: All columns of `thalweg.Solution.history`. Where `measure` was watched, also a
            column `measure`, NaN at rows where it was not taken.
        params: The best parameters as one vector, shape `(n,)`; `params_of` gives the pytree.
        path: Where `path` was watched, parameters along the trajectory, shape `(k, n)`; otherwise
            `(0, n)`.
        path_rows: The row of `history` that each of them belongs to, shape `(k,)`, ascending.
        began: Start time in ISO 8601, with the offset from UTC.
        machine: Processor, cores, system, and versions of Python and the libraries.
        threads: Limit on the threads of XLA and BLAS; None for the number of cores.
        commit: The commit of thalweg's checkout, with `+dirty` where it has changes; None where
            thalweg runs from an installed package.
        schema_version: Version of this layout.
    """

    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}  # of `Store`, for arrays

    spec: RunSpec
    outcome: str
    message: str = ""
    error: str = ""
    ran: str = ""
    reason: str = ""
    loss: float = math.nan
    measure: float = math.nan
    seconds: float = 0.0
    compile_seconds: float = 0.0
    steps: int = 0
    work: dict[str, int] = dataclasses.field(default_factory=dict)
    history: dict[str, np.ndarray]
    params: np.ndarray
    path: np.ndarray
    path_rows: np.ndarray
    began: str = ""
    machine: dict[str, Any] = dataclasses.field(default_factory=dict)
    threads: int | None = None
    commit: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def id(self) -> str:
        """The id of its specification."""
        return self.spec.id

    @property
    def is_failed(self) -> bool:
        """Whether it raised."""
        return self.outcome == FAILED


def execute(spec: RunSpec, *, threads: int | None = None) -> Run:
    """Execute a run. JAX's x64 flag must be on.

    Watched quantities are computed after the run from parameters copied during it, so they do not
    count in `seconds`. Nevertheless a watched run of a method with a jitted loop is slower, since
    it returns to the host after each step; the loops of other libraries do so anyway.

    Args:
        spec: What to run.
        threads: The limit on this process's threads, for the record.

    Returns:
        The run. A run that raised is returned too, with the error in it.

    Raises:
        KeyboardInterrupt: Ctrl-C; an interrupted run leaves no record.
    """
    began = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    context = {
        "spec": spec,
        "began": began,
        "machine": dataclasses.asdict(this_machine()),
        "threads": threads,
        "commit": commit(),
    }
    try:
        return _execute(spec, context)
    except Exception as error:  # noqa: BLE001 - an error is a result of the run
        return Run(
            **context,
            outcome=FAILED,
            message=f"The run raised {type(error).__name__}.",
            error=f"{type(error).__name__}: {error}",
            history={name: np.empty(0) for name in HISTORY_COLUMNS},
            params=np.empty(0),
            path=np.empty((0, 0)),
            path_rows=np.empty(0, np.int64),
        )


def _execute(spec: RunSpec, context: dict[str, Any]) -> Run:
    from thalweg._minimize import minimize
    from thalweg.flow.flatten import flatten
    from thalweg_lab.study.configured import configured

    task = load_problem(spec.problem)
    start = task.start(spec.start)
    theta = flatten(start)[0]
    trail = _Trail(theta) if spec.watch else None
    solution = minimize(
        task.problem, start, configured(spec.maker), Stop(**spec.stop), callback=trail
    )
    if solution.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    history = dict(solution.history)
    rows, path = _path_of(trail, history) if trail is not None else (np.empty(0, int), None)
    if trail is not None and "measure" in spec.watch:
        history["measure"] = _measures(task, trail, len(history["loss"]))
    if path is None or "path" not in spec.watch:
        rows, path = np.empty(0, np.int64), np.empty((0, theta.size), theta.dtype)
    return Run(
        **context,
        outcome=solution.outcome.value,
        message=solution.message,
        ran=solution.method,
        reason=solution.reason,
        loss=solution.loss,
        measure=_measure(task, solution),
        seconds=solution.seconds,
        compile_seconds=solution.compile_seconds,
        steps=int(max(history["step"], default=0)),
        work={name: int(count) for name, count in solution.work._asdict().items()},
        history=history,
        params=flatten(solution.params)[0],
        path=path,
        path_rows=rows,
    )


@functools.lru_cache(maxsize=4)
def load_problem(name: str) -> TrainingProblem:
    """A problem, cached so that the next run on it compiles nothing again."""
    from thalweg_lab import problems

    return problems.load(name)


def params_of(run: Run, theta: np.ndarray | None = None) -> Any:
    """A parameter vector of a run, such as a row of its path, as the problem's pytree.

    Args:
        run: The run; its problem is loaded for the layout of the pytree.
        theta: Shape `(n,)`; by default the run's `params`.
    """
    return _unravel(load_problem(run.spec.problem), run.params if theta is None else theta)


def _unravel(task: TrainingProblem, theta: np.ndarray) -> Any:
    import jax.numpy as jnp

    from thalweg.flow.flatten import flatten

    _, spec = flatten(task.start(0))
    return spec.unravel(jnp.asarray(theta, spec.dtype))


# --------------------------------------------------------------------------------- what is watched


class _Trail:
    """A callback that copies parameters at steps with increasing spacing."""

    def __init__(self, start: np.ndarray) -> None:
        self.thetas = {0: np.array(start)}
        self._next = 1
        self.last: tuple[int, Any] = (0, start)

    def __call__(self, snapshot: Snapshot) -> bool:
        if snapshot.step >= self._next:
            self.thetas[snapshot.step] = np.array(snapshot.theta)
            self._next = max(snapshot.step + 1, math.ceil(snapshot.step * MEASURE_SPACING))
        # Some libraries write the next point into the same array.
        self.last = (snapshot.step, np.array(snapshot.theta))
        return False

    def rows(self, count: int) -> list[int]:
        """The rows whose parameters were kept, including the last."""
        step, theta = self.last
        self.thetas[step] = np.asarray(theta)
        return sorted(row for row in self.thetas if row < count)


def _path_of(trail: _Trail, history: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Up to `PATH_POINTS` of the kept points, including the first and the last."""
    rows = np.asarray(trail.rows(len(history["loss"])))
    if len(rows) > PATH_POINTS:
        wanted = np.geomspace(1, rows[-1] + 1, PATH_POINTS) - 1
        rows = np.unique(rows[np.searchsorted(rows, wanted - 1e-9).clip(max=len(rows) - 1)])
    return rows, np.stack([trail.thetas[row] for row in rows.tolist()])


def _measures(task: TrainingProblem, trail: _Trail, count: int) -> np.ndarray:
    values = np.full(count, np.nan)
    for row in trail.rows(count):
        values[row] = task.measure.of(_unravel(task, trail.thetas[row]))
    return values


def _measure(task: TrainingProblem, solution: Solution) -> float:
    return float(task.measure.of(solution.params))


# ------------------------------------------------------------------------------------- the commit


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that thalweg runs from; None without a checkout."""
    folder = Path(__file__).parent
    try:
        # The environment may lie inside another repository, which does not track this file.
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        changed = _git(folder.parent, "status", "--porcelain", "--", ".")
        return _git(folder, "rev-parse", "HEAD") + ("+dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", *arguments],  # noqa: S607 - git is where the user has it
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
