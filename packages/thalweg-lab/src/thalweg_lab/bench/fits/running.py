"""Makes the missing fits, problem by problem, in processes that each have their share of the cores.

    runs/COLLECTION.PROBLEM.SOLVER.json     the fits of a solver from all starts of a problem

A file that exists is not made again. To measure a changed thalweg, remove `runs/*.thalweg.json`.
"""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from typing import TYPE_CHECKING

import pydantic

from thalweg._util.files import whole_file
from thalweg.errors import ConfigError
from thalweg_lab.bench.fits.record import Fit, fit
from thalweg_lab.bench.fits.solvers import NIST_ONLY, available
from thalweg_lab.study.mistakes import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from thalweg_lab.fits import FitProblem

RUNS = "runs"
QUICK = ("Misra1a", "BoxBOD", "MGH17", "Rosenbrock", "Freudenstein-Roth", "LSC2LS")
_FITS = pydantic.TypeAdapter(list[Fit])


def chosen(suite: str, only: Sequence[str] = ()) -> tuple[FitProblem, ...]:
    """The problems of a suite, or those that are named.

    Args:
        suite: `quick` for six problems, `full` for all.
        only: Names of problems; then the suite does not matter.

    Raises:
        ConfigError: A name is unknown.
    """
    from thalweg_lab.fits import problems

    names = {task.name for task in problems()}
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ConfigError(
            f"no problem is called `{unknown[0]}`; choose from "
            f"{', '.join(f'`{name}`' for name in sorted(names))}"
        )
    wanted = set(only) or (set(QUICK) if suite == "quick" else names)
    return tuple(task for task in problems() if task.name in wanted)


def run_fits(
    tasks: Sequence[FitProblem],
    folder: Path,
    *,
    seconds: float,
    jobs: int,
    show: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Fit]:
    """Make the missing fits of all entrants that are installed, and load all.

    Args:
        tasks: The problems.
        folder: Where the records are kept; created where it does not exist.
        seconds: The budget of each fit, without compilation.
        jobs: Processes side by side.
        show: Called after each problem with its name, the number of problems done, and of all.

    Raises:
        ConfigError: A record cannot be read or written.
        ThalwegError: A worker process died; finished fits stay in the folder.
    """
    missing = [task.name for task in tasks if _missing(task, folder)]
    made = _made(missing, folder, seconds=seconds, jobs=jobs)
    with contextlib.closing(made), warnings.catch_warnings():
        # What XLA compiles makes a worker grow, and joblib then replaces it.
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
        for done, name in enumerate(made, 1):
            show(name, done, len(missing))
    return [
        fit for task in tasks for solver in entrants(task) for fit in _load(task, solver, folder)
    ]


def entrants(task: FitProblem) -> list[str]:
    """The labels of the entrants on a problem."""
    return [s for s in available() if task.collection == "NIST" or s not in NIST_ONLY]


def _made(names: Sequence[str], folder: Path, *, seconds: float, jobs: int) -> Generator[str]:
    """Names of problems whose missing fits have been made, in any order."""
    from thalweg_lab.study.running import side_by_side

    if jobs > 1:
        return side_by_side(run_problem, names, jobs=jobs, folder=folder, seconds=seconds)
    return (run_problem(name, folder=folder, seconds=seconds) for name in names)


def run_problem(name: str, *, folder: Path, seconds: float, threads: int | None = None) -> str:
    """Make the missing fits of a problem, in this process.

    Args:
        name: The problem's.
        folder: Where the records are kept.
        seconds: The budget of each fit.
        threads: Limit on the threads of XLA and BLAS; None for no limit.
    """
    from thalweg_lab.bench.fits.programs import Programs
    from thalweg_lab.study.run import commit
    from thalweg_lab.study.running import prepare

    prepare(threads)
    if threads is not None:  # a process of its own, where compilation is timed
        import jax

        jax.config.update("jax_enable_compilation_cache", False)  # noqa: FBT003 - as JAX has it
    (task,) = chosen("full", (name,))
    programs = Programs(task)
    for solver in _missing(task, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overflows on the way, which solvers step back from
            fits = [
                fit(programs, start, solver, seconds=seconds, commit=commit())
                for start in task.starts
            ]
        _save(fits, _path(task, solver, folder))
    return name


def _missing(task: FitProblem, folder: Path) -> list[str]:
    return [s for s in entrants(task) if not _path(task, s, folder).exists()]


def _path(task: FitProblem, solver: str, folder: Path) -> Path:
    words = (task.collection, task.name, solver)
    return folder / RUNS / f"{'.'.join(_file_name(word) for word in words)}.json"


@functools.cache
def _file_name(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower())


def _save(fits: list[Fit], path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_bytes(_FITS.dump_json(fits, indent=1))
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be written ({error.strerror or error}); name another folder by "
            "`--out`"
        ) from error


def _load(task: FitProblem, solver: str, folder: Path) -> list[Fit]:
    path = _path(task, solver, folder)
    try:
        return _FITS.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({in_one_line(error)}); remove it to make its fits again"
        ) from error
