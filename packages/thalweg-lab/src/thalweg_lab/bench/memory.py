"""The peak memory of a run in its own process, compared with the budget that it was given.

    python -m thalweg_lab.bench.memory '{"width": 64, "depth": 2, "residuals": 9000,
                                     "memory": 1048576, "algebra": "krylov"}'

prints the resident memory before a run of two steps, and the peak during it. The same run is made
once before, so the first figure includes JAX, the data and the compiled program. The difference is
the memory that the method takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import itertools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg_lab.bench.cost import Size

MIB = 2**20
BUDGETS = (16 * MIB, 256 * MIB)
ALGEBRAS = ("parameters", "krylov")  # of `implicit-geodesic`
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
STEPS = 2
LIMIT_SECONDS = 300
# glibc returns blocks from this size on to the system when they are freed. Otherwise the second run
# would reuse memory of the first and seem to take almost nothing.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}


@dataclasses.dataclass(frozen=True)
class Peak:
    """The peak memory of a run.

    Attributes:
        algebra: The space in which `implicit-geodesic` solved its linear systems.
        weights: n.
        residuals: m.
        jacobian: Bytes that the whole Jacobian would take.
        budget: The budget for Jacobians and products, in bytes.
        before: Bytes of the process before the run.
        taken: Additional bytes that the run took.
    """

    algebra: str
    weights: int
    residuals: int
    jacobian: int
    budget: int
    before: int
    taken: int


def peaks(
    size: Size,
    *,
    budgets: tuple[int, ...] = BUDGETS,
    algebras: tuple[str, ...] = ALGEBRAS,
    show: Callable[[str], None] = lambda _: None,
) -> list[Peak]:
    """The peak memory of `implicit-geodesic` under several budgets, each in its own process.

    Raises:
        subprocess.CalledProcessError: A process died.
    """
    found = []
    for algebra, budget in itertools.product(algebras, budgets):
        show(f"peak memory, {algebra}, with a budget of {budget // MIB} MiB")
        asked = json.dumps({**dataclasses.asdict(size), "memory": budget, "algebra": algebra})
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "thalweg_lab.bench.memory", asked],
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            env={**os.environ, **GIVE_BACK},
        )
        before, after = json.loads(done.stdout)
        found.append(
            Peak(
                algebra=algebra,
                weights=size.weights,
                residuals=size.residuals,
                jacobian=8 * size.weights * size.residuals,
                budget=budget,
                before=before,
                taken=max(after - before, 0),
            )
        )
    return found


def _peak() -> int:
    """The peak resident memory of this process in bytes; systems report it in KiB or bytes."""
    if STATUS.is_file():
        words = STATUS.read_text(encoding="utf-8").split()
        return int(words[words.index("VmHWM:") + 1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _forget_peak() -> None:
    """Reset the peak to the present resident memory, where possible (Linux: clear_refs)."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5", encoding="utf-8")


def main(asked: str) -> None:
    """Run twice, and print the peaks before and after the second run, which compiles nothing."""
    import jax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    from thalweg import networks
    from thalweg._minimize import minimize
    from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
    from thalweg.stop import Stop
    from thalweg_lab.bench.cost import Size, problem_of

    options = json.loads(asked)
    memory, algebra = options.pop("memory"), options.pop("algebra")
    size = Size(**options)
    problem, start = problem_of(size), networks.init(size.layers, seed=0)
    method = ImplicitGeodesic(algebra=algebra)
    minimize(problem, start, method, Stop(steps=STEPS), memory_budget=memory)
    gc.collect()
    _forget_peak()
    before = _peak()
    minimize(problem, start, method, Stop(steps=STEPS), memory_budget=memory)
    sys.stdout.write(f"{json.dumps([before, _peak()])}\n")


if __name__ == "__main__":
    main(sys.argv[1])
