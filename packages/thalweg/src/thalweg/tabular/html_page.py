"""The page of a model of a table: scores, how the fit went, where it errs, which columns matter."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.report.lines import LineChart, draw
from thalweg.report.looks import look_of, swatch
from thalweg.report.page import whole_page
from thalweg.report.text import escape, number, with_code

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import numpy as np

    from thalweg._util.machine import Machine

DIGITS = 3
IN_UNITS = ("RMSE", "MAE")
FEW_STEPS = 200  # more are shown on a logarithmic axis ...
WIDE = 20.0  # ... as are losses that fall to less than a share of 1 / WIDE
TRAINING, VALIDATION = "rows fitted", "rows held out"  # names that `look_of` colours unlike


@dataclasses.dataclass(frozen=True)
class TablePage:
    """What a page tells.

    Attributes:
        title: The headline.
        lead: What was done, in sentences.
        notes: What a reader should know of the data, in sentences.
        scores: Model to score to value, on the test part; the network first.
        lower_is_better: The scores that should be small.
        validation: Score to value on the validation part.
        training_loss: `(steps, loss)` of the chosen fit.
        validation_loss: `(steps, loss)` of the chosen fit.
        loss: The name of the loss.
        error_chart: The residuals or the confusion matrix, as HTML.
        importance_chart: Which columns matter, as HTML.
        columns: For each column its name, its kind and how it enters the network.
        machine: Where it was trained.
        began: When.
        seconds: Wall time of everything.
        again: The command that does it again.
    """

    title: str
    lead: Sequence[str]
    notes: Sequence[str]
    scores: Mapping[str, Mapping[str, float]]
    lower_is_better: Sequence[str]
    validation: Mapping[str, float]
    training_loss: tuple[np.ndarray, np.ndarray]
    validation_loss: tuple[np.ndarray, np.ndarray]
    loss: str
    error_chart: str
    importance_chart: str
    columns: Sequence[tuple[str, str, str]]
    machine: Machine
    began: dt.datetime
    seconds: float
    again: str


def render_table_page(page: TablePage) -> str:
    """The page as HTML that loads nothing from anywhere."""
    lead = "".join(f"<p>{with_code(sentence)}</p>" for sentence in page.lead[1:])
    notes = "".join(f"<li>{with_code(sentence)}</li>" for sentence in page.notes)
    return whole_page(
        page.title,
        f'<header><h1>{escape(page.title)}</h1><p class="lead">{with_code(page.lead[0])}</p>{lead}'
        f'</header><main id="results">{_scores(page)}'
        f'<div class="charts">{_fit(page)}{page.error_chart}{page.importance_chart}</div>'
        f"<h2>The columns</h2>{_columns(page)}"
        f"{f'<h2>About the data</h2><ul>{notes}</ul>' if notes else ''}</main>{_closing(page)}",
        styles=("table_page.css",),
    )


def score_text(name: str, value: float) -> str:
    """A score: an error in the units of the table with few digits, any other with three decimals.

    Examples:
        >>> score_text("RMSE", 54321.0), score_text("R²", -4e-5), score_text("accuracy", 0.97143)
        ('5.43·10⁴', '0.000', '0.971')
    """
    if name in IN_UNITS:
        return number(value, digits=DIGITS)
    return f"{round(value, 3) + 0.0:.3f}"  # the sum makes a negative 0 an ordinary one


def _scores(page: TablePage) -> str:
    names = list(next(iter(page.scores.values())))
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    best = {
        name: (min if name in page.lower_is_better else max)(
            scores[name] for scores in page.scores.values()
        )
        for name in names
    }
    rows = "".join(
        f'<tr><th scope="row">{escape(model)}</th>'
        + "".join(
            f"<td{' class=best' if scores[name] == best[name] else ''}>"
            f"{score_text(name, scores[name])}</td>"
            for name in names
        )
        + "</tr>"
        for model, scores in page.scores.items()
    )
    on_validation = ", ".join(
        f"{name} {score_text(name, value)}" for name, value in page.validation.items()
    )
    return (
        "<h2>Scores on rows that no model has seen</h2>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Scores">'
        '<table class="scores"><caption>On the test part; the best of a column is bold.</caption>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p>On the validation part, before the last fit took it in: {escape(on_validation)}.</p>"
    )


def _fit(page: TablePage) -> str:
    chart = LineChart(
        key="loss",
        title="Loss of the fit that was chosen",
        caption="The loss of the rows fitted has the weight decay added. Where that of the rows "
        "held out stops falling, the network begins to learn the noise.",
        x_label="steps",
        y_label=page.loss,
        lines={TRAINING: page.training_loss, VALIDATION: page.validation_loss},
        x_log=page.training_loss[0].max(initial=0) > FEW_STEPS,
        y_log=_spans(page.training_loss[1], page.validation_loss[1]) > WIDE,
    )
    keys = "".join(f"<li>{swatch(look_of(name))}{name}</li>" for name in chart.lines)
    return f'<div><ul class="lines">{keys}</ul>{draw(chart)}</div>'


def _spans(*losses: np.ndarray) -> float:
    """How many times the least of some losses the greatest is; 1 where there is none above 0."""
    positive = [loss for part in losses for loss in part.tolist() if loss > 0]
    return max(positive) / min(positive) if positive else 1.0


def _columns(page: TablePage) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(kind)}</td><td>{escape(how)}</td></tr>'
        for name, kind, how in page.columns
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Columns">'
        '<table class="columns"><caption>What the network takes in</caption><thead><tr>'
        '<th scope="col">column</th><th scope="col">holds</th><th scope="col">enters as</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _closing(page: TablePage) -> str:
    machine = page.machine
    versions = ", ".join(
        f"{name} {version}" for name, version in machine.versions.items() if version is not None
    )
    return (
        "<footer><h2>About these numbers</h2>"
        f"<p>Made on {page.began:%d %B %Y at %H:%M} in {page.seconds:.0f} seconds, compilation "
        f"included, by <code>{escape(page.again)}</code> on {escape(machine.processor)}, "
        f"{machine.cores} cores. Python {escape(machine.python)}; {escape(versions)}.</p>"
        "<p>This is one split of the rows and one start. <code>run.json</code> beside this page "
        "has all scores and fits, <code>history.parquet</code> every step.</p></footer>"
    )
