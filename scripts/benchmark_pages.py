"""The committed pages of the benchmark, made from the committed records."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from thalweg._util.machine import Machine
from thalweg_lab.bench.cost import Costs, Step
from thalweg_lab.bench.document import Results, cases_of
from thalweg_lab.bench.goals import goals
from thalweg_lab.bench.memory import Peak
from thalweg_lab.bench.new_process import FILE, from_record, known_of
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.profiles import profiles
from thalweg_lab.bench.results import Raced, Timing
from thalweg_lab.bench.targets import Target, compare, mean_with_bounds
from thalweg_lab.pages.bench_markdown import markdown, of_problems, table
from thalweg_lab.pages.bench_page import render_bench
from thalweg_lab.pages.bench_words import how_sentences, machine_sentences, times
from thalweg_lab.pages.cost_page import render_cost
from thalweg_lab.pde import load

FOLDER = Path(__file__).parents[1] / "docs" / "benchmark"
# The full suite on two cores; what a step costs; the suite of papers; some problems on one core;
# the full suite in new processes.
RECORDS = ("results.json", "cost.json", "published.json", "one-core.json", FILE)
# Where null stands for infinity.
INFINITE = {"seconds", "compiled_seconds", "work", "ours", "peers", "error_seconds"}


ERRORS_HEADS = (
    "problem",
    "budget of a run",
    "relative L2 error, thalweg",
    "the best peer",
    "which",
    "lowest published that we read",
)
# Scripts of `thalweg_lab.pde` by the problems that are called otherwise.
SCRIPTS = {"convection-40": "convection", "convection-40-wide": "convection"}
ONE_CORE_HEADS = (
    "problem",
    "peers",
    "targets",
    "ratio on two cores",
    "on one core",
)


def pages(
    record: dict[str, Any],
    cost: dict[str, Any],
    published: dict[str, Any],
    one_core: dict[str, Any],
    new_process: dict[str, Any],
) -> dict[str, str]:
    """The text of each page by the name of its file."""
    raced, papers = results_of_record(record), results_of_record(published)
    results = raced.with_new_processes(known_of(raced.problems, from_record(new_process)))
    steps = tuple(Step(**_only(Step, step)) for step in cost["steps"])
    peaks = [Peak(**_only(Peak, peak)) for peak in cost["peaks"]]
    costs = Costs(product_rate=cost["product_rate"], steps=steps)
    return {
        "report.html": render_bench(results),
        "summary.markdown": markdown(results),
        "cost.html": render_cost(costs, peaks, Machine(**cost["machine"])),
        "published.markdown": of_papers(papers),
        "one-core.markdown": on_one_core(results, results_of_record(one_core)),
    }


def of_papers(results: Results) -> str:
    """The races on equations of papers: ratios, times to an error, and the errors of the papers."""
    errors = [_errors_row(raced) for raced in results.problems]
    parts = [*of_problems(results), table(ERRORS_HEADS, errors), *_made(results)]
    return "\n\n".join(parts) + "\n"


def _errors_row(raced: Raced) -> tuple[str, ...]:
    """The error at the end of thalweg's runs, of the best peer's, and the least that was read."""
    peers = {t.label: t.measure for t in raced.timings if t.label != OURS}
    best = min(peers, key=lambda label: peers[label] if peers[label] >= 0 else math.inf)
    published = load(SCRIPTS.get(raced.problem, raced.problem)).published
    read = "none read" if published.error is None else f"{published.error:.2g}, {published.source}"
    budget = f"{raced.budget:g} s"
    return (
        f"`{raced.problem}`",
        budget,
        f"{raced.ours.measure:.2g}",
        f"{peers[best]:.2g}",
        best,
        read,
    )


def _made(results: Results) -> list[str]:
    """How many runs a record has, where and with what they were made."""
    return [how_sentences(results)[0], *machine_sentences(results)]


def on_one_core(two: Results, one: Results) -> str:
    """Problems raced on one core beside the same races on two, with the same peers."""
    on_two = {raced.problem: raced for raced in two.problems}
    rows = [_cores_row(on_two[raced.problem], raced) for raced in one.problems]
    return "\n\n".join([table(ONE_CORE_HEADS, rows), *_made(one)]) + "\n"


def _cores_row(two: Raced, one: Raced) -> tuple[str, ...]:
    """The mean ratios over the targets that both sides reach in both races."""
    racing = {t.label for t in one.timings} & {t.label for t in two.timings}
    on_two, on_one = _between(two, racing), _between(one, racing)
    losses = [loss for loss in on_two if loss in on_one]
    peers = sorted(label for label in racing if label != OURS and ", defaults" not in label)
    means = (mean_with_bounds(found[loss] for loss in losses) for found in (on_two, on_one))
    return (f"`{one.problem}`", ", ".join(peers), str(len(losses)), *map(times, means))


def _between(raced: Raced, racing: set[str]) -> dict[float, Target]:
    """The targets of a race between some of its entrants that both sides reach, by the loss."""
    times_of = {t.label: t.seconds for t in raced.timings if t.label in racing}
    ours = times_of.pop(OURS)
    found = {}
    for place, target in enumerate(raced.targets):
        peers = {label: seconds[place] for label, seconds in times_of.items()}
        again = compare(target.loss, ours[place], peers, missed=(raced.budget, raced.budget))
        if math.isfinite(again.ours) and math.isfinite(again.peers):
            found[target.loss] = again
    return found


def read(name: str) -> dict[str, Any]:
    """A committed record."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def write_pages() -> list[Path]:
    """Write all pages; returns where they are."""
    written = []
    for name, text in pages(*map(read, RECORDS)).items():
        written.append(FOLDER / name)
        written[-1].write_text(text, encoding="utf-8")
    return written


