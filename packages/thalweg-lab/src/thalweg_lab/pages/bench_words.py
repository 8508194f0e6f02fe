"""The benchmark in words and small tables, for the page, the terminal and the Markdown summary."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from thalweg.report.text import counted, duration, machine_text, number, short_commit
from thalweg_lab.bench.new_process import COLD, WARM
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.targets import AT_LEAST, AT_MOST, Target

if TYPE_CHECKING:
    from thalweg_lab.bench.document import Results
    from thalweg_lab.bench.results import Raced
    from thalweg_lab.bench.targets import Target

SIGNS = {AT_LEAST: "≥ ", AT_MOST: "≤ "}

TUNED = (
    "thalweg runs as `auto`, untuned. Each peer runs twice: at the defaults of its library or its "
    "authors, and with the best settings of its grid by the final loss from a start that does "
    "not count."
)
TARGETS = (
    "A target is a power of ten of the loss, or of its excess over the lowest loss found where the "
    "loss has a minimum above zero. The time to it is the median over the starts, without "
    "compilation; it is `not reached` where half of the starts or more miss it."
)
RATIOS = (
    "A ratio is the time of the quickest peer divided by thalweg's: above 1 thalweg is ahead. `≥` "
    "marks a target that no peer reached, where the budget stands for the peer's time; `≤` one "
    "that thalweg did not reach, where the budget stands for thalweg's."
)

NEW_PROCESS = (
    "In a new process, the clock runs from when JAX is imported and the problem is loaded until "
    "the run ends at the middle target of the race. Both sides run in turns, start by start: first "
    "with nothing compiled, then once more with the compiled programs that this left on disk. The "
    "peer is the one that the race finds quickest to that target, compilation included. The last "
    "ratio is that of processor time, which counts the work of all threads."
)
ERROR_HEADS = ("problem", "to the relative error", "thalweg", "peer", "which")
NEW_PROCESS_HEADS = (
    "problem",
    "loss",
    "compiled programs",
    "thalweg",
    "peer",
    "which",
    "ratio",
    "of processor time",
)


class Lost(NamedTuple):
    """A target at which a peer was quicker.

    Attributes:
        problem: The problem.
        target: The target.
    """

    problem: str
    target: Target


def lost_targets(results: Results) -> list[Lost]:
    """Every target that thalweg loses, the worst first."""
    found = [Lost(raced.problem, target) for raced in results.problems for target in raced.lost]
    return sorted(found, key=lambda lost: lost.target.ratio)


def target_count(results: Results) -> int:
    """How many targets there are on all problems."""
    return sum(len(raced.targets) for raced in results.problems)


def ratio_text(target: Target) -> str:
    """A ratio, with a sign where it is a bound: `3.2`, `≥ 12`, `≤ 0.4`."""
    return f"{SIGNS.get(target.bound, '')}{times(target.ratio)}"


def times(ratio: float) -> str:
    """A ratio to two digits, `-` where there is none, `∞` where only thalweg arrives."""
    if math.isnan(ratio):
        return "-"
    if math.isinf(ratio):
        return "∞"
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:,.0f}"  # noqa: PLR2004 - whole from there


def time_text(seconds: float) -> str:
    """A time, or that there is none."""
    return duration(seconds) if math.isfinite(seconds) else "not reached"


def error_rows(results: Results) -> list[tuple[str, ...]]:
    """Problem, relative error, thalweg's time to it, the quickest peer's, and which that is."""
    rows = []
    for raced in results.problems:
        for place, error in enumerate(raced.errors):
            times = {t.label: t.error_seconds[place] for t in raced.timings}
            ours = times.pop(OURS, math.inf)
            winner = min(times, key=lambda label: times[label], default="")
            best = times.get(winner, math.inf)
            if math.isfinite(ours) or math.isfinite(best):
                name = winner if math.isfinite(best) else "-"
                rows.append((raced.problem, number(error), time_text(ours), time_text(best), name))
    return rows


def worst_text(raced: Raced) -> str:
    """The target of a problem with the least ratio."""
    worst = raced.worst
    if worst is None:
        return "-"
    return f"{ratio_text(worst)} at {number(worst.loss)}"


def lost_sentence(results: Results) -> str:
    """How many targets are lost."""
    total, lost = target_count(results), len(lost_targets(results))
    if not total:
        return "There are no targets yet."
    where = counted(len(results.problems), "problem")
    if not lost:
        return f"thalweg lost none of {total} targets on {where}."
    return f"A peer was quicker than thalweg at {lost} of {total} targets on {where}."


def new_process_rows(results: Results) -> list[tuple[str, ...]]:
    """The cells of the table of new processes, as `NEW_PROCESS_HEADS` names them."""
    return [
        (
            one.problem,
            number(one.target, digits=3),
            cache,
            time_text(one.median(OURS, cache)),
            time_text(one.median(one.peer, cache)),
            one.peer,
            ratio_text(one.compared(cache)),
            ratio_text(one.compared(cache, "cpu_seconds")),
        )
        for one in results.launched
        for cache in (COLD, WARM)
    ]


def machine_sentences(results: Results) -> list[str]:
    """Where and with what the runs were made."""
    sentences = [f"{machine_text(machine)}." for machine in results.machines]
    if len(results.machines) > 1:
        sentences.append("The runs come from several machines, so their times cannot be compared.")
    if results.commits:
        digits = ", ".join(short_commit(commit) for commit in results.commits)
        sentences.append(f"Commit of thalweg: {digits}.")
    return sentences


def how_sentences(results: Results) -> list[str]:
    """How the numbers came about, for whoever wants to judge them."""
    run, compiled = duration(results.run_seconds), duration(results.compile_seconds)
    made = (
        f"{results.runs:,} runs, one at a time in one process: all methods from one start, then "
        f"all from the next. They took {run} of wall time, and {compiled} of compilation."
    )
    return [made, TUNED, TARGETS, RATIOS, *([NEW_PROCESS] if results.launched else [])]
