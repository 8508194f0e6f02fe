"""The study `presentations`: Owens and Filkin's table again, and where "2 to 1,000" holds.

Owens and Filkin trained networks by a stiff ODE solver at tolerance 1e-2 and counted presentations
of the training data, relative to that solver:

    RMS error            10 %   5 %   2 %
    stiff solver            1     1     1
    nonstiff solver         1     2     5
    gradient descent        1     4   >20

and expected 2 to 1,000. Here the same is counted on four fits, on to 0.01 %, with seconds beside.
Each kind of method has its best: the stiff and the nonstiff solver that needs the fewest
presentations at that error, and gradient descent the best of all rates of a grid.

The RMS error is the root mean square of the outputs' errors over the range of the wanted outputs.
What counts as how many presentations is in `thalweg_lab.study.passes`. Starts from which no method
came to an error are left out of its medians.

Source: Owens & Filkin 1989, "Efficient training of the back propagation network by solving a system
of stiff ordinary differential equations", Proceedings of the International Joint Conference on
Neural Networks II, 381-386.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.problem import LeastSquares
from thalweg_lab.study.answer import Answer, Chart, Table
from thalweg_lab.study.passes import presentations
from thalweg_lab.study.plan import Grid, Study
from thalweg_lab.study.questions.fewer_presentations import OURS, STIFF, summary, verdict
from thalweg_lab.study.questions.reading import (
    cell,
    good,
    ids,
    in_words,
    problems_of,
    whole,
)
from thalweg_lab.study.questions.settings import LOOSE, TOLERANCES
from thalweg_lab.study.run import load_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg_lab.study.run import Run

PROBLEMS = ("xor", "parity3", "sine", "bessel")
ERRORS = (0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4)  # of the range of the outputs
# What Owens and Filkin found, relative to the stiff solver: nonstiff, gradient descent.
PUBLISHED = {0.1: ("1", "1"), 0.05: ("2", "4"), 0.02: ("5", "more than 20")}

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
QUICK_RATES = (0.1, 0.3, 1.0)
STARTS = tuple(range(5))
SECONDS = {"xor": 2.0, "parity3": 2.0, "sine": 2.0, "bessel": 4.0}
QUICK_SECONDS = {"xor": 0.3, "parity3": 0.3, "sine": 0.3, "bessel": 1.0}

NONSTIFF, DESCENT = "nonstiff", "gradient descent"
KINDS = (STIFF, NONSTIFF, OURS, DESCENT)
METHODS: dict[str, dict[str, dict[str, Any]]] = {
    STIFF: {
        f"{name} 1e-2": {"name": name, **TOLERANCES[LOOSE]}
        for name in ("lsoda", "cvode", "cvode-krylov")
    },
    NONSTIFF: {
        "dopri5 1e-2": {"name": "dopri5", **TOLERANCES[LOOSE]},
        "vode adams 1e-2": {"name": "vode", "method": "adams", **TOLERANCES[LOOSE]},
    },
    OURS: {"auto": {"name": "auto"}},
    DESCENT: {
        f"gradient-descent {rate:g}": {"name": "gradient-descent", "learning_rate": rate}
        for rate in RATES
    },
}
KIND_OF = {label: kind for kind, makers in METHODS.items() for label in makers}


def study() -> Study:
    """Which runs are made."""
    makers = {label: maker for kind in KINDS for label, maker in METHODS[kind].items()}
    quick = [
        label
        for label in makers
        if KIND_OF[label] != DESCENT or makers[label]["learning_rate"] in QUICK_RATES
    ]
    grids = []
    for name in PROBLEMS:
        stop = {"loss": loss_at(name, ERRORS[-1]), "seconds": SECONDS[name]}
        small = {
            "methods": tuple(quick),
            "starts": STARTS[:2],
            "stop": {**stop, "seconds": QUICK_SECONDS[name]},
        }
        grids.append(Grid(problems=(name,), methods=makers, starts=STARTS, stop=stop, quick=small))
    return Study(
        name="presentations",
        title="Presentations to an error: Owens and Filkin's table, continued",
        grids=tuple(grids),
        about=(
            "How often must a network see its training data until its error is 10 %, 5 %, ... "
            "0.01 %, by stiff solvers, nonstiff ones and gradient descent?"
        ),
        answers="presentations",
    )


@functools.cache
def loss_at(problem: str, error: float) -> float:
    """The loss at which the RMS error is a share of the range of the wanted outputs."""
    _, wanted = _data(problem)
    spread = float(np.ptp(wanted))
    return 0.5 * _outputs(problem) * (error * spread) ** 2


def _data(problem: str) -> tuple[Any, np.ndarray]:
    """Inputs and wanted outputs of a fit."""
    fit = load_problem(problem).problem
    if not (isinstance(fit, LeastSquares) and len(fit.blocks) == 1 and fit.blocks[0].data):
        raise TypeError(problem)
    inputs, wanted = fit.blocks[0].data
    return inputs, np.asarray(wanted)


def _outputs(problem: str) -> int:
    wanted = _data(problem)[1]
    return int(wanted[0].size)


# ---------------------------------------------------------------------------------- what was spent


@dataclasses.dataclass(frozen=True)
class Best:
    """The best method of a kind at an error: medians over the starts.

    Attributes:
        label: The method; empty where the kind has no run.
        presentations: Presentations to the error; where no more than half arrived, those that were
            spent in vain.
        seconds: The same in seconds.
        arrived: Whether more than half of the runs arrived.
        runs: The runs of that method.
    """

    label: str = ""
    presentations: float = math.nan
    seconds: float = math.nan
    arrived: bool = False
    runs: tuple[Run, ...] = ()


def best_of(runs: Sequence[Run], error: float, *, by: str) -> Best:
    """The best method among runs of one kind on one problem.

    Args:
        runs: The runs.
        error: The RMS error to arrive at.
        by: `presentations` or `seconds`, whose median decides.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.spec.method, []).append(run)
    found = [_spent(label, group, error) for label, group in groups.items()]
    # Where none arrives, the one that tried hardest gives the safest bound.
    arrived = [one for one in found if one.arrived]
    if arrived:
        return min(arrived, key=lambda one: getattr(one, by))
    return max(found, key=lambda one: getattr(one, by), default=Best())


