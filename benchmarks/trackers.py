"""What trackers cost a small problem: the share of a run that goes to handing rows over.

    python benchmarks/trackers.py [--seconds 10]

Trackers whose library is not installed are left out. Times are those of the processor on the
thread of the run, which waits for what is handed over; the wall clock also counts what else the
machine does, and from run to run the rate of steps differs by more than a tracker costs. Printed
is a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax

import thalweg as tw
from thalweg import networks
from thalweg._recorder import Recorder
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


def run(tracker: Any, seconds: float) -> tuple[float, float]:
    """Steps per second of processor time, and the share of that time that handing over took."""
    spent = 0.0
    whole = Recorder._hand_on  # noqa: SLF001 - what is measured

    def timed(self: Recorder, rows: dict[str, Any], theta: Any) -> bool:
        nonlocal spent
        began = time.thread_time()
        try:
            return whole(self, rows, theta)
        finally:
            spent += time.thread_time() - began

    Recorder._hand_on = timed  # noqa: SLF001
    start = networks.init((1, 10, 1), seed=0)
    began = time.process_time()
    try:
        solution = tw.minimize(FIT, start, SLOW, tw.Stop(seconds=seconds), on_rows=tracker)
    finally:
        Recorder._hand_on = whole  # noqa: SLF001
    total = time.process_time() - began
    return solution.history["step"][-1] / total, spent / total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", val=True)
    run(None, 0.5)  # compiles
    print("| `on_rows` | steps per second | share of the time |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        for label, make in TRACKERS.items():
            try:
                tracker = make(Path(name))
            except (MissingExtraError, ModuleNotFoundError):
                continue
            rate, share = run(tracker, options.seconds)
            print(f"| {label} | {rate:,.0f} | {100 * share:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
