"""The figures of `docs/five-questions.md`, from the committed records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from thalweg.report.looks import COLOURS, Look, Looks, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = list[dict[str, Any]]

# Where runs ended: shades, as colours mean solvers.
PLACES = {
    "same place": "#222222",
    "same valley": "#777777",
    "apart": "#dddddd",
    "undecided": "#ffffff",
}
TOLERANCES = {"1e-8, 1e-6": "o", "1e-4, 1e-4": "s", "1e-2, 1e-2": "^", "loose to tight": "D"}
FIGURES = (
    "same-minimum",
    "solver-and-tolerance",
    "stiffness",
    "work-by-accuracy",
    "jacobian-source",
    "presentations",
)
EXPLICIT_LIMIT = 3.3
ARTICLE = "zvode"


def all_figures(records: dict[str, dict[str, Any]]) -> dict[str, Figure]:
    """Every figure by the name that its file has, as in `FIGURES`."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    answers = records["revisited"]["answers"]
    drawn = (
        same_minimum(_rows(answers["same_minimum"])),
        solver_and_tolerance(_rows(answers["solver_and_tolerance"])),
        lines(answers["stiffness"]["charts"], limit=EXPLICIT_LIMIT),
        work_by_accuracy(_rows(answers["work_by_accuracy"])),
        jacobian_source(_rows(answers["jacobian_source"])),
        lines(records["presentations"]["answers"]["presentations"]["charts"]),
    )
    return dict(zip(FIGURES, drawn, strict=True))


def same_minimum(rows: Rows) -> Figure:
    """Where each method ended: shares of its runs on all problems."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.32 * len(methods)), layout="constrained")
    left = np.zeros(len(methods))
    for place, colour in PLACES.items():
        counts = np.array(
            [sum(row[place] for row in rows if row["method"] == name) for name in methods], float
        )
        totals = [sum(row["runs"] for row in rows if row["method"] == name) for name in methods]
        shares = counts / np.array(totals)
        axes.barh(
            list(map(label_of, methods)),
            shares,
            left=left,
            color=colour,
            edgecolor="#222222",
            label=place,
        )
        left += shares
    axes.invert_yaxis()
    axes.set_xlabel("share of the runs, by where they ended relative to the article's run")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return figure


def solver_and_tolerance(rows: Rows) -> Figure:
    """Seconds to the target: a row a solver, a mark a tolerance; hollow with order 2 at most."""
    rows = [row for row in rows if row["atol, rtol"] in TOLERANCES or row["method"] == "auto"]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    figure, panels = _panels(problems, height=3.2)
    for axes, problem in zip(panels, problems, strict=True):
        here = [row for row in rows if row["problem"] == problem]
        solvers = list(dict.fromkeys(row["method"] for row in here))
        for row in here:
            if row["seconds"] is None:
                continue
            axes.plot(
                row["seconds"],
                solvers.index(row["method"]),
                TOLERANCES.get(row["atol, rtol"], "*"),
                color=_colour(row["method"]),
                fillstyle="none" if row["highest order"] == 2 else "full",  # noqa: PLR2004
            )
        axes.set(xscale="log", title=problem, xlabel="seconds to the target")
        axes.xaxis.set_minor_formatter("")  # which would overlap
        axes.set_yticks(range(len(solvers)), map(label_of, solvers))
        axes.invert_yaxis()
    marks = [
        Line2D([], [], marker=mark, linestyle="", color="#444444", label=name)
        for name, mark in TOLERANCES.items()
    ]
    figure.legend(handles=marks, ncols=4, loc="outside lower center", frameon=False)
    return figure


def lines(charts: list[dict[str, Any]], *, limit: float | None = None) -> Figure:
    """The lines of charts, a panel each."""
    figure, panels = _panels([chart["title"] for chart in charts], height=2.9)
    looks = Looks(label for chart in charts for label in chart["lines"])
    shown = {label: _style(looks(label)) for chart in charts for label in chart["lines"]}
    for axes, chart in zip(panels, charts, strict=True):
        for label, (x, y) in chart["lines"].items():
            axes.plot(x, y, **shown[label], markevery=max(1, len(x) // 5))
        if limit is not None:
            axes.axhline(limit, color="black", linewidth=0.8, linestyle=":")
        axes.set(
            xscale="log",
            yscale="log",
            title=chart["title"].partition(":")[0],
            xlabel=chart["x_label"],
            ylabel=chart["y_label"],
        )
    marks = [Line2D([], [], label=label_of(label), **style) for label, style in shown.items()]
    figure.legend(handles=marks, ncols=4, loc="outside lower center", frameon=False)
    return figure


def work_by_accuracy(rows: Rows) -> Figure:
    """The article's solver: steps and gradients by band of accuracy."""
    rows = [row for row in rows if row["method"] == ARTICLE]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    figure, panels = _panels(problems, height=2.9)
    for axes, problem in zip(panels, problems, strict=True):
        here = [row for row in rows if row["problem"] == problem]
        places = np.arange(len(here))
        differences = np.array([row["of them for Jacobians"] for row in here], float)
        others = np.array([row["gradients"] for row in here], float) - differences
        axes.bar(places, others, color=_colour(ARTICLE), label="gradients of steps")
        axes.bar(
            places,
            differences,
            bottom=others,
            color="white",
            edgecolor=_colour(ARTICLE),
            hatch="///",
            label="for Jacobians",
        )
        axes.set_xticks(places, [row["accuracy"] for row in here], rotation=30, ha="right")
        axes.set(title=problem, ylabel="gradients, all starts")
        axes.legend(frameon=False)
    return figure


