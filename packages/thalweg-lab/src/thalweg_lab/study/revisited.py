"""The study `revisited`: why was training by a stiff ODE solver slow, and can it be faster?

"Neural Network Back-Propagation Revisited with Ordinary Differential Equations" trained networks by
SciPy's zvode with atol 1e-8, rtol 1e-6 and finite differences. It needed few steps but much time.
Five possible reasons are five questions here, each in a file of `thalweg_lab.study.questions`. All
are answered from one set of runs: the same problems from the same starts, by each solver in each
setting.

XOR and the irises are run in every setting. The Bessel fit and the digits, where a Jacobian takes a
tenth of a second or several seconds, are run only in the settings that the questions need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thalweg_lab.study.plan import Grid, Study
from thalweg_lab.study.questions import (
    jacobian_source,
    same_minimum,
    solver_and_tolerance,
    stiff,
    work_by_accuracy,
)
from thalweg_lab.study.questions.settings import (
    ARTICLE,
    DIFFERENCES,
    EXACT,
    LOOSE,
    MIDDLE,
    SCHEDULE,
    TIGHT,
    TOLERANCES,
    Setting,
    setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thalweg_lab.study.answer import Answer
    from thalweg_lab.study.run import Run

STARTS = tuple(range(10))
CLASSES = ("iris",)  # whose measure is the training accuracy
CAPS = (None, 2)

# The trajectories of these are kept, which show how stiff the flow is; of the first also the
# measure where it is the training accuracy, which shows where the work goes.
MEASURED = (
    ARTICLE,
    setting("vode", TIGHT),
    setting("lsoda", TIGHT),
    setting("cvode", TIGHT),
)
WATCHED = (
    setting("cvode", LOOSE),
    setting("dopri5", TIGHT),
    setting("dopri5", MIDDLE),
    setting("dopri5", LOOSE),
)
OTHERS = (
    *(
        setting(solver, tolerance, cap=cap)
        for solver in ("zvode", "vode", "lsoda")
        for tolerance in TOLERANCES
        for cap in CAPS
    ),
    *(setting("cvode", tolerance, cap=cap) for tolerance in (TIGHT, MIDDLE, LOOSE) for cap in CAPS),
    *(
        setting(solver, tolerance)
        for solver in ("scipy-radau", "scipy-bdf", "rosenbrock")
        for tolerance in TOLERANCES
    ),
    setting("tsit5", TIGHT),
    setting("zvode", TIGHT, jacobian=EXACT),
    *(
        setting(solver, TIGHT, jacobian=DIFFERENCES)
        for solver in ("vode", "lsoda", "cvode", "scipy-radau", "scipy-bdf")
    ),
    setting("auto"),
    setting("l-bfgs"),
    setting("adam"),
)
QUICK = (
    ARTICLE,
    setting("zvode", LOOSE),
    setting("zvode", TIGHT, cap=2),
    setting("zvode", TIGHT, jacobian=EXACT),
    setting("vode", TIGHT),
    setting("lsoda", TIGHT),
    setting("lsoda", LOOSE),
    setting("lsoda", SCHEDULE),
    setting("lsoda", TIGHT, cap=2),
    setting("lsoda", TIGHT, jacobian=DIFFERENCES),
    setting("scipy-radau", TIGHT),
    setting("cvode", TIGHT),
    setting("cvode", LOOSE),
    setting("cvode", TIGHT, jacobian=DIFFERENCES),
    setting("dopri5", TIGHT),
    setting("dopri5", LOOSE),
    setting("auto"),
    setting("l-bfgs"),
)
# Problems with hundreds or thousands of weights, where a Hessian takes long.
BESSEL_WATCHED = (
    ARTICLE,
    setting("lsoda", TIGHT),
    setting("cvode", TIGHT),
    setting("cvode", LOOSE),
    setting("dopri5", TIGHT),
    setting("dopri5", LOOSE),
)
BESSEL_OTHERS = (
    setting("zvode", LOOSE),
    setting("zvode", TIGHT, jacobian=EXACT),
    setting("vode", TIGHT),
    setting("lsoda", LOOSE),
    setting("lsoda", SCHEDULE),
    setting("lsoda", TIGHT, jacobian=DIFFERENCES),
    setting("cvode", MIDDLE),
    setting("cvode", TIGHT, cap=2),
    setting("cvode", TIGHT, jacobian=DIFFERENCES),
    setting("cvode-krylov", TIGHT),
    setting("cvode-krylov", LOOSE),
    setting("scipy-radau", TIGHT),
    setting("scipy-radau", LOOSE),
    setting("scipy-bdf", TIGHT),
    setting("scipy-bdf", LOOSE),
    setting("auto"),
    setting("l-bfgs"),
)
DIGITS_WATCHED = (
    setting("lsoda", TIGHT),
    setting("lsoda", LOOSE),
    setting("cvode-krylov", TIGHT),
    setting("cvode-krylov", LOOSE),
    setting("dopri5", TIGHT),
    setting("dopri5", LOOSE),
)
DIGITS_OTHERS = (setting("auto"), setting("l-bfgs"))
# Losses at which a problem counts as solved: XOR at its minimum, all irises classified correctly,
# the others as far as the budget allows.
SMALL_STOPS = {
    "xor": {"loss": 1e-16, "seconds": 0.5},
    "iris": {"loss": 1e-4, "seconds": 1.0},
}
QUICK_SECONDS = {"xor": 0.15, "iris": 0.35}
BESSEL_STOP = {"loss": 1e-6, "seconds": 2.0}
DIGITS_STOP = {"loss": 0.021, "seconds": 4.0}
DIGITS_ARTICLE_STOP = {"loss": 0.021, "seconds": 10.0}  # one Jacobian takes several seconds


def study() -> Study:
    """Which runs are made."""
    grids = [
        _grid((name,), settings, stop=stop, watch=watch, quick=QUICK_SECONDS[name])
        for name, stop in SMALL_STOPS.items()
        for settings, watch in (
            (MEASURED, ("measure", "path") if name in CLASSES else ("path",)),
            (WATCHED, ("path",)),
            (_without(OTHERS, MEASURED + WATCHED), ()),
        )
    ]
    grids += [
        _grid(("bessel",), BESSEL_WATCHED, stop=BESSEL_STOP, watch=("path",)),
        _grid(("bessel",), BESSEL_OTHERS, stop=BESSEL_STOP),
        _grid(("digits",), DIGITS_WATCHED, stop=DIGITS_STOP, watch=("path",)),
        _grid(("digits",), DIGITS_OTHERS, stop=DIGITS_STOP),
        _grid(("digits",), (ARTICLE,), stop=DIGITS_ARTICLE_STOP, watch=("path",)),
    ]
    return Study(
        name="revisited",
        title="Back-propagation by ODE solvers, revisited: five questions",
        grids=tuple(grids),
        about=(
            "Why was training by a stiff ODE solver slow where it was tried? Five possible "
            "reasons, tested on four problems from shared starts."
        ),
        answers="revisited",
    )


def answers(runs: Sequence[Run]) -> Mapping[str, Answer]:
    """The five answers, from the runs that exist."""
    return {
        "same_minimum": same_minimum.answer(runs),
        "solver_and_tolerance": solver_and_tolerance.answer(runs),
        "stiffness": stiff.answer(runs),
        "work_by_accuracy": work_by_accuracy.answer(runs),
        "jacobian_source": jacobian_source.answer(runs),
    }


def _grid(
    problems: tuple[str, ...],
    settings: Iterable[Setting],
    *,
    stop: Mapping[str, Any],
    watch: tuple[str, ...] = (),
    quick: float | None = None,
) -> Grid:
    """A grid of settings; `quick` is its seconds in the quick study, None to leave it out there."""
    makers = {one.label: one.maker for one in settings}
    chosen = tuple(one.label for one in QUICK if one.label in makers)
    small: dict[str, Any] = {"problems": ()}
    if quick is not None:
        small = {
            "starts": STARTS[:2],
            "methods": chosen,
            "stop": {**stop, "seconds": quick},
        }
    return Grid(
        problems=problems, methods=makers, starts=STARTS, stop=stop, watch=watch, quick=small
    )


def _without(settings: Iterable[Setting], others: Iterable[Setting]) -> tuple[Setting, ...]:
    known = set(others)
    return tuple(one for one in settings if one not in known)
