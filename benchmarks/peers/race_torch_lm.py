"""Race `auto` against torch-levenberg-marquardt on fits, from the same starts, taking turns.

    python benchmarks/peers/race_torch_lm.py --python TORCH_ENV/bin/python [--problem sinc]

TORCH_ENV is an environment with `torch` and `torch-levenberg-marquardt`, apart from thalweg's. The
peer runs at its best of a grid: each way to solve and to damp is tried on each start, and the one
with the least median time to the last target it reached is shown. Seconds leave compilation out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

import thalweg as tw
from thalweg_lab import problems

SCRIPT = Path(__file__).with_name("torch_lm.py")
FITS = ("sine", "sinc", "parity3", "bessel", "cancer", "diabetes")
SQUASHED = ("parity3", "cancer", "diabetes")  # those with tanh on the outputs
GRID = tuple(itertools.product(("cholesky", "qr"), ("standard", "fletcher"), (1, 2)))
SPARE = 120.0  # seconds beyond its budget after which the peer is given up


def export(task: problems.TrainingProblem, seed: int, path: Path) -> None:
    """Write a fit with a start as the peer reads it."""
    (block,) = task.problem.blocks  # pyright: ignore[reportAttributeAccessIssue] - a LeastSquares
    x, y = (np.asarray(part) for part in block.data)
    arrays = {"x": x.reshape(len(x), -1), "y": y.reshape(len(y), -1)}
    for number, layer in enumerate(task.start(seed)):
        arrays |= {f"{name}{number}": np.asarray(value) for name, value in layer.items()}
    arrays["squashed"] = np.asarray(task.name in SQUASHED)
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType] - no name is an option of it


def peer(python: Path, fit: Path, *, seconds: float, setting: tuple[str, str, int]) -> Any:
    """The history of one run of the peer."""
    solve, damping, threads = setting
    command = [python, SCRIPT, fit, "--seconds", seconds, "--solve", solve]
    command += ["--damping", damping, "--threads", threads]
    done = subprocess.run(  # noqa: S603 - the program that the caller named
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=seconds + SPARE,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the peer failed:\n{done.stderr}")
    return json.loads(done.stdout)


def times(history: Any, targets: tuple[float, ...]) -> list[float]:
    """Seconds to each target; infinity where it was missed."""
    loss, seconds = np.asarray(history["loss"]), np.asarray(history["seconds"])
    return [float(np.min(seconds[loss <= target], initial=np.inf)) for target in targets]


def race(name: str, *, python: Path, starts: int, seconds: float) -> None:
    """Run one problem and print its table."""
    task = problems.load(name)
    ours: list[list[float]] = []
    theirs: dict[tuple[str, str, int], list[list[float]]] = {setting: [] for setting in GRID}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(starts):
            fit = Path(folder) / f"{seed}.npz"
            export(task, seed, fit)
            own = tw.minimize(
                task.problem,
                task.start(seed),
                "auto",
                tw.Stop(loss=task.targets[-1], seconds=seconds),
            )
            ours.append(times(own.history, task.targets))
            for setting, rows in theirs.items():
                history = peer(python, fit, seconds=seconds, setting=setting)
                if not np.isclose(history["loss"][0], own.history["loss"][0], rtol=1e-9):
                    sys.exit(f"the starts differ: {history['loss'][0]}, {own.history['loss'][0]}")
                rows.append(times(history, task.targets))
    medians = {setting: np.median(rows, axis=0) for setting, rows in theirs.items()}
    best = min(medians, key=lambda s: (np.isinf(medians[s]).sum(), *medians[s][::-1]))
    print(f"\n{name}: median seconds to a loss over {starts} starts")
    print(f"{'':44s}" + "".join(f"{target:>9.0e}" for target in task.targets))
    for label, row in (
        ("thalweg auto", np.median(ours, axis=0)),
        (f"torch LM, {best[0]}, {best[1]}, {best[2]} threads", medians[best]),
    ):
        print(f"{label:44s}" + "".join(f"{t:9.3f}" for t in row), flush=True)


def main() -> None:
    """Parse and race."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", type=Path, required=True, help="of the peer's environment")
    parser.add_argument("--problem", choices=FITS, action="append")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", val=True)
    for name in options.problem or FITS:
        race(name, python=options.python, starts=options.starts, seconds=options.seconds)


if __name__ == "__main__":
    main()
