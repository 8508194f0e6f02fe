"""The comparison on fits as Markdown that another page includes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.report.text import counted, duration, listed, number, short_commit, versions_text
from thalweg_lab.bench.fits.judge import Verdict
from thalweg_lab.bench.fits.solvers import OURS
from thalweg_lab.bench.fits.summary import of_collections, scores
from thalweg_lab.pages.bench_markdown import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg._util.machine import Machine
    from thalweg_lab.bench.fits.record import Fit
    from thalweg_lab.bench.fits.summary import Score

LONG = 10.0  # seconds, from here on whole
MANY = 1e4  # squares from here on, and below its inverse, are written with a power of ten


def summary(fits: Sequence[Fit], machine: Machine) -> str:
    """The scores on both kinds of problems, what thalweg misses, and how it was done."""
    nist, others = (of_collections(fits, nist=is_nist) for is_nist in (True, False))
    parts: list[str] = []
    if nist:
        parts += ["### NIST, in short", nist_scores(scores(nist))]
    if others:
        parts += ["### The collections", collection_scores(scores(others))]
    missed = [each for each in fits if each.solver == OURS and not each.is_solved]
    parts += ["### What thalweg does not solve"]
    parts += [missed_table(missed, fits) if missed else "It solves all."]
    false = [each for each in fits if each.is_false_success and each.solver == OURS]
    count = {0: "none is", 1: "one is"}.get(len(false), f"{len(false)} are")
    parts += [f"Of its ends, {count} called `converged` without being a minimum."]
    parts += _how(fits, machine)
    return "\n\n".join(parts) + "\n"


def nist_scores(found: Sequence[Score]) -> str:
    """A line for each entrant on NIST's problems."""
    heads = (
        "solver",
        "solved",
        "digits, median",
        "digits, fewest",
        "false success",
        "evaluations, median",
        "all fits",
        "compilation",
    )
    rows = [
        (
            score.solver,
            f"{score.all_solved} of {score.fits}",
            _digits(score.digits),
            _digits(score.fewest_digits),
            str(score.false_successes),
            "" if score.evaluations is None else f"{score.evaluations:.0f}",
            _seconds(score.seconds),
            _seconds(score.compile_seconds),
        )
        for score in found
    ]
    return table(heads, rows)


def collection_scores(found: Sequence[Score]) -> str:
    """A line for each entrant on the collections, by the multiple of the start."""
    starts = list(found[0].solved)
    heads = (
        "solver",
        *(f"solved from {start}×" for start in starts),
        "solved",
        "another minimum",
        "false success",
        "all fits",
        "compilation",
    )
    rows = [
        (
            score.solver,
            *(f"{score.solved[s][0]} of {score.solved[s][1]}" for s in starts),
            f"{score.all_solved} of {score.fits}",
            str(score.other_minima),
            str(score.false_successes),
            _seconds(score.seconds),
            _seconds(score.compile_seconds),
        )
        for score in found
    ]
    return table(heads, rows)


def nist_table(fits: Sequence[Fit]) -> str:
    """Each problem and start: digits, evaluations and time of each entrant."""
    nist = of_collections(fits, nist=True)
    solvers = list(dict.fromkeys(each.solver for each in nist))
    by_place = {(f.problem, f.start, f.solver): f for f in nist}
    places = list(dict.fromkeys((f.problem, f.start) for f in nist))
    rows = [
        (problem, start, *(_cell(by_place[problem, start, solver]) for solver in solvers))
        for problem, start in places
    ]
    return table(("problem", "start", *solvers), rows) + "\n"


def missed_table(missed: Sequence[Fit], fits: Sequence[Fit]) -> str:
    """What thalweg does not solve, and who does."""
    rows = [
        (
            f"{each.problem} ({each.collection})",
            each.start,
            f"`{each.message.partition(':')[0]}`",
            each.verdict.value,
            "" if each.squares is None else _squares(each.squares),
            listed(_solvers_of(each, fits)) or "nobody",
        )
        for each in missed
    ]
    return table(("problem", "start", "thalweg says", "it is", "squares", "solved by"), rows)


def _solvers_of(missed: Fit, fits: Sequence[Fit]) -> list[str]:
    place = (missed.collection, missed.problem, missed.start)
    return [f.solver for f in fits if (f.collection, f.problem, f.start) == place and f.is_solved]


def _how(fits: Sequence[Fit], machine: Machine) -> list[str]:
    ours = [f for f in fits if f.solver == OURS]
    commits = [short_commit(commit) for commit in dict.fromkeys(f.commit for f in ours) if commit]
    raised = [f for f in ours if f.verdict is Verdict.NOT_FINITE]
    made = f"{counted(len(fits), 'fit')}, {min(f.began for f in fits)[:10]}"
    where = f"{machine.processor} with {counted(machine.cores, 'core')}"
    sentences = [f"{made}, on {where}; {versions_text(machine.versions)}."]
    if commits:
        sentences.append(f"Commit of thalweg: {listed(commits)}.")
    if raised:
        sentences.append(
            f"From {counted(len(raised), 'start')} the sum of squares is not finite in float64."
        )
    return sentences


def _cell(fit: Fit) -> str:
    text = f"{_digits(fit.digits)} / {fit.evaluations} / {duration(fit.seconds)}"
    return text if fit.is_solved else f"**{text}**"


def _seconds(value: float) -> str:
    return duration(value) if value < LONG else f"{value:.0f} s"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _squares(value: float) -> str:
    return number(value, digits=4) if 1 / MANY < value < MANY else f"{value:.3e}"
