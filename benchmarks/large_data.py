"""The tables of docs/large-data.md: `batch-euler` beside Adam, and what a sample saves.

    python benchmarks/large_data.py

Digits: seconds without compilation to several test accuracies on 1,000 held-out digits. Adam runs
with each pair of the grid, from the same starts as `batch-euler` and alternating with it. Its
losses are not computed, and testing is not timed. `averaged` is Adam whose iterates are averaged
over each half pass, as in `batch-euler`. The best pair is chosen afterwards for each accuracy.

sinc: seconds to the targets of the problem `sinc`, with and without training on a sample first.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import thalweg as tw
from thalweg._util.machine import this_machine
from thalweg.flow.flatten import flatten
from thalweg.solvers.integrators.batch_euler import BatchEuler
from thalweg.solvers.integrators.sampled import Sampled
from thalweg_lab import problems
from thalweg_lab.bench.targets import medians
from thalweg_lab.problems import mnist_mlp

SHARES = (0.95, 0.96, 0.97, 0.975, 0.98)
BATCHES = (64, 128, 256, 512)
RATES = (0.001, 0.003, 0.01)
LOOKS = 2  # tests of Adam per pass over the data
FILE = Path(__file__).parents[1] / "docs/benchmark/large-data.json"


class Adam(NamedTuple):
    """One pair of the grid."""

    batch: int
    rate: float
    is_averaged: bool

    def __str__(self) -> str:
        kind = "adam, averaged" if self.is_averaged else "adam"
        return f"{kind}, batch {self.batch}, rate {self.rate}"


@functools.cache
def adam_program(adam: Adam, spec: Any, outputs: Any, loss: Any, steps: int) -> tuple[Any, Any]:
    """Adam's state, and the program of `steps` steps over rows in a given order."""
    rule = optax.adam(adam.rate)

    def mean_loss(theta: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.mean(jax.vmap(loss)(outputs(spec.unravel(theta), x), y))

    @jax.jit
    def run(theta: jax.Array, state: Any, order: jax.Array, x: jax.Array, y: jax.Array) -> Any:
        def step(index: jax.Array, at: Any) -> Any:
            theta, state, total = at
            rows = jax.lax.dynamic_slice_in_dim(order, index * adam.batch, adam.batch)
            grad = jax.grad(mean_loss)(theta, x[rows], y[rows])
            change, state = rule.update(grad, state)
            theta = optax.apply_updates(theta, change)
            return theta, state, total + theta if adam.is_averaged else total

        return jax.lax.fori_loop(0, steps, step, (theta, state, jnp.zeros_like(theta)))

    return rule, run


def adam_shares(adam: Adam, task: Any, seed: int, seconds: float) -> Iterator[tuple[float, float]]:
    """Seconds and test shares along a run of Adam."""
    theta, spec = flatten(task.start(seed))
    x, y = (jnp.asarray(part) for part in task.problem.data)
    steps = len(x) // adam.batch // LOOKS
    rule, run = adam_program(adam, spec, task.problem.outputs, task.problem.loss, steps)
    at, state = jnp.asarray(theta), rule.init(jnp.asarray(theta))
    random = np.random.default_rng(seed)
    jax.block_until_ready(run(at, state, jnp.arange(len(x)), x, y))
    spent = 0.0
    while spent < seconds:
        order = jnp.asarray(random.permutation(len(x)))
        for half in jnp.split(order[: LOOKS * steps * adam.batch], LOOKS):
            began = time.perf_counter()
            at, state, total = jax.block_until_ready(run(at, state, half, x, y))
            spent += time.perf_counter() - began
            point = total / steps if adam.is_averaged else at
            yield spent, task.measure.of(spec.unravel(point))


def our_shares(task: Any, seed: int, seconds: float) -> Iterator[tuple[float, float]]:
    """Seconds and test shares along a run of `batch-euler`, its losses over all data included."""
    start = task.start(seed)
    _, spec = flatten(start)
    found, elsewhere = [], [0.0]

    def look(snapshot: Any) -> bool:
        began = time.perf_counter()
        now = snapshot.seconds - elsewhere[0]
        found.append((now, task.measure.of(spec.unravel(snapshot.theta))))
        elsewhere[0] += time.perf_counter() - began
        return now >= seconds or found[-1][1] >= SHARES[-1]

    tw.minimize(
        task.problem, start, BatchEuler(seed=seed), tw.Stop(seconds=2 * seconds), callback=look
    )
    yield from found


def first_times(run: Iterator[tuple[float, float]]) -> list[float | None]:
    """Seconds to each of `SHARES`; None where it was not reached."""
    times: list[float | None] = [None] * len(SHARES)
    for seconds, share in run:
        times = [
            seconds if found is None and share >= goal else found
            for found, goal in zip(times, SHARES, strict=True)
        ]
        if times[-1] is not None:
            break
    return times


def digits(options: argparse.Namespace) -> dict[str, Any]:
    """Every method from every start in turn."""
    task = mnist_mlp.build()
    grid = [
        Adam(*each) for each in itertools.product(options.batches, options.rates, (False, True))
    ]
    times: dict[str, list[list[float | None]]] = {}
    for seed in range(options.starts):
        # Ours once among each batch size of Adam, so that a busy moment hits both.
        for index, adam in enumerate(grid):
            if index == len(grid) // 2:
                ours = first_times(our_shares(task, seed, options.seconds))
                times.setdefault("batch-euler", []).append(ours)
            found = first_times(adam_shares(adam, task, seed, options.seconds))
            times.setdefault(str(adam), []).append(found)
    table: dict[str, list[Any]] = {"batch-euler": _medians(times["batch-euler"])}
    for kind in ("adam", "adam, averaged"):
        chosen = [_medians(rows) for name, rows in times.items() if name.startswith(f"{kind}, b")]
        best = [
            min((time for time in column if time is not None), default=None)
            for column in zip(*chosen, strict=True)
        ]
        table[f"{kind}, best of grid"] = best
    return {"shares": SHARES, "medians": table, "runs": times}


def _medians(rows: list[list[float | None]]) -> list[float | None]:
    """The median of each column, with None for infinite in both directions."""
    filled = np.array([[np.inf if time is None else time for time in row] for row in rows])
    return [float(t) if np.isfinite(t) else None for t in medians(list(filled))]


def sinc(options: argparse.Namespace) -> dict[str, Any]:
    """Median seconds to each loss of `sinc`, and to compile."""
    task = problems.load("sinc")
    methods = {
        "auto": "auto",
        "implicit-geodesic": "implicit-geodesic",
        "sampled": Sampled(),
    }
    times: dict[str, list[list[float | None]]] = {name: [] for name in methods}
    stop = tw.Stop(loss=task.targets[-1], seconds=options.seconds)
    for seed in range(options.starts):
        for name, method in methods.items():
            history = tw.minimize(task.problem, task.start(seed), method, stop).history
            below = [np.flatnonzero(history["loss"] <= goal) for goal in task.targets]
            times[name].append(
                [float(history["seconds"][rows[0]]) if rows.size else None for rows in below]
            )
    return {
        "losses": task.targets,
        "medians": {name: _medians(rows) for name, rows in times.items()},
    }


def show(title: str, heads: Any, rows: dict[str, list[float | None]]) -> None:
    """Print a table of seconds in Markdown."""
    print(f"\n| {title} | " + " | ".join(f"{head:g}" for head in heads) + " |")
    print("|---|" + "---:|" * len(heads))
    for name, times in rows.items():
        cells = ["" if seconds is None else f"{seconds:.2f}" for seconds in times]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="budget of a run")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="of Adam")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="of Adam")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX's own signature
    found = {
        "starts": options.starts,
        "seconds": options.seconds,
        "grid": {"batch": list(options.batches), "rate": list(options.rates)},
        "machine": dataclasses.asdict(this_machine()),
        "sinc": sinc(options),
        "digits": digits(options),
    }
    options.out.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
    show("test share", SHARES, found["digits"]["medians"])
    show("loss of sinc", found["sinc"]["losses"], found["sinc"]["medians"])


if __name__ == "__main__":
    main()
