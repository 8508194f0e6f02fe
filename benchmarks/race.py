"""Race methods to fixed losses: medians over several starts, methods taking turns on each start.

    python benchmarks/race.py [--problem bessel] [--starts 5] [--seconds 10] [--json FILE]

Seconds leave compilation out; what it took is printed beside them. A run that missed a target
counts as never, so a median says 'never' where half the runs missed it. Times of one table come
from one run on one machine: compare them with each other, not with another day's.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

import jax
import numpy as np

import thalweg as tw
from thalweg import problems

METHODS = {
    "bessel": ("auto", "scipy-trf", "l-bfgs", "bfgs"),
    "poisson": ("auto", "scipy-trf", "scipy-lm", "l-bfgs", "bfgs"),
    "digits": ("auto", "l-bfgs", "optax-l-bfgs"),
    "digits-without-decay": ("auto", "l-bfgs", "optax-l-bfgs"),
    "convection-5": ("auto", "l-bfgs"),
}
TARGETS = {
    "bessel": (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12),
    "poisson": (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12),
    "digits": (1.0, 1e-1, 0.03, 0.022, 0.0208, 0.0205),
    "digits-without-decay": (1.0, 1e-1, 1e-2, 1e-4, 1e-6),
    "convection-5": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7),
}


def seconds_to(solution: tw.Solution, targets: tuple[float, ...]) -> list[float]:
    """Seconds to each target; infinity where it was missed."""
    loss, seconds = solution.history["loss"], solution.history["seconds"]
    return [float(np.min(seconds[loss <= target], initial=np.inf)) for target in targets]


def race(name: str, *, starts: int, seconds: float) -> dict:
    """Run every method from every start of one problem."""
    training = problems.load(name)
    targets = TARGETS[name]
    times: dict[str, list[list[float]]] = {method: [] for method in METHODS[name]}
    compiled = dict.fromkeys(METHODS[name], 0.0)
    stop = tw.Stop(loss=targets[-1], seconds=seconds)
    for seed in range(starts):
        for method in METHODS[name]:
            solution = tw.minimize(training.problem, training.start(seed), method, stop)
            times[method].append(seconds_to(solution, targets))
            compiled[method] += solution.compile_seconds
    return {
        "problem": name,
        "targets": targets,
        "compile_seconds": compiled,
        "seconds": {method: np.median(rows, axis=0).tolist() for method, rows in times.items()},
    }


def show(result: dict) -> None:
    """Print one problem's table."""
    print(f"\n{result['problem']}: median seconds to a loss, compilation apart")
    heads = "".join(f"{target:>9.0e}" for target in result["targets"])
    print(f"{'method':20s}{heads}{'compile':>10s}")
    for method, times in result["seconds"].items():
        cells = "".join(f"{t:9.3f}" if np.isfinite(t) else f"{'never':>9s}" for t in times)
        print(f"{method:20s}{cells}{result['compile_seconds'][method]:10.1f}")


def main() -> None:
    """Parse, race, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=sorted(METHODS), action="append")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--json", type=Path, help="also write the tables there")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", val=True)
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {platform.machine()}")
    results = []
    for name in options.problem or METHODS:
        results.append(race(name, starts=options.starts, seconds=options.seconds))
        show(results[-1])
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