def _spent(label: str, runs: Sequence[Run], error: float) -> Best:
    seen, seconds, arrived = [], [], 0
    for run in runs:
        count = presentations(run, outputs=_outputs(run.spec.problem))
        row = _row_of(run, error)
        arrived += row is not None
        at = -1 if row is None else row
        seen.append((row is None, float(count[at])))
        seconds.append((row is None, float(run.history["seconds"][at])))
    # Runs that did not arrive come last, so that the middle one did if more than half did.
    middle = (len(runs) - 1) // 2
    return Best(
        label,
        sorted(seen)[middle][1],
        sorted(seconds)[middle][1],
        arrived > len(runs) / 2,
        tuple(runs),
    )


def _row_of(run: Run, error: float) -> int | None:
    """The first row at which a run's error was small enough; None for never."""
    rows = np.flatnonzero(np.asarray(run.history["loss"]) <= loss_at(run.spec.problem, error))
    return int(rows[0]) if rows.size else None


# ------------------------------------------------------------------------------------- the answer


def answers(runs: Sequence[Run]) -> Mapping[str, Answer]:
    """The one answer, from whatever runs are there."""
    raced = [run for run in good(runs) if run.spec.method in KIND_OF]
    table = {
        (problem, error): _bests([run for run in raced if run.spec.problem == problem], error)
        for problem in problems_of(raced)
        for error in ERRORS
    }
    factors = {
        f"{problem} {100 * error:g} %": {
            coin: {kind: _factor(bests[coin], kind, coin) for kind in (STIFF, OURS)}
            for coin in ("presentations", "seconds")
        }
        for (problem, error), bests in table.items()
    }
    return {
        "presentations": Answer(
            question=(
                "How many fewer presentations, and how much less time, than gradient descent does "
                "a stiff solver take?"
            ),
            verdict=verdict({"over_gradient_descent": factors}),
            numbers={"over_gradient_descent": factors},
            tables=(
                _table(table, "presentations"),
                _table(table, "seconds"),
                _published(table),
            ),
            charts=tuple(_chart(problem, table) for problem in problems_of(raced)),
            summary=summary({"over_gradient_descent": factors}),
        )
    }


Bests = dict[str, dict[str, Best]]  # coin, then kind


