"""Where a solver spends its steps, and on what, by bands of training accuracy.

A step belongs to the band of the accuracy that it arrived at. What a solver does not report is
left empty: LSODA says nothing of its Newton iterations and failures, and of CVODE's LU
decompositions only those with a new Jacobian are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.problem import Composite
from thalweg.report.text import listed
from thalweg_lab.study.answer import Answer, Summary, Table
from thalweg_lab.study.questions.reading import (
    by_setting,
    ids,
    of_problem,
    percent,
    problems_of,
    sentence,
)
from thalweg_lab.study.questions.settings import (
    ARTICLE,
    DIFFERENCES,
    EXPLICIT,
    FOLLOWING,
    TIGHT,
    setting_of,
)
from thalweg_lab.study.run import load_problem, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

QUESTION = "Where does the article's solver spend its steps, and on what?"
EDGES = (0.5, 0.8, 0.9, 0.95, 0.99)
BANDS = ("below 50 %", "50 to 80 %", "80 to 90 %", "90 to 95 %", "95 to 99 %", "99 % and above")
LATE = 2  # the band from which on the article saw the solver slow down: 80 %
COUNTERS = (
    "steps",
    "gradients",
    "jacobians",
    "factorizations",
    "newton_iterations",
    "newton_failures",
    "error_test_failures",
)
HEADS = (
    "steps",
    "gradients",
    "of them for Jacobians",
    "Jacobians",
    "LU decompositions",
    "Newton iterations",
    "Newton failures",
    "error-test failures",
)
UNKNOWN = {
    "lsoda": ("newton_iterations", "newton_failures", "error_test_failures"),
    "cvode": ("factorizations",),
    "cvode-krylov": ("factorizations",),
}
MOSTLY = 0.5  # share from which on something is called the most of it

Bands = dict[str, np.ndarray]  # counter to its sums by band, shape (6,)


def answer(runs: Sequence[Run]) -> Answer:
    """What was spent in each band."""
    rows, row_ids = [], []
    numbers: dict[str, dict[str, Any]] = {}
    for problem in problems_of(runs):
        known = [run for run in of_problem(runs, problem) if _is_asked(run)]
        for setting, group in by_setting(known).items():
            sums = _summed([work_in_bands(run) for run in group])
            size = group[0].params.size
            for_jacobians = _for_jacobians(sums, setting, size)
            for band, name in enumerate(BANDS):
                rows.append(
                    (
                        problem,
                        setting.label,
                        name,
                        *_cells(sums, for_jacobians, setting, band),
                    )
                )
                row_ids.append(ids(group))
            if setting == ARTICLE:
                numbers[problem] = _numbers(sums, for_jacobians, runs=len(group))
    return Answer(
        question=QUESTION,
        verdict=verdict(numbers),
        numbers=numbers,
        tables=(
            Table(
                "Work by training accuracy, summed over the starts; empty where a solver does not "
                "report it",
                ("problem", "method", "accuracy", *HEADS),
                tuple(rows),
                tuple(row_ids),
            ),
        ),
        summary=summary(numbers),
    )


def work_in_bands(run: Run) -> Bands:
    """What a run spent in each band of training accuracy, by counter."""
    accuracy = _accuracy(run)
    bands = np.searchsorted(EDGES, accuracy, side="right")
    sums = {}
    for name in COUNTERS:
        column = np.asarray(run.history["step" if name == "steps" else name], float)
        spent = np.diff(column, prepend=0.0)
        sums[name] = np.bincount(bands, weights=spent, minlength=len(BANDS))
    return sums


def _is_asked(run: Run) -> bool:
    """Whether its training accuracy is known along the way, at the article's tolerances."""
    setting = setting_of(run.spec)
    if setting.solver not in (*FOLLOWING, *EXPLICIT) or setting.tolerance != TIGHT:
        return False
    return _has_column(run) or (len(run.path_rows) > 1 and _has_classes(run))


def _has_column(run: Run) -> bool:
    """Whether the measure that was watched is the training accuracy."""
    if "measure" not in run.history:
        return False
    return load_problem(run.spec.problem).measure.name == "training accuracy"


def _has_classes(run: Run) -> bool:
    problem = load_problem(run.spec.problem).problem
    return isinstance(problem, Composite) and np.asarray(problem.data[1]).dtype.kind in "iu"


def _accuracy(run: Run) -> np.ndarray:
    """The training accuracy at each row, carried on from the last row at which it was taken."""
    rows = len(run.history["loss"])
    if _has_column(run):
        values = np.asarray(run.history["measure"], float)
        taken = np.flatnonzero(np.isfinite(values))
        known = values[taken]
    else:
        taken, known = run.path_rows, np.array([_share_right(run, theta) for theta in run.path])
    last = np.searchsorted(taken, np.arange(rows), side="right") - 1
    return known[np.maximum(last, 0)]


