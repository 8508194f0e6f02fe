"""The charts of a study: medians over the starts, and those of its answers."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from thalweg.report.looks import Looks
    from thalweg_lab.problems import TrainingProblem
    from thalweg_lab.study import Chart, Run

POINTS = 120  # of a median curve
WIDEST = 6.0  # powers of ten of the axis of seconds and gradients


def problem_charts(
    problem: str, runs: Sequence[Run], task: TrainingProblem | None, looks: Looks
) -> list[LineChart]:
    """Loss over work and over seconds, and the measure over work where it was watched.

    Args:
        problem: The problem's name.
        runs: Its runs.
        task: The problem, where it can be loaded.
        looks: From a method to its look.
    """
    how = (
        "For each method the median over the starts of the lowest loss found so far. Lower and "
        "further left is better."
    )
    charts = [
        LineChart(
            key=f"{problem}-work",
            title=f"{problem}: loss over work",
            caption=f"{how} Work is counted in gradients, which do not depend on the machine; "
            "Jacobians, factorisations and Hessian products are in the records.",
            x_label="gradients",
            y_label="training loss",
            lines=medians(runs, "gradients", "loss"),
            x_decades=WIDEST,
            look=looks,
        ),
        LineChart(
            key=f"{problem}-time",
            title=f"{problem}: loss over time",
            caption=f"{how} Compilation is not counted.",
            x_label="seconds",
            y_label="training loss",
            lines=medians(runs, "seconds", "loss"),
            x_decades=WIDEST,
            x_text=duration,
            look=looks,
        ),
    ]
    watched = [run for run in runs if "measure" in run.history]
    if watched and task is not None:
        is_share = task.measure.is_share
        charts.append(
            LineChart(
                key=f"{problem}-measure",
                title=f"{problem}: {task.measure.name} over work",
                caption="For each method that was watched the median over the starts. "
                + ("Higher is better." if is_share else "Lower is better."),
                x_label="gradients",
                y_label=task.measure.name,
                lines=medians(watched, "gradients", "measure"),
                x_decades=WIDEST,
                y_log=not is_share,
                look=looks,
            )
        )
    return charts


def answer_chart(chart: Chart, *, key: str, look: Looks) -> Markup:
    """A chart of an answer, with the runs behind it."""
    return draw_lines(
        LineChart(
            key=key,
            title=chart.title,
            caption=chart.caption,
            x_label=chart.x_label,
            y_label=chart.y_label,
            lines=chart.lines,
            look=look,
            x_log=chart.x_log,
            y_log=chart.y_log,
            run_ids=chart.run_ids,
        )
    )


def medians(runs: Sequence[Run], x: str, y: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each method the median of a column over its runs, at places evenly spaced by logarithm.

    At each place a run contributes its last value at or before it, or its lowest so far for
    losses. A run that has ended keeps its value; a run that has none yet is left out.

    Args:
        runs: Runs of one problem; those without the columns are left out.
        x: The column that is the axis; ascending.
        y: The column that is the value.

    Returns:
        Method to `(x, y)`, arrays of one length.
    """
    methods: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for run in runs:
        if y in run.history and len(run.history[x]):
            methods.setdefault(run.spec.method, []).append(_known(run, x, y))
    return {label: _median(lines) for label, lines in methods.items()}


def _known(run: Run, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """A run's column where it has a value; for losses the lowest so far."""
    across, up = np.asarray(run.history[x], float), np.asarray(run.history[y], float)
    kept = np.isfinite(across) & np.isfinite(up)
    across, up = across[kept], up[kept]
    return across, np.minimum.accumulate(up) if y == "loss" else up


def _median(lines: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    positive = [x[x > 0] for x, _ in lines]
    ends = [x for x in positive if x.size]
    if not ends:
        return np.empty(0), np.empty(0)
    high = max(float(x[-1]) for x in ends)
    low = max(min(float(x[0]) for x in ends), high / 10.0**WIDEST)
    # Where all runs have few rows of their own, these are the places.
    own = np.unique(np.concatenate(ends))
    places = own if len(own) <= POINTS else np.geomspace(low, high * (1 + 1e-12), POINTS)
    values = np.stack([_last_before(places, *line) for line in lines])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return places, np.nanmedian(values, axis=0)


def _last_before(places: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The last value at or before each place; NaN before the first."""
    if not x.size:
        return np.full(len(places), math.nan)
    rows = np.searchsorted(x, places, side="right") - 1
    return np.where(rows >= 0, y[rows.clip(min=0)], math.nan)
