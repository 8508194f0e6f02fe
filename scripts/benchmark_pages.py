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
from thalweg_lab.bench.profiles import profiles
from thalweg_lab.bench.results import Raced, Timing
from thalweg_lab.bench.targets import Target
from thalweg_lab.pages.bench_markdown import markdown
from thalweg_lab.pages.bench_page import render_bench
from thalweg_lab.pages.cost_page import render_cost

FOLDER = Path(__file__).parents[1] / "docs" / "benchmark"
# Where null stands for infinity.
INFINITE = {"seconds", "compiled_seconds", "work", "ours", "peers", "error_seconds"}


def pages(record: dict[str, Any], cost: dict[str, Any]) -> dict[str, str]:
    """The text of each page by the name of its file."""
    results = results_of_record(record)
    steps = tuple(Step(**_only(Step, step)) for step in cost["steps"])
    peaks = [Peak(**_only(Peak, peak)) for peak in cost["peaks"]]
    costs = Costs(product_rate=cost["product_rate"], steps=steps)
    return {
        "report.html": render_bench(results),
        "summary.markdown": markdown(results),
        "cost.html": render_cost(costs, peaks, Machine(**cost["machine"])),
    }


def write_pages() -> list[Path]:
    """Write all pages; returns where they are."""
    record, cost = (
        json.loads((FOLDER / name).read_text(encoding="utf-8"))
        for name in ("results.json", "cost.json")
    )
    written = []
    for name, text in pages(record, cost).items():
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


def with_races(record: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """A record in which problems that were raced again later stand as they were then.

    Args:
        record: The record, as `Results.as_json` has it.
        later: That of a later race, with the problems raced again and no others.

    Raises:
        ValueError: A problem of the later race is not in the record.
    """
    again = {problem["problem"]: problem for problem in later["problems"]}
    if missing := again.keys() - {problem["problem"] for problem in record["problems"]}:
        raise ValueError(f"{sorted(missing)} were raced, but are not in the record")
    sums = ("runs", "run_seconds", "compile_seconds")
    joined = {
        **record,
        "problems": [again.get(problem["problem"], problem) for problem in record["problems"]],
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
