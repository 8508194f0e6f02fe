"""The page of the benchmark: what is lost, the goals, the profiles, then problem by problem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.report.lines import draw, legend
from thalweg.report.looks import swatch
from thalweg.report.page import scrolling, whole_page
from thalweg.report.text import duration, escape, measured, number, with_code
from thalweg_lab.bench.peers import PEERS
from thalweg_lab.pages.bench_charts import ladder_charts, profile_chart
from thalweg_lab.pages.bench_words import (
    how_sentences,
    lost_sentence,
    lost_targets,
    machine_sentences,
    ratio_text,
    time_text,
    times,
    worst_text,
)
from thalweg_lab.pages.study_looks import Looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from thalweg_lab.bench.document import Results
    from thalweg_lab.bench.results import Raced, Timing

TITLE = "thalweg against its peers"


def render_bench(results: Results) -> str:
    """The page as HTML that loads nothing from anywhere."""
    labels = list(dict.fromkeys(t.label for raced in results.problems for t in raced.timings))
    looks = Looks(labels)
    problems = "".join(_problem(raced, looks) for raced in results.problems)
    profiles = (
        f'<section id="all"><h2>All targets together</h2>{legend(labels, look=looks)}'
        f'<div class="charts">{draw(profile_chart(results.profiles, looks))}</div></section>'
        if results.problems
        else ""
    )
    return whole_page(
        TITLE,
        f'{_opening(results)}<main id="results">{_lost(results)}{_goals(results)}'
        f"{_problems(results)}{profiles}{problems}</main>{_closing(results)}",
        styles=("study_page.css",),
    )


def _opening(results: Results) -> str:
    return (
        f"<header><h1>{TITLE}</h1>"
        f'<p class="lead">{escape(lost_sentence(results))}</p>'
        f"<p>Suite <code>{escape(results.suite)}</code>, {escape(results.began[:10])}.</p>"
        + "".join(
            f"<p class=note><code>{escape(one.entry.problem)}</code> could not be run: "
            f"{with_code(one.reason)}</p>"
            for one in results.unable
        )
        + "</header>"
    )


def _lost(results: Results) -> str:
    lost = lost_targets(results)
    if not lost:
        return ""
    rows = [
        (
            f'<a href="#{escape(problem)}">{escape(problem)}</a>',
            number(target.loss, digits=3),
            time_text(target.ours),
            time_text(target.peers),
            escape(target.winner),
            ratio_text(target),
        )
        for problem, target in lost
    ]
    heads = ("problem", "loss", "thalweg", "peer", "which", "ratio")
    title = "Every target at which a peer was quicker, the worst first"
    return (
        '<section id="lost"><h2>Lost targets</h2>'
        f"{_table(title, heads, rows, words=['which'])}</section>"
    )


def _goals(results: Results) -> str:
    rows = [
        (
            escape(goal.name),
            number(goal.wanted),
            "-" if math.isnan(goal.found) else number(goal.found),
            f"<b>{escape(goal.standing)}</b><small>{with_code(goal.detail)}</small>",
        )
        for goal in results.goals
    ]
    heads = ("goal", "wanted", "found", "standing")
    title = "What thalweg means to reach, and how far it is from that"
    table = _table(title, heads, rows, words=["standing"])
    return f'<section id="goals"><h2>Goals</h2>{table}</section>'


def _problems(results: Results) -> str:
    rows = [
        (
            f'<a href="#{escape(raced.problem)}">{escape(raced.problem)}</a>',
            escape(raced.kind),
            f"{raced.weights:,}",
            str(len(raced.targets)),
            times(raced.mean),
            times(raced.mean_reached),
            worst_text(raced),
            str(len(raced.lost)),
        )
        for raced in results.problems
    ]
    heads = (
        "problem",
        "kind",
        "weights",
        "targets",
        "mean ratio, with bounds",
        "where a peer arrived",
        "worst target",
        "lost",
    )
    title = "Time of the quickest peer divided by thalweg's; geometric means over the targets"
    table = _table(title, heads, rows, words=["kind"])
    return f'<section id="problems"><h2>Problems</h2>{table}</section>'


def _problem(raced: Raced, looks: Looks) -> str:
    labels = [timing.label for timing in raced.timings]
    charts = "".join(draw(chart) for chart in ladder_charts(raced, looks)) if raced.targets else ""
    return (
        f'<section id="{escape(raced.problem)}" aria-labelledby="{escape(raced.problem)}-head">'
        f'<h2 id="{escape(raced.problem)}-head">{escape(raced.title or raced.problem)}</h2>'
        f"<p>{escape(raced.network)}, {raced.weights:,} weights; {raced.starts} starts, "
        f"{raced.budget:g} seconds a run. {escape(raced.source.replace('*', ''))}</p>"
        f"{_ladder(raced, looks)}{legend(labels, look=looks)}"
        f'<div class="charts">{charts}</div>{_entrants(raced, looks)}{_tuning(raced)}</section>'
    )


def _ladder(raced: Raced, looks: Looks) -> str:
    """Median seconds of each entrant to each target, with the share of starts that arrive."""
    if not raced.targets:
        return "<p>No target was reached.</p>"
    quickest = [min(t.seconds[k] for t in raced.timings) for k in range(len(raced.targets))]
    heads = ("entrant", *(f"to {number(target.loss, digits=3)}" for target in raced.targets))
    rows = "".join(
        f'<tr data-row="{escape(timing.label)}">{_name(timing, looks)}'
        + "".join(
            _time(timing, k, is_first=math.isfinite(best) and timing.seconds[k] == best)
            for k, best in enumerate(quickest)
        )
        + "</tr>"
        for timing in raced.timings
    )
    ratios = "".join(f"<td><b>{ratio_text(target)}</b></td>" for target in raced.targets)
    compiled = "".join(f"<td>{ratio_text(target)}</td>" for target in raced.compiled)
    return scrolling(
        f"{raced.problem}: seconds to each target",
        '<table class="ladder"><caption>Median seconds to each target, without compilation, and '
        f"the share of the starts that arrive</caption><thead><tr>{_heads(heads)}</tr></thead>"
        f'<tbody>{rows}<tr><th scope="row">ratio</th>{ratios}</tr>'
        f'<tr><th scope="row">ratio with compilation</th>{compiled}</tr></tbody></table>',
    )


def _time(timing: Timing, place: int, *, is_first: bool) -> str:
    seconds, share = timing.seconds[place], timing.success[place]
    arrived = f"<small>{share:.0%}</small>"
    if not math.isfinite(seconds):
        return f'<td class="none">not reached{arrived}</td>'
    first = " <b>first</b>" if is_first else ""
    return f"<td{' class=won' if is_first else ''}>{duration(seconds)}{first}{arrived}</td>"


def _entrants(raced: Raced, looks: Looks) -> str:
    heads = (
        "entrant",
        "settings",
        "ran as",
        "final loss",
        raced.measure,
        "compilation",
        "first step",
        "raised",
    )
    rows = "".join(
        f'<tr data-row="{escape(t.label)}">{_name(t, looks)}<td class=words><code>'
        f"{escape(t.settings)}</code></td><td class=words>{escape(t.ran)}</td>"
        f"<td>{_known(t.loss)}</td>"
        f"<td>{'-' if math.isnan(t.measure) else measured(t.measure, is_share=raced.is_share)}</td>"
        f"<td>{_seconds(t.compile_seconds)}</td><td>{_seconds(t.first_step_seconds)}</td>"
        f"<td class=words>{f'{t.failed} of {t.runs}: {with_code(t.error)}' if t.failed else '-'}"
        "</td></tr>"
        for t in raced.timings
    )
    return scrolling(
        f"{raced.problem}: entrants",
        '<table class="work"><caption>Settings, and medians over the starts; the first step is '
        "that of a process with nothing compiled, compilation included</caption>"
        f"<thead><tr>{_heads(heads)}</tr></thead><tbody>{rows}</tbody></table>",
    )


def _tuning(raced: Raced) -> str:
    if not raced.tuning:
        return ""
    rows = [(f"<code>{escape(label)}</code>", _known(loss)) for label, loss in raced.tuning.items()]
    table = _table("Final loss of each setting, from the tuning start", ("setting", "loss"), rows)
    return f"<details><summary>How the peers were tuned</summary>{table}</details>"


def _closing(results: Results) -> str:
    sentences = [
        *how_sentences(results),
        *(f"{name} did not race: {reason}." for name, reason in results.left_out.items()),
        *machine_sentences(results),
    ]
    grids = "; ".join(
        f"{peer.label}: {', '.join(_options(options) for options in peer.grid)}"
        for peer in PEERS.values()
        if len(peer.grid) > 1
    )
    return (
        "<footer><h2>About these numbers</h2>"
        + "".join(f"<p>{with_code(sentence)}</p>" for sentence in sentences)
        + f"<p>Tried: {escape(grids)}.</p></footer>"
    )


def _options(options: Mapping[str, float]) -> str:
    return " ".join(f"{key} {value:g}" for key, value in options.items())


def _name(timing: Timing, looks: Looks) -> str:
    look = looks(timing.label)
    return f'<th scope="row" class="{look.css}">{swatch(look)}{escape(look.label)}</th>'


def _table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: Sequence[str] = ()
) -> str:
    """A table of cells that are HTML already; the first names the row.

    Args:
        title: What is shown.
        heads: The head of each column.
        rows: As many cells each.
        words: The heads of the columns that hold words, which stand to the left.
    """
    sides = [' class="words left"' if head in words else "" for head in heads]
    head = "".join(
        f'<th scope="col"{side}>{escape(word)}</th>'
        for side, word in zip(sides, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides[1:], rest, strict=True))
        + "</tr>"
        for first, *rest in rows
    )
    return scrolling(
        title,
        f'<table class="work"><caption>{escape(title)}</caption><thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table>",
    )


def _heads(words: Iterable[str]) -> str:
    return "".join(f'<th scope="col">{escape(word)}</th>' for word in words)


def _known(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def _seconds(value: float) -> str:
    return duration(value) if math.isfinite(value) else "-"
