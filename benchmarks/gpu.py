"""The large half of the benchmark on the device that JAX finds, in both precisions.

    python benchmarks/gpu.py --out gpu.json

Seconds, without compilation, to each target of a problem by thalweg and its peers, from the same
starts in turn. Each peer uses the setting of its grid with the lowest loss in a short run from a
start that is not in the race. Medians over starts; a target missed from half of them is blank. The
record is written after each problem, so an interrupted run keeps what is finished.
"""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg._util.machine import this_machine
from thalweg.flow import MEMORY_BUDGET, build_flow
from thalweg.flow.compiled import quickest
from thalweg.flow.flatten import flatten
from thalweg_lab import problems
from thalweg_lab.bench import targets
from thalweg_lab.bench.cost import product_rate
from thalweg_lab.bench.peers import OUR_MAKER, OURS, known
from thalweg_lab.bench.plan import TUNING_START, label_of
from thalweg_lab.bench.suite import LARGE
from thalweg_lab.study.configured import configured

PROBLEMS = ("franke", "convection-large", "convection-5", "mnist-cnn")
PRECISIONS = ("float64", "float32")
GRIDS = {OURS: [dict(OUR_MAKER)], **{peer.label: peer.makers() for peer in known(LARGE)}}
ORDER = 4096  # of the matrices whose product measures the device's rate


def start_of(task: problems.TrainingProblem, dtype: str, seed: int) -> Any:
    """A start in a precision, which is that of the run."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), task.start(seed))


def run(
    task: problems.TrainingProblem, dtype: str, maker: Any, seed: int, seconds: float
) -> tw.Solution:
    """One run. Its programs are kept under the problem, so the next one compiles nothing."""
    stop = tw.Stop(seconds=seconds)
    return tw.minimize(task.problem, start_of(task, dtype, seed), configured(maker), stop)


def gradient_seconds(task: problems.TrainingProblem, dtype: str) -> float:
    """Seconds of one gradient over all data."""
    theta, spec = flatten(start_of(task, dtype, 0))
    flow = build_flow(task.problem, spec, memory_budget=MEMORY_BUDGET)
    return quickest(flow.jit(flow.value_and_grad), flow.data, jnp.asarray(theta))


def race(name: str, dtype: str, options: argparse.Namespace) -> dict[str, Any]:
    """All entrants on a problem in a precision."""
    task = problems.load(name)
    chosen, compiling = {}, {}
    for label in options.entrants:
        grid = GRIDS[label]
        trials = [run(task, dtype, maker, TUNING_START, options.tuning) for maker in grid]
        losses = [np.nan_to_num(trial.loss, nan=np.inf) for trial in trials]
        chosen[label] = grid[int(np.argmin(losses))]
        compiling[label] = trials[0].compile_seconds
    runs: dict[str, list[tw.Solution]] = {label: [] for label in chosen}
    for seed in range(options.starts):
        for label, maker in chosen.items():
            runs[label].append(run(task, dtype, maker, seed, options.seconds))
    entrants = {}
    for label, solutions in runs.items():
        times = [
            targets.reach_by(each.history["loss"], each.history["seconds"], task.targets)
            for each in solutions
        ]
        median = [float(t) if np.isfinite(t) else None for t in targets.medians(times)]
        entrants[label] = {
            "settings": label_of(chosen[label]),
            "ran": solutions[-1].method,
            "seconds": median,
            "loss": statistics.median(each.loss for each in solutions),
            "measure": statistics.median(task.measure.of(each.params) for each in solutions),
            "compile_seconds": compiling[label],
            "gradients": statistics.median(int(each.work.gradients) for each in solutions),
            "steps": statistics.median(int(each.history["step"][-1]) for each in solutions),
            "outcomes": [each.outcome.value for each in solutions],
        }
    return {
        "problem": name,
        "title": task.title,
        "precision": dtype,
        "weights": task.size,
        "losses": task.targets,
        "measure": task.measure.short,
        "gradient_seconds": gradient_seconds(task, dtype),
        "entrants": entrants,
    }


def show(found: dict[str, Any]) -> None:
    """Print a table of seconds in Markdown."""
    heads = " | ".join(f"{loss:.0e}" for loss in found["losses"])
    print(f"\n| {found['problem']}, {found['precision']} | {heads} | least loss | to compile |")
    print("|---|" + "---:|" * (len(found["losses"]) + 2))
    for label, entrant in found["entrants"].items():
        cells = ["" if seconds is None else f"{seconds:.3g}" for seconds in entrant["seconds"]]
        last = f"{entrant['loss']:.1e} | {entrant['compile_seconds']:.1f}"
        print(f"| {label} | {' | '.join(cells)} | {last} |", flush=True)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5, help="budget of a run")
    parser.add_argument("--tuning", type=float, default=1.5, help="budget of a trial of a setting")
    parser.add_argument("--problems", nargs="+", default=PROBLEMS)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--entrants", nargs="+", default=tuple(GRIDS), choices=tuple(GRIDS))
    parser.add_argument("--out", type=Path, required=True, help="the record, as JSON")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX's own signature
    device = jax.devices()[0]
    found: dict[str, Any] = {
        "device": device.device_kind,
        "platform": device.platform,
        "starts": options.starts,
        "seconds": options.seconds,
        "machine": dataclasses.asdict(this_machine()),
        "flops": {dtype: product_rate(ORDER, dtype) for dtype in options.precisions},
        "races": [],
    }
    print(f"{found['device']}, {options.starts} starts, {options.seconds:g} s a run")
    for name in options.problems:
        for dtype in options.precisions:
            found["races"].append(race(name, dtype, options))
            show(found["races"][-1])
            options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
