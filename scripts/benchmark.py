"""Draws `docs/images/benchmark.png`, and fills in what the README says of the benchmark.

    python scripts/benchmark.py

Both are made of `docs/benchmark/results.json`, the record of `thalweg bench --suite full`, and of
nothing else.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs" / "benchmark" / "results.json"
IMAGE = ROOT / "docs" / "images" / "benchmark.png"
README = ROOT / "README.md"
COLOURS = {
    "least squares": "#0072b2",
    "physics": "#009e73",
    "classification": "#e69f00",
    "large": "#cc79a7",
}
KINDS = {
    "least squares": "fits and systems, 16 to 481 weights",
    "physics": "physics-informed networks, 129 to 5,301",
    "classification": "classification, 83 to 2,410",
    "large": "20,601 and 91,501 weights",
}
# What a bound looks like: nobody else arrived, or thalweg did not.
MARKERS = {"measured": "o", "at least": ">", "at most": "<"}


def record() -> dict[str, Any]:
    """The committed record."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def targets_of(problem: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets of a problem, which records of version 1 call rungs."""
    return problem["targets"] if "targets" in problem else problem["rungs"]


def drawn(results: dict[str, Any]) -> Figure:
    """One line per problem, with one marker per target at its ratio."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    problems = results["problems"]
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.27 * len(problems)), layout="constrained")
    for place, problem in enumerate(reversed(problems)):
        colour = COLOURS[problem["kind"]]
        for bound, marker in MARKERS.items():
            ratios = [r["ratio"] for r in targets_of(problem) if r["bound"] == bound and r["ratio"]]
            is_measured = bound == "measured"
            axes.plot(
                ratios,
                [place] * len(ratios),
                marker,
                color=colour,
                markerfacecolor=colour if is_measured else "none",
                alpha=0.8,
            )
    axes.axvline(1, color="#444444", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(problems)), [p["problem"] for p in reversed(problems)])
    axes.set_xlabel("time of the quickest peer / time of thalweg (right of 1 thalweg is ahead)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    kinds = [Line2D([], [], marker="o", ls="", color=c, label=k) for k, c in COLOURS.items()]
    names = {"at least": "no peer arrived: at least", "at most": "thalweg did not: at most"}
    bounds = [
        Line2D([], [], marker=MARKERS[b], ls="", color="#444444", markerfacecolor="none", label=n)
        for b, n in names.items()
    ]
    figure.legend(handles=[*kinds, *bounds], loc="outside upper center", ncol=3, frameon=False)
    return figure


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with what stands between its marks made anew."""
    pattern = re.compile(r"(<!-- benchmark -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{_summary(results)}\n\n{match[2]}", page)


def _summary(results: dict[str, Any]) -> str:
    """The table of kinds, and where it was measured."""
    heads = ("problems", "targets", "mean", "where a peer arrived", "targets lost")
    lines = [
        f"| times as quick as the quickest peer | {' | '.join(heads)} |",
        f"| --- |{' ---: |' * len(heads)}",
    ]
    for kind, title in KINDS.items():
        problems = [problem for problem in results["problems"] if problem["kind"] == kind]
        targets = [one for problem in problems for one in targets_of(problem) if one["ratio"]]
        arrived = [one for one in targets if one["bound"] != "at least"]
        lost = [one for one in arrived if one["ratio"] < 1]
        lines.append(
            f"| {title} | {len(problems)} | {len(targets)} | {_mean(targets)} | {_mean(arrived)} "
            f"| {len(lost)} |"
        )
    machine = results["machines"][0]
    hours = (results["run_seconds"] + results["compile_seconds"]) / 3600
    where = f"{machine['processor']}, {machine['cores']} cores, float64"
    record = f"{results['runs']:,} runs in {hours:.1f} hours on {results['began'][:10]}: {where}."
    return "\n".join([*lines, "", _errors(results), "", record])


def _errors(results: dict[str, Any]) -> str:
    """How much closer to the solutions of differential equations the networks come."""
    decades = next(goal["found"] for goal in results["goals"] if goal["unit"] == "decades")
    return (
        "In the same time, the errors of the physics-informed networks end "
        f"{decades:.1f} decades below those of Adam followed by L-BFGS, in the mean."
    )


def _mean(targets: list[dict[str, Any]]) -> str:
    """The geometric mean of the ratios."""
    if not targets:
        return "-"
    return f"{math.exp(sum(math.log(one['ratio']) for one in targets) / len(targets)):.2g}"


def main() -> None:
    """Draw the picture and fill in the README."""
    results = record()
    drawn(results).savefig(IMAGE, dpi=110, metadata={"Software": None})
    README.write_text(filled(README.read_text(encoding="utf-8"), results), encoding="utf-8")
    for path in (IMAGE, README):
        print(path.relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    main()
