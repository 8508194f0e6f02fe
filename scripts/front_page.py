"""The README's picture of a result: a function learned from the same start in the same time.

    python scripts/front_page.py record    # trains, and writes docs/images/result.json
    python scripts/front_page.py draw      # draws it, and fills in the README

The problem is `bessel` of thalweg-lab. L-BFGS is SciPy's with 50 pairs. Adam has the learning rate
that was best among those tried on this problem, see `TrainingProblem.rates`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from figure_style import SCHEMES, save

from thalweg.report.looks import COLOURS, Looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs/images/result.json"
IMAGE = ROOT / "docs/images/result.png"
README = ROOT / "README.md"
SECONDS, SEED = 3.0, 0
LABELS = {"auto": "thalweg", "l-bfgs": "L-BFGS", "adam": "Adam"}


def trained() -> dict[str, Any]:
    """Train by each method, and return what the picture needs."""
    import jax
    import optax

    import thalweg as tw
    from thalweg._util.machine import this_machine
    from thalweg.solvers.adapters.optax_optimizer import OptaxOptimizer
    from thalweg_lab import problems

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    task = problems.load("bessel")
    rate = task.rates["adam"]
    adam = OptaxOptimizer(optax.adam(rate), name="adam", learning_rate=rate)
    methods = {"auto": "auto", "l-bfgs": "l-bfgs", "adam": adam}
    solutions = {
        name: tw.minimize(task.problem, task.start(SEED), method, tw.Stop(seconds=SECONDS))
        for name, method in methods.items()
    }
    shown, _ = task.pictures({name: one.params for name, one in solutions.items()})
    machine = this_machine()
    return {
        "network": task.network,
        "weights": task.size,
        "seconds": SECONDS,
        "began": f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}",
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "load": round(os.getloadavg()[0], 1),
        },
        "x": shown.x.tolist(),
        "exact": np.asarray(shown.exact).tolist(),
        "fits": {
            name: {
                "values": np.asarray(shown.values[name]).tolist(),
                "loss": solution.loss,
                "seconds": float(solution.history["seconds"][-1]),
            }
            for name, solution in solutions.items()
        },
    }


def errors(record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The absolute error of each fit at each point."""
    exact = np.asarray(record["exact"])
    return {name: np.abs(np.asarray(fit["values"]) - exact) for name, fit in record["fits"].items()}


def drawn(record: dict[str, Any], scheme: str) -> Figure:
    """What was learned on the left, and the error of it on the right."""
    looks = Looks(record["fits"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    x = record["x"]
    left.plot(x, record["exact"], color=SCHEMES[scheme]["faint"], linewidth=7, label="exact")
    floor = 1e-12
    for name, error in reversed(errors(record).items()):
        colour = getattr(COLOURS[looks(name).colour], scheme)
        left.plot(x, record["fits"][name]["values"], color=colour, linewidth=1.3)
        right.plot(x, np.maximum(error, floor), color=colour, label=LABELS[name], linewidth=1.3)
    left.set_title("learned: J₀(20x), over the exact function in grey", loc="left")
    right.set_title("absolute error", loc="left")
    right.set_yscale("log")
    right.grid(axis="y")
    for axes in (left, right):
        axes.set_xlabel("x")
        axes.set_xlim(-1, 1)
    figure.legend(loc="outside upper center", ncol=3, frameon=False, handles=right.lines[::-1])
    return figure


def filled(page: str, record: dict[str, Any]) -> str:
    """The README with the sentence below the picture as the record has it."""
    pattern = re.compile(r"(<!-- result -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{caption(record)}\n\n{match[2]}", page)


def caption(record: dict[str, Any]) -> str:
    """What the picture shows, in a sentence with its conditions."""
    largest = {name: error.max() for name, error in errors(record).items()}
    named = ", ".join(f"{LABELS[name]} {_power(value)}" for name, value in largest.items())
    machine = record["machine"]
    cores = f"{machine['cores']} cores of {machine['processor']}"
    busy = ", busy with other work" if machine["load"] > machine["cores"] else ""
    return (
        f"*A network of {record['weights']} weights learns J₀(20x) from 400 values and one start, "
        f"in {record['seconds']:g} s on {cores}{busy}. Largest errors: {named}. "
        "Compilation is left out, L-BFGS is SciPy's, and Adam has the best of several rates.*"
    )


def _power(value: float) -> str:
    """`2·10⁻⁵`; plain from 0.01."""
    if value >= 0.01:  # noqa: PLR2004
        return f"{value:.2g}"
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit}·10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def main() -> None:
    """Record or draw, as the first argument says."""
    if sys.argv[1:] == ["record"]:
        RECORD.write_text(json.dumps(trained()) + "\n", "utf-8")
    elif sys.argv[1:] != ["draw"]:
        sys.exit("front_page: write `record` or `draw`")
    record = json.loads(RECORD.read_text("utf-8"))
    README.write_text(filled(README.read_text("utf-8"), record), "utf-8")
    for path in save(IMAGE, lambda scheme: drawn(record, scheme)):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
