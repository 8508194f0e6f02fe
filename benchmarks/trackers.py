"""What trackers cost a small problem: steps in a fixed time, with and without, taking turns.

    python benchmarks/trackers.py [--seconds 10] [--rounds 3]

Trackers whose library is not installed are left out. Steps are per second of processor time, as
the wall clock also counts what else the machine does. Printed is a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax

import thalweg as tw
from thalweg import networks
from thalweg.errors import MissingExtraError
from thalweg.trackers import MLflow, TensorBoard, WandB

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.linspace(-1.0, 1.0, 20)[:, None]
FIT = tw.LeastSquares(lambda layers, x, y: networks.apply(layers, x) - y, data=(X, np.sin(3 * X)))
SLOW = tw.OptaxOptimizer(optax.sgd(1e-3))  # cheap steps without end


def in_mlflow(folder: Path) -> Any:
    """In a store of its own."""
    import mlflow  # pyright: ignore[reportMissingImports] - of another environment

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = mlflow.MlflowClient((folder / "mlflow").as_uri())
    experiment = client.create_experiment(f"fits {time.time()}")
    return MLflow(client.create_run(experiment).info.run_id, client)


def in_wandb(folder: Path) -> Any:
    """An offline run."""
    import wandb  # pyright: ignore[reportMissingImports] - of another environment

    os.environ["WANDB_SILENT"] = "true"
    return WandB(wandb.init(mode="offline", dir=folder, reinit="finish_previous"))


TRACKERS: dict[str, Callable[[Path], Any]] = {
    "none": lambda _: None,
    "a function of the rows": lambda _: lambda rows: rows["loss"].min() < 0,
    "TensorBoard": lambda folder: TensorBoard(folder / "tensorboard"),
    "MLflow, files": in_mlflow,
    "Weights & Biases, offline": in_wandb,
}


def rate(tracker: Any, seconds: float) -> float:
    """Steps per second of processor time, of this thread and all others of the process."""
    start = networks.init((1, 10, 1), seed=0)
    began = time.process_time()
    solution = tw.minimize(FIT, start, SLOW, tw.Stop(seconds=seconds), on_rows=tracker)
    return solution.history["step"][-1] / (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", val=True)
    rate(None, 0.5)  # compiles
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.rounds):
            for label, make in TRACKERS.items():
                try:
                    tracker = make(Path(name))
                except (MissingExtraError, ModuleNotFoundError):
                    continue
                rates.setdefault(label, []).append(rate(tracker, options.seconds))
    plain = statistics.median(rates["none"])
    print("| tracker | steps per second | fewer by |\n| --- | --- | --- |")
    for label, found in rates.items():
        middle = statistics.median(found)
        print(f"| {label} | {middle:,.0f} | {100 * (1 - middle / plain):.1f} % |")


if __name__ == "__main__":
    main()
