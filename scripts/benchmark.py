"""Draws `docs/images/benchmark.png`, fills in the README, and writes the benchmark's pages.

    python scripts/benchmark.py

All are made from `docs/benchmark/results.json`, the record of `thalweg bench --suite full`, and
`cost.json` next to it, that of `thalweg bench --cost`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from benchmark_pages import with_targets, write_pages
from matplotlib.lines import Line2D

from thalweg.report.looks import COLOURS, Looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs" / "benchmark" / "results.json"
IMAGE = ROOT / "docs" / "images" / "benchmark.png"
README = ROOT / "README.md"
KINDS = {
    "least squares": "fits and systems, 16 to 481 weights",
    "physics": "physics-informed networks, 129 to 5,301",
    "classification": "classification, 83 to 2,410",
    "large": "20,601 and 91,501 weights",
}
# What a bound looks like: no peer arrived, or thalweg did not.
MARKERS = {"measured": "o", "at least": ">", "at most": "<"}
OURS = "thalweg"


def record() -> dict[str, Any]:
    """The committed record."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def targets_of(problem: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets of a problem, in a record of any version."""
    return with_targets(problem)["targets"]


def drawn(results: dict[str, Any]) -> Figure:
    """A row a problem, and on it a marker a target at its ratio, in the winner's colour."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    problems = [p for kind in KINDS for p in results["problems"] if p["kind"] == kind]
    rows = {problem["problem"]: -place for place, problem in enumerate(problems)}
    looks = Looks(timing["label"] for problem in problems for timing in problem["timings"])
    winners: dict[str, str] = {}
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.27 * len(problems)), layout="constrained")
    for problem in problems:
        for target in filter(lambda target: target["ratio"], targets_of(problem)):
            winner = _winner(target)
            colour = winners.setdefault(winner, COLOURS[looks(winner).colour].light)
            axes.plot(
                target["ratio"],
                rows[problem["problem"]],
                MARKERS[target["bound"]],
                color=colour,
                markerfacecolor=colour if target["bound"] == "measured" else "none",
                alpha=0.8,
            )
    axes.axvline(1, color="#444444", linewidth=1)
    for above, below in itertools.pairwise(problems):
        if above["kind"] != below["kind"]:
            axes.axhline(rows[below["problem"]] + 0.5, color="#999999", linewidth=0.6)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks([*rows.values()], [*rows])
    axes.set_xlabel("time of the quickest peer / time of thalweg (right of 1 thalweg is ahead)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    figure.legend(handles=_key(winners), loc="outside upper center", ncol=3, frameon=False)
    return figure


def _winner(target: dict[str, Any]) -> str:
    """Who was first to a target; a peer's settings do not matter here."""
    is_ours = target["ratio"] >= 1 or target["bound"] == "at least"
    return OURS if is_ours else target["winner"].removesuffix(", defaults")


def _key(winners: dict[str, str]) -> list[Line2D]:
    """The legend: who was first, and what a bound looks like."""
    names = {"at least": "no peer arrived: at least", "at most": "thalweg did not: at most"}
    first = [
        Line2D([], [], marker="o", ls="", color=colour, label=f"first: {winner}")
        for winner, colour in winners.items()
    ]
    bounds = [
        Line2D([], [], marker=MARKERS[b], ls="", color="#444444", markerfacecolor="none", label=n)
        for b, n in names.items()
    ]
    return [*first, *bounds]


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with the text between its marks replaced."""
    pattern = re.compile(r"(<!-- benchmark -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{_summary(results)}\n\n{match[2]}", page)


def _summary(results: dict[str, Any]) -> str:
    """The table of kinds, and where it was measured."""
    heads = ("problems", "targets", "mean", "where a peer arrived", "lost")
    lines = [
        f"| speed relative to the quickest peer | {' | '.join(heads)} |",
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
    """How much smaller the errors against the solutions of differential equations are."""
    decades = next(goal["found"] for goal in results["goals"] if goal["unit"] == "decades")
    return (
        "In the same time, the errors of the physics-informed networks end on average "
        f"{decades:.1f} decades below those of Adam followed by L-BFGS."
    )


def _mean(targets: list[dict[str, Any]]) -> str:
    """The geometric mean of the ratios."""
    if not targets:
        return "-"
    return f"{math.exp(sum(math.log(one['ratio']) for one in targets) / len(targets)):.2g}"


def main() -> None:
    """Draw the picture, fill in the README and write the pages."""
    results = record()
    drawn(results).savefig(IMAGE, dpi=110, metadata={"Software": None})
    README.write_text(filled(README.read_text(encoding="utf-8"), results), encoding="utf-8")
    for path in (IMAGE, README, *write_pages()):
        print(path.relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    main()
