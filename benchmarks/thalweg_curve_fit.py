"""What `curve_fit` and `curve_fit_many` take beside SciPy's `curve_fit`, as ratios.

    python benchmarks/thalweg_curve_fit.py

Calls alternate, `--rounds` times, and the median of the ratios counts, as other work on the machine
then slows both. Compilation is not counted.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import optimize

import thalweg as tw
from thalweg._util.machine import this_machine

RANDOM = np.random.default_rng(1)
FITS = 1000


def models(xp: Any) -> dict[str, Callable[..., Any]]:
    """The models, for NumPy and for `jax.numpy`."""
    return {
        "decay": lambda x, a, b, c: a * xp.exp(-b * x) + c,
        "peak": lambda x, a, m, s: a * xp.exp(-((x - m) ** 2) / (2 * s * s)),
        "background": lambda x, a, m, s, c: a * xp.exp(-((x - m) ** 2) / (2 * s * s)) + c,
        "two-rates": lambda x, a, b, c, d: a * xp.exp(-b * x) + c * xp.exp(-d * x),
        "logistic": lambda x, k, r, m: k / (1 + xp.exp(-r * (x - m))),
        "saturation": lambda x, v, k: v * x / (k + x),
        "power": lambda x, a, b: a * x**b,
        "wave": lambda x, a, w, p: a * xp.sin(w * x + p),
    }


# model, truth, start, bounds
BOUNDED = {
    "inside": ("decay", (2.5, 1.3, 0.5), None, ([0, 0, 0], [5, 5, 5])),
    "one at a bound": ("decay", (2.5, 1.3, 0.5), None, ([0, 0, 0], [3, 1, 1])),
    "one-sided": ("decay", (2.5, 1.3, -0.2), None, ([0, 0, 0], [np.inf] * 3)),
    "peak": ("peak", (3, 2, 0.6), [1, 1.5, 1], ([0, 0, 0.1], [10, 4, 5])),
    "two at bounds": ("peak", (3, 2, 0.6), [1, 1.5, 1], ([0, 0, 0.8], [10, 1.9, 5])),
    "two rates": ("two-rates", (2, 0.3, 1, 3), [1, 0.5, 1, 1], ([0] * 4, [10, 1, 10, 10])),
    "logistic": ("logistic", (10, 2.4, 2), [5, 0.5, 1], ([0, 0, 0], [50, 10, 10])),
    "saturation": ("saturation", (4, 1.5), [1, 3], ([0, 2], [np.inf, np.inf])),
    "power": ("power", (2, 1.7), [1, 1], ([0, 0], [10, 1.5])),
    "wave": ("wave", (2, 2, 0.4), [1, 1.8, 0], ([0, 1.5, -3], [5, 2.5, 3])),
    "start on a bound": ("peak", (2, 2, 0.5), [1, 0, 1], ([0, 0, 0], [5, 5, 5])),
}


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """The median of `theirs / ours`, and the median seconds of ours."""
    ours()
    pairs = []
    for _ in range(rounds):
        times = []
        for call in (ours, theirs):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
        pairs.append(times)
    return (
        statistics.median(b / a for a, b in pairs),
        statistics.median(a for a, _ in pairs),
    )


def bounded(rounds: int) -> None:
    """Fits within bounds beside SciPy's `trf`, which is what its `curve_fit` takes there."""
    ours, theirs = models(jnp), models(np)
    x = np.linspace(0.05, 4, 80)
    for name, (model, truth, start, limits) in BOUNDED.items():
        y = theirs[model](x, *truth)
        y = y + 0.03 * np.ptp(y) * RANDOM.normal(size=x.size)
        f, g = ours[model], theirs[model]
        found = tw.curve_fit(f, x, y, start, bounds=limits)
        popt, _ = optimize.curve_fit(g, x, y, start, bounds=limits)
        gain, seconds = ratio(
            lambda f=f, y=y, s=start, b=limits: tw.curve_fit(f, x, y, s, bounds=b),
            lambda g=g, y=y, s=start, b=limits: optimize.curve_fit(g, x, y, s, bounds=b),
            rounds,
        )
        worse = found.chi_squared / np.sum((g(x, *popt) - y) ** 2) - 1
        print(
            f"  {name:18} {gain:5.2f} times as fast as trf, {1e3 * seconds:6.2f} ms; "
            f"χ² {worse:+.0e} of SciPy's; {found.outcome.value}"
        )


def again(rounds: int) -> None:
    """A second fit of a model with other data of the same shapes."""
    x = np.linspace(0, 4, 100)
    f, g = models(jnp)["decay"], models(np)["decay"]
    y = g(x, 2.5, 1.3, 0.5) + 0.1 * RANDOM.normal(size=x.size)
    gain, seconds = ratio(
        lambda: tw.curve_fit(f, x, y), lambda: optimize.curve_fit(g, x, y), rounds
    )
    print(f"  3 parameters, 100 points: {gain:.2f} times as fast as lm, {1e3 * seconds:.2f} ms")


def many(rounds: int) -> None:
    """Many fits of one model beside a loop over SciPy."""
    x = np.linspace(0, 10, 100)
    f, g = models(jnp)["background"], models(np)["background"]
    low, high = [1, 4, 0.7, 0], [4, 6, 1.6, 1]
    truth = RANDOM.uniform(low, high, (FITS, 4))
    rows = np.stack([g(x, *row) for row in truth]) + 0.05 * RANDOM.normal(size=(FITS, x.size))
    start = [2, 5, 1, 0.5]
    gain, seconds = ratio(
        lambda: tw.curve_fit_many(f, x, rows, start),
        lambda: [optimize.curve_fit(g, x, row, start) for row in rows],
        rounds,
    )
    fits = tw.curve_fit_many(f, x, rows, start)
    print(f"  {fits!r}")
    print(f"  {gain:.1f} times as fast as a loop over SciPy, {1e6 * seconds / FITS:.0f} µs a fit")


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="Pairs of calls; 21 by default.")
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore", optimize.OptimizeWarning)
    machine = this_machine()
    print(f"{machine.processor}, {machine.cores} cores")
    print("A second fit:")
    again(rounds)
    print(f"{FITS:,} fits:")
    many(max(rounds // 3, 1))
    print("Within bounds:")
    bounded(rounds)


if __name__ == "__main__":
    main()
