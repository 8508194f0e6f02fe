"""The tables of a study's page: medians, answers, methods, and the list of all runs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from thalweg._util.record import json_values
from thalweg.report.looks import swatch
from thalweg.report.page import scrolling
from thalweg.report.text import duration, escape, measured, number, with_code
from thalweg_lab.study.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thalweg_lab.pages.study_looks import Looks
    from thalweg_lab.problems import TrainingProblem
    from thalweg_lab.study import Run, Table
    from thalweg_lab.study.answer import Cell
    from thalweg_lab.study.run import RunSpec

FEW_LINKS = 1  # more are folded
DIGITS = 3
LONGEST_ERROR = 300  # characters


def run_links(run_ids: Sequence[str]) -> str:
    """Links to the runs in the list, folded where there are many."""
    links = ", ".join(
        f'<a href="#run-{escape(run_id)}"><code>{escape(run_id)}</code></a>' for run_id in run_ids
    )
    if len(run_ids) <= FEW_LINKS:
        return links or "-"
    return f"<details class=ids><summary>{len(run_ids)} runs</summary>{links}</details>"


def summary_table(
    problem: str, runs: Sequence[Run], task: TrainingProblem | None, looks: Looks
) -> str:
    """Medians over the starts, a row a method, with links to the runs."""
    rows = "".join(
        f'<tr data-row="{escape(line.method)}">{_method(line.method, looks)}'
        f"<td>{_known(line.loss)}</td><td>{_measured(line.measure, task)}</td>"
        f"<td>{duration(None if math.isnan(line.seconds) else line.seconds)}</td>"
        f"<td>{_whole(line.steps)}</td><td>{_whole(line.gradients)}</td>"
        f"<td class=left>{run_links(line.run_ids)}"
        f"{f'<small>{line.failed} raised</small>' if line.failed else ''}</td></tr>"
        for line in summarise(runs)
    )
    measure = "measure" if task is None else task.measure.name
    heads = ("method", "lowest loss", measure, "seconds", "steps", "gradients")
    return scrolling(
        f"{problem}: medians over the starts",
        f'<table class="work"><caption>Medians over the starts</caption><thead><tr>{_heads(heads)}'
        f"<th scope=col class=left>runs</th></tr></thead><tbody>{rows}</tbody></table>",
    )


def answer_table(table: Table) -> str:
    """A table of an answer, with links to the runs behind each row."""
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    words = [place > 0 and _are_words(cells) for place, cells in enumerate(columns)]
    sides = [" class=left" if is_words else "" for is_words in words]
    heads = "".join(
        f'<th scope="col"{side}>{escape(column)}</th>'
        for side, column in zip(sides, table.columns, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{_cell(row[0])}</th>'
        + "".join(
            f"<td{side}>{_cell(cell)}</td>" for side, cell in zip(sides[1:], row[1:], strict=True)
        )
        + f"<td class=left>{run_links(ids)}</td></tr>"
        for row, ids in zip(table.rows, table.run_ids, strict=True)
    )
    return scrolling(
        table.title,
        f'<table class="work answer"><caption>{escape(table.title)}</caption><thead><tr>'
        f'{heads}<th scope="col" class=left>runs</th></tr></thead><tbody>{rows}</tbody></table>',
    )


def _are_words(cells: Sequence[Cell]) -> bool:
    """Whether a column holds text, which stands to the left, and no numbers."""
    held = [cell for cell in cells if cell is not None]
    return bool(held) and all(isinstance(cell, str) for cell in held)


def numbers_table(numbers: Mapping[str, Any]) -> str:
    """What a verdict rests on, by name, folded."""
    if not numbers:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th>'
        f"<td class=words>{_value(value)}</td></tr>"
        for name, value in numbers.items()
    )
    return (
        "<details><summary>The numbers of this verdict, as <code>--json</code> prints them"
        f"</summary>{scrolling('Numbers', f'<table><tbody>{rows}</tbody></table>')}</details>"
    )


def method_table(methods: Mapping[str, Mapping[str, Any]], looks: Looks) -> str:
    """What each label stands for."""
    rows = "".join(
        f"<tr>{_method(label, looks)}<td class=words><code>{escape(maker['name'])}</code></td>"
        f"<td class=words>{escape(_options(maker))}</td></tr>"
        for label, maker in methods.items()
    )
    heads = f'{_heads(("label", "method"))}<th scope="col" class=left>options</th>'
    return scrolling(
        "Methods",
        '<table class="work methods"><caption>The methods and their options; what is not named is '
        f"as <code>thalweg methods</code> has it</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>",
    )


def run_table(runs: Sequence[Run], looks: Looks) -> str:
    """The list of all runs, each with its id as anchor."""
    heads = (
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
    )
    rows = "".join(
        f'<tr id="run-{run.id}" tabindex="-1">{_method(run.spec.method, looks)}'
        f"<td><code>{run.id}</code></td><td>{escape(run.spec.problem)}</td>"
        f"<td>{run.spec.start}</td>{_outcome(run)}<td>{_known(run.loss)}</td>"
        f"<td>{_known(run.measure)}</td><td>{duration(run.seconds)}</td>"
        f"<td>{duration(run.compile_seconds)}</td><td>{run.steps:,}</td>"
        f"<td>{run.work.get('gradients', 0):,}</td><td>{escape(_budget(run.spec))}</td></tr>"
        for run in runs
    )
    return scrolling(
        "All runs",
        f'<table class="work runs"><caption>All runs</caption><thead><tr>{_heads(heads)}</tr>'
        f"</thead><tbody>{rows}</tbody></table>",
    )


def _method(label: str, looks: Looks) -> str:
    look = looks(label)
    return f'<th scope="row" class="{look.css}">{swatch(look)}{escape(look.label)}</th>'


def _outcome(run: Run) -> str:
    if not run.is_failed:
        return f"<td>{escape(run.outcome)}</td>"
    error = run.error if len(run.error) <= LONGEST_ERROR else f"{run.error[:LONGEST_ERROR]} ..."
    return f"<td class=words><b>raised</b> {with_code(error)}</td>"


def _heads(words: Iterable[str]) -> str:
    return "".join(f'<th scope="col">{escape(word)}</th>' for word in words)


def _options(maker: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in maker.items() if key != "name") or "-"


def _budget(spec: RunSpec) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in spec.stop.items())


def _cell(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, str):
        return with_code(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    return number(cell, digits=DIGITS)


def _value(value: Any) -> str:
    """A value of the numbers as JSON, which is what `--json` prints."""
    return f"<code>{escape(json.dumps(json_values(value), ensure_ascii=False))}</code>"


def _known(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def _whole(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}"


def _measured(value: float, task: TrainingProblem | None) -> str:
    if math.isnan(value) or task is None:
        return _known(value)
    return measured(value, is_share=task.measure.is_share)
