"""Line charts: one line a method, with axes, markers, and the numbers as a table."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.looks import Look, look_of, swatch
from thalweg.report.scale import Scale, fitting
from thalweg.report.text import escape, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 450, 30, 258
MARKERS_PER_LINE = 5
TABLE_ROWS = 8


@dataclasses.dataclass(frozen=True)
class LineChart:
    """What a line chart shows.

    Attributes:
        key: Unique on the page; letters, digits and hyphens.
        title: The headline.
        caption: How to read it; a sentence or two.
        x_label: The horizontal axis, with its unit.
        y_label: The vertical axis, with its unit.
        lines: Method to `(x, y)`, arrays of one length; points that are not finite are left out.
        x_log: Whether the horizontal axis is logarithmic.
        x_decades: How many powers of ten it spans at most; what is earlier is drawn at its
            left end.
        y_log: Whether the vertical axis is logarithmic.
        stairs: Whether a value holds until the next point, as for counts.
        backdrop: `(x, y)` of a broad grey line behind all others, or None.
        x_text: How the table writes a value of x.
        look: From a method to its look.
    """

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]]
    x_log: bool = True
    x_decades: float = math.inf
    y_log: bool = True
    stairs: bool = False
    backdrop: tuple[np.ndarray, np.ndarray] | None = None
    x_text: Callable[[float], str] = number
    look: Callable[[str], Look] = look_of


def draw(chart: LineChart) -> str:
    """The chart as a `<figure>`: headline, SVG, caption, and a table of its numbers."""
    lines = {name: _finite(x, y, chart) for name, (x, y) in chart.lines.items()}
    lines = {name: line for name, line in lines.items() if line[0].size}
    behind = [] if chart.backdrop is None else [chart.backdrop]
    shown = [*lines.values(), *behind]
    x_scale = fitting(
        [x for x, _ in shown], start=LEFT, end=RIGHT, log=chart.x_log, decades=chart.x_decades
    )
    y_scale = fitting([y for _, y in shown], start=BOTTOM, end=TOP, log=chart.y_log)
    body = [_axes(chart, x_scale, y_scale)]
    body += [
        f'<polyline class="backdrop" points="{_points(x_scale.place(x), y_scale.place(y))}"/>'
        for x, y in behind
    ]
    # Drawn last to first, so that the method that stands first lies on top.
    for name in reversed(lines):
        body.append(_line(chart.look(name), x_scale, y_scale, *lines[name], stairs=chart.stairs))
    missing = [chart.look(name).label for name in chart.lines if name not in lines]
    caption = chart.caption
    if missing:
        caption += f" Not shown, as it has no such value: {', '.join(missing)}."
    return (
        f'<figure id="{chart.key}" class="chart"><h4>{escape(chart.title)}</h4>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" '
        f'aria-labelledby="{chart.key}-t {chart.key}-d" '
        f'data-x="{_for_script(x_scale)}" data-y="{_for_script(y_scale)}">'
        f'<title id="{chart.key}-t">{escape(chart.title)}</title>'
        f'<desc id="{chart.key}-d">{escape(_in_words(chart, lines))}</desc>'
        f"{''.join(body)}"
        # An empty title keeps browsers from showing the one above at every touch of the mouse.
        f'<g class="cursor"></g><rect class="catch" x="{LEFT}" y="{TOP}" '
        f'width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"><title></title></rect></svg>'
        f'<div class="tip" role="status"></div><figcaption>{escape(caption)}</figcaption>'
        f"{_table(chart, lines)}</figure>"
    )


def legend(methods: list[str], *, look: Callable[[str], Look] = look_of) -> str:
    """The methods with colour and marker, each with a box that hides it from all charts."""
    boxes = "".join(
        f'<label><input type="checkbox" checked data-toggle="{escape(name)}">'
        f"{swatch(look(name))}<span>{escape(look(name).label)}</span></label>"
        for name in methods
    )
    return f'<fieldset class="legend"><legend>Methods</legend>{boxes}</fieldset>'


def _finite(x: np.ndarray, y: np.ndarray, chart: LineChart) -> tuple[np.ndarray, np.ndarray]:
    """The points that can be shown."""
    kept = np.isfinite(x) & np.isfinite(y)
    if chart.y_log:
        kept &= y > 0
    return np.asarray(x, float)[kept], np.asarray(y, float)[kept]


def _axes(chart: LineChart, x_scale: Scale, y_scale: Scale) -> str:
    parts = []
    for value, label in y_scale.ticks():
        at = _short(y_scale.place(np.asarray(value)))
        parts.append(
            f'<path class="grid" d="M{LEFT} {at}H{RIGHT}"/>'
            f'<text class="tick end" x="{LEFT - 6}" y="{at}" dy=".35em">{label}</text>'
        )
    for value, label in x_scale.ticks():
        at = _short(x_scale.place(np.asarray(value)))
        parts.append(
            f'<path class="grid" d="M{at} {TOP}V{BOTTOM}"/>'
            f'<text class="tick middle" x="{at}" y="{BOTTOM + 17}">{label}</text>'
        )
    parts.append(
        f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>'
        f'<text class="label" x="2" y="14">{escape(chart.y_label)}</text>'
        f'<text class="label end" x="{RIGHT}" y="{BOTTOM + 37}">{escape(chart.x_label)}</text>'
    )
    return "".join(parts)


def _line(
    look: Look, x_scale: Scale, y_scale: Scale, x: np.ndarray, y: np.ndarray, *, stairs: bool
) -> str:
    across, up = x_scale.place(x), y_scale.place(y)
    if stairs and len(across) > 1:
        corners_x, corners_y = np.repeat(across, 2)[1:], np.repeat(up, 2)[:-1]
    else:
        corners_x, corners_y = across, up
    return (
        f'<g class="series {look.css}" data-method="{escape(look.method)}" '
        f'data-label="{escape(look.label)}">'
        f'<polyline class="line" points="{_points(corners_x, corners_y)}"/>'
        f"{_markers(look, across, up)}</g>"
    )


def _markers(look: Look, across: np.ndarray, up: np.ndarray) -> str:
    """Markers spread evenly over the width of a line, one of them at its end."""
    wanted = np.linspace(across[-1], across[0], MARKERS_PER_LINE, endpoint=False)
    chosen = sorted({int(np.argmin(np.abs(across - place))) for place in wanted[1:]})
    chosen.append(len(across) - 1)
    return "".join(
        f'<path class="mark" d="{look.marker}" '
        f'transform="translate({_short(across[k])} {_short(up[k])})"/>'
        for k in chosen
    )


def _table(chart: LineChart, lines: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The values of all lines at a few places, for those who cannot see the chart."""
    if not lines:
        return ""
    everywhere = np.concatenate([x for x, _ in lines.values()])
    low, high = everywhere.min(), everywhere.max()
    if chart.x_log:
        positive = everywhere[everywhere > 0]
        low = positive.min() if positive.size else 1.0
        places = np.geomspace(max(low, high / 10.0**chart.x_decades), max(high, low), TABLE_ROWS)
    else:
        places = np.linspace(low, high, TABLE_ROWS)
    heads = "".join(f'<th scope="col">{escape(chart.look(name).label)}</th>' for name in lines)
    rows = "".join(
        f'<tr><th scope="row">{chart.x_text(place)}</th>'
        + "".join(f"<td>{_value_at(place, *line)}</td>" for line in lines.values())
        + "</tr>"
        for place in places
    )
    return (
        f"<details><summary>The numbers of this chart</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(chart.title)}, table">'
        f"<table><caption>{escape(chart.y_label)}</caption><thead><tr>"
        f'<th scope="col">{escape(chart.x_label)}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _value_at(place: float, x: np.ndarray, y: np.ndarray) -> str:
    """The last value at or before a place; a dash before the line begins or after it ends."""
    slack = 1e-9 * abs(place)
    before = np.flatnonzero(x <= place + slack)
    if not before.size:
        return "-"
    last = before[-1]
    ended = last == len(x) - 1 and x[last] < place - slack
    return f"{number(float(y[last]))}{' (ended)' if ended else ''}"


def _in_words(chart: LineChart, lines: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    ends = "; ".join(
        f"{chart.look(name).label} from {number(y[0])} to {number(y[-1])}"
        for name, (_, y) in lines.items()
    )
    return f"{chart.y_label} over {chart.x_label}. {ends}. The numbers follow as a table."


def _points(across: np.ndarray, up: np.ndarray) -> str:
    pairs = zip(across.tolist(), up.tolist(), strict=True)
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in pairs)


def _short(coordinate: object) -> str:
    return f"{float(coordinate):.1f}".removesuffix(".0")  # pyright: ignore[reportArgumentType]


def _for_script(scale: Scale) -> str:
    """What the script needs to turn a place on the page back into a value."""
    kind = "log" if scale.log else "linear"
    return f"{kind} {scale.low!r} {scale.high!r} {scale.start!r} {scale.end!r}"
