"""Training from a table: read, recognise, split, fit, score.

The columns are recognised on all rows whose target is known; what is measured of them (means,
scales) comes from the training part alone. The test part is looked at once, for the scores.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError, DataError, UnknownMethodError
from thalweg.solvers import REGISTRY
from thalweg.tabular.fit import Examples
from thalweg.tabular.importance import Importance, permutation_importance
from thalweg.tabular.model import Model
from thalweg.tabular.network import forward
from thalweg.tabular.parts import Parts, split
from thalweg.tabular.reading import read_table
from thalweg.tabular.schema import Schema, find_kinds, fit_columns
from thalweg.tabular.scores import Scores, baseline_scores, score
from thalweg.tabular.search import Found, search
from thalweg.tabular.table import Table, near
from thalweg.tabular.target import Task, TaskFound, find_task, fit_target
from thalweg.tabular.values import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.solvers.base import AbstractMethod

FEWEST_ROWS = 20
DEFAULT_SECONDS = 20.0
HIDDEN = (32,)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a training was asked to do; enough, with the data, to do it again.

    Attributes:
        data: The path of the table, or a word for a data frame.
        target: The column to predict.
        task: The task that was asked for; None where it was to be recognised.
        hidden: Units of the hidden layers.
        method: The method, by name.
        seconds: Budget of all fits together, compilation not counted.
        seed: Of the split, the starting weights and the shuffles.
        ignore: Columns that were to be left out.
    """

    data: str
    target: str
    task: Task | None
    hidden: tuple[int, ...]
    method: str
    seconds: float
    seed: int
    ignore: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.task not in (None, "regression", "classification"):
            raise ConfigError(
                f"`task` is {self.task!r}, but `regression`, `classification` or None was expected"
            )
        if any(units < 1 for units in self.hidden):
            raise ConfigError(
                f"`hidden` is {self.hidden}, but at least one unit a layer was expected"
            )
        if not self.seconds > 0:
            raise ConfigError(f"`seconds` is {self.seconds}, but a number above 0 was expected")
        if self.target in self.ignore:
            raise ConfigError(f"`{self.target}` is both the target and to be ignored")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model, and everything that is known of how it came about.

    Attributes:
        model: The model.
        asked: What was asked for.
        task: The task, and why it is this one.
        notes: What a user should know of the data, in sentences.
        rows: Rows of the training, validation and test part.
        scores: On the test part, by name: `network` and two baselines.
        validation_scores: Of the chosen network on the validation part, before the last fit.
        importance: Which columns matter, the most important first.
        found: The fits.
        truth: Encoded targets of the test part.
        outputs: The network's outputs there.
        data_sha256: Of the file; empty for a data frame.
        began: When it began.
        seconds: Wall time of everything, compilation included.
        compile_seconds: Of it, compilation.
    """

    model: Model
    asked: Asked
    task: TaskFound
    notes: tuple[str, ...]
    rows: dict[str, int]
    scores: dict[str, Scores]
    validation_scores: Scores
    importance: tuple[Importance, ...]
    found: Found
    truth: np.ndarray
    outputs: np.ndarray
    data_sha256: str
    began: dt.datetime
    seconds: float
    compile_seconds: float

    def as_json(self) -> dict[str, Any]:
        """The results as values that JSON knows; fits and weights stay in their files."""
        target = self.model.schema.target
        return {
            "task": self.task.task,
            "reason": self.task.reason,
            "target": target.name,
            "rows": self.rows,
            "network": "-".join(map(str, self.model.sizes)),
            "columns": {column.name: column.kind for column in self.model.schema.columns},
            "notes": list(self.notes),
            "test": self.scores,
            "validation": {"network": self.validation_scores},
            "importance": [dataclasses.asdict(entry) for entry in self.importance],
            "weight_decay": self.found.chosen.decay,
            "outcome": self.found.outcome,
            "was_interrupted": self.found.was_interrupted,
            "work": self.found.work._asdict(),
            "run_seconds": self.found.seconds,
            "compile_seconds": self.compile_seconds,
            "seconds": self.seconds,
        }


def train_table(  # noqa: PLR0913 - each is an option that a user sets by its name
    data: Path | str | pl.DataFrame,
    *,
    target: str,
    task: Task | None = None,
    hidden: Sequence[int] = HIDDEN,
    method: str | AbstractMethod = "auto",
    seconds: float = DEFAULT_SECONDS,
    seed: int = 0,
    ignore: Sequence[str] = (),
    progress: bool = False,
    on_note: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a small network to predict one column of a table from the others.

    JAX's x64 flag must be on. Ctrl-C while a fit goes on ends it with the best network so far.

    Args:
        data: The path of a CSV, TSV or Parquet file, or a data frame.
        target: The column to predict. Rows where it is missing are left out.
        task: `regression` or `classification`; None to recognise it.
        hidden: Units of each hidden layer; none for a linear model.
        method: A name from `thalweg.methods()`, or a configured method.
        seconds: Budget of all fits together, compilation not counted. Positive.
        seed: Equal seeds give the same split, start and shuffles.
        ignore: Columns to leave out.
        progress: Whether to show live lines on stderr (only where that is a terminal).
        on_note: Told of each thing that a user should know of the data, before the fits begin.

    Returns:
        The model with its scores; `thalweg.tabular.save` writes it to a folder.

    Raises:
        ConfigError: Something was asked for that cannot be.
        DataError: The table cannot be read or learned from.
        KeyboardInterrupt: Ctrl-C before there was any network to keep.
    """
    began, clock = dt.datetime.now().astimezone(), time.monotonic()
    # The linear model is the last thing fitted; its library is missed before the work begins.
    import_extra("sklearn", library="scikit-learn", extra="tables", needed_by="train_table")
    if isinstance(method, str) and method not in ("auto", *REGISTRY):
        raise UnknownMethodError(method, [*REGISTRY, "auto"])
    asked = Asked(
        data=str(data) if isinstance(data, Path | str) else "a data frame",
        target=target,
        task=task,
        hidden=tuple(hidden),
        method=method if isinstance(method, str) else method.name,
        seconds=float(seconds),
        seed=seed,
        ignore=tuple(ignore),
    )
    table = read_table(data)
    checksum = "" if isinstance(data, pl.DataFrame) else _sha256(Path(data))
    notes: list[str] = []

    def note(sentence: str) -> None:
        notes.append(sentence)
        on_note(sentence)

    table = _with_target(table, target, note)
    names = [name for name in table.frame.columns if name != target and name not in ignore]
    table.require(ignore)
    kinds, remarks = find_kinds(table, names)
    found_task = find_task(table, target, wanted=task)
    for remark in remarks:
        note(remark)
    note(f"{found_task.task}: {found_task.reason}")
    parts, schema = _prepared(table, target, found_task, kinds, seed)
    inputs, truth = schema.encode(table), schema.target.encode(table)
    examples = Examples(
        inputs[parts.known],
        truth[parts.known],
        held_out=parts.validation[parts.known],
        sizes=(schema.inputs, *asked.hidden, schema.target.outputs),
        is_classification=found_task.task == "classification",
        seed=seed,
    )
    found = search(examples, method=method, seconds=seconds, progress=progress)
    model = Model(schema, found.layers)
    unseen = inputs[parts.test], truth[parts.test]
    outputs = forward(model.layers, unseen[0])
    return Trained(
        model=model,
        asked=asked,
        task=found_task,
        notes=tuple(notes),
        rows={name: int(rows.sum()) for name, rows in parts._asdict().items()},
        scores={
            "network": score(schema.target, unseen[1], outputs),
            **baseline_scores(schema.target, (inputs[parts.known], truth[parts.known]), unseen),
        },
        validation_scores=score(
            schema.target,
            truth[parts.validation],
            forward(found.chosen.layers, inputs[parts.validation]),
        ),
        importance=tuple(permutation_importance(model, *unseen, seed=seed)),
        found=found,
        truth=unseen[1],
        outputs=outputs,
        data_sha256=checksum,
        began=began,
        seconds=time.monotonic() - clock,
        compile_seconds=examples.compile_seconds
        + sum(fit.solution.compile_seconds for fit in found.fits),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_target(table: Table, target: str, note: Callable[[str], None]) -> Table:
    """The rows whose target is known."""
    if target not in table.frame.columns:
        raise DataError(
            f"{table.source} has no column `{target}` to predict; "
            f"{near(target, table.frame.columns)}"
        )
    unknown = is_missing(table, target)
    if unknown.all():
        raise DataError(f"the target `{target}` of {table.source} is missing in every row")
    if unknown.any():
        note(f"{int(unknown.sum()):,} of {len(table):,} rows are left out: `{target}` is missing")
        table = table.keep(~unknown)
    if len(table) < FEWEST_ROWS:
        raise DataError(
            f"{table.source} has {len(table)} rows with a target, but at least {FEWEST_ROWS} were "
            "expected: they are split into a training, a validation and a test part"
        )
    return table


def _prepared(
    table: Table, target: str, found: TaskFound, kinds: dict[str, Any], seed: int
) -> tuple[Parts, Schema]:
    """The split, and the schema fitted to its training part."""
    classes = None
    if found.task == "classification":
        every = np.ones(len(table), bool)
        classes = fit_target(table, target, found, train=every).encode(table)
    parts = split(len(table), classes=classes, seed=seed)
    if not (parts.validation.any() and parts.test.any()):
        raise DataError(
            f"{table.source} has too few rows a class to test on ({len(table)} rows); give more "
            "rows, or join classes"
        )
    columns = fit_columns(table, kinds, train=parts.train)
    return parts, Schema(columns, fit_target(table, target, found, train=parts.train))
