"""What the page of a trained model says, in its words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from thalweg._util.machine import this_machine
from thalweg.tabular.charts import Bar, Confusion, bar_chart, residual_chart
from thalweg.tabular.columns import CategoryColumn, Column
from thalweg.tabular.html_page import TablePage, render_table_page
from thalweg.tabular.importance import SHUFFLES, measure_of
from thalweg.tabular.scores import LOWER_IS_BETTER, confusion
from thalweg.tabular.target import ClassTarget

if TYPE_CHECKING:
    from thalweg.report.charts import Chart
    from thalweg.tabular.train import Asked, Trained

LOSSES = {
    "regression": "half the squared error, standardised",
    "classification": "cross-entropy",
}


def page_of(trained: Trained) -> str:
    """The page as HTML."""
    found, schema = trained.found, trained.model.schema
    history = found.chosen.solution.history
    validation = found.chosen.validation
    rows = trained.rows
    size = sum(array.size for layer in trained.model.layers for array in layer.values())
    return render_table_page(
        TablePage(
            title=f"Predicting {schema.target.name}",
            lead=(
                (
                    f"A network of {'-'.join(map(str, trained.model.sizes))} tanh units, {size:,} "
                    f"weights, learned a {trained.task.task} from {rows['train']:,} rows; "
                    f"{rows['validation']:,} others decided on its weight decay, and "
                    f"{rows['test']:,} tested it."
                ),
                (
                    f"{found.outcome} The fits took {found.seconds:.2g} seconds and "
                    f"{found.work.gradients:,} gradients; compiling took "
                    f"{trained.compile_seconds:.2g} seconds."
                ),
            ),
            notes=trained.notes,
            scores=trained.scores,
            lower_is_better=LOWER_IS_BETTER,
            validation=trained.validation_scores,
            training_loss=(history["step"], history["loss"]),
            validation_loss=(np.array([*validation]), np.array([*validation.values()])),
            loss=LOSSES[trained.task.task],
            errors=_errors(trained),
            importance=bar_chart(
                [Bar(entry.column, entry.rise, entry.spread) for entry in trained.importance],
                title="Which columns matter",
                caption="How much worse the network is on the test part when a column is "
                f"shuffled: the mean and standard deviation of {SHUFFLES} shuffles. Columns that "
                "say the same share their worth.",
                x_label=f"rise of the {measure_of(trained.task.task)}",
            ),
            columns=[(column.name, column.kind, _words(column)) for column in schema.columns],
            machine=this_machine(),
            began=trained.began,
            seconds=trained.seconds,
            again=command_of(trained.asked),
        )
    )


def command_of(asked: Asked) -> str:
    """The command that trains the same again."""
    words = ["thalweg", "train", asked.data, "--target", asked.target]
    words += ["--task", asked.task] if asked.task else []
    words += ["--hidden", ",".join(map(str, asked.hidden))]
    words += ["--method", asked.method, "--seconds", f"{asked.seconds:g}"]
    words += ["--seed", str(asked.seed)]
    words += [word for name in asked.ignore for word in ("--ignore", name)]
    return shlex.join(words)


def _errors(trained: Trained) -> Chart | Confusion:
    target = trained.model.schema.target
    if isinstance(target, ClassTarget):
        return Confusion(confusion(target, trained.truth, trained.outputs), target.classes)
    predicted = target.decode(trained.outputs[:, 0])
    return residual_chart(predicted, target.decode(trained.truth) - predicted, unit=target.name)


def _words(column: Column) -> str:
    """How a column enters the network."""
    missing = ", missing marked" if column.marks_missing else ""
    if isinstance(column, CategoryColumn):
        level = ", missing is one of them" if column.marks_missing else ""
        return f"{column.inputs} inputs, one a level{level}"
    if column.kind == "date":
        cycles = "time of year and of day" if column.has_times else "time of year"
        return f"days since 1970, standardised; {cycles}{missing}"
    return f"standardised: mean {column.mean:.4g}, deviation {column.scale:.4g}{missing}"