def _bests(runs: Sequence[Run], error: float) -> Bests:
    """The best of each kind, over the starts from which any method at all came to the error."""
    starts = {run.spec.start for run in runs if _row_of(run, error) is not None}
    chosen = [run for run in runs if run.spec.start in starts] if starts else runs
    by_kind = {kind: [r for r in chosen if KIND_OF[r.spec.method] == kind] for kind in KINDS}
    return {
        coin: {kind: best_of(group, error, by=coin) for kind, group in by_kind.items()}
        for coin in ("presentations", "seconds")
    }


def _factor(bests: Mapping[str, Best], kind: str, coin: str) -> float:
    """Gradient descent over a kind, at least; NaN where the kind did not arrive."""
    one, descent = bests[kind], bests[DESCENT]
    if not one.arrived or not descent.label:
        return math.nan
    return getattr(descent, coin) / max(getattr(one, coin), 1e-9)


def _table(table: Mapping[tuple[str, float], Bests], coin: str) -> Table:
    rows, row_ids = [], []
    for (problem, error), bests in table.items():
        kinds = bests[coin]
        cells: list[str | int | float | None] = []
        for kind in KINDS:
            one = kinds[kind]
            value = getattr(one, coin)
            shown = whole(value) if coin == "presentations" else cell(value)
            cells += [shown if one.arrived else None, one.label if one.arrived else "never"]
        descent = "" if kinds[DESCENT].arrived else "more than "
        ratios = [
            "" if math.isnan(factor) else f"{descent}{in_words(float(f'{factor:.2g}'))}"
            for factor in (_factor(kinds, STIFF, coin), _factor(kinds, OURS, coin))
        ]
        rows.append((problem, f"{100 * error:g} %", *cells, *ratios))
        row_ids.append(ids(run for kind in KINDS for run in kinds[kind].runs))
    return Table(
        f"{coin.capitalize()} to an RMS error: medians over the starts, of each kind the method "
        f"that takes the fewest {coin}",
        (
            "problem",
            "error",
            *(head for kind in KINDS for head in (kind, f"{kind}: which")),
            "gradient descent over stiff",
            "gradient descent over thalweg",
        ),
        tuple(rows),
        tuple(row_ids),
    )


def _published(table: Mapping[tuple[str, float], Bests]) -> Table:
    """Owens and Filkin's numbers beside ours."""
    rows, row_ids = [], []
    for (problem, error), bests in table.items():
        if error not in PUBLISHED:
            continue
        kinds = bests["presentations"]
        ours = []
        for kind in (NONSTIFF, DESCENT):
            if not (kinds[STIFF].arrived and kinds[kind].label):
                ours.append("")
                continue
            factor = kinds[kind].presentations / kinds[STIFF].presentations
            more = "" if kinds[kind].arrived else "more than "
            ours.append(f"{more}{in_words(float(f'{factor:.2g}'))}")
        nonstiff, descent = PUBLISHED[error]
        rows.append((problem, f"{100 * error:g} %", nonstiff, ours[0], descent, ours[1]))
        row_ids.append(ids(run for kind in (STIFF, NONSTIFF, DESCENT) for run in kinds[kind].runs))
    return Table(
        "Presentations relative to the stiff solver: Owens and Filkin's, and ours",
        (
            "problem",
            "error",
            "nonstiff, published",
            "nonstiff, here",
            "gradient descent, published",
            "gradient descent, here",
        ),
        tuple(rows),
        tuple(row_ids),
    )


def _chart(problem: str, table: Mapping[tuple[str, float], Bests]) -> Chart:
    lines = {}
    runs: list[Run] = []
    for kind in KINDS:
        bests = [
            (error, bests["presentations"][kind])
            for (name, error), bests in table.items()
            if name == problem
        ]
        arrived = [(100 * error, one.presentations) for error, one in bests if one.arrived]
        runs += [run for _, one in bests for run in one.runs]
        if arrived:
            errors, counts = np.array(arrived).T
            lines[kind] = counts, errors
    return Chart(
        title=f"{problem}: error over presentations",
        caption=(
            "Medians over the starts; at each error the method of its kind that takes the fewest "
            "presentations. Lines end at the last error that more than half of the runs came to."
        ),
        x_label="presentations of the training data",
        y_label="RMS error, % of the range",
        lines=lines,
        run_ids=tuple(dict.fromkeys(ids(runs))),
    )
