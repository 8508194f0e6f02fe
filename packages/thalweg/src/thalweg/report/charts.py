"""A chart of a page: where its axes, lines, dots and bars lie; `chart.html` writes it as SVG.

Every kind of chart comes to this: `lines` makes it of lines, `tabular.charts` of dots and of bars.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thalweg.report.html import part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from thalweg.report.heat import Raster
    from thalweg.report.looks import Look
    from thalweg.report.scale import Scale
    from thalweg.report.tables import Table

WIDTH, HEIGHT = 460, 300  # units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 60, 450, 30, 258  # of the axes in it
HEADROOM = 42  # under the axes, for ticks and label


class Tick(NamedTuple):
    """A mark on an axis: where, and what it says."""

    at: str
    label: str


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis as it is drawn.

    Attributes:
        label: What it shows, with its unit.
        start: Where it begins, in units of the drawing.
        end: Where it ends.
        ticks: Its marks.
        grid: Whether a line runs through the chart at each mark.
        for_script: What `page.js` needs to turn a place back into a value.
    """

    label: str
    start: int
    end: int
    ticks: Sequence[Tick]
    grid: bool = True
    for_script: str = ""


class Series(NamedTuple):
    """A line: its look, its points as SVG has them, and where its markers are."""

    look: Look
    points: str
    marks: Sequence[tuple[str, str]]


class BarMark(NamedTuple):
    """A bar with a whisker."""

    x: str
    y: str
    width: str
    height: int
    whisker: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart as it is drawn.

    Attributes:
        key: Its id on the page; letters, digits and hyphens.
        title: The headline.
        caption: How to read it; a sentence or two.
        words: What it shows, for those who cannot see it.
        x: The horizontal axis.
        y: The vertical axis.
        series: Lines, the first on top.
        backdrops: Broad grey lines behind all others.
        dots: Centres of dots.
        bars: Bars.
        rule: A path that marks a value, such as zero.
        raster: A picture that fills the axes, with the key of its colours.
        table: Its numbers.
        run_ids: The runs behind it.
    """

    key: str
    title: str
    caption: str
    words: str
    x: Axis
    y: Axis
    series: Sequence[Series] = ()
    backdrops: Sequence[str] = ()
    dots: Sequence[tuple[str, str]] = ()
    bars: Sequence[BarMark] = ()
    rule: str | None = None
    raster: Raster | None = None
    table: Table | None = None
    run_ids: Sequence[str] = ()

    @property
    def width(self) -> int:
        """The width of the drawing."""
        return WIDTH

    @property
    def height(self) -> int:
        """The height of the drawing, which follows its vertical axis."""
        return self.y.start + HEADROOM


def axis(scale: Scale, label: str) -> Axis:
    """The axis of a scale that spans `[scale.start, scale.end]` of the drawing."""
    kind = "log" if scale.log else "linear"
    return Axis(
        label=label,
        start=round(scale.start),
        end=round(scale.end),
        ticks=[Tick(short(scale.place(np.asarray(value))), text) for value, text in scale.ticks()],
        for_script=f"{kind} {scale.low!r} {scale.high!r} {scale.start!r} {scale.end!r}",
    )


def draw(chart: Chart) -> Markup:
    """The chart as a `<figure>`: headline, SVG, caption, and a table of its numbers."""
    return part("chart.html", "figure", chart)


def legend(looks: Iterable[Look]) -> Markup:
    """The entrants with their looks, each with a box that hides it from all charts."""
    return part("parts.html", "legend", list(looks))


def short(coordinate: float | np.ndarray) -> str:
    """A coordinate to a tenth of a unit."""
    return f"{float(coordinate):.1f}".removesuffix(".0")
