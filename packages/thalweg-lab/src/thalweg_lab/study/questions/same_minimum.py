"""Do the methods end in the same minimum from one start? What kind of point is it?

Each end is compared with that of the article's run from the same start, as
`thalweg.analysis.minima` says: the same place, the same valley, or apart. Where they are apart and
one of them was still on its way, the line between them cuts a bend of the valley, perhaps: such a
pair is undecided. A problem is undecided where too many of the ends were still moving, for then
nobody knows where they would have come to rest.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg.analysis import minima
from thalweg.analysis.minima import Kind, Relation
from thalweg.report.text import listed
from thalweg_lab.study.answer import Answer, Summary, Table
from thalweg_lab.study.questions.reading import (
    cell,
    ids,
    median,
    of_problem,
    problems_of,
    sentence,
)
from thalweg_lab.study.questions.settings import ARTICLE, EXPLICIT, FOLLOWING, TIGHT, setting_of
from thalweg_lab.study.run import load_problem, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
MOSTLY = 0.9  # share of the decided pairs from which on methods are said to end together
AT_REST = 0.7  # share of the ends that have to be at rest for a yes
YES, NO = "yes", "no"


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
    counts = _counts(pairs)
    kinds = {kind.value: sum(end.point.kind is kind for end in ends) for kind in Kind}
    by_problem = {
        problem: _numbers([end for end in ends if end.run.spec.problem == problem])
        for problem in dict.fromkeys(end.run.spec.problem for end in pairs)
    }
    numbers = {"pairs": counts, "kinds": kinds, "by_problem": by_problem}
    return Answer(
        question=QUESTION,
        verdict=verdict(numbers),
        numbers=numbers,
        tables=(_pair_table(pairs), _end_table(ends)),
        summary=summary(numbers),
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
        "Where each method ended, relative to the end of the article's run: counts of runs, and "
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


def _counts(pairs: Sequence[End]) -> dict[str, dict[str, int]]:
    """How many pairs lie where: of solvers that follow the flow, and of methods that descend."""
    groups = {
        "following": [end for end in pairs if end.follows],
        "descending": [end for end in pairs if not end.follows],
    }
    return {
        name: {place: sum(end.place == place for end in group) for place in PLACES}
        for name, group in groups.items()
    }


def _numbers(ends: Sequence[End]) -> dict[str, Any]:
    """What the verdict says of one problem; only solvers that follow the flow decide it."""
    following = [end for end in ends if end.follows]
    return {
        **_counts([end for end in ends if end.comparison is not None]),
        "ends": len(following),
        "moving": sum(end.point.kind is Kind.STILL_MOVING for end in following),
    }


# ------------------------------------------------------------------------------------ the verdict


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`."""
    by_problem = numbers["by_problem"]
    if not by_problem:
        return "Undecided: no two runs from one start can be compared."
    groups: dict[str, list[str]] = {YES: [], NO: [], UNDECIDED: []}
    for problem, found in by_problem.items():
        groups[_decision(found)].append(problem)
    parts = []
    for decision, names in groups.items():
        if not names:
            continue
        chosen = [by_problem[name] for name in names]
        together, apart = sum(map(_together, chosen)), sum(map(_apart, chosen))
        moving, ends = sum(one["moving"] for one in chosen), sum(one["ends"] for one in chosen)
        because = {
            YES: f"{together} of {together + apart} ends agree",
            NO: f"{apart} of {together + apart} ends lie apart",
            UNDECIDED: f"{moving} of {ends} ends still moved",
        }[decision]
        parts.append(f"{decision} on {listed(names)}, where {because}")
    return sentence("; ".join(parts))


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """The decision on each problem and the counts behind it."""
    rows = [
        (
            problem,
            _decision(found),
            f"{found['moving']} of {found['ends']}",
            _together(found),
            _apart(found),
            found["following"][UNDECIDED],
            _descending(found["descending"]),
        )
        for problem, found in numbers["by_problem"].items()
    ]
    columns = (
        "problem",
        "same minimum?",
        "ends still moving",
        "same place or valley",
        "apart",
        "undecided",
        "apart, methods that only descend",
    )
    return Summary(columns, tuple(rows)) if rows else None


def _decision(found: Mapping[str, Any]) -> str:
    """Yes, no or undecided: pairs lie apart only where neither end moves, so those are certain."""
    together, apart = _together(found), _apart(found)
    pairs = together + apart + found["following"][UNDECIDED]
    if pairs and apart > (1 - MOSTLY) * pairs:
        return NO
    at_rest = found["ends"] - found["moving"]
    if together >= MOSTLY * max(together + apart, 1) and at_rest >= AT_REST * found["ends"]:
        return YES
    return UNDECIDED


def _together(found: Mapping[str, Any]) -> int:
    following = found["following"]
    return following[Relation.SAME.value] + following[Relation.VALLEY.value]


def _apart(found: Mapping[str, Any]) -> int:
    return found["following"][Relation.APART.value]


def _descending(counts: Mapping[str, int]) -> str:
    """`30 of 30, 0 undecided`; empty where no such method ran."""
    total = sum(counts.values())
    if not total:
        return ""
    undecided = f", {counts[UNDECIDED]} undecided" if counts[UNDECIDED] else ""
    return f"{counts[Relation.APART.value]} of {total}{undecided}"
