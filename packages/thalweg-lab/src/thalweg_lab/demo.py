"""The demo: three networks, five methods, one report.

Each problem is trained from one start by each method, within one budget of seconds that is the same
for all methods. The results are a page to read, `report.html`, and the records of the runs,
`runs.json`. A run that is interrupted is left out; what was finished before is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib
import json
import tempfile
import time
from typing import TYPE_CHECKING, Any

from thalweg._minimize import minimize
from thalweg._util.files import whole_file
from thalweg._util.machine import Machine, this_machine
from thalweg._util.record import RunRecord, json_values, record_of
from thalweg.errors import ConfigError
from thalweg.solution import Outcome
from thalweg.stop import Stop
from thalweg_lab import problems
from thalweg_lab.pages import Report, Section, render
from thalweg_lab.pages.words import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from thalweg.solvers.base import AbstractMethod
    from thalweg_lab.problems import TrainingProblem

METHODS = ("auto", "l-bfgs", "adam", "gradient-descent", "zvode")
SECONDS = {"digits": 1.2, "poisson": 1.5, "bessel": 1.5}  # a run, without compilation
SEED = 0
# Imported before the first run: the first method to use one must not pay for it out of its budget.
PRELOADED = ("optax", "scipy.integrate", "scipy.optimize")
REPORT_FILE, RUNS_FILE = "report.html", "runs.json"
TITLE = "Training neural networks along the valley floor"

SETTINGS = {
    "auto": "thalweg's choice",
    "l-bfgs": "SciPy's L-BFGS-B with 50 pairs",
    "adam": "Optax, learning rate {rate:g}, the best of several tried",
    "gradient-descent": "learning rate {rate:g}, the best of several tried",
    "zvode": "SciPy's ODE solver for complex variables: BDF, rtol 1e-6, atol 1e-8, Jacobian by "
    "finite differences",
}


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """What a demo left behind.

    Attributes:
        machine: Where it ran.
        sections: The problems with at least one finished run.
        was_interrupted: Whether Ctrl-C cut it short.
        folder: Where the report and the records are; None where there was nothing to write.
        seconds: Wall time of everything, compilation included.
    """

    machine: Machine
    sections: tuple[Section, ...]
    was_interrupted: bool
    folder: Path | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The tables as values that JSON knows; histories stay in the file of records."""
        tables = [
            {
                "problem": section.task.name,
                "network": section.task.network,
                "weights": section.task.size,
                "measure": section.task.measure.name,
                "result": standing(section.task, section.records),
                "runs": [_without_history(record) for record in section.records],
            }
            for section in self.sections
        ]
        return json_values(
            {
                "machine": dataclasses.asdict(self.machine),
                "seconds": self.seconds,
                "was_interrupted": self.was_interrupted,
                "report": None if self.folder is None else str(self.folder / REPORT_FILE),
                "runs": None if self.folder is None else str(self.folder / RUNS_FILE),
                "problems": tables,
            }
        )


def run_demo(
    folder: Path,
    *,
    seconds: float | None = None,
    names: Sequence[str] = problems.DEMO,
    progress: bool = False,
    on_section: Callable[[Section], None] = lambda _: None,
    on_start: Callable[[TrainingProblem], None] = lambda _: None,
) -> DemoResult:
    """Train all problems by all methods, and write the report.

    JAX's x64 flag must be on.

    Args:
        folder: Where to write; made where it does not exist. Looked at before anything runs.
        seconds: Budget of each run; None for the problem's own in `SECONDS`.
        names: Problems to run, from `thalweg_lab.problems.DEMO`.
        progress: Whether a live line is shown on stderr while a run goes on.
        on_section: Called with each section once all its runs are finished.
        on_start: Called with each problem before its first run.

    Returns:
        What ran and where the report lies. Ctrl-C is no error: see `was_interrupted`.

    Raises:
        ConfigError: Nothing can be written to `folder`.
    """
    began, clock = dt.datetime.now().astimezone(), time.monotonic()
    made = _make_writable(folder)
    for library in PRELOADED:
        importlib.import_module(library)
    sections: list[Section] = []
    was_interrupted = False
    try:
        for name in names:
            task = problems.load(name)
            on_start(task)
            section, was_interrupted = _section(task, seconds=seconds, progress=progress)
            if section.records:
                sections.append(section)
                on_section(section)
            if was_interrupted:
                break
    except KeyboardInterrupt:
        was_interrupted = True
    result = DemoResult(
        machine=this_machine(),
        sections=tuple(sections),
        was_interrupted=was_interrupted,
        folder=folder if sections else None,
        seconds=time.monotonic() - clock,
    )
    if sections:
        write(folder, result, began)
    else:
        _remove(made)
    return result


