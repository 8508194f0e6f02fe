"""Training from a table: read, prepare, fit, score. The test part is used once, for the scores."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError, UnknownMethodError
from thalweg.solvers import REGISTRY
from thalweg.supervised.forward import forward
from thalweg.supervised.search import SEARCH_SHARE, Found, finish, try_decays
from thalweg.tabular.importance import Importance, permutation_importance
from thalweg.tabular.model import Model
from thalweg.tabular.prepare import Prepared, prepare
from thalweg.tabular.rare import with_shifts
from thalweg.tabular.reading import read_table
from thalweg.tabular.scores import Scores, baseline_scores, score
from thalweg.tabular.table import named
from thalweg.tabular.target import ClassTarget, Task, TaskFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from thalweg.solvers.base import AbstractMethod
    from thalweg.tabular.notation import Decimal

DEFAULT_SECONDS = 20.0
HIDDEN = (32,)
WELL_FITTED = (
    0.01  # share of the variance left on the validation part, up to which no pieces are tried
)
GAIN = 0.95  # validation loss with pieces over that without, up to which they are taken


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
    prepared = prepare(table, asked, on_note)
    prepared, found, compiling = _fitted(prepared, asked, on_note, method=method, progress=progress)
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
        compile_seconds=compiling + sum(fit.solution.compile_seconds for fit in found.fits),
    )


def _fitted(
    prepared: Prepared, asked: Asked, on_note: Callable[[str], None], **options: Any
) -> tuple[Prepared, Found, float]:
    """The fits, and the seconds of compiling their validation loss.

    Where the numbers of a regression as they are leave much unexplained, they are also tried in
    pieces, and the validation part decides.
    """
    examples = prepared.examples(asked)
    tried = try_decays(examples, seconds=asked.seconds, share=SEARCH_SHARE / 2, **options)
    compiling = examples.compile_seconds
    finer = prepared.in_pieces()
    is_rough = prepared.task.task == "regression" and 2 * tried.chosen.last > WELL_FITTED
    if not (is_rough and finer.names_in_pieces and tried.left > 0) or tried.was_interrupted:
        return prepared, finish(examples, tried, **options), compiling
    in_pieces = finer.examples(asked)
    again = try_decays(in_pieces, seconds=tried.left, **options)
    compiling += in_pieces.compile_seconds
    if again.chosen.last > GAIN * tried.chosen.last:
        rest = dataclasses.replace(tried, left=again.left, was_interrupted=again.was_interrupted)
        return prepared, finish(examples, rest, **options), compiling
    sentence = (
        f"numbers are also given in pieces ({named(finer.names_in_pieces)}): validation loss "
        f"{again.chosen.last:.3g}, without pieces {tried.chosen.last:.3g}"
    )
    on_note(sentence)
    finer = finer._replace(notes=(*finer.notes, sentence))
    return finer, finish(in_pieces, again, **options), compiling


def _decided(prepared: Prepared, found: Found, on_note: Callable[[str], None]) -> Prepared:
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


def _scored(prepared: Prepared, found: Found, outputs: np.ndarray, *, seed: int) -> dict[str, Any]:
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
