"""Pictures of trained networks: error maps, fitted curves, sheets of digits."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report import html
from thalweg.report.heat import colour_of
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.tables import Row, Table
from thalweg.report.text import number, power_of_ten
from thalweg_lab.problems.base import Curves, Maps, Picture, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from thalweg.report.looks import Looks

MOST_LEVELS = 12
SMALLEST = 1e-16  # errors below this are drawn as this
INK_LEVELS = 5
KEY_START, KEY_WIDTH = 18, 300  # of the colours with their errors, in units of the drawing


@dataclasses.dataclass(frozen=True)
class Levels:
    """The colours of a set of maps: `count` of them from `10^low` to `10^high`."""

    low: int
    high: int
    count: int

    def of(self, errors: np.ndarray) -> np.ndarray:
        """The level of each error, from 0 to `count - 1`."""
        share = (np.log10(np.maximum(errors, SMALLEST)) - self.low) / (self.high - self.low)
        return np.clip((share * self.count).astype(int), 0, self.count - 1)

    def colour(self, level: int) -> str:
        """The colour of a level, from dark violet for 0 to yellow for the last."""
        share = np.asarray(level / max(self.count - 1, 1))
        red, green, blue = colour_of(share).round().astype(int)
        return f"#{red:02x}{green:02x}{blue:02x}"


def draw_picture(picture: Picture, *, key: str, looks: Looks) -> Markup:
    """A picture as a `<figure>`.

    Args:
        picture: What to show.
        key: Its id on the page; letters, digits and hyphens.
        looks: From a method to its look.
    """
    match picture:
        case Maps():
            return _maps(picture, key, looks)
        case Curves():
            return _curves(picture, key, looks)
        case Sheet():
            return _part("sheet", key, picture, list(_digits(picture)))


def _part(macro: str, *values: object) -> Markup:
    return html.part("pictures.html", macro, *values, package="thalweg_lab.pages")


def _curves(picture: Curves, key: str, looks: Looks) -> Markup:
    return draw_lines(
        LineChart(
            key=key,
            title=picture.title,
            caption=picture.caption,
            x_label="x",
            y_label=picture.y_label,
            lines={name: (picture.x, y) for name, y in picture.values.items()},
            look=looks,
            x_log=False,
            y_log=picture.log,
            backdrop=None if picture.exact is None else (picture.x, picture.exact),
        )
    )


def _maps(picture: Maps, key: str, looks: Looks) -> Markup:
    everything = np.maximum(np.concatenate([v.ravel() for v in picture.values.values()]), SMALLEST)
    # A few points of accidental zero error would stretch the scale to no purpose.
    low = math.floor(np.log10(np.quantile(everything, 0.002)))
    high = max(math.ceil(np.log10(everything.max())), low + 1)
    count = min(high - low, MOST_LEVELS) if high - low > MOST_LEVELS // 2 else 2 * (high - low)
    levels = Levels(low, high, count)
    maps = [
        _map(looks(method).label, method, values, levels)
        for method, values in picture.values.items()
    ]
    table = Table(
        title="Errors",
        name=f"{picture.title}, table",
        heads=["method", "median error", "root mean square", "largest error"],
        rows=[
            Row(
                [
                    looks(method).label,
                    number(float(np.median(values))),
                    number(float(np.sqrt(np.mean(values**2)))),
                    number(float(values.max())),
                ]
            )
            for method, values in picture.values.items()
        ],
        css="numbers",
    )
    return _part("maps", key, picture, maps, _key(levels), table)


def _map(label: str, method: str, values: np.ndarray, levels: Levels) -> dict[str, object]:
    """One map: its name, its errors in words, and a path a colour."""
    rows, columns = values.shape
    level = levels.of(values)[::-1]  # the page's y points down
    return {
        "label": label,
        "method": method,
        "rows": rows,
        "columns": columns,
        "largest": number(float(values.max())),
        "words": f"Errors from {number(float(values.min()))} to {number(float(values.max()))}, "
        f"half of them below {number(float(np.median(values)))}.",
        "paths": [
            (levels.colour(k), path) for k in range(levels.count) if (path := _runs(level == k))
        ],
    }


def _key(levels: Levels) -> dict[str, object]:
    """The colours with their errors."""
    low, high, count = levels.low, levels.high, levels.count
    width = KEY_WIDTH / count
    every = max(1, math.ceil((high - low) / 6))
    return {
        "words": f"Colours from an error of {power_of_ten(low)}, dark violet, to "
        f"{power_of_ten(high)}, yellow",
        "width": f"{width + 0.3:.2f}",
        "bars": [(f"{KEY_START + k * width:.2f}", levels.colour(k)) for k in range(count)],
        "ticks": [
            (f"{KEY_START + KEY_WIDTH * (e - low) / (high - low):.1f}", power_of_ten(e))
            for e in range(low, high + 1, every)
        ],
    }


def _digits(picture: Sheet) -> Iterator[dict[str, object]]:
    """Each image with what was read; the text is the alternative to the image."""
    for image, label, predicted in zip(
        picture.images, picture.labels.tolist(), picture.predicted.tolist(), strict=True
    ):
        level = np.ceil(image * INK_LEVELS).astype(int)
        yield {
            "label": label,
            "predicted": predicted,
            "paths": [
                (f"{k / INK_LEVELS:g}", path)
                for k in range(1, INK_LEVELS + 1)
                if (path := _runs(level == k))
            ],
        }


def _runs(mask: np.ndarray) -> str:
    """The cells where a mask is true as one path, a rectangle for each run along a row."""
    return "".join(f"M{first} {row}h{length}v1h-{length}z" for row, first, length in _spans(mask))


def _spans(mask: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, first column and length of each run of true cells."""
    for row, cells in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], cells.astype(np.int8), [0]])))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            yield row, first, end - first
