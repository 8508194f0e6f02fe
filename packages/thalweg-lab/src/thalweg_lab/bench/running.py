"""Makes the missing runs of the benchmark, one at a time, in this process."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.errors import PrecisionError, ThalwegError
from thalweg_lab.bench.plan import entrants, first_specs, race_specs, tuning_specs
from thalweg_lab.study.run import Run, execute, load_problem
from thalweg_lab.study.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from thalweg_lab.bench.suite import Entry
    from thalweg_lab.study.spec import RunSpec


@dataclasses.dataclass(frozen=True)
class Race:
    """The finished runs on one problem.

    Attributes:
        entry: The problem with its budget.
        entrants: Label to method and settings.
        runs: The runs of the race.
        first: The first steps.
        tuning: The runs that find each peer's best setting.
        title: The problem's headline.
        measure: What the problem measures apart from the loss.
        is_share: Whether the measure is a share, of which more is better.
        network: The network in short.
        source: Where the problem comes from.
    """

    entry: Entry
    entrants: Mapping[str, Mapping[str, Any]]
    runs: Sequence[Run]
    first: Sequence[Run] = ()
    tuning: Sequence[Run] = ()
    title: str = ""
    measure: str = "measure"
    is_share: bool = False
    network: str = ""
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Unable:
    """A problem that could not be run.

    Attributes:
        entry: The problem.
        reason: Why, in a sentence.
    """

    entry: Entry
    reason: str


def run_bench(
    entries: Sequence[Entry],
    folder: Path | str,
    *,
    show: Callable[[Entry, str, int, int], None] = lambda *_: None,
) -> tuple[list[Race], list[Unable]]:
    """Make all runs of the benchmark that are missing from a folder.

    Args:
        entries: The problems.
        folder: Where the records are kept; created where it does not exist. It may hold runs of
            other suites, budgets and problems: a run is identified by its whole specification.
        show: Called before each run with the problem, the stage, the number of runs made in this
            stage, and how many it has in all.

    Returns:
        The races, and the problems that could not be run because a library with their data is
        missing.

    Raises:
        ConfigError: The folder cannot be written to or is in use.
        PrecisionError: JAX's x64 flag is off.
        KeyboardInterrupt: Ctrl-C; what was finished stays in the folder.
    """
    import jax

    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise PrecisionError(
            "the problems of the benchmark are in float64, but JAX's x64 flag is off; call "
            '`jax.config.update("jax_enable_x64", True)` first'
        )
    store = Store(folder)
    races, unable = [], []
    with store.locked():
        for entry in entries:
            try:
                load_problem(entry.problem)
            except (ThalwegError, ImportError) as error:
                unable.append(Unable(entry, str(error)))
                continue
            races.append(_race(store, entry, show))
    return races, unable


def _race(store: Store, entry: Entry, show: Callable[[Entry, str, int, int], None]) -> Race:
    def made(what: str, specs: list[RunSpec], *, is_cold: bool = False) -> list[Run]:
        missing = store.missing(specs)
        for place, spec in enumerate(missing):
            show(entry, what, place, len(missing))
            if is_cold:
                _forget_programs()
            store.save(execute(spec))
        return store.load_all(specs)

    first = made("first steps", first_specs(entry), is_cold=True)
    tuning = made("tuning the peers", tuning_specs(entry))
    racing = entrants(entry, tuning)
    runs = made("race", race_specs(entry, racing))
    task = load_problem(entry.problem)
    return Race(
        entry=entry,
        entrants=racing,
        runs=runs,
        first=first,
        tuning=tuning,
        title=task.title,
        measure=task.measure.name,
        is_share=task.measure.is_share,
        network=task.network,
        source=task.source,
    )


def _forget_programs() -> None:
    """Drop all compiled programs, so that the next run compiles as a new process does.

    The libraries of all methods are imported first, so that no run pays for that.
    """
    import importlib

    import jax

    from thalweg.flow.programs import forget_programs

    for name in ("optax", "optimistix", "scipy.integrate", "scipy.optimize"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:  # its method says so when it runs
            continue
    load_problem.cache_clear()
    forget_programs()
    jax.clear_caches()


def runs_of(race: Race, entrant: str) -> list[Run]:
    """The runs of one entrant, by start."""
    from thalweg_lab.bench.plan import label_of

    label = label_of(race.entrants[entrant])
    return sorted((run for run in race.runs if run.spec.method == label), key=_start)


def _start(run: Run) -> int:
    return run.spec.start


def all_runs(races: Iterable[Race]) -> list[Run]:
    """Every run of some races, each once."""
    return [run for race in races for run in (*race.first, *race.tuning, *race.runs)]
