"""Line charts: a line an entrant, with markers, and the numbers as a table."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Series, axis, draw, short
from thalweg.report.scale import fitting
from thalweg.report.tables import Row, Table
from thalweg.report.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from thalweg.report.looks import Look

    Line = tuple[np.ndarray, np.ndarray]

MARKERS_PER_LINE = 5
TABLE_ROWS = 8


@dataclasses.dataclass(frozen=True)
class LineChart:
    """What a line chart shows.

    Attributes:
        key: Its id on the page; letters, digits and hyphens.
        title: The headline.
        caption: How to read it; a sentence or two.
        x_label: The horizontal axis, with its unit.
        y_label: The vertical axis, with its unit.
        lines: Entrant to `(x, y)`, arrays of one length; points that are not finite are left out.
        look: From an entrant to its look.
        x_log: Whether the horizontal axis is logarithmic.
        x_decades: How many powers of ten it spans at most; what is earlier is drawn at its
            left end.
        y_log: Whether the vertical axis is logarithmic.
        stairs: Whether a value holds until the next point, as for counts.
        backdrop: `(x, y)` of a broad grey line behind all others, or None.
        x_text: How the table writes a value of x.
        run_ids: The runs behind the chart, to be linked to.
    """

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]
    look: Callable[[str], Look]
    x_log: bool = True
    x_decades: float = math.inf
    y_log: bool = True
    stairs: bool = False
    backdrop: Line | None = None
    x_text: Callable[[float], str] = number
    run_ids: Sequence[str] = ()


def draw_lines(chart: LineChart) -> Markup:
    """The chart as a `<figure>`."""
    lines = {name: _finite(x, y, chart) for name, (x, y) in chart.lines.items()}
    lines = {name: line for name, line in lines.items() if line[0].size}
    behind = [] if chart.backdrop is None else [chart.backdrop]
    shown = [*lines.values(), *behind]
    x_scale = fitting(
        [x for x, _ in shown], start=LEFT, end=RIGHT, log=chart.x_log, decades=chart.x_decades
    )
    y_scale = fitting([y for _, y in shown], start=BOTTOM, end=TOP, log=chart.y_log)
    missing = [chart.look(name).label for name in chart.lines if name not in lines]
    lack = f" Not shown, as it has no such value: {', '.join(missing)}." if missing else ""
    return draw(
        Chart(
            key=chart.key,
            title=chart.title,
            caption=f"{chart.caption}{lack}",
            words=_in_words(chart, lines),
            x=axis(x_scale, chart.x_label),
            y=axis(y_scale, chart.y_label),
            series=[
                _series(chart.look(name), x_scale.place(x), y_scale.place(y), stairs=chart.stairs)
                for name, (x, y) in lines.items()
            ],
            backdrops=[_points(x_scale.place(x), y_scale.place(y)) for x, y in behind],
            table=_table(chart, lines) if lines else None,
            run_ids=chart.run_ids,
        )
    )


def _finite(x: np.ndarray, y: np.ndarray, chart: LineChart) -> Line:
    """The points that can be shown."""
    kept = np.isfinite(x) & np.isfinite(y)
    if chart.y_log:
        kept &= y > 0
    return np.asarray(x, float)[kept], np.asarray(y, float)[kept]


def _series(look: Look, across: np.ndarray, up: np.ndarray, *, stairs: bool) -> Series:
    """A line at its coordinates, with markers spread evenly over its width, one at its end."""
    corners = across, up
    if stairs and len(across) > 1:
        corners = np.repeat(across, 2)[1:], np.repeat(up, 2)[:-1]
    wanted = np.linspace(across[-1], across[0], MARKERS_PER_LINE, endpoint=False)
    chosen = sorted({int(np.argmin(np.abs(across - place))) for place in wanted[1:]})
    marks = [(short(across[k]), short(up[k])) for k in (*chosen, len(across) - 1)]
    return Series(look, _points(*corners), marks)


def _points(across: np.ndarray, up: np.ndarray) -> str:
    pairs = zip(across.tolist(), up.tolist(), strict=True)
    return " ".join(f"{short(x)},{short(y)}" for x, y in pairs)


def _table(chart: LineChart, lines: Mapping[str, Line]) -> Table:
    """The values of all lines at a few places."""
    everywhere = np.concatenate([x for x, _ in lines.values()])
    low, high = everywhere.min(), everywhere.max()
    if chart.x_log:
        positive = everywhere[everywhere > 0]
        low = positive.min() if positive.size else 1.0
        places = np.geomspace(max(low, high / 10.0**chart.x_decades), max(high, low), TABLE_ROWS)
    else:
        places = np.linspace(low, high, TABLE_ROWS)
    return Table(
        title=chart.y_label,
        name=f"{chart.title}, table",
        heads=[chart.x_label, *(chart.look(name).label for name in lines)],
        rows=[
            Row([chart.x_text(place), *(_value_at(place, *line) for line in lines.values())])
            for place in places
        ],
        css="numbers",
    )


def _value_at(place: float, x: np.ndarray, y: np.ndarray) -> str:
    """The last value at or before a place; a dash before the line begins."""
    slack = 1e-9 * abs(place)
    before = np.flatnonzero(x <= place + slack)
    if not before.size:
        return "-"
    last = before[-1]
    ended = last == len(x) - 1 and x[last] < place - slack
    return f"{number(float(y[last]))}{' (ended)' if ended else ''}"


def _in_words(chart: LineChart, lines: Mapping[str, Line]) -> str:
    ends = "; ".join(
        f"{chart.look(name).label} from {number(y[0])} to {number(y[-1])}"
        for name, (_, y) in lines.items()
    )
    return f"{chart.y_label} over {chart.x_label}. {ends}. The numbers follow as a table."
