"""The benchmark in words and small tables, for the page, the terminal and the Markdown summary."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from thalweg.report.text import duration, number
from thalweg_lab.bench.targets import AT_LEAST, AT_MOST, Target

if TYPE_CHECKING:
    from thalweg_lab.bench.document import Results
    from thalweg_lab.bench.results import Raced

SIGNS = {AT_LEAST: "≥ ", AT_MOST: "≤ "}
COMMIT_DIGITS = 12

TUNED = (
    "thalweg runs as `auto`, and nothing of it is tuned. Each peer races at the best of its grid, "
    "by the final loss from a start that does not race, and at its library's defaults."
)
RUNGS = (
    "A target is a power of ten of the loss, or of its excess over the lowest loss found where the "
    "loss has a minimum above zero. The time to it is the median over the starts, without "
    "compilation; it is `not reached` where half of the starts or more miss it."
)
RATIOS = (
    "A ratio is the time of the quickest peer divided by thalweg's: above 1 thalweg is ahead. `≥` "
    "marks a target that no peer reached, where the budget stands for its time; `≤` one that "
    "thalweg did not reach, where it stands for thalweg's."
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
    """The number of targets of all problems."""
    return sum(len(raced.targets) for raced in results.problems)


def ratio_text(target: Target) -> str:
    """A ratio, with a sign where it is a bound: `3.2`, `≥ 12`, `≤ 0.4`."""
    return f"{SIGNS.get(target.bound, '')}{times(target.ratio)}"


def times(ratio: float) -> str:
    """A ratio to two digits, `-` where there is none."""
    if math.isnan(ratio):
        return "-"
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:,.0f}"  # noqa: PLR2004 - whole from there


def time_text(seconds: float) -> str:
    """A time, or that there is none."""
    return duration(seconds) if math.isfinite(seconds) else "not reached"


def worst_text(raced: Raced) -> str:
    """The worst target of a problem: ratio, loss and who was quicker."""
    worst = raced.worst
    if worst is None:
        return "-"
    return f"{ratio_text(worst)} at {number(worst.loss)}"


def lost_sentence(results: Results) -> str:
    """How many targets are lost."""
    total, lost = target_count(results), len(lost_targets(results))
    if not total:
        return "There are no targets yet."
    where = f"{len(results.problems)} problem{'s' * (len(results.problems) != 1)}"
    if not lost:
        return f"No target is lost, of {total} on {where}."
    return f"{lost} of {total} targets on {where} are lost: there a peer was quicker than thalweg."


def machine_sentences(results: Results) -> list[str]:
    """Where and with what the runs were made."""
    sentences = [
        f"{m['processor']}, {m['cores']} cores, {m['system']}, Python {m['python']}; "
        + ", ".join(f"{name} {version}" for name, version in m["versions"].items() if version)
        + "."
        for m in results.machines
    ]
    if len(results.machines) > 1:
        sentences.append("The runs come from several machines: their times do not compare.")
    if results.commits:
        digits = ", ".join(short_commit(commit) for commit in results.commits)
        sentences.append(f"Commit of thalweg: {digits}.")
    return sentences


def short_commit(commit: str) -> str:
    """The first digits of a commit, and whether it was changed."""
    digits, plus, changed = commit.partition("+")
    return f"{digits[:COMMIT_DIGITS]}{plus}{changed}"


def how_sentences(results: Results) -> list[str]:
    """How the numbers came about, for whoever wants to judge them."""
    run, compiled = duration(results.run_seconds), duration(results.compile_seconds)
    made = (
        f"{results.runs:,} runs, one at a time in one process: all methods on one start, then all "
        f"on the next. Their wall time is {run}, and {compiled} of compilation."
    )
    return [made, TUNED, RUNGS, RATIOS]
