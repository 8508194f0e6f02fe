"""The speed table of docs/libufunc-jax.md: `libufunc.jax` beside scipy.special, one core each.

    taskset -c 0 python benchmarks/libufunc_jax.py

Nanoseconds a number, the best of several rounds in which all take turns, on arrays that are made
before. Without `taskset`, XLA spreads an array over all cores, and scipy does not.
"""

import argparse
import time
from collections.abc import Callable  # noqa: TC003 - a script need not save an import

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

import libufunc.jax

INTERVALS = {"0 to 7": (0, 7), "0 to 20": (0, 20), "20 to 1e4": (20, 1e4), "1e4 to 1e15": None}


def numbers(ends: tuple[float, float] | None, count: int) -> np.ndarray:
    """Even between the ends, or in their logarithm where that is wide."""
    generator = np.random.default_rng(0)
    return (
        10 ** generator.uniform(4, 15, count) if ends is None else generator.uniform(*ends, count)
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="numbers of an array")
    parser.add_argument("--rounds", type=int, default=40, help="of which the best is taken")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX's own signature
    calls: dict[tuple[str, str, str], Callable[[], object]] = {}
    for name in ("j0", "j1", "y0", "y1"):
        ours, theirs = getattr(libufunc.jax, name), getattr(special, name)
        slope = jax.jit(jax.vmap(jax.grad(ours)))
        for label, ends in INTERVALS.items():
            x = numbers(ends, options.count)
            wide, narrow = jnp.asarray(x), jnp.asarray(x, jnp.float32)
            calls[name, label, "jax, float64"] = lambda f=ours, x=wide: f(x).block_until_ready()
            calls[name, label, "jax, float32"] = lambda f=ours, x=narrow: f(x).block_until_ready()
            calls[name, label, "its derivative"] = lambda f=slope, x=wide: f(x).block_until_ready()
            calls[name, label, "scipy, float64"] = lambda f=theirs, x=x: f(x)
    best = dict.fromkeys(calls, np.inf)
    for call in calls.values():
        call()
    for _ in range(options.rounds):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            best[key] = min(best[key], time.perf_counter() - start)
    columns = list(dict.fromkeys(column for _, _, column in calls))
    print("| function | numbers | " + " | ".join(f"{column}, ns" for column in columns) + " |")
    print("|---|---|" + "---:|" * len(columns))
    for name, label in dict.fromkeys(key[:2] for key in calls):
        times = (best[name, label, column] / options.count * 1e9 for column in columns)
        print(f"| `{name}` | {label} | " + " | ".join(f"{value:.1f}" for value in times) + " |")


if __name__ == "__main__":
    main()
