"""What a run of a script leaves, and the table that the records make."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.machine import this_machine
from thalweg_lab.pde import load, names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HEAD = """\
| problem | what helps | weights | points | seconds | with compiling | relative L2 error \
| lowest published that we read | on | lower |
| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |"""


def run(name: str, **changes: Any) -> dict[str, Any]:
    """Solve a script and describe the run.

    Args:
        name: The script.
        changes: Options of `pde.solve` in place of the script's.

    Returns:
        What JSON can hold.
    """
    script = load(name)
    began = time.perf_counter()
    result = script.solve(**changes)
    wall = time.perf_counter() - began
    leaves = [leaf for leaf in jax.tree.leaves(result.params) if hasattr(leaf, "size")]
    error = script.error(result)
    return {
        "name": name,
        "error": error,
        "largest": None if result.error is None else result.error.largest,
        "weights": int(sum(np.size(leaf) for leaf in leaves)),
        "windows": len(result.stages),
        "points": script.options.get("points"),
        "edge_points": script.options.get("edge_points"),
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "wall_seconds": wall,
        "verdict": result.verdict,
        "gap": result.gap,
        "method": result.solution.method,
        "unknowns": {key: [each.value, each.error] for key, each in result.unknowns.items()},
        "machine": dataclasses.asdict(this_machine()),
    }


def write(record: Mapping[str, Any], folder: Path) -> None:
    """Keep a record as `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{record['name']}.json").write_text(json.dumps(record, indent=1) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """The records that there are, in the order of the table."""
    paths = [folder / f"{name}.json" for name in names()]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """The records beside what others published, as Markdown."""
    lines = [HEAD]
    for record in records:
        script = load(record["name"])
        published = script.published
        windows = f" × {record['windows']}" if record["windows"] > 1 else ""
        lines.append(
            f"| {script.problem().name} | {script.means} | {record['weights']}{windows} "
            f"| {record['points']}{windows} | {record['seconds']:.0f} "
            f"| {record['wall_seconds']:.0f} | {record['error']:.1e} | {_source(published)} "
            f"| {published.hardware} | {_lower(record['error'], published)} |"
        )
    return "\n".join(lines) + "\n"


def _source(published: Any) -> str:
    if published.error is None:
        return published.source
    about = "" if published.same else "another variant: "
    return f"{about}{published.error:.1e} ({published.source})"


def _lower(error: float, published: Any) -> str:
    if published.error is None or not published.same:
        return "no comparison"
    return "thalweg" if error < published.error else "published"
