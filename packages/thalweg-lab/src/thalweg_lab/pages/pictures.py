"""Pictures of trained networks: error maps, fitted curves, sheets of digits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.lines import LineChart, draw
from thalweg.report.looks import look_of
from thalweg.report.text import escape, number, power_of_ten
from thalweg_lab.problems.base import Curves, Maps, Picture, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LEVELS = 12
SMALLEST = 1e-16  # errors below this are drawn as this
INK_LEVELS = 5

# Viridis (van der Walt & Smith, 2015): dark violet to yellow, even in lightness, so that it reads
# with any colour deficiency and in grey. Light is the large error.
_RAMP = np.array(
    [
        [0x44, 0x01, 0x54],
        [0x41, 0x44, 0x87],
        [0x2A, 0x78, 0x8E],
        [0x22, 0xA8, 0x84],
        [0x7A, 0xD1, 0x51],
        [0xFD, 0xE7, 0x25],
    ]
)


def draw_picture(picture: Picture, *, key: str) -> str:
    """A picture as a `<figure>`.

    Args:
        picture: What to show.
        key: Unique on the page; letters, digits and hyphens.
    """
    match picture:
        case Maps():
            return _maps(picture, key)
        case Curves():
            return _curves(picture, key)
        case Sheet():
            return _sheet(picture, key)


def _curves(picture: Curves, key: str) -> str:
    return draw(
        LineChart(
            key=key,
            title=picture.title,
            caption=picture.caption,
            x_label="x",
            y_label=picture.y_label,
            lines={name: (picture.x, y) for name, y in picture.values.items()},
            x_log=False,
            y_log=picture.log,
            backdrop=None if picture.exact is None else (picture.x, picture.exact),
        )
    )


def _maps(picture: Maps, key: str) -> str:
    everything = np.maximum(np.concatenate([v.ravel() for v in picture.values.values()]), SMALLEST)
    # A few points of accidental zero error would stretch the scale to no purpose.
    low = math.floor(np.log10(np.quantile(everything, 0.002)))
    high = max(math.ceil(np.log10(everything.max())), low + 1)
    levels = min(high - low, MOST_LEVELS) if high - low > MOST_LEVELS // 2 else 2 * (high - low)
    maps = "".join(
        _map(method, values, key=f"{key}-{place}", low=low, high=high, levels=levels)
        for place, (method, values) in enumerate(picture.values.items())
    )
    return (
        f'<figure id="{key}" class="chart wide"><h4>{escape(picture.title)}</h4>'
        f'<div class="maps">{maps}</div>{_key(low, high, levels, key=key)}'
        f"<figcaption>{escape(picture.caption)}</figcaption>{_map_table(picture)}</figure>"
    )


def _map(method: str, values: np.ndarray, *, key: str, low: int, high: int, levels: int) -> str:
    rows, columns = values.shape
    share = (np.log10(np.maximum(values, SMALLEST)) - low) / (high - low)
    level = np.clip((share * levels).astype(int), 0, levels - 1)[::-1]  # the page's y points down
    paths = "".join(
        f'<path fill="{_colour(k, levels)}" d="{path}"/>'
        for k in range(levels)
        if (path := _runs(level == k))
    )
    label = look_of(method).label
    words = (
        f"Errors from {number(float(values.min()))} to {number(float(values.max()))}, half of them "
        f"below {number(float(np.median(values)))}."
    )
    return (
        f'<div class="map" data-method="{escape(method)}">'
        f'<svg viewBox="0 0 {columns} {rows}" role="img" aria-labelledby="{key}-t {key}-d" '
        f'shape-rendering="crispEdges"><title id="{key}-t">Error map of {escape(label)}</title>'
        f'<desc id="{key}-d">{words}</desc>{paths}</svg>'
        f"<p><b>{escape(label)}</b><br>largest error {number(float(values.max()))}</p></div>"
    )


def _key(low: int, high: int, levels: int, *, key: str) -> str:
    """The colours with their errors."""
    width = 300 / levels
    bars = "".join(
        f'<rect x="{18 + k * width:.2f}" y="0" width="{width + 0.3:.2f}" height="14" '
        f'fill="{_colour(k, levels)}"/>'
        for k in range(levels)
    )
    every = max(1, math.ceil((high - low) / 6))
    ticks = "".join(
        f'<text class="tick middle" x="{18 + 300 * (e - low) / (high - low):.1f}" y="30">'
        f"{power_of_ten(e)}</text>"
        for e in range(low, high + 1, every)
    )
    return (
        f'<svg class="key" viewBox="0 0 336 36" role="img" aria-labelledby="{key}-k">'
        f'<title id="{key}-k">Colours from an error of {power_of_ten(low)}, dark violet, to '
        f"{power_of_ten(high)}, yellow</title>{bars}{ticks}</svg>"
    )


def _map_table(picture: Maps) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(look_of(method).label)}</th>'
        f"<td>{number(float(np.median(values)))}</td>"
        f"<td>{number(float(np.sqrt(np.mean(values**2))))}</td>"
        f"<td>{number(float(values.max()))}</td></tr>"
        for method, values in picture.values.items()
    )
    return (
        "<details><summary>The numbers of this chart</summary><table><thead><tr>"
        '<th scope="col">method</th><th scope="col">median error</th>'
        '<th scope="col">root mean square</th><th scope="col">largest error</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def _sheet(picture: Sheet, key: str) -> str:
    items = "".join(
        _digit(image, label, predicted)
        for image, label, predicted in zip(
            picture.images, picture.labels.tolist(), picture.predicted.tolist(), strict=True
        )
    )
    return (
        f'<figure id="{key}" class="chart wide"><h4>{escape(picture.title)}</h4>'
        f'<ul class="sheet">{items}</ul>'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _digit(image: np.ndarray, label: int, predicted: int) -> str:
    """One image with what was read; the text is the alternative to the image."""
    wrong = predicted != label
    level = np.ceil(image * INK_LEVELS).astype(int)
    paths = "".join(
        f'<path fill-opacity="{k / INK_LEVELS:g}" d="{path}"/>'
        for k in range(1, INK_LEVELS + 1)
        if (path := _runs(level == k))
    )
    mark = ' class="wrong"' if wrong else ""
    if wrong:
        truth = f'<span class="truth">({label})</span><span class="unseen"> misread</span>'
        text = f"✗&nbsp;{predicted} {truth}"
    else:
        text = str(predicted)
    return (
        f'<li{mark}><svg viewBox="0 0 8 8" aria-hidden="true" shape-rendering="crispEdges">'
        f"{paths}</svg><span>{text}</span></li>"
    )


def _runs(mask: np.ndarray) -> str:
    """The cells where a mask is true as one path, a rectangle for each run along a row."""
    return "".join(f"M{first} {row}h{length}v1h-{length}z" for row, first, length in _spans(mask))


def _spans(mask: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, first column and length of each run of true cells."""
    for row, cells in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], cells.astype(np.int8), [0]])))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            yield row, first, end - first


def _colour(level: int, levels: int) -> str:
    """The colour of a level, from dark violet for 0 to yellow for the last."""
    at = level / max(levels - 1, 1) * (len(_RAMP) - 1)
    low = min(int(at), len(_RAMP) - 2)
    red, green, blue = (_RAMP[low] + (at - low) * (_RAMP[low + 1] - _RAMP[low])).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
