"""The demo's page: who was first, then charts, pictures and tables by problem."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.report import html
from thalweg.report.charts import legend
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.looks import Looks
from thalweg.report.text import duration, number, versions_text
from thalweg_lab.pages.pictures import draw_picture
from thalweg_lab.pages.tables import target_table, work_table
from thalweg_lab.pages.words import First, firsts, setting, standing

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
    """What a page says.

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
    """The report as one HTML page that works offline."""
    records = [record for section in report.sections for record in section.records]
    methods = list(dict.fromkeys(record.method for record in records))
    looks = Looks(methods)
    return html.page(
        "runs_page.html",
        package="thalweg_lab.pages",
        report=report,
        setting=setting(report.machine, records) if records else "",
        legend=legend(map(looks, methods)),
        parts=[
            ("first", "Who was first"),
            *((section.task.name, section.task.title) for section in report.sections),
            ("about", "About these numbers"),
        ],
        sections=[_section(section, looks) for section in report.sections],
        versions=versions_text(report.machine.versions),
    )


def _section(section: Section, looks: Looks) -> dict[str, object]:
    """What the template shows of one problem; the chart of the loss over time stands first."""
    task, records = section.task, section.records
    return {
        "task": task,
        "size": f"{task.size:,}",
        "seed": records[0].seed,
        "budget": f"{records[0].budget:g}",
        "standing": standing(task, records),
        "firsts": [_first(first, looks) for first in firsts(records)],
        "race": draw_lines(_race(section, looks)),
        "targets": target_table(task, records, looks),
        "legend": legend(looks(record.method) for record in records),
        "charts": [draw_lines(chart) for chart in _charts(section, looks)],
        "pictures": [
            draw_picture(picture, key=f"{task.name}-picture-{place}", looks=looks)
            for place, picture in enumerate(section.pictures)
        ],
        "work": work_table(task, records, looks),
    }


def _first(first: First, looks: Looks) -> dict[str, object]:
    """Who was first to one loss."""
    winner = first.winner
    return {
        "target": number(first.target),
        "look": None if winner is None else looks(winner),
        "time": "" if winner is None else duration(first.times[winner]),
    }


def _lines(section: Section, x: str, y: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {record.method: (record.history[x], record.history[y]) for record in section.records}


def _race(section: Section, looks: Looks) -> LineChart:
    return LineChart(
        key=f"{section.task.name}-time",
        title=f"{section.task.title}: loss over time",
        caption="Lower and further left is better. Both axes are logarithmic; compilation is not "
        "counted.",
        x_label="seconds",
        y_label="training loss",
        lines=_lines(section, "seconds", "loss"),
        look=looks,
        x_decades=4,
        x_text=duration,
    )


def _charts(section: Section, looks: Looks) -> list[LineChart]:
    """The other charts that every problem has."""
    key = section.task.name
    return [
        LineChart(
            key=f"{key}-work",
            title="Loss over work",
            caption="Work is counted in gradients, which do not depend on the machine. Methods "
            "that use Jacobians, factorisations or Hessian products pay for them on top of the "
            "gradients: see the table below.",
            x_label="gradients",
            y_label="training loss",
            lines=_lines(section, "gradients", "loss"),
            look=looks,
        ),
        LineChart(
            key=f"{key}-step",
            title="Step size",
            caption="A step of size h is a step of length h in the time of the gradient flow; for "
            "gradient descent h is the learning rate. A stiff integrator lets h grow as the loss "
            "falls. An implicit step adds 1/h to the curvature and so becomes a Newton step as h "
            "grows. At 10²⁰, where h is capped, the two agree to the last digit.",
            x_label="steps",
            y_label="step size h",
            lines=_lines(section, "step", "h"),
            look=looks,
        ),
        LineChart(
            key=f"{key}-rejected",
            title="Rejected steps",
            caption="Steps that were tried, discarded and repeated with a smaller size, counted "
            "from the start. Methods with a fixed learning rate reject none.",
            x_label="steps",
            y_label="rejected steps so far",
            lines=_lines(section, "step", "rejected_steps"),
            look=looks,
            y_log=False,
            stairs=True,
        ),
    ]
