"""The Allen-Cahn equation: a double well drives u to ±1, with sharp fronts between them.

    u_t = 0.0001 u_xx + 5 (u - u³) on [-1, 1] x [0, 1], periodic in x,   u(x, 0) = x² cos πx

The network is 3-20-20-20-1 with tanh on `(cos πx, sin πx, t)`, so u is periodic for any weights.
There are 2,048 points in the interior, and 200 at t = 0 with weight 100.

The reference solution comes from a Fourier method: u is even in x, so a cosine series on 1,025
points represents it, and SciPy's DOP853 integrates the values in time. The initial value has a kink
at x = ±1, which the equation smooths immediately.

Source: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707, section 3.2; the
periodic inputs are those of Dong & Ni, J. Comput. Phys. 435 (2021) 110242, the weight of the start
that of Wight & Zhao, Commun. Comput. Phys. 29 (2021) 930-954.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import physics
from thalweg_lab.problems.base import TrainingProblem

if TYPE_CHECKING:
    import jax

SIZES = (3, 20, 20, 20, 1)
DIFFUSION, REACTION = 1e-4, 5.0
INSIDE, AT_START = 2048, 200  # points
START_WEIGHT = 100.0
INTERVALS = 1024  # of [0, 1] in the Fourier method
TOLERANCE = 1e-12  # of its steps in time
T = np.linspace(0, 1, 21)  # where the error is measured, with every fourth point of the method
STRIDE = 4


def start_value(x: np.ndarray) -> np.ndarray:
    """u(x, 0) = x² cos πx."""
    return x**2 * np.cos(np.pi * x)


def reference(t: np.ndarray, *, intervals: int = INTERVALS) -> tuple[np.ndarray, np.ndarray]:
    """The solution on [0, 1], from which evenness gives [-1, 0].

    Args:
        t: Times from 0 to 1, ascending, shape `(b,)`.
        intervals: Number of intervals of [0, 1]; a power of 2 is quickest.

    Returns:
        Points x `(intervals + 1,)` and u `(intervals + 1, b)`; accurate to 1e-10 from t = 0.05 on,
        and exact at t = 0.

    Cost: about a second.
    """
    from scipy.fft import dct
    from scipy.integrate import solve_ivp

    x = np.linspace(0, 1, intervals + 1)
    decay = -DIFFUSION * (np.pi * np.arange(intervals + 1)) ** 2
    # The values of x² cos πx at the points would alias the kink's high frequencies.
    start = np.asarray(dct(_start_cosines(intervals + 1), type=1))

    def rate(_: float, u: np.ndarray) -> np.ndarray:
        cosines = np.asarray(dct(u, type=1))
        diffused = np.asarray(dct(decay * cosines, type=1)) / (2 * intervals)
        return diffused + REACTION * (u - u**3)

    # Integrate from one time to the next: dense output of DOP853 is accurate to 1e-8 only.
    now, u, columns = 0.0, start, []
    for then in t:
        if then > now:
            solution = solve_ivp(rate, (now, then), u, "DOP853", rtol=TOLERANCE, atol=TOLERANCE)
            now, u = then, solution.y[:, -1]
        columns.append(u if then > 0 else start_value(x))
    return x, np.stack(columns, axis=1)


def _start_cosines(count: int) -> np.ndarray:
    """The integrals of x² cos πx cos kπx over [-1, 1] for k below `count`, as a DCT-I takes them.

    By ∫ x² cos mπx = 4 (-1)ᵐ / (mπ)², and 2/3 for m = 0. A DCT-I doubles all but the ends.
    """
    k = np.arange(count)

    def integral(m: np.ndarray) -> np.ndarray:
        safe = np.where(m == 0, 1, m)
        return np.where(m == 0, 2 / 3, 4 * (-1.0) ** m / (np.pi * safe) ** 2)

    cosines = (integral(np.abs(k - 1)) + integral(k + 1)) / 2
    cosines[:-1] /= 2
    return cosines


def value(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """The network's u at one point `(x, t)`."""
    angle = jnp.pi * point[0]
    return networks.apply(layers, jnp.stack([jnp.cos(angle), jnp.sin(angle), point[1]]))[0]


def defect(layers: networks.Layers, point: jax.Array) -> jax.Array:
    """The residual of the equation at one point `(x, t)`."""
    u = lambda at: value(layers, at)  # noqa: E731 - it has no name of its own
    here = u(point)
    change = physics.along(u, point, direction=(0.0, 1.0))
    return change - DIFFUSION * physics.second(u, point, axis=0) - REACTION * (here - here**3)


def misfit(layers: networks.Layers, x: jax.Array, u: jax.Array) -> jax.Array:
    """The network at (x, 0) minus the initial value there."""
    return value(layers, jnp.stack([x, jnp.zeros_like(x)])) - u


def compared() -> np.ndarray:
    """The points at which the error is measured, shape `(513 * 21, 2)`.

    The solution is even in x, but a network need not be, so both halves of the interval count.
    """
    x = np.linspace(0, 1, INTERVALS + 1)[::STRIDE]
    return physics.grid(np.concatenate([-x[:0:-1], x]), T)


def solution() -> np.ndarray:
    """U at the points of `compared`."""
    u = reference(T)[1][::STRIDE]
    return np.concatenate([u[:0:-1], u]).reshape(-1)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    inside = physics.sobol(INSIDE, (-1.0, 0.0), (1.0, 1.0))
    x = np.linspace(-1, 1, AT_START)
    at_start = LeastSquares(misfit, data=(x, start_value(x)))
    return TrainingProblem(
        name="allen-cahn",
        title="Differential equation: Allen-Cahn",
        kind="physics",
        source="Raissi, Perdikaris & Karniadakis (2019), J. Comput. Phys. 378, section 3.2.",
        network="3-20-20-20-1 tanh, periodic in x",
        size=networks.count(SIZES),
        problem=LeastSquares(defect, data=(inside,)) + START_WEIGHT * at_start,
        start=lambda seed: networks.init(SIZES, seed=seed),
        targets=(1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5),
        measure=physics.relative_error(solution, compared(), network=value),
    )
