"""The page of the benchmark: the profiles, what is lost, the goals, then problem by problem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.report import html
from thalweg.report.charts import legend
from thalweg.report.lines import draw_lines
from thalweg.report.looks import Looks
from thalweg.report.tables import Cell, Row, Table
from thalweg.report.text import duration, known, measured, number
from thalweg_lab.bench.peers import PEERS
from thalweg_lab.pages.bench_charts import profile_chart, target_charts
from thalweg_lab.pages.bench_words import (
    NEW_PROCESS_HEADS,
    how_sentences,
    lost_sentence,
    lost_targets,
    machine_sentences,
    new_process_rows,
    ratio_text,
    time_text,
    times,
    worst_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg_lab.bench.document import Results
    from thalweg_lab.bench.results import Raced, Timing

TITLE = "thalweg against its peers"


def render_bench(results: Results) -> str:
    """The page as HTML that works offline."""
    labels = list(dict.fromkeys(t.label for raced in results.problems for t in raced.timings))
    looks = Looks(labels)
    lost = _lost(results)
    return html.page(
        "bench_page.html",
        package="thalweg_lab.pages",
        title=TITLE,
        lead=lost_sentence(results),
        suite=results.suite,
        when=results.when,
        unable=[(one.entry.problem, one.reason) for one in results.unable],
        parts=[
            *([("lost", "Lost targets")] if lost else []),
            ("goals", "Goals"),
            ("problems", "Problems"),
            *([("new-process", "In a new process")] if results.launched else []),
            *((raced.problem, raced.problem) for raced in results.problems),
            ("about", "About these numbers"),
        ],
        legend=legend(map(looks, labels)),
        profiles=draw_lines(profile_chart(results.profiles, looks)) if results.problems else None,
        lost=lost,
        goals=_goals(results),
        summary=_problems(results),
        new_process=_new_process(results) if results.launched else None,
        problems=[_problem(raced, looks) for raced in results.problems],
        about=[
            *how_sentences(results),
            *(f"{name} was left out: {reason}." for name, reason in results.left_out.items()),
            *machine_sentences(results),
            f"Settings tried: {_grids()}.",
        ],
    )


def _lost(results: Results) -> Table | None:
    """Every target at which a peer was quicker; None where there is none."""
    lost = lost_targets(results)
    if not lost:
        return None
    return Table(
        title="Every target at which a peer was quicker, the worst first",
        heads=["problem", "loss", "thalweg", "peer", "which", "ratio"],
        rows=[
            Row(
                [
                    Cell(problem, href=problem),
                    number(target.loss, digits=3),
                    time_text(target.ours),
                    time_text(target.peers),
                    Cell(target.winner, css="words"),
                    ratio_text(target),
                ]
            )
            for problem, target in lost
        ],
        left=(4,),
    )


def _goals(results: Results) -> Table:
    return Table(
        title="What thalweg aims at, and how far it is from that",
        heads=["goal", "wanted", "found", "standing"],
        rows=[
            Row(
                [
                    goal.name,
                    number(goal.wanted),
                    known(goal.found),
                    Cell(mark=goal.standing, note=goal.detail, css="words"),
                ]
            )
            for goal in results.goals
        ],
        left=(3,),
    )


def _problems(results: Results) -> Table:
    return Table(
        title="Time of the quickest peer divided by thalweg's; geometric means over the targets",
        heads=[
            "problem",
            "kind",
            "weights",
            "targets",
            "mean ratio, with bounds",
            "where a peer arrived",
            "worst target",
            "lost",
        ],
        rows=[
            Row(
                [
                    Cell(raced.problem, href=raced.problem),
                    raced.kind,
                    f"{raced.weights:,}",
                    f"{len(raced.targets)}",
                    times(raced.mean),
                    times(raced.mean_reached),
                    worst_text(raced),
                    f"{len(raced.lost)}",
                ]
            )
            for raced in results.problems
        ],
        left=(1,),
    )


def _new_process(results: Results) -> Table:
    return Table(
        title="Median seconds to the middle target in a new process, compilation included",
        heads=list(NEW_PROCESS_HEADS),
        rows=[
            Row([Cell(problem, href=problem), *cells[:4], Cell(peer, css="words"), *cells[4:]])
            for problem, *others in new_process_rows(results)
            for cells, peer in [(others[:4] + others[5:], others[4])]
        ],
        left=(2, 5),
    )


def _problem(raced: Raced, looks: Looks) -> dict[str, object]:
    """What the template shows of one problem."""
    return {
        "key": raced.problem,
        "title": raced.title or raced.problem,
        "about": f"{raced.network}, {raced.weights:,} weights; {raced.starts} starts, "
        f"{raced.budget:g} seconds a run. {raced.source.replace('*', '')}",
        "targets": _targets(raced, looks) if raced.targets else None,
        "legend": legend(looks(timing.label) for timing in raced.timings),
        "charts": [draw_lines(chart) for chart in target_charts(raced, looks)]
        if raced.targets
        else [],
        "errors": _errors(raced, looks) if raced.errors else None,
        "entrants": _entrants(raced, looks),
        "tuning": Table(
            title="Final loss of each setting, from the tuning start",
            heads=["setting", "loss"],
            rows=[Row([f"`{label}`", known(loss)]) for label, loss in raced.tuning.items()],
        )
        if raced.tuning
        else None,
    }


def _targets(raced: Raced, looks: Looks) -> Table:
    """Median seconds of each entrant to each target, with the share of starts that arrive."""
    quickest = [min(t.seconds[k] for t in raced.timings) for k in range(len(raced.targets))]
    return Table(
        title="Median seconds to each target, without compilation, and the share of the starts "
        "that arrive",
        name=f"{raced.problem}: seconds to each target",
        heads=["entrant", *(f"to {number(target.loss, digits=3)}" for target in raced.targets)],
        rows=[
            *(
                Row(
                    [
                        _name(timing, looks),
                        *(
                            _time(timing, k, is_first=timing.seconds[k] == best)
                            for k, best in enumerate(quickest)
                        ),
                    ],
                    entrant=timing.label,
                )
                for timing in raced.timings
            ),
            Row(["ratio", *(Cell(mark=ratio_text(target)) for target in raced.targets)]),
            Row(["ratio with compilation", *(ratio_text(target) for target in raced.compiled)]),
        ],
        css="ladder",
    )


def _time(timing: Timing, place: int, *, is_first: bool) -> Cell:
    seconds, arrived = timing.seconds[place], f"{timing.success[place]:.0%}"
    if not math.isfinite(seconds):
        return Cell("not reached", css="none", note=arrived)
    return Cell(
        duration(seconds),
        mark="first" if is_first else "",
        css="won" if is_first else "",
        note=arrived,
    )


def _errors(raced: Raced, looks: Looks) -> Table:
    """Median seconds of each entrant to each error against the exact solution."""
    return Table(
        title="Median seconds to each error against the exact solution, without compilation",
        name=f"{raced.problem}: seconds to each error",
        heads=["entrant", *(f"to {number(error)}" for error in raced.errors)],
        rows=[
            Row([_name(t, looks), *map(time_text, t.error_seconds)], entrant=t.label)
            for t in raced.timings
        ],
        css="ladder",
    )


def _entrants(raced: Raced, looks: Looks) -> Table:
    return Table(
        title="Settings, and medians over the starts; the first step is that of a new process, "
        "compilation included",
        name=f"{raced.problem}: entrants",
        heads=[
            "entrant",
            "settings",
            "ran as",
            "final loss",
            raced.measure,
            "compilation",
            "first step",
            "raised",
        ],
        rows=[
            Row(
                [
                    _name(t, looks),
                    Cell(f"`{t.settings}`", css="words"),
                    Cell(t.ran, css="words"),
                    known(t.loss),
                    "-" if math.isnan(t.measure) else measured(t.measure, is_share=raced.is_share),
                    duration(t.compile_seconds),
                    duration(t.first_step_seconds),
                    Cell(f"{t.failed} of {t.runs}: {t.error}" if t.failed else "-", css="words"),
                ],
                entrant=t.label,
            )
            for t in raced.timings
        ],
        left=(1, 2, 7),
    )


def _name(timing: Timing, looks: Looks) -> Cell:
    look = looks(timing.label)
    return Cell(look.label, look=look)


def _grids() -> str:
    """The settings that were tried, of the peers with more than one."""
    return "; ".join(
        f"{peer.label}: {', '.join(_options(options) for options in peer.grid)}"
        for peer in PEERS.values()
        if len(peer.grid) > 1
    )


def _options(options: Mapping[str, float]) -> str:
    return " ".join(f"{key} {value:g}" for key, value in options.items())
