"""A solution in a few lines, and in a notebook with a curve of its loss."""

from __future__ import annotations

import html
from typing import Any

import jax
import numpy as np

Solution = Any  # a `thalweg.Solution`, which stands above this part and calls it

WIDTH, HEIGHT, MARGIN = 320, 110, 4  # of the curve, in pixels
MOST_POINTS = 300
SHOWN = 60  # characters of the parameters


def lines(solution: Solution) -> list[tuple[str, str]]:
    """What a solution shows, as pairs of a name and its value."""
    work = solution.work
    steps = max(len(solution.history["step"]) - 1, 0)
    return [
        ("outcome", f"{solution.outcome.value}. {solution.detail}".strip()),
        ("loss", f"{solution.loss:.6g}"),
        ("params", _shapes(solution.params)),
        (
            "work",
            (
                f"{steps} steps, {work.gradients} gradients, {solution.seconds:.3g} s, "
                f"compiled in {solution.compile_seconds:.3g} s"
            ),
        ),
        ("method", solution.method + (f", {solution.reason}" if solution.reason else "")),
    ]


def as_text(solution: Solution) -> str:
    """Five lines."""
    rows = [f"  {name:8}{value}" for name, value in lines(solution)]
    return "\n".join(["Solution", *rows])


def as_html(solution: Solution) -> str:
    """A table and a curve, without anything to load."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{name}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in lines(solution)
    )
    return f"<table>{cells}</table>{_curve(solution)}"


def _shapes(params: object) -> str:
    """Small parameters by value, large ones by shape."""
    leaves, _ = jax.tree.flatten(params)
    if sum(np.size(leaf) for leaf in leaves if hasattr(leaf, "shape")) <= 8:  # noqa: PLR2004
        text = " ".join(str(params).split())
        if len(text) <= SHOWN:
            return text
    shapes = [str(np.shape(leaf)) for leaf in leaves if hasattr(leaf, "shape")]
    text = ", ".join(shapes)
    count = sum(np.size(leaf) for leaf in leaves if hasattr(leaf, "shape"))
    shown = text if len(text) <= SHOWN else text[:SHOWN].rsplit(",", 1)[0] + ", ..."
    return f"{count} in {len(shapes)} arrays of shapes {shown}"


def _curve(solution: Solution) -> str:
    """The loss over the steps on a logarithmic scale; nothing where it cannot be drawn."""
    loss = np.asarray(solution.history["loss"], float)
    shown = np.isfinite(loss) & (loss > 0)
    if shown.sum() < 2:  # noqa: PLR2004 - a curve has two points
        return ""
    step, height = np.flatnonzero(shown), np.log10(loss[shown])
    every = max(len(step) // MOST_POINTS, 1)
    step, height = step[::every], height[::every]
    span = np.ptp(height) or 1.0
    x = MARGIN + (step - step[0]) / max(step[-1] - step[0], 1) * (WIDTH - 2 * MARGIN)
    y = MARGIN + (height.max() - height) / span * (HEIGHT - 2 * MARGIN)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    title = f"loss from {loss[shown].max():.3g} to {loss[shown].min():.3g}, logarithmic, by step"
    return (
        f"<figure style='margin:0.5em 0'><svg role='img' width='{WIDTH}' height='{HEIGHT}' "
        f"viewBox='0 0 {WIDTH} {HEIGHT}'><title>{title}</title><polyline fill='none' "
        f"stroke='currentColor' stroke-width='1.5' points='{points}'/></svg>"
        f"<figcaption>{title}</figcaption></figure>"
    )
