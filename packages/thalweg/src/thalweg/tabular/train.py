"""Training from a table: read, recognise, split, fit, score.

The kinds of the columns are recognised from all rows with a known target; their means and scales
come from the training part alone. The test part is used once, for the scores.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError, DataError, UnknownMethodError
from thalweg.solvers import REGISTRY
from thalweg.supervised.fit import Examples
from thalweg.supervised.forward import forward
from thalweg.supervised.search import Found, search
from thalweg.tabular.importance import Importance, permutation_importance
from thalweg.tabular.kinds import recognise, with_decimal
from thalweg.tabular.model import Model
from thalweg.tabular.parts import Parts, split
from thalweg.tabular.rare import with_shifts
from thalweg.tabular.reading import read_table
from thalweg.tabular.schema import Schema, find_kinds, fit_columns
from thalweg.tabular.scores import Scores, baseline_scores, score
from thalweg.tabular.table import Table, near
from thalweg.tabular.target import ClassTarget, Task, TaskFound, find_task, fit_target
from thalweg.tabular.values import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.solvers.base import AbstractMethod
    from thalweg.tabular.notation import Decimal

FEWEST_ROWS = 20
DEFAULT_SECONDS = 20.0
HIDDEN = (32,)


@dataclasses.dataclass(frozen=True)
class Asked:
    """The settings of a training; with the data, enough to repeat it.

    Attributes:
        data: The path of the table, or the words `a data frame`.
        target: The column to predict.
        task: The task; None to recognise it.
        hidden: Units of the hidden layers.
        method: The method, by name.
        seconds: Budget of all fits together, compilation not counted.
        seed: Seed of the split, the initial weights and the shuffles.
        ignore: Columns to leave out.
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
    """A trained model, with its scores and the record of its training.

    Attributes:
        model: The model.
        asked: The settings.
        task: The task, and why it is this one.
        notes: What a user should know about the data, in sentences.
        rows: Numbers of rows of the training, validation and test part.
        scores: Scores on the test part: of the `network` and of two baselines.
        validation_scores: Scores of the chosen network on the validation part, before the last fit.
        importance: Importance of the columns, the most important first.
        found: The fits.
        truth: Encoded targets of the test part.
        outputs: The network's outputs there.
        data_sha256: Checksum of the file; empty for a data frame.
        began: When the training began.
        seconds: Wall time of everything, with compilation.
        compile_seconds: Wall time of compilation.
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
        """The results as values for JSON, without fits and weights, which have their own files."""
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
    separator: str | None = None,
    decimal: Decimal | None = None,
    missing: Sequence[str] = (),
    progress: bool = False,
    on_note: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a small network to predict one column of a table from the others.

    JAX's x64 flag must be on. Ctrl-C during a fit ends the training with the best network so far.

    Args:
        data: The path of a CSV, TSV or Parquet file, or a data frame.
        target: The column to predict. Rows where it is missing are left out.
        task: `regression` or `classification`; None to recognise it.
        hidden: Units of each hidden layer; empty for a linear model.
        method: A name from `thalweg.methods()`, or a configured method.
        seconds: Budget of all fits together, compilation not counted. Positive.
        seed: Equal seeds give the same split, start and shuffles.
        ignore: Columns to leave out.
        separator: What separates the fields of delimited text; None to recognise it.
        decimal: The decimal mark of delimited text, `.` or `,`; None to recognise it.
        missing: Texts that mean a missing value in every column, other than the usual ones.
        progress: Whether to show live lines on stderr (only where that is a terminal).
        on_note: Called with each note on the data, before the fits begin.

    Returns:
        The model with its scores; `thalweg.tabular.save` writes it to a folder.

    Raises:
        ConfigError: A setting is out of its range.
        DataError: The table cannot be read, or nothing can be learned from it.
        MissingExtraError: scikit-learn is not installed.
        KeyboardInterrupt: Ctrl-C before there was a network to keep.
    """
    began, clock = dt.datetime.now().astimezone(), time.monotonic()
    # The linear model is fitted last; a missing library is reported before the work begins.
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
    table = read_table(data, separator=separator, decimal=decimal, missing=missing)
    checksum = "" if isinstance(data, pl.DataFrame) else _sha256(Path(data))
    prepared = _prepared(table, asked, on_note)
    examples = prepared.examples(asked)
    found = search(examples, method=method, seconds=seconds, progress=progress)
    prepared = _decided(prepared, found, on_note)
    outputs = forward(found.layers, prepared.inputs[prepared.parts.test])
    return Trained(
        model=Model(prepared.schema, found.layers),
        asked=asked,
        task=prepared.task,
        notes=prepared.notes,
        rows={name: int(rows.sum()) for name, rows in prepared.parts._asdict().items()},
        **_scored(prepared, found, outputs, seed=seed),
        found=found,
        truth=prepared.truth[prepared.parts.test],
        outputs=outputs,
        data_sha256=checksum,
        began=began,
        seconds=time.monotonic() - clock,
        compile_seconds=examples.compile_seconds
        + sum(fit.solution.compile_seconds for fit in found.fits),
    )


