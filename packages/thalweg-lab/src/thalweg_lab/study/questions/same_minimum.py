"""Do the methods end in the same minimum from one start? What kind of point is it?

Each end is compared with that of the article's run from the same start, as
`thalweg.analysis.minima` says: the same place, the same valley, or apart. Where they are apart and
one of them was still on its way, the line between them cuts a bend of the valley, perhaps: such a
pair is undecided.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg.analysis import minima
from thalweg.analysis.minima import Kind, Relation
from thalweg_lab.study.answer import Answer, Table
from thalweg_lab.study.questions.reading import (
    cell,
    ids,
    in_words,
    listed,
    median,
    of_problem,
    percent,
    problems_of,
)
from thalweg_lab.study.questions.settings import ARTICLE, EXPLICIT, FOLLOWING, TIGHT, setting_of
from thalweg_lab.study.run import load_problem, params_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.analysis.minima import Comparison, EndPoint
    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

QUESTION = "From one start, do the methods end in the same minimum?"
UNDECIDED = "undecided"
PLACES = (*(relation.value for relation in Relation), UNDECIDED)
PAIR_COLUMNS = (
    "problem",
    "method",
    "runs",
    *PLACES,
    "barrier",
    "distance in weights",
    "without symmetries",
    "distance in predictions",
)
END_COLUMNS = (
    "problem",
    "method",
    "runs",
    "minimum",
    "saddle",
    "still moving",
    "loss",
    "gradient",
    "negative",
    "zero",
    "positive",
    "unresolved",
)
MOSTLY = 0.9  # share from which on methods are said to end together


@dataclasses.dataclass(frozen=True)
class End:
    """A run with what is known of where it ended.

    Attributes:
        run: The run.
        setting: How its method was set.
        point: What kind of point it is.
        place: Where it lies from the article's end: a value of `Relation`, or `undecided`; empty
            for the article's own.
        comparison: The numbers behind that; None for the article's own.
    """

    run: Run
    setting: Setting
    point: EndPoint
    place: str = ""
    comparison: Comparison | None = None

    @property
    def follows(self) -> bool:
        """Whether its method follows the flow to tolerances."""
        return self.setting.solver in (*FOLLOWING, *EXPLICIT)


def answer(runs: Sequence[Run]) -> Answer:
    """Where the methods ended."""
    ends = [end for problem in problems_of(runs) for end in _ends(of_problem(runs, problem))]
    pairs = [end for end in ends if end.comparison is not None]
    counts = {
        group: {place: sum(end.place == place for end in chosen) for place in PLACES}
        for group, chosen in (
            ("following", [end for end in pairs if end.follows]),
            ("descending", [end for end in pairs if not end.follows]),
        )
    }
    kinds = {kind.value: sum(end.point.kind is kind for end in ends) for kind in Kind}
    others = sorted({end.setting.solver for end in pairs if not end.follows})
    return Answer(
        question=QUESTION,
        verdict=_verdict(counts, kinds, others=others),
        numbers={"pairs": counts, "kinds": kinds},
        tables=(_pair_table(pairs), _end_table(ends)),
    )


def _ends(runs: Sequence[Run]) -> list[End]:
    """The ends of the runs on one problem that this question is about."""
    chosen = [run for run in runs if _is_asked(setting_of(run.spec)) and run.params.size]
    if not chosen:
        return []
    problem = load_problem(chosen[0].spec.problem).problem
    landscape = minima.Landscape(problem, params_of(chosen[0]))
    ends = []
    articles: dict[int, tuple[Run, EndPoint]] = {}
    for run in sorted(chosen, key=lambda run: setting_of(run.spec) != ARTICLE):
        start_loss = float(run.history["loss"][0])
        point = minima.examine(landscape, run.params, start_loss=start_loss)
        end = End(run, setting_of(run.spec), point)
        if end.setting == ARTICLE:
            articles[run.spec.start] = run, point
        elif run.spec.start in articles:
            article, its_point = articles[run.spec.start]
            found = minima.compare(landscape, article.params, run.params, start_loss=start_loss)
            moving = Kind.STILL_MOVING in (point.kind, its_point.kind)
            is_open = found.relation is Relation.APART and moving
            place = UNDECIDED if is_open else found.relation.value
            end = dataclasses.replace(end, place=place, comparison=found)
        ends.append(end)
    return ends


def _is_asked(setting: Setting) -> bool:
    """The article's run and those of other methods as they are, or at the article's tolerances."""
    return (
        setting.tolerance in ("", TIGHT)
        and setting.cap is None
        and (setting == ARTICLE or setting.solver != ARTICLE.solver)
        and setting.label == setting.solver
    )


def _pair_table(pairs: Sequence[End]) -> Table:
    rows, row_ids = [], []
    for (problem, solver), group in _grouped(pairs).items():
        found = [end.comparison for end in group if end.comparison is not None]
        rows.append(
            (
                problem,
                solver,
                len(group),
                *(sum(end.place == place for end in group) for place in PLACES),
                cell(median(one.barrier for one in found)),
                cell(median(one.weights for one in found)),
                cell(median(one.weights_as_they_stand for one in found)),
                cell(median(one.function for one in found)),
            )
        )
        row_ids.append(ids(end.run for end in group))
    return Table(
        "Where each method ended, seen from the end of the article's run: counts of runs, and "
        "medians of the barrier and the distances",
        PAIR_COLUMNS,
        tuple(rows),
        tuple(row_ids),
    )


def _end_table(ends: Sequence[End]) -> Table:
    rows, row_ids = [], []
    for (problem, solver), group in _grouped(ends).items():
        points = [end.point for end in group]
        inertias = [point.inertia for point in points]
        rows.append(
            (
                problem,
                solver,
                len(group),
                *(sum(point.kind is kind for point in points) for kind in Kind),
                cell(median(point.loss for point in points)),
                cell(median(point.grad_norm for point in points)),
                cell(median(inertia.negative for inertia in inertias)),
                cell(median(inertia.zero for inertia in inertias)),
                cell(median(inertia.positive for inertia in inertias)),
                cell(median(inertia.unresolved for inertia in inertias)),
            )
        )
        row_ids.append(ids(end.run for end in group))
    return Table(
        "What kind of point each method ended at: counts of runs, and medians of the loss, of |∇L| "
        "and of the signs of the Hessian's eigenvalues",
        END_COLUMNS,
        tuple(rows),
        tuple(row_ids),
    )


def _grouped(ends: Sequence[End]) -> dict[tuple[str, str], list[End]]:
    groups: dict[tuple[str, str], list[End]] = {}
    for end in ends:
        groups.setdefault((end.run.spec.problem, end.setting.solver), []).append(end)
    return groups


def _verdict(
    counts: dict[str, dict[str, int]], kinds: dict[str, int], *, others: Sequence[str]
) -> str:
    following, descending = counts["following"], counts["descending"]
    decided = sum(following.values()) - following[UNDECIDED]
    if not decided:
        return "The runs do not tell: no pair of them from one start can be compared."
    share = _together(following)
    if share >= MOSTLY:
        begin = (
            f"Yes, as far as they follow the flow: {percent(share)} of {decided} ends lie in the "
            "same place or valley as the article's, so different minima are not why it was slow"
        )
    else:
        begin = (
            f"No: only {percent(share)} of {decided} ends of solvers that follow the flow lie in "
            "the same place or valley as the article's, so times are not of the same descent"
        )
    rest = sum(descending.values()) - descending[UNDECIDED]
    middle = ""
    if rest:
        middle = (
            f"; methods that only descend ({listed(others)}) do so in "
            f"{percent(_together(descending))} of {rest}"
        )
    total = sum(kinds.values())
    end = (
        f"; of all {in_words(total)} ends {kinds[Kind.MINIMUM.value]} are minima, "
        f"{kinds[Kind.SADDLE.value]} saddles, and {kinds[Kind.STILL_MOVING.value]} still moved."
    )
    return begin + middle + end


def _together(counts: dict[str, int]) -> float:
    """The share of the decided pairs that are not apart."""
    decided = sum(counts.values()) - counts[UNDECIDED]
    return 1 - counts[Relation.APART.value] / decided
