"""Draws `docs/images/benchmark.png`, fills in the tables, and writes the benchmark's pages.

    python scripts/benchmark.py
    python scripts/benchmark.py race/results.json                 # takes over problems raced again
    python scripts/benchmark.py papers/results.json --into published
    python scripts/benchmark.py single/results.json --into one-core
    python scripts/benchmark.py --new-process                     # measures what is missing

All are made from `docs/benchmark/results.json`, the record of `thalweg bench --suite full`, and
four next to it: `cost.json`, that of `thalweg bench --cost`; `published.json`, that of
`thalweg bench --suite published`; `one-core.json`, that of races of the full suite that were
held to one core; and `new-process.json`, which `--new-process` makes as `thalweg bench` does, with
the settings of the record.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from benchmark_pages import read, results_of_record, with_races, with_targets, write_pages
from figure_style import SCHEMES, save
from matplotlib.lines import Line2D

from thalweg.report.looks import COLOURS, Looks
from thalweg_lab.bench.new_process import measure_new_processes
from thalweg_lab.bench.peers import OUR_MAKER, PEERS
from thalweg_lab.bench.plan import label_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs" / "benchmark" / "results.json"
RACES = (RECORD, RECORD.with_stem("published"), RECORD.with_stem("one-core"))
IMAGE = ROOT / "docs" / "images" / "benchmark.png"
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "benchmark.md"
KINDS = {
    "least squares": "fits and systems, 16 to 481 weights",
    "physics": "physics-informed networks, 129 to 5,301",
    "classification": "classification, 83 to 2,410",
    "large": "20,601 and 91,501 weights",
}
ROWS_OF_A_TITLE = 1.6  # room above the problems of a kind
# What a bound looks like: no peer arrived, or thalweg did not.
MARKERS = {"measured": "o", "at least": ">", "at most": "<"}
OURS = "thalweg"
EQUAL = 0.05  # how far from 1 a mean ratio may be and still count as neither ahead nor behind


def record() -> dict[str, Any]:
    """The committed record."""
    return read(RECORD.name)


def targets_of(problem: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets of a problem, in a record of any version."""
    return with_targets(problem)["targets"]


