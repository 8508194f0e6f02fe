"""The page of a model of a table: scores, how the fit went, where it errs, which columns matter."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.report import html
from thalweg.report.charts import Chart, draw
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.looks import Looks
from thalweg.report.tables import Cell, Row, Table
from thalweg.report.text import number, versions_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import numpy as np

    from thalweg._util.machine import Machine
    from thalweg.tabular.charts import Confusion

DIGITS = 3
IN_UNITS = ("RMSE", "MAE")
FEW_STEPS = 200  # more are shown on a logarithmic axis ...
WIDE = 20.0  # ... as are losses that fall to less than a share of 1 / WIDE
TRAINING, VALIDATION = "rows fitted", "rows held out"


@dataclasses.dataclass(frozen=True)
class TablePage:
    """What a page says.

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
        errors: The residuals or the confusion matrix.
        importance: Which columns matter.
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
    errors: Chart | Confusion
    importance: Chart
    columns: Sequence[tuple[str, str, str]]
    machine: Machine
    began: dt.datetime
    seconds: float
    again: str


def render_table_page(page: TablePage) -> str:
    """The page as HTML that works offline."""
    looks = Looks((TRAINING, VALIDATION))
    return html.page(
        "table_page.html",
        package="thalweg.tabular",
        page=page,
        scores=_scores(page),
        validation=", ".join(
            f"{name} {score_text(name, value)}" for name, value in page.validation.items()
        ),
        keys=[looks(TRAINING), looks(VALIDATION)],
        loss=draw_lines(_fit(page, looks)),
        residuals=draw(page.errors) if isinstance(page.errors, Chart) else None,
        confusion=None if isinstance(page.errors, Chart) else page.errors,
        importance=draw(page.importance),
        columns=Table(
            title="What the network takes in",
            heads=["column", "holds", "enters as"],
            rows=[Row(line) for line in page.columns],
            css="columns",
            name="Columns",
            left=(0, 1, 2),
        ),
        versions=versions_text(page.machine.versions),
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


def _scores(page: TablePage) -> Table:
    names = list(next(iter(page.scores.values())))
    best = {
        name: (min if name in page.lower_is_better else max)(
            scores[name] for scores in page.scores.values()
        )
        for name in names
    }
    return Table(
        title="On the test part; the best of a column is bold.",
        heads=["model", *names],
        rows=[
            Row(
                [
                    model,
                    *(
                        Cell(
                            score_text(name, scores[name]),
                            css="best" if scores[name] == best[name] else "",
                        )
                        for name in names
                    ),
                ]
            )
            for model, scores in page.scores.items()
        ],
        css="scores",
        name="Scores",
    )


def _fit(page: TablePage, looks: Looks) -> LineChart:
    return LineChart(
        key="loss",
        title="Loss of the fit that was chosen",
        caption="The loss of the rows fitted includes the weight decay. Where the loss of the rows "
        "held out stops falling, the network begins to learn the noise.",
        x_label="steps",
        y_label=page.loss,
        lines={TRAINING: page.training_loss, VALIDATION: page.validation_loss},
        look=looks,
        x_log=page.training_loss[0].max(initial=0) > FEW_STEPS,
        y_log=_spans(page.training_loss[1], page.validation_loss[1]) > WIDE,
    )


def _spans(*losses: np.ndarray) -> float:
    """The largest of some losses over the smallest; 1 where none is above 0."""
    positive = [loss for part in losses for loss in part.tolist() if loss > 0]
    return max(positive) / min(positive) if positive else 1.0
