"""Is the flow stiff, and from where on? By the paths of stiff and of explicit solvers.

Along the paths that were kept, the spectral radius ρ of the Hessian is taken at 12 points and
interpolated between them in the logarithm; each step h is then held against what an explicit method
of order 5 could take. `thalweg.analysis.stiffness` says what the numbers mean.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.analysis import minima, stiffness
from thalweg.report.text import listed
from thalweg_lab.study.answer import Answer, Chart, Summary, Table
from thalweg_lab.study.questions.reading import (
    TARGETS,
    by_setting,
    cell,
    good,
    ids,
    known,
    median,
    of_problem,
    percent,
    problems_of,
    reached,
    sentence,
    whole,
)
from thalweg_lab.study.questions.settings import EXPLICIT, FOLLOWING, LOOSE, TIGHT, setting_of
from thalweg_lab.study.run import load_problem, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg.analysis.minima import Landscape
    from thalweg.analysis.stiffness import Stiffness, Trajectory
    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

QUESTION = "Is training a stiff problem, and from where on?"
DENSE_UP_TO = 100  # parameters up to which all eigenvalues are computed at each point
POINTS = 12  # of a path at which the rates are taken
DIMENSIONS = 40  # Lanczos steps at each where not all eigenvalues are computed
STIFF_COLUMNS = (
    "problem",
    "method",
    "runs",
    "steps",
    "explicit steps",
    "explicit over implicit",
    "median h ρ",
    "largest h ρ",
    "steps beyond 3.3",
    "from loss",
    "ρ over pace",
    "largest over smallest λ",
    "verdict",
)
EXPLICIT_COLUMNS = (
    "problem",
    "method",
    "atol, rtol",
    "runs",
    "steps",
    "arrived",
    "steps to arrive",
    "seconds to arrive",
    "steps at the limit",
    "median h ρ",
)


@dataclasses.dataclass(frozen=True)
class Path:
    """A run with the rates along its path."""

    run: Run
    setting: Setting
    walk: Trajectory


def answer(runs: Sequence[Run]) -> Answer:
    """How stiff the flows are."""
    paths = [path for problem in problems_of(runs) for path in _paths(of_problem(runs, problem))]
    implicit = [path for path in paths if path.setting.solver in FOLLOWING]
    explicit = [path for path in paths if path.setting.solver in EXPLICIT]
    judged = [(path, stiffness.classify_stiffness(path.walk)) for path in implicit]
    numbers = {
        problem: _numbers(problem, judged, explicit, runs)
        for problem in dict.fromkeys(path.run.spec.problem for path in implicit)
    }
    return Answer(
        question=QUESTION,
        verdict=verdict(numbers),
        numbers=numbers,
        tables=(_stiff_table(judged), _explicit_table(explicit)),
        charts=tuple(_charts(paths)),
        summary=summary(numbers),
    )


# ----------------------------------------------------------------------------------- along a path


def _paths(runs: Sequence[Run]) -> list[Path]:
    """The paths of the solvers that follow the flow of one problem."""
    chosen = [
        run
        for run in runs
        if len(run.path_rows) > 1 and setting_of(run.spec).solver in (*FOLLOWING, *EXPLICIT)
    ]
    if not chosen:
        return []
    problem = load_problem(chosen[0].spec.problem).problem
    landscape = minima.Landscape(problem, params_of(chosen[0], chosen[0].path[0]))
    return [Path(run, setting_of(run.spec), walk_of(run, landscape)) for run in chosen]


def walk_of(run: Run, landscape: Landscape) -> Trajectory:
    """The steps of a run with the rates of decay at each, interpolated between kept points."""
    count = len(run.path_rows)
    kept = np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))
    rates = [
        stiffness.rates_at(landscape, run.path[at], dense_up_to=DENSE_UP_TO, dimensions=DIMENSIONS)
        for at in kept
    ]
    steps = np.flatnonzero(np.asarray(run.history["h"]) != 0)  # a last attempt is no step
    rows, known = np.log1p(steps), np.log1p(run.path_rows[kept])

    def along(values: list[float]) -> np.ndarray:
        found = np.array(values)
        usable = np.isfinite(found) & (found > 0)
        if not usable.any():
            return np.full(len(steps), np.nan)
        return np.exp(np.interp(rows, known[usable], np.log(found[usable])))

    return stiffness.Trajectory(
        t=np.asarray(run.history["t"])[steps],
        h=np.asarray(run.history["h"])[steps],
        loss=np.asarray(run.history["loss"])[steps],
        radius=along([rate.radius for rate in rates]),
        slowest=along([rate.slowest for rate in rates]),
        change_rate=along([rate.change_rate for rate in rates]),
        steps=len(steps) - 1,
    )


# ------------------------------------------------------------------------------------- the tables


def _stiff_table(judged: Sequence[tuple[Path, Stiffness]]) -> Table:
    rows, row_ids = [], []
    groups: dict[tuple[str, str], list[tuple[Path, Stiffness]]] = {}
    for path, found in judged:
        groups.setdefault((path.run.spec.problem, path.setting.label), []).append((path, found))
    for (problem, label), group in groups.items():
        found = [one for _, one in group]
        rows.append(
            (
                problem,
                label,
                len(group),
                whole(median(one.steps for one in found)),
                cell(median(one.explicit_steps for one in found)),
                cell(median(one.work for one in found)),
                cell(median(one.h_rho for one in found)),
                cell(max(one.most_h_rho for one in found)),
                cell(median(one.share_beyond for one in found)),
                cell(median(one.first_loss_beyond for one in found)),
                cell(median(one.rho_over_change_rate for one in found)),
                cell(median(one.stiffness_ratio for one in found)),
                stiffness.median_grade([one.grade for one in found]),
            )
        )
        row_ids.append(ids(path.run for path, _ in group))
    return Table(
        "Along the paths of implicit solvers: medians over the starts, the largest h ρ of all",
        STIFF_COLUMNS,
        tuple(rows),
        tuple(row_ids),
    )


def _explicit_table(paths: Sequence[Path]) -> Table:
    rows, row_ids = [], []
    for problem in dict.fromkeys(path.run.spec.problem for path in paths):
        target = TARGETS.get(problem, math.nan)
        here = {path.run.id: path for path in paths if path.run.spec.problem == problem}
        for setting, group in by_setting([path.run for path in here.values()]).items():
            spent = [reached(run, target) for run in group]
            walks = [here[run.id].walk for run in group]
            rows.append(
                (
                    problem,
                    setting.solver,
                    setting.tolerance or None,
                    len(group),
                    whole(median(walk.steps for walk in walks)),
                    sum(math.isfinite(one.steps) for one in spent),
                    whole(median(one.steps for one in spent)),
                    cell(median(one.seconds for one in spent)),
                    cell(median(stiffness.stability_limited_share(walk) for walk in walks)),
                    cell(median(float(np.nanmedian(walk.h_rho)) for walk in walks)),
                )
            )
            row_ids.append(ids(group))
    return Table(
        "Explicit solvers on the same starts: their steps hang at the limit of stability where "
        "tolerances hardly change their number",
        EXPLICIT_COLUMNS,
        tuple(rows),
        tuple(row_ids),
    )


def _charts(paths: Sequence[Path]) -> list[Chart]:
    charts = []
    for problem in dict.fromkeys(path.run.spec.problem for path in paths):
        here = [path for path in paths if path.run.spec.problem == problem]
        first = min(path.run.spec.start for path in here)
        shown = [path for path in here if path.run.spec.start == first]
        lines = {path.setting.label: _thinned(path.walk) for path in shown}
        charts.append(
            Chart(
                title=f"{problem}: steps against the fastest decay",
                caption=(
                    "The step size times the spectral radius of the Hessian, over flow time, from "
                    f"start {first}. An explicit method of order 5 is stable up to 3.3: lines far "
                    "above are steps that it could not take."
                ),
                x_label="flow time t",
                y_label="h ρ",
                lines=lines,
                run_ids=ids(path.run for path in shown),
            )
        )
    return charts


def _thinned(walk: Trajectory, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    keep = np.unique(np.geomspace(1, len(walk.t), points).astype(int) - 1)
    keep = keep[np.isfinite(walk.h_rho[keep]) & (walk.t[keep] > 0) & (walk.h_rho[keep] > 0)]
    return walk.t[keep], walk.h_rho[keep]


# ------------------------------------------------------------------------------------ the verdict


def _numbers(
    problem: str,
    judged: Sequence[tuple[Path, Stiffness]],
    explicit: Sequence[Path],
    runs: Sequence[Run],
) -> dict[str, Any]:
    """What the verdict says of a problem, by the tolerances of the implicit solvers."""
    here = [(path, one) for path, one in judged if path.run.spec.problem == problem]
    walks = [path for path in explicit if path.run.spec.problem == problem]
    return {
        "by_tolerance": {
            tolerance: _summed([one for path, one in here if path.setting.tolerance == tolerance])
            for tolerance in dict.fromkeys(path.setting.tolerance for path, _ in here)
        },
        "held_down": median(stiffness.stability_limited_share(path.walk) for path in walks),
        "dopri5_steps": {
            tolerance: _steps_of(runs, problem, tolerance) for tolerance in (TIGHT, LOOSE)
        },
    }


def _summed(found: Sequence[Stiffness]) -> dict[str, Any]:
    """Several paths in one: medians, and the largest h ρ."""
    return {
        "grade": stiffness.median_grade([one.grade for one in found]),
        "work": median(one.work for one in found),
        "share_beyond": median(one.share_beyond for one in found),
        "most_reach": max(one.most_h_rho for one in found),
        "first_loss_beyond": median(one.first_loss_beyond for one in found),
        "paths": len(found),
    }


def _steps_of(runs: Sequence[Run], problem: str, tolerance: str) -> float:
    """Median steps of dopri5 to the target."""
    chosen = [
        run
        for run in good(runs)
        if run.spec.problem == problem
        and setting_of(run.spec).solver == "dopri5"
        and setting_of(run.spec).tolerance == tolerance
    ]
    return median(reached(run, TARGETS.get(problem, math.nan)).steps for run in chosen)


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`: the worst at each tolerance."""
    grades: dict[str, dict[str, list[str]]] = {}  # tolerance to grade to problems
    for problem, found in numbers.items():
        for tolerance, one in found["by_tolerance"].items():
            grades.setdefault(tolerance, {}).setdefault(one["grade"], []).append(problem)
    if not grades:
        return "Undecided: no path of an implicit solver was kept."
    return sentence(
        "; ".join(
            f"at tolerances {tolerance or 'of its own'} {_at_most(by_grade)}"
            for tolerance, by_grade in grades.items()
        )
    )


def _at_most(by_grade: Mapping[str, Sequence[str]]) -> str:
    """Which problems are stiff; where none is, which are mildly so."""
    for grade, none in (("stiff", ""), ("mildly stiff", ", none is stiff"), ("not stiff", "")):
        names = by_grade.get(grade, [])
        if names:
            is_alone = len(names) == 1
            end = none if sum(map(len, by_grade.values())) > 1 else ""
            return f"{listed(names)} {'is' if is_alone else 'are'} {grade}{end}"
    return "the grade is unknown"


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """The grade of each problem at each tolerance, and what it rests on."""
    rows = [
        (
            problem,
            tolerance or "its own",
            one["grade"],
            _rounded(one["work"]),
            percent(one["share_beyond"]) if known(one["share_beyond"]) else None,
            _rounded(one["most_reach"]),
        )
        for problem, found in numbers.items()
        for tolerance, one in found["by_tolerance"].items()
    ]
    columns = (
        "problem",
        "atol, rtol",
        "stiff?",
        "explicit over implicit steps",
        "steps beyond the explicit limit",
        "largest h ρ",
    )
    return Summary(columns, tuple(rows)) if rows else None


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.2g}") if value is not None and known(value) else None
