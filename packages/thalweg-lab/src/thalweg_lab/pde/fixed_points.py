"""Some of the scripts as problems of the benchmark: points that stay, one network for all times.

    convection-40, reaction, wave    2-50-50-50-1, no hard conditions, no windows: as Rathore et
                                     al. train them. 10,000 points of the inside of a grid of 257
                                     places and 101 times, all 257 at the start, all 101 at each
                                     end. The residual is theirs, so L is half of their loss.
    convection-40-wide               the same with 2-200-200-200-200-1, four layers of 200
    helmholtz, poisson-5d            the script's own network, conditions and numbers of points
    kuramoto-sivashinsky             the same, in the first of the script's windows of time

The measure is the relative L2 error: over the whole grid, or where the script compares.

Source: Rathore, Lei, Frangella, Lu & Udell 2024, "Challenges in training PINNs: A loss landscape
perspective", arXiv:2402.01868, and their code; they train widths of 50, 100, 200 and 400.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks, pde
from thalweg.pde.problem import Ansatz, output_scale
from thalweg.pde.reference import Table, formula_at, known_values
from thalweg.pde.rows import Window
from thalweg.pde.terms import balance, build_terms
from thalweg.pde.training import EDGE_SHARE
from thalweg.problem import LeastSquares
from thalweg_lab.pde import (
    convection,
    helmholtz,
    kuramoto_sivashinsky,
    poisson_5d,
    reaction,
    wave,
)
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import Measure, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg_lab.pde.base import Script

SIZES, WIDE_SIZES = (2, 50, 50, 50, 1), (2, 200, 200, 200, 200, 1)
PLACES, TIMES, INSIDE = 257, 101, 10_000
COMPARED = 4096  # points inside, where the solution is a formula
TARGETS = tuple(10.0**-k for k in range(1, 9))


def convection_40() -> TrainingProblem:
    """Convection at β = 40, ready to train."""
    return _on_grid("convection-40", convection.SCRIPT, jnp.sin, scale=convection.SPEED)


def convection_40_wide() -> TrainingProblem:
    """Convection at β = 40 by four layers of 200, ready to train."""
    return _on_grid(
        "convection-40-wide",
        convection.SCRIPT,
        jnp.sin,
        scale=convection.SPEED,
        sizes=WIDE_SIZES,
        kind="large",
    )


def reaction_5() -> TrainingProblem:
    """Reaction at ρ = 5, ready to train."""
    return _on_grid("reaction", reaction.SCRIPT, reaction.start, scale=1.0)


def wave_5() -> TrainingProblem:
    """The wave equation with β = 5, ready to train."""
    scale = (wave.FAST * np.pi) ** 2
    return _on_grid("wave", wave.SCRIPT, wave.start, scale=scale, has_fixed_ends=True)


def helmholtz_4() -> TrainingProblem:
    """Helmholtz with a₁ = 1 and a₂ = 4, ready to train."""
    source = "Wang, Teng & Perdikaris, SIAM J. Sci. Comput. 43 (2021) A3055."
    return _as_scripted(helmholtz.SCRIPT, source)


def poisson() -> TrainingProblem:
    """Poisson in five dimensions, ready to train."""
    return _as_scripted(poisson_5d.SCRIPT, "Müller & Zeinhofer (2023), arXiv:2302.13163.")


def kuramoto_sivashinsky_first() -> TrainingProblem:
    """Kuramoto-Sivashinsky up to a tenth of its time, ready to train."""
    source = "Wang, Sankaran & Perdikaris (2022), arXiv:2203.07404, and their code."
    return _as_scripted(kuramoto_sivashinsky.SCRIPT, source)


def _on_grid(
    name: str,
    script: Script,
    start: Callable[[Any], Any],
    *,
    scale: float,
    has_fixed_ends: bool = False,
    sizes: tuple[int, ...] = SIZES,
    kind: str = "physics",
) -> TrainingProblem:
    """A script's equation as Rathore et al. train it.

    Args:
        name: Of the problem.
        script: Where the equation, its interval and its solution come from.
        start: u at t = 0.
        scale: Their residual by that of the script.
        has_fixed_ends: Whether u is 0 at both ends and at rest at first; else both ends are equal.
        sizes: Of the network's layers, inputs and output included.
        kind: One of `thalweg_lab.problems.KINDS`.
    """
    posed = script.problem()
    low, high = (float(end[0]) for end in (posed.domain.low, posed.domain.high))
    x, t = np.linspace(low, high, PLACES), np.linspace(0, 1, TIMES)

    def field(layers: networks.Layers) -> Callable[..., Any]:
        return lambda x, t: physics.value(layers, jnp.stack([x, t]))

    def defect(layers: networks.Layers, point: jax.Array) -> Any:
        return scale * posed.equation(field(layers), point[0], point[1])

    def start_misfit(layers: networks.Layers, x: jax.Array) -> jax.Array:
        u, zero = field(layers), jnp.zeros_like(x)
        values = [u(x, zero) - start(x)]
        if has_fixed_ends:
            values.append(pde.dt(u)(x, zero))
        return jnp.stack(values)

    def end_misfit(layers: networks.Layers, t: jax.Array) -> jax.Array:
        u = field(layers)
        ends = jnp.stack([u(jnp.full_like(t, low), t), u(jnp.full_like(t, high), t)])
        return ends if has_fixed_ends else ends[1:] - ends[:1]

    grid = physics.grid(x[1:-1], t[1:])
    inside = grid[np.random.default_rng(0).choice(len(grid), INSIDE, replace=False)]
    compared = physics.grid(x, t)
    return TrainingProblem(
        name=name,
        title=f"Differential equation: {posed.name}",
        kind=kind,
        source="Rathore et al. (2024), arXiv:2402.01868.",
        network=f"{'-'.join(map(str, sizes))} tanh",
        size=networks.count(sizes),
        problem=LeastSquares(defect, data=(inside,))
        + LeastSquares(start_misfit, data=(x,))
        + LeastSquares(end_misfit, data=(t,)),
        start=lambda seed: networks.init(sizes, seed=seed),
        targets=TARGETS,
        measure=physics.relative_error(
            lambda: formula_at(posed, posed.reference, compared), compared
        ),
    )


def _as_scripted(script: Script, source: str) -> TrainingProblem:
    """A script with its own network, at points that are drawn once, as its first round has them."""
    posed, options = script.problem(), script.options
    network, window = options["network"], _first_window(posed, options.get("windows", 1))
    duration = window.end - window.start
    ansatz = Ansatz(posed, network, scale=output_scale(posed), duration=duration)
    count = options["points"]
    edge_points = options.get("edge_points", int(EDGE_SHARE * count))
    terms = build_terms(posed, ansatz, points=count, edge_points=edge_points)
    for term in terms:
        term.rows = term.draw(0, window)
    first = ansatz.init(0)
    balance(terms, first)
    compared: list[Table] = []

    @jax.jit
    def values(params: Any, points: Any) -> jax.Array:
        u = ansatz.field(params, window.start)
        return jax.vmap(lambda point: u(*posed.split(point)))(points)

    def error(params: Any) -> float:
        if not compared:
            compared.append(_solution_within(posed, window))
        exact = compared[0].values
        return float(
            np.linalg.norm(values(params, compared[0].points) - exact) / np.linalg.norm(exact)
        )

    depth = f"{network.depth} x {network.width}" if network.depth > 1 else f"{network.width}"
    features = f", {network.fourier} Fourier features" if network.fourier else ""
    until = f", t ≤ {window.end:g}" if "windows" in options else ""
    total = terms[0].squares()
    for term in terms[1:]:
        total += term.squares()
    return TrainingProblem(
        name=script.name,
        title=f"Differential equation: {posed.name}{until}",
        kind="physics",
        source=source,
        network=f"{depth} {network.activation}{features}",
        size=ansatz.flat(first)[1].size,
        problem=total,
        start=ansatz.init,
        targets=TARGETS,
        measure=Measure("error against the exact solution (relative L2)", "error", error),
    )


def _first_window(posed: pde.Problem, windows: int) -> Window:
    """The first of the stretches that the time is cut into."""
    span = posed.interval
    if span is None:
        return Window()
    return Window(span.start, span.start + (span.end - span.start) / windows)


def _solution_within(posed: pde.Problem, window: Window) -> Table:
    """What the script compares with, up to the end of a window."""
    known = known_values(posed, posed.reference, COMPARED)
    if known is None:
        raise AssertionError("each of these scripts has a reference")
    if posed.interval is None:
        return known
    is_within = known.points[:, -1] <= window.end * (1 + 1e-12)
    return Table(known.points[is_within], known.values[is_within])
