"""What a step costs: the table, the charts of growth, and memory against its budget."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._util.record import json_values
from thalweg.report import html
from thalweg.report.charts import legend
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.looks import Looks
from thalweg.report.tables import Row, Table
from thalweg.report.text import duration, number, versions_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg._util.machine import Machine
    from thalweg_lab.bench.cost import Costs, Step
    from thalweg_lab.bench.memory import Peak

TITLE = "What a step of thalweg costs"
GIGA, MIB = 1e9, 2**20
AXES = {"weights": "weights", "residuals": "residuals", "depth": "hidden layers"}
# What grows: its name, its unit, and how many units of a `Step` make one.
GROWING = {
    "seconds": ("Seconds a step", "seconds a step", 1.0),
    "held": ("Memory", "MiB held", float(MIB)),
}
HOW = (
    "The operations of a step are those of the functions that it calls and of its products and "
    "factorisations of matrices. A tanh counts as one operation, though it takes as long as many, "
    "so the gradient of a small network cannot come near the rate of a product of matrices."
)


def cost_json(costs: Costs, peaks: Sequence[Peak], machine: Machine) -> dict[str, Any]:
    """For another program."""
    return json_values(
        {
            "machine": dataclasses.asdict(machine),
            "product_rate": costs.product_rate,
            "steps": [
                {
                    **dataclasses.asdict(step),
                    "share_of_product_rate": costs.share_of_product(step),
                    "share_of_gradient_rate": costs.share_of_gradient(step),
                    "plain_gradients": costs.gradients(step),
                }
                for step in costs.steps
            ],
            "exponents": {
                column: {
                    axis: {m: costs.exponent(m, axis, column) for m in methods_of(costs)}
                    for axis in AXES
                }
                for column in GROWING
            },
            "peaks": [dataclasses.asdict(peak) for peak in peaks],
        }
    )


def methods_of(costs: Costs) -> list[str]:
    """The methods in their order, the plain gradient first."""
    return list(dict.fromkeys(step.method for step in costs.steps))


def rows(costs: Costs) -> list[tuple[str, ...]]:
    """One row a method, at the most weights that were measured."""
    return [
        (
            step.method,
            duration(step.seconds),
            number(costs.gradients(step)),
            number(step.flops),
            number(step.bytes / MIB),
            number(step.rate / GIGA),
            f"{100 * costs.share_of_product(step):.0f} %",
            number(step.held / MIB),
            *(
                " / ".join(_power(costs.exponent(step.method, axis, column)) for column in GROWING)
                for axis in AXES
            ),
        )
        for step in _largest(costs)
    ]


HEADS = (
    "method",
    "a step",
    "in plain gradients",
    "operations",
    "MiB moved",
    "10⁹ operations a second",
    "of a plain product of matrices",
    "MiB held",
    *(f"time / memory: power of {words}" for words in AXES.values()),
)
PEAK_HEADS = ("algebra", "weights", "residuals", "whole Jacobian", "budget", "taken")


def peak_rows(peaks: Sequence[Peak]) -> list[tuple[str, ...]]:
    """One row a budget."""
    return [
        (
            peak.algebra,
            f"{peak.weights:,}",
            f"{peak.residuals:,}",
            *(f"{size / MIB:.0f} MiB" for size in (peak.jacobian, peak.budget, peak.taken)),
        )
        for peak in peaks
    ]


def sentences(costs: Costs) -> list[str]:
    """A sentence a method: which share of what the machine can do a step reaches."""
    return [
        f"{step.method}: a step does {number(step.flops)} operations in "
        f"{duration(step.seconds)}, {100 * costs.share_of_product(step):.0f} % of what a plain "
        f"product of matrices does in that time, at {number(costs.share_of_gradient(step))} times "
        f"the rate of a plain gradient, and holds {number(step.held / MIB)} MiB."
        for step in _largest(costs)
    ]


def title_of(costs: Costs) -> str:
    """What the rows are of."""
    largest = _largest(costs)[0]
    return (
        f"A step at {largest.weights:,} weights and {largest.residuals:,} residuals; a plain "
        f"product of matrices does {number(costs.product_rate / GIGA)}·10⁹ operations a second"
    )


def _largest(costs: Costs) -> list[Step]:
    most = max(step.weights for step in costs.steps if step.axis == "weights")
    return [step for step in costs.steps if step.axis == "weights" and step.weights == most]


def render_cost(costs: Costs, peaks: Sequence[Peak], machine: Machine) -> str:
    """The page as HTML that works offline."""
    methods = methods_of(costs)
    looks = Looks(methods)
    return html.page(
        "cost_page.html",
        package="thalweg_lab.pages",
        title=TITLE,
        how=HOW,
        legend=legend(map(looks, methods)),
        charts=[draw_lines(chart) for chart in _charts(costs, looks)],
        steps=_table(title_of(costs), HEADS, rows(costs)),
        sentences=sentences(costs),
        peaks=_table("Peak memory against its budget", PEAK_HEADS, peak_rows(peaks))
        if peaks
        else None,
        machine=machine,
        versions=versions_text(machine.versions),
    )


def _charts(costs: Costs, looks: Looks) -> list[LineChart]:
    """Time, then memory, along each axis that was measured."""
    return [
        LineChart(
            key=f"growth-{column}-{axis}",
            title=f"{title} over {words}",
            caption="Fitted powers: "
            + ", ".join(
                f"{method} {_power(costs.exponent(method, axis, column))}"
                for method in methods_of(costs)
            )
            + ".",
            x_label=words,
            y_label=label,
            lines={
                method: _line(
                    [s for s in costs.steps if (s.method, s.axis) == (method, axis)], column, unit
                )
                for method in methods_of(costs)
            },
            x_text=lambda count: f"{count:,.0f}",
            look=looks,
        )
        for column, (title, label, unit) in GROWING.items()
        for axis, words in AXES.items()
        if any(step.axis == axis for step in costs.steps)
    ]


def _line(steps: Sequence[Step], column: str, unit: float) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.asarray([float(step.along) for step in steps]),
        np.asarray([getattr(step, column) / unit for step in steps]),
    )


def _power(exponent: float) -> str:
    return "-" if math.isnan(exponent) else f"{exponent:.1f}"


def _table(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    return Table(title=title, heads=heads, rows=[Row(line) for line in lines])
