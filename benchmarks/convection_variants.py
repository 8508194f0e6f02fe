"""Why `convection-30` ends with an error near 1: the problem, and variants of it.

    python benchmarks/convection_variants.py --write

Each variant is trained by `auto` for the same time from one start; the table is part of
docs/pde-benchmark.md.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

import thalweg as tw
from thalweg import networks
from thalweg_lab.problems import physics
from thalweg_lab.problems.convection import LENGTH, exact

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Path(__file__).parents[1] / "docs" / "benchmark" / "pde" / "convection-30.markdown"
SPEED, SIDE, ON_EDGES = 30.0, 50, 100
WIDE, NARROW = (2, 50, 50, 50, 1), (2, 20, 20, 20, 1)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to write the problem.

    Attributes:
        title: For the table.
        sizes: Units a layer.
        divisor: What the equation is divided by.
        unit: The network sees time in units of 1/unit.
        end: The last time.
        sobol: How many Sobol points replace the grid of 50 x 50; None for the grid.
    """

    title: str
    sizes: tuple[int, ...] = WIDE
    divisor: float = 1.0
    unit: float = 1.0
    end: float = 1.0
    sobol: int | None = None

    def value(self, layers: Any, point: Any) -> Any:
        """The network's u at (x, t)."""
        return networks.apply(layers, jnp.stack([point[0], point[1] * self.unit]))[0]

    def inside(self) -> np.ndarray:
        """The points of the equation, `(n, 2)`."""
        if self.sobol is None:
            return physics.grid(np.linspace(0, LENGTH, SIDE), np.linspace(0, self.end, SIDE))
        unit = qmc.Sobol(2, seed=0).random_base2(int(np.ceil(np.log2(self.sobol))))[: self.sobol]
        return unit * [LENGTH, self.end]

    def problem(self) -> tw.LeastSquares:
        """The loss."""

        def defect(layers: Any, point: Any) -> Any:
            u: Callable[[Any], Any] = lambda at: self.value(layers, at)  # noqa: E731
            return physics.along(u, point, direction=(SPEED, 1.0)) / self.divisor

        def start(layers: Any, x: Any) -> Any:
            return self.value(layers, jnp.stack([x, jnp.zeros_like(x)])) - jnp.sin(x)

        def jump(layers: Any, t: Any) -> Any:
            ends = (jnp.stack([jnp.full_like(t, x), t]) for x in (0.0, LENGTH))
            left, right = (self.value(layers, end) for end in ends)
            return left - right

        x, t = np.linspace(0, LENGTH, ON_EDGES), np.linspace(0, self.end, ON_EDGES)
        parts = [tw.LeastSquares(start, data=(x,)), tw.LeastSquares(jump, data=(t,))]
        return sum(parts, tw.LeastSquares(defect, data=(self.inside(),)))  # pyright: ignore[reportReturnType]

    def error(self, layers: Any) -> float:
        """The relative L2 error."""
        points = physics.grid(np.linspace(0, LENGTH, 128), np.linspace(0, self.end, 101))
        found = np.asarray(jax.vmap(lambda point: self.value(layers, point))(points))
        truth = exact(points, speed=SPEED)
        return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


BOTH = {"sizes": NARROW, "divisor": SPEED, "unit": SPEED}
VARIANTS = [
    Variant("as in the benchmark, 50 units a layer"),
    Variant("the equation divided by 30", divisor=SPEED),
    Variant("time in units of 1/30", unit=SPEED),
    Variant("both, 20 units a layer", **BOTH),
    Variant("both, 20 units, 2,500 Sobol points", **BOTH, sobol=2_500),
    Variant("both, 20 units, 10,000 Sobol points", **BOTH, sobol=10_000),
    Variant("as in the benchmark, but a sixth of the time", end=1 / 6),
]


def main() -> None:
    """Train all, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="training time of each")
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name} in docs")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX has it so
    lines = ["| variant | loss | relative L2 error |", "| --- | ---: | ---: |"]
    for variant in VARIANTS:
        stop = tw.Stop(seconds=options.seconds)
        found = tw.minimize(variant.problem(), networks.init(variant.sizes, seed=0), stop=stop)
        error = variant.error(found.params)
        lines.append(f"| {variant.title} | {found.loss:.1e} | {error:.1e} |")
        print(lines[-1], flush=True)
    lines += ["", f"*{options.seconds:.0f} seconds each, from one start, by `auto`.*"]
    if options.write:
        RECORD.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
