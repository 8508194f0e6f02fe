"""Two minutes of the front ends, each in a process of its own; their memory has to stay flat.

`make soak` calls this. A program that fits every ten seconds fits 8,640 times a day; that many fits
of milliseconds fit into half a minute. Memory is compared between the time when a third of the
rounds is over, and the end. The exit status is 1 where it grew by more than `ALLOWED` in a day.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import multiprocessing
import os
import sys
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 8_640  # rounds: one every ten seconds
ALLOWED = 50.0  # MB a day
WARM_UP = 1 / 3  # of the time, until caches are full


@dataclass(frozen=True)
class Case:
    """One use of a front end, again and again.

    Attributes:
        make: Prepares, and returns the round, which takes its number.
        most: Rounds after which it ends; a day of them where that takes less than its time.
    """

    make: Callable[[], Callable[[int], object]]
    most: int = DAY


def curve_fit() -> Callable[[int], object]:
    """One model, other data in each round: nothing is compiled after the first."""
    jnp, np, tw = _libraries()

    def model(x: Any, a: Any, b: Any) -> Any:
        return a * jnp.exp(-b * x)

    x = np.linspace(0.0, 4.0, 50)
    return lambda number: tw.curve_fit(model, x, _decay(x, number), p0=[1.0, 1.0])


def curve_fit_new_model() -> Callable[[int], object]:
    """A model defined in each round, as a function within a function is; it is recognised."""
    jnp, np, tw = _libraries()
    x = np.linspace(0.0, 4.0, 50)

    def one_round(number: int) -> object:
        return tw.curve_fit(
            lambda x, a, b: a * jnp.exp(-b * x), x, _decay(x, number), p0=[1.0, 1.0]
        )

    return one_round


def curve_fit_many() -> Callable[[int], object]:
    """A hundred rows at once."""
    jnp, np, tw = _libraries()

    def model(x: Any, a: Any, b: Any) -> Any:
        return a * jnp.exp(-b * x)

    x = np.linspace(0.0, 4.0, 50)

    def one_round(number: int) -> object:
        rows = np.stack([_decay(x, number + row) for row in range(100)])
        return tw.curve_fit_many(model, x, rows, p0=[1.0, 1.0])

    return one_round


def regressor() -> Callable[[int], object]:
    """A network for a table by scikit-learn's conventions, fitted and asked."""
    _, np, _ = _libraries()
    from sklearn.exceptions import ConvergenceWarning

    from thalweg.sklearn import FlowRegressor

    warnings.simplefilter("ignore", ConvergenceWarning)  # twenty steps are not to the end
    inputs = np.random.default_rng(0).normal(size=(200, 3))

    def one_round(number: int) -> object:
        network = FlowRegressor(layers=(8,), l2=1e-3, max_iter=20, random_state=0)
        return network.fit(inputs, np.sin(inputs[:, 0] + number)).predict(inputs)

    return one_round


CASES = {
    "curve_fit": Case(curve_fit),
    "curve_fit, a new model each time": Case(curve_fit_new_model),
    "curve_fit_many": Case(curve_fit_many),
    "FlowRegressor": Case(regressor),
}


def _libraries() -> tuple[Any, Any, Any]:
    import jax.numpy as jnp
    import numpy as np

    import thalweg as tw

    return jnp, np, tw


def _decay(x: Any, number: int) -> Any:
    """Data that differ from round to round."""
    import numpy as np

    rate = 0.5 + (number % 97) / 97
    return (2.0 + number % 5) * np.exp(-rate * x) + 0.01 * np.sin(7 * x + number)


def resident() -> float:
    """Memory of this process that lies in RAM, in MB."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no file of a disk
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def soak(name: str, seconds: float, results: Any) -> None:
    """Run one case, and send back rounds, seconds, and memory after the warm-up and at the end."""
    one_round = CASES[name].make()
    begin = time.monotonic()
    warm: tuple[int, float] | None = None
    rounds = 0
    for rounds in itertools.count(1):
        one_round(rounds)
        spent = time.monotonic() - begin
        if warm is None and max(spent / seconds, rounds / CASES[name].most) >= WARM_UP:
            gc.collect()
            warm = rounds, resident()
        if spent >= seconds or rounds >= CASES[name].most:
            break
    gc.collect()
    results.put((rounds, time.monotonic() - begin, warm or (rounds, resident()), resident()))


def main() -> None:
    """Run every case, and say what became of its memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="for all cases together")
    seconds = parser.parse_args().seconds / len(CASES)
    processes, grew = multiprocessing.get_context("spawn"), []
    print("| front end | rounds | seconds | MB after a third | MB at the end | MB a day |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in CASES:
        results = processes.Queue()
        process = processes.Process(target=soak, args=(name, seconds, results))
        process.start()
        rounds, spent, (early, before), after = results.get()
        process.join()
        growth = (after - before) * DAY / max(rounds - early, 1)
        print(
            f"| {name} | {rounds:,} | {spent:.0f} | {before:.0f} | {after:.0f} | {growth:+.0f} |",
            flush=True,
        )
        if growth > ALLOWED:
            grew.append(name)
    for name in grew:
        print(f"soak: the memory of `{name}` grows by more than {ALLOWED:g} MB a day")
    sys.exit(bool(grew))


if __name__ == "__main__":
    main()
