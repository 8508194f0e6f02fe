"""A fit as an SVG file: measurements as dots, the curve as a line, its band behind it."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.charts import BOTTOM, HEADROOM, LEFT, RIGHT, TOP, WIDTH, axis, short
from thalweg.report.looks import COLOURS
from thalweg.report.scale import fitting

if TYPE_CHECKING:
    from thalweg.report.charts import Axis

CURVE, DOTS = COLOURS[1].light, COLOURS[0].light
MARGIN = 20  # right of the axes
INK, GRID = "#333333", "#dddddd"


@dataclasses.dataclass(frozen=True)
class FitChart:
    """What the chart shows.

    Attributes:
        title: The headline.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        dots: x and y of the measurements.
        curve: x and y of the curve.
        band: Lower and upper end of the band, at the x of the curve; NaN where there is none.
    """

    title: str
    x_label: str
    y_label: str
    dots: tuple[np.ndarray, np.ndarray]
    curve: tuple[np.ndarray, np.ndarray]
    band: tuple[np.ndarray, np.ndarray]


def fit_svg(chart: FitChart) -> str:
    """The chart as a whole SVG document."""
    x = fitting([chart.dots[0], chart.curve[0]], start=LEFT, end=RIGHT, log=False)
    y = fitting([chart.dots[1], chart.curve[1]], start=BOTTOM, end=TOP, log=False)
    across = x.place(chart.curve[0])
    parts = [*_axes(axis(x, chart.x_label), axis(y, chart.y_label))]
    if all(np.isfinite(side).all() for side in chart.band):
        low, high = (y.place(side) for side in chart.band)
        outline = _points(np.append(across, across[::-1]), np.append(low, high[::-1]))
        parts.append(f'<polygon points="{outline}" fill="{CURVE}" fill-opacity="0.2"/>')
    parts += [
        f'<circle cx="{short(a)}" cy="{short(b)}" r="2.5" fill="{DOTS}" fill-opacity="0.7"/>'
        for a, b in zip(x.place(chart.dots[0]), y.place(chart.dots[1]), strict=True)
    ]
    line = _points(across, y.place(chart.curve[1]))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{CURVE}" stroke-width="2"/>')
    width, height = WIDTH + MARGIN, BOTTOM + HEADROOM
    title = escape(chart.title)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{2 * width}" font-family="system-ui, sans-serif" font-size="11" fill="{INK}" '
        'role="img">'
    )
    background = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    headline = _text(chart.title, x=LEFT, y=16, more='font-size="13" font-weight="600"')
    return "\n".join([head, f"<title>{title}</title>", background, headline, *parts, "</svg>\n"])


def _axes(x: Axis, y: Axis) -> list[str]:
    parts = []
    for tick in y.ticks:
        parts.append(_line(tick.at, GRID))
        parts.append(_text(tick.label, x=LEFT - 6, y=tick.at, more='text-anchor="end" dy="4"'))
    middle = 'text-anchor="middle"'
    parts += [_text(tick.label, x=tick.at, y=BOTTOM + 16, more=middle) for tick in x.ticks]
    turned = f'{middle} transform="translate(14 {(TOP + BOTTOM) // 2}) rotate(-90)"'
    return [
        *parts,
        _line(BOTTOM, INK),
        _text(x.label, x=(LEFT + RIGHT) // 2, y=BOTTOM + 34, more=middle),
        _text(y.label, x=0, y=0, more=turned),
    ]


def _line(y: object, colour: str) -> str:
    """A horizontal line across the chart."""
    return f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="{colour}"/>'


def _text(text: str, *, x: object, y: object, more: str) -> str:
    return f'<text x="{x}" y="{y}" {more}>{escape(text)}</text>'


def _points(across: np.ndarray, up: np.ndarray) -> str:
    return " ".join(f"{short(a)},{short(b)}" for a, b in zip(across, up, strict=True))
