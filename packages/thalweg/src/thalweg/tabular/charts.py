"""The charts of a model of a table: residuals, confusion matrix, which columns matter.

Each is a `<figure>` with a text alternative, and its numbers as a table where they are not one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.scale import Scale, fitting
from thalweg.report.text import escape, number

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 450, 30, 258
MOST_POINTS = 1000  # more would hide each other
MOST_BARS = 20
BAR, GAP = 14, 8
NAME_WIDTH, LONGEST_NAME = 150, 22  # room for the name of a column, in units and in letters
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


def residual_chart(predicted: np.ndarray, residuals: np.ndarray, *, unit: str) -> str:
    """Truth minus prediction over the prediction, one point a row of the test part.

    Args:
        predicted: Shape `(rows,)`.
        residuals: Shape `(rows,)`.
        unit: What is predicted.
    """
    shown = np.linspace(0, len(predicted) - 1, min(len(predicted), MOST_POINTS)).astype(int)
    x_scale = fitting([predicted], start=LEFT, end=RIGHT, log=False)
    y_scale = fitting([residuals, np.zeros(1)], start=BOTTOM, end=TOP, log=False)
    zero = _short(y_scale.place(np.zeros(1))[0])
    points = "".join(
        f'<circle class="dot" cx="{_short(x)}" cy="{_short(y)}" r="3"/>'
        for x, y in zip(
            x_scale.place(predicted[shown]), y_scale.place(residuals[shown]), strict=True
        )
    )
    half = np.percentile(residuals, [25, 50, 75])
    words = (
        f"{len(predicted)} residuals between {number(residuals.min(), digits=3)} and "
        f"{number(residuals.max(), digits=3)}; half of them lie between "
        f"{number(half[0], digits=3)} and {number(half[2], digits=3)}, their median is "
        f"{number(half[1], digits=3)}."
    )
    only = "" if len(shown) == len(predicted) else f" {len(shown):,} of them are drawn."
    return _figure(
        "residuals",
        title="Residuals",
        body=f"{_axes(x_scale, y_scale, f'predicted {unit}', 'truth minus prediction')}"
        f'<path class="axis" d="M{LEFT} {zero}H{RIGHT}"/>{points}',
        size=(WIDTH, HEIGHT),
        words=words,
        caption="Each point is a row of the test part. Above the line the prediction was too low, "
        f"below it too high; a bend or a funnel would show what the network misses. {words}{only}",
    )


def confusion_chart(counts: np.ndarray, classes: Sequence[str]) -> str:
    """How often each class was taken for each other one, as a table shaded by share of its row.

    Args:
        counts: Row is the truth, column the prediction; int of shape `(classes, classes)`.
        classes: Their names.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in classes)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(
            f'<td class="{"hit" if row == column else "miss"}" '
            f'style="--share:{STRONGEST * shares[row, column]:.0f}%">{counts[row, column]}</td>'
            for column in range(len(classes))
        )
        + "</tr>"
        for row, name in enumerate(classes)
    )
    wrong = int(counts.sum() - np.trace(counts))
    return (
        '<figure id="confusion" class="chart"><h4>Confusion matrix</h4>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        '<table class="confusion"><caption>Rows: the truth. Columns: what was predicted.</caption>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<figcaption>{wrong} of {int(counts.sum())} rows of the test part were given a wrong "
        "class. The diagonal counts those that are right.</figcaption></figure>"
    )


def bar_chart(bars: Sequence[Bar], *, title: str, caption: str, x_label: str) -> str:
    """Bars from the longest to the shortest, with a whisker of one standard deviation.

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
    parts = [
        f'<path class="grid" d="M{_short(at)} {TOP}V{bottom}"/>'
        f'<text class="tick middle" x="{_short(at)}" y="{bottom + 16}">{label}</text>'
        for value, label in scale.ticks()
        for at in scale.place(np.asarray([value]))
    ]
    zero = scale.place(np.zeros(1))[0]
    for row, bar in enumerate(shown):
        top = TOP + GAP / 2 + row * (BAR + GAP)
        low, end, high = scale.place(
            np.array([bar.value - bar.spread, bar.value, bar.value + bar.spread])
        )
        middle = _short(top + BAR / 2)
        parts.append(
            f'<text class="label end" x="{NAME_WIDTH - 8}" y="{middle}" dy=".35em">'
            f"{escape(_shortened(bar.name))}</text>"
            f'<rect class="bar" x="{_short(min(zero, end))}" y="{_short(top)}" '
            f'width="{_short(abs(end - zero))}" height="{BAR}"/>'
            f'<path class="whisker" d="M{_short(low)} {middle}H{_short(high)}"/>'
        )
    parts.append(
        f'<path class="axis" d="M{_short(zero)} {TOP}V{bottom}"/>'
        f'<text class="label end" x="{RIGHT}" y="{bottom + 36}">{escape(x_label)}</text>'
    )
    if len(bars) > MOST_BARS:
        caption += f" The {MOST_BARS} longest of {len(bars)} bars are drawn."
    rows = "".join(
        f'<tr><th scope="row">{escape(bar.name)}</th><td>{number(bar.value)}</td>'
        f"<td>{number(bar.spread)}</td></tr>"
        for bar in bars
    )
    return _figure(
        "importance",
        title=title,
        body="".join(parts),
        size=(WIDTH, bottom + 44),
        words="; ".join(f"{bar.name} {number(bar.value)}" for bar in shown),
        caption=caption,
        table="<details><summary>The numbers of this chart</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}, table">'
        f"<table><caption>{escape(x_label)}</caption><thead><tr><td></td>"
        '<th scope="col">mean</th><th scope="col">standard deviation</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>",
    )


def _figure(
    key: str,
    *,
    title: str,
    body: str,
    size: tuple[int, int],
    words: str,
    caption: str,
    table: str = "",
) -> str:
    return (
        f'<figure id="{key}" class="chart"><h4>{escape(title)}</h4>'
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(words)}</desc>'
        f"{body}</svg><figcaption>{escape(caption)}</figcaption>{table}</figure>"
    )


def _axes(x_scale: Scale, y_scale: Scale, x_label: str, y_label: str) -> str:
    parts = []
    for value, label in y_scale.ticks():
        at = _short(y_scale.place(np.asarray([value]))[0])
        parts.append(
            f'<path class="grid" d="M{LEFT} {at}H{RIGHT}"/>'
            f'<text class="tick end" x="{LEFT - 6}" y="{at}" dy=".35em">{label}</text>'
        )
    for value, label in x_scale.ticks():
        at = _short(x_scale.place(np.asarray([value]))[0])
        parts.append(
            f'<path class="grid" d="M{at} {TOP}V{BOTTOM}"/>'
            f'<text class="tick middle" x="{at}" y="{BOTTOM + 17}">{label}</text>'
        )
    parts.append(
        f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>'
        f'<text class="label" x="2" y="14">{escape(y_label)}</text>'
        f'<text class="label end" x="{RIGHT}" y="{BOTTOM + 37}">{escape(x_label)}</text>'
    )
    return "".join(parts)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _short(coordinate: float) -> str:
    return f"{float(coordinate):.1f}".removesuffix(".0")