def results_of_record(record: dict[str, Any]) -> Results:
    """The results that a record holds; goals and profiles are computed from them."""
    problems = tuple(_raced(problem) for problem in record["problems"])
    simple = ("suite", "left_out", "began", "ended", "runs", "run_seconds", "compile_seconds")
    return Results(
        problems=problems,
        unable=(),
        goals=tuple(goals(problems)),
        profiles=profiles(cases_of(problems)),
        machines=tuple(record["machines"]),
        commits=tuple(record["commits"]),
        **{name: record[name] for name in simple},
    )


def with_races(
    record: dict[str, Any], later: dict[str, Any], *, may_add: bool = False
) -> dict[str, Any]:
    """A record in which problems that were raced again later stand as they were then.

    Args:
        record: The record, as `Results.as_json` has it.
        later: That of a later race, with the problems raced again and no others.
        may_add: Whether problems that the record does not have are put at its end.

    Raises:
        ValueError: A problem of the later race is not in the record, and may not be added.
    """
    again = {problem["problem"]: problem for problem in later["problems"]}
    missing = again.keys() - {problem["problem"] for problem in record["problems"]}
    if missing and not may_add:
        raise ValueError(f"{sorted(missing)} were raced, but are not in the record")
    sums = ("runs", "run_seconds", "compile_seconds")
    added = [problem for name, problem in again.items() if name in missing]
    joined = {
        **record,
        "problems": [
            *(again.get(problem["problem"], problem) for problem in record["problems"]),
            *added,
        ],
        "ended": later["ended"],
        "machines": [*{repr(m): m for m in record["machines"] + later["machines"]}.values()],
        "commits": list(dict.fromkeys(record["commits"] + later["commits"])),
        **{name: record[name] + later[name] for name in sums},
    }
    return results_of_record(joined).as_json()


def _raced(problem: dict[str, Any]) -> Raced:
    problem = with_targets(problem)
    values = _only(Raced, problem)
    for name, kind in (("targets", Target), ("compiled", Target), ("timings", Timing)):
        values[name] = tuple(kind(**_only(kind, each)) for each in problem[name])
    return Raced(**values)


def with_targets(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem as records have it since version 2; version 1 called its targets rungs."""
    return {"targets" if name == "rungs" else name: value for name, value in problem.items()}


def _only(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass, with the numbers that JSON does not know."""
    names = [field.name for field in dataclasses.fields(kind)]
    return {name: _number(values[name], name) for name in names if name in values}


def _number(value: Any, name: str) -> Any:
    missing = math.inf if name in INFINITE else math.nan
    if value is None:
        return missing
    if isinstance(value, list):
        return tuple(missing if each is None else each for each in value)
    if isinstance(value, dict):
        return {key: np.nan if each is None else each for key, each in value.items()}
    return value
