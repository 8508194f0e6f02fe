"""The peak memory of a run, in a process of its own, against the budget that it was given.

    python -m thalweg.bench.memory '{"width": 64, "depth": 2, "residuals": 9000, "memory": 1048576}'

prints the peak before and after one run of two steps. What is before, JAX and the data, is
there without any method; the difference is what the method took.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.bench.cost import Size

MIB = 2**20
BUDGETS = (16 * MIB, 64 * MIB, 256 * MIB)
STEPS = 2
LIMIT_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Peak:
    """The peak memory of a run.

    Attributes:
        weights: n.
        residuals: m.
        jacobian: Bytes that the whole Jacobian would take.
        budget: The budget for Jacobians and products, in bytes.
        before: Bytes of the process before the run, at their peak.
        taken: Bytes that the run took on top.
    """

    weights: int
    residuals: int
    jacobian: int
    budget: int
    before: int
    taken: int


def peaks(
    size: Size, *, budgets: tuple[int, ...] = BUDGETS, show: Callable[[str], None] = lambda _: None
) -> list[Peak]:
    """The peak memory of `implicit-geodesic` under some budgets, each in a process of its own.

    Raises:
        subprocess.CalledProcessError: A process died.
    """
    found = []
    for budget in budgets:
        show(f"peak memory with a budget of {budget // MIB} MiB")
        asked = json.dumps({**dataclasses.asdict(size), "memory": budget})
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "thalweg.bench.memory", asked],
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        before, after = json.loads(done.stdout)
        jacobian = 8 * size.weights * size.residuals
        found.append(
            Peak(size.weights, size.residuals, jacobian, budget, before, max(after - before, 0))
        )
    return found


def _peak() -> int:
    """The peak resident memory of this process in bytes; the system counts it in KiB or bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(asked: str) -> None:
    """Run, and print both peaks as JSON."""
    import jax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    from thalweg import networks
    from thalweg.bench.cost import Size, problem_of
    from thalweg.minimization import minimize
    from thalweg.solvers.geodesic import ImplicitGeodesic
    from thalweg.stop import Stop

    options = json.loads(asked)
    memory = options.pop("memory")
    size = Size(**options)
    start = networks.init(size.layers, seed=0)
    # A run on little data loads and sets up all that does not grow with the data.
    small = dataclasses.replace(size, residuals=8)
    method = ImplicitGeodesic(algebra="parameters")
    minimize(problem_of(small), start, method, Stop(steps=STEPS), memory=memory)
    problem = problem_of(size)
    before = _peak()
    minimize(problem, start, method, Stop(steps=STEPS), memory=memory)
    sys.stdout.write(f"{json.dumps([before, _peak()])}\n")


if __name__ == "__main__":
    main(sys.argv[1])
