"""The tables of a study's page: medians, answers, methods, and the list of all runs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from thalweg._util.record import json_values
from thalweg.report.tables import Cell, Row, Table
from thalweg.report.text import duration, known, measured, whole
from thalweg_lab.study.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg.report.looks import Looks
    from thalweg_lab.problems import TrainingProblem
    from thalweg_lab.study import Answer, Run
    from thalweg_lab.study import Table as AnswerTable
    from thalweg_lab.study.answer import Cell as AnswerCell
    from thalweg_lab.study.run import RunSpec

DIGITS = 3
LONGEST_ERROR = 300  # characters


def summary_table(
    problem: str, runs: Sequence[Run], task: TrainingProblem | None, looks: Looks
) -> Table:
    """Medians over the starts, a row a method, with links to the runs."""
    measure = "measure" if task is None else task.measure.name
    return Table(
        title="Medians over the starts",
        name=f"{problem}: medians over the starts",
        heads=["method", "lowest loss", measure, "seconds", "steps", "gradients", "runs"],
        rows=[
            Row(
                [
                    _method(line.method, looks),
                    known(line.loss),
                    _measured(line.measure, task),
                    duration(line.seconds),
                    whole(line.steps),
                    whole(line.gradients),
                    Cell(
                        links=line.run_ids,
                        note=f"{line.failed} raised" if line.failed else "",
                    ),
                ],
                entrant=line.method,
            )
            for line in summarise(runs)
        ],
        left=(6,),
    )


def answer_table(table: AnswerTable) -> Table:
    """A table of an answer, with links to the runs behind each row."""
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    words = [place for place, cells in enumerate(columns) if _are_words(cells)]
    return Table(
        title=table.title,
        heads=[*table.columns, "runs"],
        rows=[
            Row([*map(_text, row), Cell(links=ids)])
            for row, ids in zip(table.rows, table.run_ids, strict=True)
        ],
        css="work answer",
        left=(*words, len(columns)),
    )


def _are_words(cells: Sequence[AnswerCell]) -> bool:
    """Whether a column holds text, which is aligned left, and no numbers."""
    held = [cell for cell in cells if cell is not None]
    return bool(held) and all(isinstance(cell, str) for cell in held)


def numbers_table(answer: Answer) -> Table | None:
    """What a verdict rests on, by name, as `--json` prints it; None where there is nothing."""
    rows = [
        Row([f"`{name}`", Cell(f"`{_json(value)}`", css="words")])
        for name, value in answer.numbers.items()
    ]
    return Table(title="Numbers", heads=(), rows=rows, css="numbers") if rows else None


def method_table(methods: Mapping[str, Mapping[str, Any]], looks: Looks) -> Table:
    """What each label stands for."""
    return Table(
        title="The methods and their options; other options are those of `thalweg methods`",
        name="Methods",
        heads=["label", "method", "options"],
        rows=[
            Row(
                [
                    _method(label, looks),
                    Cell(f"`{maker['name']}`", css="words"),
                    Cell(_options(maker), css="words"),
                ]
            )
            for label, maker in methods.items()
        ],
        css="work methods",
        left=(1, 2),
    )


def run_table(runs: Sequence[Run], looks: Looks) -> Table:
    """The list of all runs, each with its id as anchor."""
    return Table(
        title="All runs",
        heads=[
            "method",
            "id",
            "problem",
            "start",
            "outcome",
            "lowest loss",
            "measure",
            "seconds",
            "compilation",
            "steps",
            "gradients",
            "budget",
        ],
        rows=[
            Row(
                [
                    _method(run.spec.method, looks),
                    f"`{run.id}`",
                    run.spec.problem,
                    f"{run.spec.start}",
                    _outcome(run),
                    known(run.loss),
                    known(run.measure),
                    duration(run.seconds),
                    duration(run.compile_seconds),
                    f"{run.steps:,}",
                    f"{run.work.get('gradients', 0):,}",
                    _budget(run.spec),
                ],
                key=f"run-{run.id}",
            )
            for run in runs
        ],
        css="work runs",
        left=(1, 2),
    )


def _method(label: str, looks: Looks) -> Cell:
    look = looks(label)
    return Cell(look.label, look=look)


def _outcome(run: Run) -> Cell:
    if not run.is_failed:
        return Cell(run.outcome)
    error = run.error if len(run.error) <= LONGEST_ERROR else f"{run.error[:LONGEST_ERROR]} ..."
    return Cell(f"raised {error}", css="words")


def _options(maker: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in maker.items() if key != "name") or "-"


def _budget(spec: RunSpec) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in spec.stop.items())


def _text(cell: AnswerCell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else known(cell, digits=DIGITS)


def _json(value: Any) -> str:
    return json.dumps(json_values(value), ensure_ascii=False)


def _measured(value: float, task: TrainingProblem | None) -> str:
    if math.isnan(value) or task is None:
        return known(value)
    return measured(value, is_share=task.measure.is_share)
