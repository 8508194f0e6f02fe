"""Heat maps: a field over a rectangle as colours, with its axes and a key of the colours."""

from __future__ import annotations

import base64
import dataclasses
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thalweg.report.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, axis, draw
from thalweg.report.scale import Scale
from thalweg.report.text import number

if TYPE_CHECKING:
    from markupsafe import Markup

# Viridis (van der Walt & Smith, 2015): dark violet to yellow, even in lightness, so that it reads
# with any colour deficiency and in grey.
RAMP = np.array(
    [
        [0x44, 0x01, 0x54],
        [0x41, 0x44, 0x87],
        [0x2A, 0x78, 0x8E],
        [0x22, 0xA8, 0x84],
        [0x7A, 0xD1, 0x51],
        [0xFD, 0xE7, 0x25],
    ]
)
DECADES = 6  # that a logarithmic map spans at most


class Raster(NamedTuple):
    """What a chart shows of a heat map: the picture, and what its darkest and lightest mean."""

    picture: str
    low: str
    high: str


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """What a heat map shows.

    Attributes:
        key: Its id on the page; letters, digits and hyphens.
        title: The headline.
        caption: How to read it.
        x_label: The horizontal axis.
        y_label: The vertical axis.
        x: Least and greatest value across.
        y: Least and greatest value upwards.
        values: `(rows, columns)`, the first row lowest; NaN where there is nothing to show.
        log: Whether colours go by the logarithm of the size.
    """

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]
    values: np.ndarray
    log: bool = False


def colour_of(share: np.ndarray) -> np.ndarray:
    """Red, green and blue, `(..., 3)`, from 0 for dark violet to 1 for yellow."""
    at = np.clip(share, 0, 1) * (len(RAMP) - 1)
    places = np.arange(len(RAMP))
    return np.stack([np.interp(at, places, RAMP[:, k]) for k in range(3)], axis=-1)


def draw_heat_map(chart: HeatMap) -> Markup:
    """The map as a `<figure>`."""
    values = np.abs(chart.values) if chart.log else chart.values
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if chart.log:
        high = max(high, np.finfo(float).tiny)
        low = max(low, high * 10.0**-DECADES)
        share = np.log(np.maximum(values, low) / low) / (np.log(high / low) or 1.0)
    else:
        share = (values - low) / ((high - low) or 1.0)
    span = f"from {number(low)} (dark) to {number(high)} (light)"
    return draw(
        Chart(
            key=chart.key,
            title=chart.title,
            caption=chart.caption,
            words=f"{chart.title} over {chart.x_label} and {chart.y_label}, {span}.",
            x=axis(Scale(*chart.x, LEFT, RIGHT, log=False), chart.x_label),
            y=axis(Scale(*chart.y, BOTTOM, TOP, log=False), chart.y_label),
            raster=Raster(_png(share), number(low), number(high)),
        )
    )


def _png(share: np.ndarray) -> str:
    """A picture as a data URI; see-through where the share is NaN."""
    shown = np.isfinite(share)
    pixels = np.zeros((*share.shape, 4), np.uint8)
    pixels[..., :3] = colour_of(np.where(shown, share, 0)).round()
    pixels[..., 3] = 255 * shown
    rows = pixels[::-1].reshape(len(share), -1)
    raw = np.hstack([np.zeros((len(rows), 1), np.uint8), rows]).tobytes()  # each with filter 0
    header = struct.pack(">IIBBBBB", share.shape[1], share.shape[0], 8, 6, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw, 9)), chunk(b"IEND", b"")
    data = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
