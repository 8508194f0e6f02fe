"""Reference solutions in one dimension of space, by finite differences and a stiff integrator.

Derivatives in space are matrices: on a periodic interval those of the interpolating trigonometric
polynomial, elsewhere differences over seven points, one-sided at the ends. The equation is then a
stiff system in time, which SciPy's implicit Radau method of order five integrates with the exact
Jacobian.

Source: Trefethen 2000, *Spectral Methods in MATLAB*, chapter 3; Fornberg 1988, "Generation of
finite difference formulas on arbitrarily spaced grids".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError
from thalweg.pde.domains import TimeInterval
from thalweg.pde.networks import float64
from thalweg.pde.reference import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg.pde.shapes import Interval

STENCIL = 7  # points of a difference
MOST_ORDER = 4


def finite_differences(
    rate: Callable[..., Any],
    domain: Interval,
    time: TimeInterval | tuple[float, float],
    initial: Callable[[Any], Any],
    *,
    periodic: bool = False,
    points: int = 256,
    times: int = 51,
    tolerance: float = 1e-9,
) -> Table:
    """Solve `∂u/∂t = rate(x, t, u, u_x, u_xx, u_xxx, u_xxxx)` from a start.

    Args:
        rate: Takes arrays `(points,)`, t a number, and returns an array; written with `jax.numpy`.
            Further derivatives may be left out of its arguments by `*_`.
        domain: The interval.
        time: From start to end.
        initial: u at the start, a function of x.
        periodic: Whether the interval closes to a ring; else u keeps the values that it has at
            both ends at the start.
        points: Points of the interval. Their error is seen by doubling them.
        times: Times at which the solution is kept.
        tolerance: Relative error of the integrator in time.

    Returns:
        The solution at all points and times.

    Raises:
        ConfigError: There are too few points, or the integrator gives up.
    """
    if points < 2 * STENCIL:
        raise ConfigError(f"`points` is {points}, but at least {2 * STENCIL} were expected")
    from scipy.integrate import solve_ivp

    span = TimeInterval(*time) if isinstance(time, tuple) else time
    low, high = float(domain.low[0]), float(domain.high[0])
    x = np.linspace(low, high, points, endpoint=not periodic)
    matrices = _ring(points, high - low) if periodic else _line(x)
    with float64():
        at, slopes = jnp.asarray(x), [jnp.asarray(matrix) for matrix in matrices]

        def right_side(t: Any, u: Any) -> Any:
            found = rate(at, t, u, *(matrix @ u for matrix in slopes))
            return found if periodic else found.at[0].set(0.0).at[-1].set(0.0)

        compiled = quick_jit(right_side)
        slope = quick_jit(jax.jacfwd(right_side, argnums=1))
        start = np.asarray(jax.vmap(initial)(at), float)
        found = solve_ivp(
            lambda t, u: np.asarray(compiled(t, u)),
            (span.start, span.end),
            start,
            method="Radau",
            t_eval=np.linspace(span.start, span.end, times),
            jac=lambda t, u: np.asarray(slope(t, u)),
            rtol=tolerance,
            atol=tolerance * max(float(np.abs(start).max()), 1e-300),
        )
    if not found.success:
        raise ConfigError(
            f"the reference could not be integrated: {found.message} Give more `points`, or a "
            "shorter `time`"
        )
    return Table.of_grid(x, found.t, found.y)


def _ring(count: int, length: float) -> list[np.ndarray]:
    """Derivatives of the trigonometric polynomial through equally spaced points."""
    waves = 2j * math.pi / length * np.fft.fftfreq(count, 1 / count)
    unit = np.fft.fft(np.eye(count), axis=0)
    matrices = []
    for order in range(1, MOST_ORDER + 1):
        factors = waves**order
        if count % 2 == 0 and order % 2:
            factors[count // 2] = 0  # the highest wave has no odd derivative on the points
        matrices.append(np.fft.ifft(factors[:, None] * unit, axis=0).real)
    return matrices


def _line(x: np.ndarray) -> list[np.ndarray]:
    """Differences over neighbouring points."""
    count, step = len(x), x[1] - x[0]
    matrices = np.zeros((MOST_ORDER, count, count))
    for row in range(count):
        first = min(max(row - STENCIL // 2, 0), count - STENCIL)
        offsets = np.arange(first, first + STENCIL) - row
        # Weights w with Σ w oᵏ / k! = 1 for the derivative of order k, and 0 for the others.
        powers = np.vander(offsets, STENCIL, increasing=True).T
        powers = powers / np.array([math.factorial(k) for k in range(STENCIL)])[:, None]
        for order in range(1, MOST_ORDER + 1):
            weights = np.linalg.solve(powers, np.eye(STENCIL)[order])
            matrices[order - 1, row, first : first + STENCIL] = weights / step**order
    return [*matrices]
