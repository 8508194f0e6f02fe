"""Solutions to compare with, where no formula is known: series, spectral methods, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# u along x = 1/2 and v along y = 1/2 in the cavity at Re = 100.
# Source: Ghia, Ghia & Shin, J. Comput. Phys. 48 (1982) 387-411, tables I and II, as transcribed
# alike in several public validation suites.
GHIA_Y = (0, 0.0547, 0.0625, 0.0703, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516,
          0.9531, 0.9609, 0.9688, 0.9766, 1)  # fmt: skip
GHIA_U = (0, -0.03717, -0.04192, -0.04775, -0.06434, -0.10150, -0.15662, -0.21090, -0.20581,
          -0.13641, 0.00332, 0.23151, 0.68717, 0.73722, 0.78871, 0.84123, 1)  # fmt: skip
GHIA_X = (0, 0.0625, 0.0703, 0.0781, 0.0938, 0.1563, 0.2266, 0.2344, 0.5, 0.8047, 0.8594, 0.9063,
          0.9453, 0.9531, 0.9609, 0.9688, 1)  # fmt: skip
GHIA_V = (0, 0.09233, 0.10091, 0.10890, 0.12317, 0.16077, 0.17507, 0.17527, 0.05454, -0.24533,
          -0.22445, -0.16914, -0.10313, -0.08864, -0.07391, -0.05906, 0)  # fmt: skip

# Corners of the L-shape, counterclockwise: where, the direction of the side from which the angle φ
# inside is measured, and how far below it φ may fall, so that it jumps outside of the domain.
L_CORNERS = (
    (0, np.pi / 2, np.pi / 4),
    (1, np.pi, 3 * np.pi / 4),
    (1 - 1j, np.pi / 2, 3 * np.pi / 4),
    (-1 - 1j, 0.0, 3 * np.pi / 4),
    (-1 + 1j, -np.pi / 2, 3 * np.pi / 4),
    (1j, -np.pi, 3 * np.pi / 4),
)

FEW_MODES = 512


def periodic(  # noqa: PLR0913 - what an equation on a circle is made of
    start: Callable[[np.ndarray], np.ndarray],
    symbol: Callable[[np.ndarray], np.ndarray],
    product: tuple[int, Callable[[np.ndarray], np.ndarray]],
    *,
    low: float,
    length: float,
    end: float,
    steps: int,
    shots: int,
    modes: int = FEW_MODES,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u_t = L u + N(u) on a circle: Fourier modes in space, exponential Runge-Kutta in time.

    Source: Kassam & Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214-1233 (ETDRK4).

    Args:
        start: u at the start, of x.
        symbol: The eigenvalue of L, of the wave number.
        product: The power q and the factor c of a wave number such that N(u) has the modes
            c(k) (u^q)_k.
        low: Where the circle is cut.
        length: Its length.
        end: The last time; the first is 0.
        steps: Of equal length.
        shots: How many times are returned, start and end included.
        modes: Points in space.

    Returns:
        x `(modes,)`, t `(shots,)` and u `(modes, shots)`.
    """
    x = low + length * np.arange(modes) / modes
    k = 2 * np.pi / length * np.arange(modes // 2 + 1)
    power, factor = product
    kept = factor(k) * (np.arange(k.size) < modes * 2 // (2 * (power + 1)))  # no aliases
    h, rate = end / steps, symbol(k)
    circle = np.exp(2j * np.pi * (np.arange(64) + 0.5) / 64)
    z = (h * rate)[:, None] + circle
    mean = lambda f: h * (f.mean(axis=1) if np.iscomplexobj(rate) else f.mean(axis=1).real)  # noqa: E731
    whole, half = np.exp(h * rate), np.exp(h * rate / 2)
    q = mean((np.exp(z / 2) - 1) / z)
    first = mean((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3)
    middle = mean((2 + z + np.exp(z) * (z - 2)) / z**3)
    last = mean((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3)

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return kept * np.fft.rfft(np.fft.irfft(v, modes) ** power)

    v, found = np.fft.rfft(start(x)), [start(x)]
    for step in range(1, steps + 1):
        n0 = nonlinear(v)
        a = half * v + q * n0
        na = nonlinear(a)
        nb = nonlinear(half * v + q * na)
        nc = nonlinear(half * a + q * (2 * nb - n0))
        v = whole * v + first * n0 + 2 * middle * (na + nb) + last * nc
        if step % (steps // (shots - 1)) == 0:
            found.append(np.fft.irfft(v, modes))
    return x, np.linspace(0, end, shots), np.stack(found, axis=1)


def poisson_on_l_shape(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The solution of -Δu = 1 with u = 0 on the edge of [-1, 1]² without [0, 1]².

    -|z|²/4 and a harmonic function, fitted to the edge: r^(2k/3) sin(2kφ/3) of the inner corner,
    the functions Im(z^2j log z) of all corners, and a polynomial. It misses the edge by less than
    1e-9, and so, by the maximum principle, it misses u by no more.

    Source: Fox, Henrici & Moler, SIAM J. Numer. Anal. 4 (1967) 89-102.
    """
    corners = np.array([corner for corner, _, _ in L_CORNERS])

    def basis(z: np.ndarray) -> np.ndarray:
        columns = []
        for k, (corner, side, cut) in enumerate(L_CORNERS):
            w = (z - corner) * np.exp(-1j * side)
            r, angle = np.abs(w), np.mod(np.angle(w) + cut, 2 * np.pi) - cut
            if k == 0:
                powers = 2 / 3 * np.array([n for n in range(1, 41) if n % 3])
                columns += [*(r[:, None] ** powers * np.sin(angle[:, None] * powers)).T]
            log = np.log(np.maximum(r, 1e-300))
            for m in (2, 4, 6):
                columns += [r**m * (log * np.sin(m * angle) + angle * np.cos(m * angle))]
        smooth = ((z[:, None] + 0.3 + 0.3j) / 1.8) ** np.arange(21)
        return np.concatenate([np.stack(columns, axis=1), smooth.real, smooth.imag[:, 1:]], axis=1)

    share = (1 - np.cos(np.pi * (np.arange(120) + 0.5) / 120)) / 2
    sides = zip(corners, np.roll(corners, -1), strict=True)
    edge = np.concatenate([a + (b - a) * share for a, b in sides])
    matrix = basis(edge)
    size = np.linalg.norm(matrix, axis=0)
    fitted = np.linalg.lstsq(matrix / size, np.abs(edge) ** 2 / 4, rcond=1e-14)[0] / size
    z = np.ravel(x) + 1j * np.ravel(y)
    return (basis(z) @ fitted - np.abs(z) ** 2 / 4).reshape(np.shape(x))
