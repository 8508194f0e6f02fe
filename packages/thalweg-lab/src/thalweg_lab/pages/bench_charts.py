"""The charts of the benchmark: times to the targets of each problem, and performance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.report.lines import LineChart
from thalweg.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg.report.looks import Looks
    from thalweg_lab.bench.results import Raced

WIDEST_PROFILE = 4.0  # powers of ten of the factor


def target_charts(raced: Raced, looks: Looks) -> list[LineChart]:
    """Targets over seconds without compilation, over seconds with it, and over work."""
    above = np.asarray([target.loss - raced.reference for target in raced.targets])
    y_label = "loss above the lowest found" if raced.reference else "training loss"
    how = "Each point is a target, at the median over the starts. Lower and further left is better."

    def lines(column: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {t.label: (np.asarray(getattr(t, column)), above) for t in raced.timings}

    return [
        LineChart(
            key=f"{raced.problem}-{column.replace('_', '-')}",
            title=title,
            caption=f"{how} {note}".strip(),
            x_label=x_label,
            y_label=y_label,
            lines=lines(column),
            x_text=x_text,
            look=looks,
        )
        for column, title, x_label, note, x_text in (
            ("seconds", "Seconds to each target", "seconds", "Without compilation.", duration),
            (
                "compiled_seconds",
                "Seconds with compilation",
                "seconds",
                "With the compilation that a new process pays before its first step.",
                duration,
            ),
            (
                "work",
                "Work to each target",
                "gradients",
                (
                    "Work is counted in gradients: a loss is one, a Hessian product two, and a "
                    "Jacobian one for each residual of an example."
                ),
                lambda count: f"{count:,.0f}",
            ),
        )
    ]


def profile_chart(profiles: Mapping[str, tuple[np.ndarray, np.ndarray]], looks: Looks) -> LineChart:
    """The performance profiles of all entrants over all targets."""
    return LineChart(
        key="profiles",
        title="Performance profiles",
        caption="A point (τ, share): the entrant reaches that share of all targets in at most τ "
        "times the time of the quickest. Higher and further left is better. At τ = 1 the share is "
        "that of targets where it is the quickest, at the right that of targets it reaches at all. "
        "A peer that did not race on a problem, because it does not suit its structure or size or "
        "is newer than its record, counts as not reaching its targets (Dolan & Moré 2002).",
        x_label="τ, times the quickest",
        y_label="share of the targets",
        lines=profiles,
        x_decades=WIDEST_PROFILE,
        y_log=False,
        stairs=True,
        look=looks,
    )