def jacobian_source(rows: Rows) -> Figure:
    """Seconds to the target with both Jacobians, solver by solver; finite differences hatched."""
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    figure, panels = _panels(problems, height=2.6)
    for axes, problem in zip(panels, problems, strict=True):
        here = [row for row in rows if row["problem"] == problem]
        solvers = list(dict.fromkeys(row["solver"] for row in here))
        colours = list(map(_colour, solvers))
        for shift, source in enumerate(("finite-differences", "exact")):
            chosen = {row["solver"]: row["seconds"] for row in here if row["Jacobian"] == source}
            is_exact = source == "exact"
            axes.barh(
                np.arange(len(solvers)) + 0.4 * shift,
                [chosen.get(name) or np.nan for name in solvers],
                0.38,
                color=colours if is_exact else "white",
                edgecolor=colours,
                hatch="" if is_exact else "////",
            )
        axes.set_yticks(np.arange(len(solvers)) + 0.2, map(label_of, solvers))
        axes.invert_yaxis()
        axes.set(title=problem, xlabel="seconds to the target")
    marks = [
        Patch(facecolor="white", edgecolor="#444444", hatch="////", label="finite differences"),
        Patch(facecolor="#444444", edgecolor="#444444", label="exact"),
    ]
    figure.legend(handles=marks, ncols=2, loc="outside lower center", frameon=False)
    return figure


def _colour(method: str) -> str:
    """A method's colour, the same on every page and figure."""
    return COLOURS[Looks([method])(method).colour].light


def _style(look: Look) -> dict[str, Any]:
    """A look as matplotlib has it."""
    colour = COLOURS[look.colour].light
    return {
        "color": colour,
        "linestyle": (0, tuple(map(float, look.dash.split()))) if look.dash else "-",
        "linewidth": 1.2,
        "marker": look.marker.matplotlib,
        "markersize": 4,
        "markerfacecolor": "white" if look.dash else colour,
    }


def _rows(answer: dict[str, Any]) -> Rows:
    """The rows of an answer's first table."""
    return answer["tables"][0]["rows"]


def _panels(titles: list[str], *, height: float) -> tuple[Figure, list[Axes]]:
    """Panels two in a row."""
    count = max(len(titles), 1)
    rows = (count + 1) // 2
    figure, grid = plt.subplots(
        rows, min(count, 2), figsize=(8, height * rows), squeeze=False, layout="constrained"
    )
    panels = list(grid.flat)
    for empty in panels[len(titles) :]:
        empty.set_axis_off()
    return figure, panels[: len(titles)]