def drawn(results: dict[str, Any], scheme: str) -> Figure:
    """A row a problem, and on it a marker a target at its ratio, in the winner's colour."""
    rows = _rows(results)
    problems = {problem["problem"]: problem for problem in results["problems"]}
    looks = Looks(timing["label"] for one in problems.values() for timing in one["timings"])
    winners: dict[str, str] = {}
    height = 1.5 - 0.26 * min(rows.values())
    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    for name in filter(problems.get, rows):
        for target in filter(lambda target: target["ratio"], targets_of(problems[name])):
            winner = _winner(target)
            colour = winners.setdefault(winner, getattr(COLOURS[looks(winner).colour], scheme))
            axes.plot(
                target["ratio"],
                rows[name],
                MARKERS[target["bound"]],
                color=colour,
                markerfacecolor=colour if target["bound"] == "measured" else "none",
                alpha=0.85,
            )
    axes.axvline(1, color=SCHEMES[scheme]["muted"], linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for name in set(rows) - set(problems):
        axes.text(0.012, rows[name], name, transform=axes.get_yaxis_transform(), weight="bold")
    axes.set_yticks([rows[name] for name in problems], [*problems])
    axes.set_ylim(min(rows.values()) - 0.8, 1.6)
    axes.text(0.94, 0.6, "a peer is ahead ◀", ha="right", va="bottom")
    axes.text(1.06, 0.6, "▶ thalweg is ahead", ha="left", va="bottom")
    axes.set_xlabel("time of the quickest peer / time of thalweg")
    axes.grid(axis="x")
    key = _key(winners, SCHEMES[scheme]["muted"])
    figure.legend(handles=key, loc="outside upper center", ncol=3, frameon=False)
    return figure


def _rows(results: dict[str, Any]) -> dict[str, float]:
    """Where each problem stands, below the title of its kind."""
    rows: dict[str, float] = {}
    place = ROWS_OF_A_TITLE - 1
    for kind, title in KINDS.items():
        place -= ROWS_OF_A_TITLE
        rows[title] = place - 0.1
        for problem in results["problems"]:
            if problem["kind"] == kind:
                place -= 1
                rows[problem["problem"]] = place
    return rows


def _winner(target: dict[str, Any]) -> str:
    """Who was first to a target; a peer's settings do not matter here."""
    is_ours = target["ratio"] >= 1 or target["bound"] == "at least"
    return OURS if is_ours else target["winner"].removesuffix(", defaults")


def _key(winners: dict[str, str], muted: str) -> list[Line2D]:
    """The legend: who was first, and what a bound looks like."""
    names = {"at least": "no peer arrived: at least", "at most": "thalweg did not: at most"}
    first = [
        Line2D([], [], marker="o", ls="", color=colour, label=f"first: {winner}")
        for winner, colour in winners.items()
    ]
    bounds = [
        Line2D([], [], marker=MARKERS[b], ls="", color=muted, markerfacecolor="none", label=n)
        for b, n in names.items()
    ]
    return [*first, *bounds]


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with the text between its marks replaced."""
    pattern = re.compile(r"(<!-- benchmark -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{_summary(results)}\n\n{match[2]}", page)


def with_verdicts(page: str, results: dict[str, Any]) -> str:
    """The benchmark's own page with what a reader looks for first: their kind of problem."""
    pattern = re.compile(r"(<!-- verdicts -->\n).*?(<!-- end -->)", re.DOTALL)
    lines = ["| your problem | thalweg beside the quickest of its peers |", "| --- | --- |"]
    for kind, title in KINDS.items():
        problems = [problem for problem in results["problems"] if problem["kind"] == kind]
        lines.append(f"| **{title}** | {_verdict(problems)} |")
    return pattern.sub(lambda match: "\n".join([match[1], *lines, "", match[2]]), page)


def _verdict(problems: list[dict[str, Any]]) -> str:
    """In a few sentences: how quick on the whole, where it is ahead, about equal and behind."""
    means = {problem["problem"]: _ratio_of(targets_of(problem)) for problem in problems}
    ordered = sorted(means, key=means.__getitem__)
    ahead = [name for name in reversed(ordered) if means[name] > 1 + EQUAL]
    equal = [name for name in ordered if abs(means[name] - 1) <= EQUAL]
    behind = [name for name in ordered if means[name] < 1 - EQUAL]
    whole = _ratio_of([target for problem in problems for target in targets_of(problem)])
    parts = [f"**{whole:.2g} times as fast** on average."]
    for word, names in (("Ahead", ahead), (f"Within {100 * EQUAL:g} %", equal), ("Behind", behind)):
        if names:
            listed = ", ".join(f"`{name}` ({means[name]:.2g})" for name in names)
            parts.append(f"{word} on {listed}.")
    return " ".join(parts)


def _ratio_of(targets: list[dict[str, Any]]) -> float:
    """The geometric mean of the ratios."""
    ratios = [target["ratio"] for target in targets if target["ratio"]]
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


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
    machines = dict.fromkeys(f"{m['processor']}, {m['cores']} cores" for m in results["machines"])
    hours = (results["run_seconds"] + results["compile_seconds"]) / 3600
    where = f"{'; '.join(machines)}; float64"
    record = f"{results['runs']:,} runs in {hours:.1f} hours, {results_of_record(results).when}"
    return "\n".join([*lines, "", _errors(results), "", f"{record}: {where}."])


def _errors(results: dict[str, Any]) -> str:
    """How much smaller the errors against the solutions of differential equations are."""
    decades = next(goal["found"] for goal in results["goals"] if goal["unit"] == "decades")
    return (
        "In the same time, the errors of the physics-informed networks end on average "
        f"{decades:.1f} decades below those of Adam followed by L-BFGS."
    )


def _mean(targets: list[dict[str, Any]]) -> str:
    """The geometric mean of the ratios, as tables have it."""
    return f"{_ratio_of(targets):.2g}" if targets else "-"


def take_over(path: Path, into: Path) -> None:
    """Put the problems of a race into one of the records; the first race makes the record."""
    later = json.loads(path.read_text(encoding="utf-8"))
    if into.is_file():
        later = with_races(read(into.name), later, may_add=into != RECORD)
    into.write_text(json.dumps(later, indent=1), encoding="utf-8")


def makers() -> dict[str, Mapping[str, Any]]:
    """The method and settings of every entrant, by the line that a record names them by."""
    every = [OUR_MAKER]
    for peer in PEERS.values():
        every += [*peer.makers(), *filter(None, [peer.default_maker])]
    return {label_of(maker): maker for maker in every}


def measure_missing() -> None:
    """Measure, on the record's problems, new processes to their present middle targets."""
    problems = results_of_record(record()).problems
    by_line = makers()
    entrants = {
        raced.problem: {timing.label: by_line[timing.settings] for timing in raced.timings}
        for raced in problems
    }

    def show(line: str) -> None:
        print(line, file=sys.stderr)

    measure_new_processes(problems, entrants, RECORD.parent, show=show)


def main() -> None:
    """Draw the picture, fill in the tables and write the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("races", nargs="*", type=Path, help="results to take over")
    parser.add_argument("--into", choices=[path.stem for path in RACES], default=RECORD.stem)
    parser.add_argument("--new-process", action="store_true", help="measure what is missing")
    arguments = parser.parse_args()
    for path in arguments.races:
        take_over(path, RECORD.with_stem(arguments.into))
    if arguments.new_process:
        measure_missing()
    results = record()
    README.write_text(filled(README.read_text(encoding="utf-8"), results), encoding="utf-8")
    PAGE.write_text(with_verdicts(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    images = save(IMAGE, lambda scheme: drawn(results, scheme))
    for path in (*images, README, PAGE, *write_pages()):
        print(path.relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    main()