def _section(
    task: TrainingProblem, *, seconds: float | None, progress: bool
) -> tuple[Section, bool]:
    """Run all methods on a problem; also whether that was interrupted."""
    budget = SECONDS[task.name] if seconds is None else seconds
    start = task.start(SEED)
    records: list[RunRecord] = []
    trained: dict[str, Any] = {}
    was_interrupted = False
    try:
        for name in METHODS:
            method, settings = _configured(name, task)
            solution = minimize(
                task.problem, start, method, Stop(seconds=budget), progress=progress
            )
            if solution.outcome is Outcome.INTERRUPTED:
                was_interrupted = True
                break
            record = record_of(
                solution,
                problem=task.name,
                method=name,
                settings=settings,
                seed=SEED,
                budget=budget,
                targets=task.targets,
                measure=task.measure.of(solution.params),
            )
            trained[name] = solution.params
            records.append(record)
    except KeyboardInterrupt:
        was_interrupted = True
    finished = {record.method: trained[record.method] for record in records}
    pictures = task.pictures(finished) if finished else ()
    return Section(task, tuple(records), pictures), was_interrupted


def _configured(name: str, task: TrainingProblem) -> tuple[str | AbstractMethod, str]:
    """A method with its settings on a problem, and the settings in words."""
    rate = task.rates.get(name)
    if rate is None:
        return name, SETTINGS[name]

    import optax

    from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer

    optimiser = {"adam": optax.adam, "gradient-descent": optax.sgd}[name](rate)
    return OptaxOptimizer(optimiser, name=name, learning_rate=rate), SETTINGS[name].format(
        rate=rate
    )


# ------------------------------------------------------------------------------------- the files


def _make_writable(folder: Path) -> list[Path]:
    """Make a folder where there is none, and see that it can be written to.

    Returns:
        The folders that were made, innermost first.

    Raises:
        ConfigError: It cannot be made or written to; then nothing was made.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _remove(made)
        raise _cannot_write(folder, error) from error
    return made


def _remove(made: Sequence[Path]) -> None:
    """Remove folders that were made and are empty, innermost first."""
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()


def _cannot_write(folder: Path, error: OSError) -> ConfigError:
    reason = error.strerror or str(error)
    return ConfigError(
        f"the report cannot be written to `{folder}` ({reason[:1].lower()}{reason[1:]}); name a "
        "folder that can be written to by `--out`"
    )


def write(folder: Path, result: DemoResult, began: dt.datetime) -> None:
    """Write the records and the page, each whole or not at all.

    Args:
        folder: Where; it must exist.
        result: What ran.
        began: When it began.

    Raises:
        ConfigError: The folder cannot be written to any more.
    """
    note = ""
    if result.was_interrupted:
        note = "The demo was interrupted: this page shows only the runs that were finished."
    page = render(
        Report(
            title=TITLE,
            machine=result.machine,
            began=began,
            seconds=result.seconds,
            sections=result.sections,
            note=note,
        )
    )
    runs = {
        "machine": dataclasses.asdict(result.machine),
        "began": began.isoformat(timespec="seconds"),
        "was_interrupted": result.was_interrupted,
        "runs": [record.as_json() for section in result.sections for record in section.records],
    }
    try:
        _replace(folder / RUNS_FILE, json.dumps(json_values(runs), indent=1))
        _replace(folder / REPORT_FILE, page)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _replace(path: Path, text: str) -> None:
    """Put a whole file in the place of another."""
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")


def _without_history(record: RunRecord) -> dict[str, Any]:
    return {name: value for name, value in record.as_json().items() if name != "history"}
