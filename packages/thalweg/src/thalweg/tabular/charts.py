"""The charts of a model of a table: residuals, confusion matrix, which columns matter."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Axis,
    BarMark,
    Chart,
    Tick,
    axis,
    short,
)
from thalweg.report.scale import fitting
from thalweg.report.tables import Row, Table
from thalweg.report.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_POINTS = 1000  # more would hide each other
MOST_BARS = 20
BAR, GAP = 14, 8
NAME_WIDTH, LONGEST_NAME = 170, 20  # room for the name of a column, in units and in letters
STRONGEST = 70  # per cent of colour in a cell that holds its whole row


@dataclasses.dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: What it stands for.
        value: Its length.
        spread: The standard deviation of its length.
    """

    name: str
    value: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often each class was taken for each other one.

    Attributes:
        counts: Row is the truth, column the prediction; int of shape `(classes, classes)`.
        classes: Their names.
    """

    counts: np.ndarray
    classes: Sequence[str]

    @property
    def total(self) -> int:
        """How many rows of the table there are."""
        return int(self.counts.sum())

    @property
    def wrong(self) -> int:
        """How many of them were given a wrong class."""
        return int(self.counts.sum() - np.trace(self.counts))

    def rows(self) -> list[tuple[str, list[tuple[int, str]]]]:
        """For each class its counts, each with its strength of colour by share of the row."""
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        return [
            (
                name,
                [
                    (int(count), f"{STRONGEST * share:.0f}%")
                    for count, share in zip(self.counts[row], shares[row], strict=True)
                ],
            )
            for row, name in enumerate(self.classes)
        ]


def residual_chart(predicted: np.ndarray, residuals: np.ndarray, *, unit: str) -> Chart:
    """Truth minus prediction over the prediction, one dot a row of the test part.

    Args:
        predicted: Shape `(rows,)`.
        residuals: Shape `(rows,)`.
        unit: What is predicted.
    """
    shown = np.linspace(0, len(predicted) - 1, min(len(predicted), MOST_POINTS)).astype(int)
    x_scale = fitting([predicted], start=LEFT, end=RIGHT, log=False)
    y_scale = fitting([residuals, np.zeros(1)], start=BOTTOM, end=TOP, log=False)
    quarter, half, most = np.percentile(residuals, [25, 50, 75])
    words = (
        f"{len(predicted)} residuals between {number(residuals.min(), digits=3)} and "
        f"{number(residuals.max(), digits=3)}; half of them lie between "
        f"{number(quarter, digits=3)} and {number(most, digits=3)}, and their median is "
        f"{number(half, digits=3)}."
    )
    only = "" if len(shown) == len(predicted) else f" {len(shown):,} of them are drawn."
    across, up = x_scale.place(predicted[shown]), y_scale.place(residuals[shown])
    return Chart(
        key="residuals",
        title="Residuals",
        caption="Each dot is a row of the test part. Above the line the prediction was too low, "
        f"below it too high. A bend or a funnel shows what the network misses. {words}{only}",
        words=words,
        x=axis(x_scale, f"predicted {unit}"),
        y=axis(y_scale, "truth minus prediction"),
        dots=[(short(x), short(y)) for x, y in zip(across, up, strict=True)],
        rule=f"M{LEFT} {short(y_scale.place(np.zeros(1))[0])}H{RIGHT}",
    )


def bar_chart(bars: Sequence[Bar], *, title: str, caption: str, x_label: str) -> Chart:
    """A bar a row, with a whisker of one standard deviation.

    Args:
        bars: In the order in which they are to stand.
        title: The headline.
        caption: How to read it.
        x_label: What the length is.
    """
    shown = list(bars[:MOST_BARS])
    bottom = TOP + len(shown) * (BAR + GAP)
    ends = np.array([[bar.value - bar.spread, bar.value + bar.spread] for bar in shown])
    scale = fitting([ends.ravel(), np.zeros(1)], start=NAME_WIDTH, end=RIGHT, log=False)
    tops = [TOP + GAP / 2 + row * (BAR + GAP) for row in range(len(shown))]
    zero = scale.place(np.zeros(1))[0]
    names = [
        Tick(short(top + BAR / 2), _shortened(bar.name))
        for top, bar in zip(tops, shown, strict=True)
    ]
    if len(bars) > MOST_BARS:
        caption += f" The {MOST_BARS} longest of {len(bars)} bars are drawn."
    return Chart(
        key="importance",
        title=title,
        caption=caption,
        words="; ".join(f"{bar.name} {number(bar.value)}" for bar in shown),
        x=axis(scale, x_label),
        y=Axis("column", start=bottom, end=TOP, ticks=names, grid=False),
        bars=[
            _bar(top, zero, scale.place(bar.value + bar.spread * np.array([-1.0, 0.0, 1.0])))
            for top, bar in zip(tops, shown, strict=True)
        ],
        rule=f"M{short(zero)} {TOP}V{bottom}",
        table=Table(
            title=x_label,
            name=f"{title}, table",
            heads=["column", "mean", "standard deviation"],
            rows=[Row([bar.name, number(bar.value), number(bar.spread)]) for bar in bars],
            css="numbers",
        ),
    )


def _bar(top: float, zero: float, ends: np.ndarray) -> BarMark:
    """A bar from zero to the middle one of three places; its whisker joins the other two."""
    low, end, high = ends
    middle = short(top + BAR / 2)
    return BarMark(
        x=short(min(zero, end)),
        y=short(top),
        width=short(abs(end - zero)),
        height=BAR,
        whisker=f"M{short(low)} {middle}H{short(high)}",
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