class _Prepared(NamedTuple):
    """A table ready for training.

    Attributes:
        task: The task, and why it is this one.
        notes: Notes on the data.
        parts: The split.
        schema: The schema, fitted to the training part.
        inputs: Encoded inputs of all rows, shape `(rows, inputs)`.
        truth: Encoded targets of all rows, shape `(rows,)`.
    """

    task: TaskFound
    notes: tuple[str, ...]
    parts: Parts
    schema: Schema
    inputs: np.ndarray
    truth: np.ndarray

    def examples(self, asked: Asked) -> Examples:
        """The rows that the network is fitted to."""
        known = self.parts.known
        return Examples(
            self.inputs[known],
            self.truth[known],
            held_out=self.parts.validation[known],
            sizes=(self.schema.inputs, *asked.hidden, self.schema.target.outputs),
            is_classification=self.task.task == "classification",
            seed=asked.seed,
        )


def _prepared(table: Table, asked: Asked, on_note: Callable[[str], None]) -> _Prepared:
    """Recognise the task and the columns of a table, split it, and fit its schema."""
    notes: list[str] = []

    def note(sentence: str) -> None:
        notes.append(sentence)
        on_note(sentence)

    table = _with_target(with_decimal(table), asked.target, note)
    excluded = {asked.target, *asked.ignore}
    names = [name for name in table.frame.columns if name not in excluded]
    table.require(asked.ignore)
    kinds, remarks = find_kinds(table, names)
    task = find_task(table, asked.target, wanted=asked.task)
    for remark in remarks:
        note(remark)
    note(f"{task.task}: {task.reason}")
    parts, schema = _split_and_schema(table, asked, task, kinds)
    inputs, truth = schema.encode(table), schema.target.encode(table)
    return _Prepared(task, tuple(notes), parts, schema, inputs, truth)


def _decided(prepared: _Prepared, found: Found, on_note: Callable[[str], None]) -> _Prepared:
    """The same with shifts in the target that find rare classes."""
    target, parts = prepared.schema.target, prepared.parts
    if not isinstance(target, ClassTarget):
        return prepared
    outputs = forward(found.chosen.layers, prepared.inputs[parts.validation])
    truth = prepared.truth
    target, sentence = with_shifts(target, truth[parts.known], truth[parts.validation], outputs)
    if not sentence:
        return prepared
    on_note(sentence)
    schema = dataclasses.replace(prepared.schema, target=target)
    return prepared._replace(schema=schema, notes=(*prepared.notes, sentence))


def _scored(prepared: _Prepared, found: Found, outputs: np.ndarray, *, seed: int) -> dict[str, Any]:
    """The fields of `Trained` with scores: on the test part, on the validation part, by column."""
    parts, target = prepared.parts, prepared.schema.target
    known = prepared.inputs[parts.known], prepared.truth[parts.known]
    unseen = prepared.inputs[parts.test], prepared.truth[parts.test]
    return {
        "scores": {
            "network": score(target, unseen[1], outputs),
            **baseline_scores(target, known, unseen),
        },
        "validation_scores": score(
            target,
            prepared.truth[parts.validation],
            forward(found.chosen.layers, prepared.inputs[parts.validation]),
        ),
        "importance": tuple(
            permutation_importance(Model(prepared.schema, found.layers), *unseen, seed=seed)
        ),
    }


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
    found = recognise(table, target)
    unknown = is_missing(table, target, found.kind or "category", found.notation)
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


def _split_and_schema(
    table: Table, asked: Asked, task: TaskFound, kinds: dict[str, Any]
) -> tuple[Parts, Schema]:
    """The split, and the schema fitted to its training part."""
    classes = None
    if task.task == "classification":
        every = np.ones(len(table), bool)
        classes = fit_target(table, asked.target, task, train=every).encode(table)
    parts = split(len(table), classes=classes, seed=asked.seed)
    if not (parts.validation.any() and parts.test.any()):
        raise DataError(
            f"{table.source} has too few rows of each class to test on ({len(table)} rows); give "
            "more rows, or merge classes"
        )
    columns = fit_columns(table, kinds, train=parts.train)
    return parts, Schema(columns, fit_target(table, asked.target, task, train=parts.train))
