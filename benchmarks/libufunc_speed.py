"""Measures libufunc beside every other way to call C, and how it scales with threads.

    python benchmarks/libufunc_speed.py            # prints the tables, as Markdown
    python benchmarks/libufunc_speed.py --write    # puts them into docs/libufunc-how-it-works.md

The machine should have nothing else to do, or the figures of two threads mean little.
"""

from __future__ import annotations

import argparse
import math
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from libufunc import Library, threaded
from libufunc.bench import bench

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs/libufunc-how-it-works.md"
BEGIN, END = "<!-- speed: begin -->\n", "<!-- speed: end -->"


def by_way(names: list[str], *, size: int, rounds: int) -> Iterator[str]:
    """A table with a row for each function and way."""
    yield "| function | way | ns an element | of C loop | one call, ns |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for row in bench(names, size=size, rounds=rounds):
        ratio = "" if row.of_c_loop is None else f"{row.of_c_loop:.3f}"
        scalar = "" if row.scalar_ns is None else f"{row.scalar_ns:.0f}"
        yield f"| {row.function} | {row.way} | {row.ns:.2f} | {ratio} | {scalar} |"


def by_threads(names: list[str], *, rounds: int) -> Iterator[str]:
    """A table of how much quicker two threads are, by size of the array."""
    yield "| function | elements | one thread, ms | two threads, ms | times as fast |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in names:
        one = getattr(Library("m"), name)[np.float64]
        two = threaded(one, threads=2)
        for size in (32_768, 100_000, 1_000_000, 10_000_000):
            x, out = np.random.default_rng(0).uniform(0.1, 20, size), np.empty(size)
            ms = [math.inf, math.inf]
            for _ in range(rounds):
                for k, function in enumerate((one, two)):
                    start = time.perf_counter()
                    function(x, out=out)
                    ms[k] = min(ms[k], 1e3 * (time.perf_counter() - start))
            yield f"| {name} | {size:,} | {ms[0]:.2f} | {ms[1]:.2f} | {ms[0] / ms[1]:.2f} |"


def machine() -> str:
    """What the figures are of."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    libc = " ".join(platform.libc_ver())
    return f"{models[0]}, {len(models)} cores, {libc}, NumPy {np.__version__}"


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", nargs="+", default=["erf", "j0", "hypot"])
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    chosen = parser.parse_args()
    command = shlex.join(["python", "benchmarks/libufunc_speed.py", *sys.argv[1:]])
    lines = [
        f"Measured by `{command}` on: {machine()}; arrays of {chosen.size:,}.",
        "",
        *by_way(chosen.functions, size=chosen.size, rounds=chosen.rounds),
        "",
        *by_threads(["erf", "j0"], rounds=max(3, chosen.rounds // 3)),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    if chosen.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        beside = PAGE.with_suffix(".new")
        beside.write_text(f"{before}{BEGIN}{text}\n{END}{after}", "utf-8")
        beside.replace(PAGE)


if __name__ == "__main__":
    main()
