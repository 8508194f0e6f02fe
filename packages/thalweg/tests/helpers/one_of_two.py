"""One of two processes that train together; run as a script by `test_processes.py`.

    python one_of_two.py PROCESS COORDINATOR OWN_ADDRESS TASK CHECKPOINT COMPILED

Each has one CPU device. What came of it is printed as one line of JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.flow.flatten import flatten

X = np.linspace(-1.0, 1.0, 13)
FIT = tw.LeastSquares(
    lambda p, x, y: jnp.vdot(p["out"], jnp.tanh(p["in"] * x)) - y, data=(X, np.sin(3 * X))
)
START = {"in": np.array([1.0, 2.0, -1.5]), "out": np.array([0.5, -0.5, 0.3])}
GEODESIC = tw.ImplicitGeodesic(algebra="parameters")
ALL_STEPS = 150  # of a run that is killed before and goes on
PAUSE = 0.02  # seconds a step, so that there is time to kill a process


def told(solution: tw.Solution) -> dict[str, Any]:
    """What a test compares."""
    return {
        "theta": flatten(solution.params)[0].tolist(),
        "loss": solution.loss,
        "outcome": solution.outcome.value,
        "rows": len(solution.history["loss"]),
    }


def refused(params: Any, method: Any, **options: Any) -> str:
    """The message of the error that a call ends with."""
    try:
        tw.minimize(FIT, params, method, devices="all", **options)
    except tw.ThalwegError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def train(process: int, checkpoint: Path) -> dict[str, Any]:
    """Several runs, one after the other."""
    steps = tw.Stop(steps=6)

    def stop_one(snapshot: Any) -> bool:
        return process == 1 and snapshot.step == 5

    missing = checkpoint.parent / "missing" / "file"
    return {
        "fixed": told(tw.minimize(FIT, START, GEODESIC, steps, devices="all")),
        "seconds": told(
            tw.minimize(FIT, START, "gradient-descent", tw.Stop(seconds=0.3), devices="all")
        ),
        "callback": told(
            tw.minimize(FIT, START, "gradient-descent", devices="all", callback=stop_one)
        ),
        "starts": told(
            tw.minimize(
                FIT,
                init=lambda seed: jax.tree.map(lambda leaf: (1 + 0.1 * seed) * leaf, START),
                method="gradient-descent",
                stop=steps,
                devices="all",
                starts=2,
            )
        ),
        "own device": told(
            tw.minimize(
                FIT,
                START,
                "gradient-descent",
                tw.Stop(steps=2 + process),
                devices=jax.local_devices(),
            )
        ),
        "host method": refused(START, "l-bfgs"),
        "other start": refused(
            {**START, "out": START["out"] + process}, "gradient-descent", stop=steps
        ),
        "no such folder": refused(START, "gradient-descent", checkpoint=missing, stop=steps),
        "some devices": refused_devices(),
    }


def refused_devices() -> str:
    """The message where devices of the other process alone are named."""
    other = [d for d in jax.devices() if d.process_index != jax.process_index()]
    try:
        tw.minimize(FIT, START, "gradient-descent", devices=other)
    except tw.ThalwegError as error:
        return str(error)
    return ""


def go_on(stop: tw.Stop, checkpoint: Path, **options: Any) -> tw.Solution:
    """The run that is killed, and goes on."""
    return tw.minimize(FIT, START, "gradient-descent", stop, checkpoint=checkpoint, **options)


def be_killed(checkpoint: Path) -> None:
    """A run for ever, that tells its steps."""

    def tell(snapshot: Any) -> None:
        print(snapshot.step, flush=True)  # noqa: T201 - its output is read by the test
        time.sleep(PAUSE)

    go_on(tw.Stop(steps=10**6), checkpoint, checkpoint_every=3600, devices="all", callback=tell)


def main(*arguments: str) -> None:
    """Join the other process and do the task."""
    process, coordinator, own, task, checkpoint, cache = arguments
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_disable_most_optimizations", True)  # noqa: FBT003 - it compiles sooner
    jax.distributed.initialize(coordinator, 2, int(process), coordinator_bind_address=own)
    match task:
        case "train":
            json.dump(train(int(process), Path(checkpoint)), sys.stdout)
        case "be killed":
            be_killed(Path(checkpoint))
        case _:
            solution = go_on(tw.Stop(loss=float(task)), Path(checkpoint), devices="all")
            json.dump(told(solution), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
