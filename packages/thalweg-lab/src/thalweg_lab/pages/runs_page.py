"""The page as a whole: its words, its sections, its style and its script."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.report.lines import LineChart, draw, legend
from thalweg.report.page import whole_page
from thalweg.report.text import duration, escape
from thalweg_lab.pages.pictures import draw_picture
from thalweg_lab.pages.tables import first_table, ladder_table, work_table
from thalweg_lab.pages.words import setting, standing

if TYPE_CHECKING:
    import datetime as dt

    import numpy as np

    from thalweg._util.machine import Machine
    from thalweg._util.record import RunRecord
    from thalweg_lab.problems import TrainingProblem
    from thalweg_lab.problems.base import Picture


@dataclasses.dataclass(frozen=True)
class Section:
    """What was run on one problem.

    Attributes:
        task: The problem.
        records: Its finished runs, in the order in which methods are to stand.
        pictures: What the trained networks do.
    """

    task: TrainingProblem
    records: tuple[RunRecord, ...]
    pictures: tuple[Picture, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """What a page tells.

    Attributes:
        title: The headline.
        machine: Where it was run.
        began: When.
        seconds: Wall time of everything together, compilation included.
        sections: One for each problem with a finished run.
        note: What a reader must know before reading, such as that it was interrupted.
        again: The command that does it again.
    """

    title: str
    machine: Machine
    began: dt.datetime
    seconds: float
    sections: tuple[Section, ...]
    note: str = ""
    again: str = "thalweg demo"


def render(report: Report) -> str:
    """The report as one HTML page that loads nothing from anywhere."""
    sections = "".join(_section(section) for section in report.sections)
    return whole_page(
        report.title,
        f'{_opening(report)}<main id="results">{sections}</main>{_closing(report)}',
    )


def _opening(report: Report) -> str:
    records = [record for section in report.sections for record in section.records]
    note = f'<p class="note">{escape(report.note)}</p>' if report.note else ""
    if not records:
        return f"<header><h1>{escape(report.title)}</h1>{note}<p>No run was finished.</p></header>"
    results = "".join(
        f'<div class="standing"><h3><a href="#{section.task.name}">{escape(section.task.title)}'
        f"</a></h3><ul>{_items(standing(section.task, section.records))}</ul></div>"
        for section in report.sections
    )
    return (
        f"<header><h1>{escape(report.title)}</h1>{note}"
        f'<p class="lead">{escape(setting(report.machine, records))}</p>'
        "<p>Training lowers a loss; what counts is how low and how soon. These are single runs "
        "from one start each: an illustration, not a benchmark.</p>"
        f"<h2>Who was first</h2>"
        f"{first_table([(section.task, section.records) for section in report.sections])}"
        f'<div class="standings">{results}</div></header>'
    )


def _items(sentences: list[str]) -> str:
    return "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)


def _section(section: Section) -> str:
    task, records = section.task, section.records
    methods = [record.method for record in records]
    key = task.name
    pictures = "".join(
        draw_picture(picture, key=f"{key}-picture-{place}")
        for place, picture in enumerate(section.pictures)
    )
    return (
        f'<section id="{key}" aria-labelledby="{key}-head"><h2 id="{key}-head">'
        f"{escape(task.title)}</h2><p>{escape(task.story)}</p>"
        f"<p>The network is {escape(task.network)}, {task.size:,} weights; the start has seed "
        f"{records[0].seed}; each run was given {records[0].budget:g} seconds.</p>"
        f"{ladder_table(task, records)}{legend(methods)}"
        f'<div class="charts">{"".join(map(draw, _charts(section)))}</div>'
        f'<h3>The trained networks</h3><div class="charts">{pictures}</div>'
        f"<h3>Settings and work</h3>{work_table(task, records)}</section>"
    )


def _charts(section: Section) -> list[LineChart]:
    """The four charts that every problem has."""
    key, records = section.task.name, section.records

    def lines(x: str, y: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {record.method: (record.history[x], record.history[y]) for record in records}

    return [
        LineChart(
            key=f"{key}-time",
            title="Loss over time",
            caption="Lower and further left is better. Both axes are logarithmic; compilation is "
            "not counted.",
            x_label="seconds",
            y_label="training loss",
            lines=lines("seconds", "loss"),
            x_decades=4,
            x_text=duration,
        ),
        LineChart(
            key=f"{key}-work",
            title="Loss over work",
            caption="Work is counted in gradients, which do not depend on the machine. The "
            "methods that use a Jacobian, a factorisation or Hessian products pay for them "
            "beside the gradient: see the table below.",
            x_label="gradients",
            y_label="training loss",
            lines=lines("gradients", "loss"),
        ),
        LineChart(
            key=f"{key}-step",
            title="Step size",
            caption="A step of size h moves as far as gradient descent with the learning rate h "
            "would on a straight slope. A stiff integrator lets it grow as the valley flattens.",
            x_label="steps",
            y_label="step size h",
            lines=lines("step", "h"),
        ),
        LineChart(
            key=f"{key}-rejected",
            title="Rejected steps",
            caption="Attempts that were thrown away and tried again smaller, counted from the "
            "start. Methods with a fixed rule never look back.",
            x_label="steps",
            y_label="rejected steps so far",
            lines=lines("step", "rejected_steps"),
            y_log=False,
            stairs=True,
        ),
    ]


def _closing(report: Report) -> str:
    machine = report.machine
    versions = ", ".join(
        f"{name} {version}" for name, version in machine.versions.items() if version is not None
    )
    return (
        "<footer><h2>About these numbers</h2>"
        f"<p>Made on {report.began:%d %B %Y at %H:%M} in {report.seconds:.0f} seconds, compilation "
        f"included, by <code>{escape(report.again)}</code>. Python {escape(machine.python)}; "
        f"{escape(versions)}.</p>"
        "<p>Times are wall time. A time to a loss is that of the first step that ended at or below "
        "it. The loss is that of the training points; the measure beside it is what a user of "
        "the network would care about. The records of all runs are in <code>runs.json</code> "
        "beside this page.</p></footer>"
    )
