"""Five of the scripts as problems of the benchmark: points that stay, one network for all times.

    convection-40, reaction, wave    2-50-50-50-1, no hard conditions, no windows: as Rathore et
                                     al. train them. 10,000 points of the inside of a grid of 257
                                     places and 101 times, all 257 at the start, all 101 at each
                                     end. The residual is theirs, so L is half of their loss.
    helmholtz, poisson-5d            the script's own network, conditions and numbers of points

The measure is the relative L2 error: over the whole grid, or over 4,096 points inside.

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
from thalweg.pde.reference import formula_at, spread
from thalweg.pde.rows import Window
from thalweg.pde.terms import balance, build_terms
from thalweg.problem import LeastSquares
from thalweg_lab.pde import convection, helmholtz, poisson_5d, reaction, wave
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import Measure, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg_lab.pde.base import Script

SIZES = (2, 50, 50, 50, 1)
PLACES, TIMES, INSIDE = 257, 101, 10_000
COMPARED = 4096  # points inside, of the scripts' own networks
TARGETS = tuple(10.0**-k for k in range(1, 9))


def convection_40() -> TrainingProblem:
    """Convection at β = 40, ready to train."""
    return _on_grid("convection-40", convection.SCRIPT, jnp.sin, scale=convection.SPEED)


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


def _on_grid(
    name: str,
    script: Script,
    start: Callable[[Any], Any],
    *,
    scale: float,
    has_fixed_ends: bool = False,
) -> TrainingProblem:
    """A script's equation as Rathore et al. train it.

    Args:
        name: Of the problem.
        script: Where the equation, its interval and its solution come from.
        start: u at t = 0.
        scale: Their residual by that of the script.
        has_fixed_ends: Whether u is 0 at both ends and at rest at first; else both ends are equal.
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
        kind="physics",
        source="Rathore et al. (2024), arXiv:2402.01868.",
        network=f"{'-'.join(map(str, SIZES))} tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(defect, data=(inside,))
        + LeastSquares(start_misfit, data=(x,))
        + LeastSquares(end_misfit, data=(t,)),
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=TARGETS,
        measure=physics.relative_error(
            lambda: formula_at(posed, posed.reference, compared), compared
        ),
    )


def _as_scripted(script: Script, source: str) -> TrainingProblem:
    """A script with its own network, at points that are drawn once, as its first round has them."""
    posed, options = script.problem(), script.options
    network = options["network"]
    ansatz = Ansatz(posed, network, scale=output_scale(posed), duration=1.0)
    terms = build_terms(
        posed, ansatz, points=options["points"], edge_points=options.get("edge_points", 1)
    )
    for term in terms:
        term.rows = term.draw(0, Window())
    first = ansatz.init(0)
    balance(terms, first)
    known: list[Any] = []

    @jax.jit
    def values(params: Any, points: Any) -> jax.Array:
        u = ansatz.field(params, 0.0)
        return jax.vmap(lambda point: u(*posed.split(point)))(points)

    def error(params: Any) -> float:
        if not known:
            points = spread(posed, COMPARED)
            known.extend([points, formula_at(posed, posed.reference, points)])
        points, exact = known
        return float(np.linalg.norm(values(params, points) - exact) / np.linalg.norm(exact))

    depth = f"{network.depth} x {network.width}" if network.depth > 1 else f"{network.width}"
    features = f", {network.fourier} Fourier features" if network.fourier else ""
    total = terms[0].squares()
    for term in terms[1:]:
        total += term.squares()
    return TrainingProblem(
        name=script.name,
        title=f"Differential equation: {posed.name}",
        kind="physics",
        source=source,
        network=f"{depth} {network.activation}{features}",
        size=ansatz.flat(first)[1].size,
        problem=total,
        start=ansatz.init,
        targets=TARGETS,
        measure=Measure("error against the exact solution (relative L2)", "error", error),
    )
