"""The tables of the page: who was first, the ladder of losses, and how each run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.report.looks import look_of, swatch
from thalweg.report.page import scrolling
from thalweg.report.text import duration, escape, measured, number, with_code
from thalweg_lab.pages.words import firsts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from thalweg._util.record import RunRecord
    from thalweg_lab.problems import TrainingProblem

# A counter of the work is shown where any run used it.
WORK = {
    "gradients": "gradients",
    "losses": "losses alone",
    "jacobians": "Jacobians",
    "hessian_products": "Hessian products",
    "factorizations": "factorisations",
    "linear_iterations": "Krylov iterations",
    "newton_iterations": "Newton iterations",
    "newton_failures": "Newton failures",
    "error_test_failures": "error-test failures",
    "rejected_steps": "rejected steps",
}


def first_table(sections: Sequence[tuple[TrainingProblem, Sequence[RunRecord]]]) -> str:
    """Who was first to each loss, one row a problem."""
    rows = []
    for task, records in sections:
        cells = "".join(
            f'<td class="{look_of(first.winner).css}"><span class="rung">to {number(first.target)}'
            f'</span><span class="who">{swatch(look_of(first.winner))}'
            f"{escape(look_of(first.winner).label)}</span>"
            f'<span class="time">{duration(first.times[first.winner])}</span></td>'
            if first.winner is not None
            else f'<td class="nobody"><span class="rung">to {number(first.target)}</span>'
            '<span class="who">nobody in time</span></td>'
            for first in firsts(records)
        )
        rows.append(
            f'<tr><th scope="row"><a href="#{escape(task.name)}">{escape(task.name)}</a></th>'
            f"{cells}</tr>"
        )
    return scrolling(
        "Which method was first to each loss",
        '<table class="firsts"><caption>First to each training loss, and its time</caption>'
        f"<tbody>{''.join(rows)}</tbody></table>",
    )


def ladder_table(task: TrainingProblem, records: Sequence[RunRecord]) -> str:
    """Seconds and gradients of each method to each loss, and where it ended."""
    race = firsts(records)
    heads = "".join(f'<th scope="col">to {number(first.target)}</th>' for first in race)
    rows = []
    for record in records:
        cells = []
        for rung, first in zip(record.ladder, race, strict=True):
            if rung.seconds is None:
                cells.append('<td class="none">not reached</td>')
                continue
            won = first.winner == record.method
            cells.append(
                f"<td{' class=won' if won else ''}>{duration(rung.seconds)}"
                f"{' <b>first</b>' if won else ''}"
                f"<small>{rung.gradients:,} gradient{'s' * (rung.gradients != 1)}</small></td>"
            )
        rows.append(
            f"{_head(record)}{''.join(cells)}<td>{number(record.loss)}</td>"
            f"<td>{measured(record.measure, is_share=task.measure.is_share)}</td>"
            f"<td>{escape(record.outcome)}</td></tr>"
        )
    return scrolling(
        f"{task.name}: time and gradients to each loss",
        f'<table class="ladder"><caption>Time and gradients to each training loss</caption>'
        f'<thead><tr><th scope="col">method</th>{heads}<th scope="col">final loss</th>'
        f'<th scope="col">{escape(task.measure.name)}</th><th scope="col">outcome</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>",
    )


def work_table(task: TrainingProblem, records: Sequence[RunRecord]) -> str:
    """Settings, time, compilation and all counters of each run."""
    used = [name for name in WORK if any(record.work.get(name) for record in records)]
    heads = ("settings", "run", "compilation", "steps", *(WORK[name] for name in used))
    rows = (
        f"{_head(record)}<td class=words>{with_code(_settings(record))}</td>"
        f"<td>{duration(record.seconds)}</td><td>{duration(record.compile_seconds)}</td>"
        f"<td>{record.steps:,}</td>"
        + "".join(f"<td>{record.work.get(name, 0):,}</td>" for name in used)
        + "</tr>"
        for record in records
    )
    return scrolling(
        f"{task.name}: settings and work",
        "<table class=work><caption>Settings, and what each run spent</caption><thead><tr>"
        f'<th scope="col">method</th>{_cells(heads, "th")}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>",
    )


def _settings(record: RunRecord) -> str:
    return f"{record.settings}: {record.reason}" if record.reason else record.settings


def _head(record: RunRecord) -> str:
    look = look_of(record.method)
    return (
        f'<tr data-row="{escape(record.method)}"><th scope="row" class="{look.css}">'
        f"{swatch(look)}{escape(look.label)}</th>"
    )


def _cells(words: Iterable[str], tag: str) -> str:
    return "".join(f'<{tag} scope="col">{escape(word)}</{tag}>' for word in words)