def _share_right(run: Run, theta: np.ndarray) -> float:
    """The share of the training examples whose class has the highest score."""
    import jax

    problem = load_problem(run.spec.problem).problem
    if not isinstance(problem, Composite):
        raise TypeError(run.spec.problem)
    params = params_of(run, theta)
    xs, classes = problem.data
    scores = jax.vmap(lambda x: problem.outputs(params, x))(xs)
    return float(np.mean(np.argmax(np.asarray(scores), axis=-1) == np.asarray(classes)))


def _summed(parts: Sequence[Bands]) -> Bands:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in COUNTERS}


def _for_jacobians(sums: Bands, setting: Setting, size: int) -> np.ndarray:
    """Gradients that went into finite differences: n for each Jacobian."""
    if setting.jacobian != DIFFERENCES:
        return np.zeros(len(BANDS))
    return np.minimum(size * sums["jacobians"], sums["gradients"])


def _cells(sums: Bands, for_jacobians: np.ndarray, setting: Setting, band: int) -> list[int | None]:
    unknown = UNKNOWN.get(setting.solver, ())
    if setting.solver in EXPLICIT:
        unknown = ("jacobians", "factorizations", "newton_iterations", "newton_failures")
    cells = [None if name in unknown else round(sums[name][band]) for name in COUNTERS]
    return [*cells[:2], round(for_jacobians[band]), *cells[2:]]


def _numbers(sums: Bands, for_jacobians: np.ndarray, *, runs: int) -> dict[str, Any]:
    """What the verdict says of the article's solver on a problem."""

    def share(part: float, whole: float) -> float:
        return float(part / whole) if whole else 0.0

    late = slice(LATE, None)
    steps = sums["steps"]
    rejected = sums["newton_failures"] + sums["error_test_failures"]
    return {
        "runs": runs,
        "steps": int(steps.sum()),
        "gradients": int(sums["gradients"].sum()),
        "late_steps": share(steps[late].sum(), steps.sum()),
        "late_gradients": share(sums["gradients"][late].sum(), sums["gradients"].sum()),
        "late_for_jacobians": share(for_jacobians[late].sum(), sums["gradients"][late].sum()),
        "late_jacobians": int(sums["jacobians"][late].sum()),
        "late_steps_a_jacobian": share(steps[late].sum(), sums["jacobians"][late].sum()),
        "late_newton_failures": int(sums["newton_failures"][late].sum()),
        "late_error_test_failures": int(sums["error_test_failures"][late].sum()),
        "late_rejected": share(rejected[late].sum(), (steps + rejected)[late].sum()),
    }


# ------------------------------------------------------------------------------------ the verdict


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`."""
    if not numbers:
        return "Undecided: the article's solver was not watched on any classification."
    late = {name: found for name, found in numbers.items() if found["late_gradients"]}
    if not late:
        names = listed(list(numbers))
        return f"Undecided: on {names} the article's solver never reached 80 % accuracy."
    shares = sorted(found["late_steps"] for found in late.values())
    spent = " to ".join(dict.fromkeys((percent(shares[0]), percent(shares[-1]))))
    causes = list(dict.fromkeys(_cause(found) for found in late.values()))
    return sentence(
        f"on {listed(list(late))} the article's solver spends {spent} of its steps above 80 % "
        f"accuracy, mostly on {listed(causes)}"
    )


def _cause(found: Mapping[str, Any]) -> str:
    """What most of the work above 80 % accuracy is."""
    if found["late_for_jacobians"] >= MOSTLY:
        return "finite differences for Jacobians"
    if found["late_rejected"] >= MOSTLY:
        return "rejected attempts"
    return "Newton iterations of accepted steps"


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """What the article's solver spends above 80 % accuracy, a row a problem."""
    rows = [(problem, *_late_cells(found)) for problem, found in numbers.items()]
    columns = (
        "problem",
        "steps above 80 %",
        "gradients above 80 %",
        "of these for Jacobians",
        "Jacobians",
        "steps per Jacobian",
        "attempts rejected",
    )
    return Summary(columns, tuple(rows)) if rows else None


def _late_cells(found: Mapping[str, Any]) -> tuple[str | int | float | None, ...]:
    if not found["late_gradients"]:
        return ("never at 80 %", None, None, None, None, None)
    return (
        percent(found["late_steps"]),
        percent(found["late_gradients"]),
        percent(found["late_for_jacobians"]),
        found["late_jacobians"],
        float(f"{found['late_steps_a_jacobian']:.3g}"),
        percent(found["late_rejected"]),
    )
