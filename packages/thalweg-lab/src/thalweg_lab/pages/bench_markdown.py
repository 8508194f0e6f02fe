"""The benchmark's results in short, as Markdown that another page can include."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.report.text import known, number
from thalweg_lab.pages.bench_words import (
    ERROR_HEADS,
    NEW_PROCESS_HEADS,
    error_rows,
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
    from collections.abc import Sequence

    from thalweg_lab.bench.document import Results


def markdown(results: Results) -> str:
    """Goals, problems, lost targets, and how it was done; without a headline of its own."""
    goals = [
        (goal.name, number(goal.wanted), known(goal.found), goal.standing, goal.detail)
        for goal in results.goals
    ]
    parts = [
        f"Suite `{results.suite}`, {results.when}. {lost_sentence(results)}",
        table(("goal", "wanted", "found", "standing", "behind it"), goals),
        *of_problems(results),
    ]
    if results.launched:
        parts.append(table(NEW_PROCESS_HEADS, new_process_rows(results)))
    parts += [f"`{one.entry.problem}` could not be run: {one.reason}." for one in results.unable]
    parts += [f"{name} was left out: {reason}." for name, reason in results.left_out.items()]
    parts += how_sentences(results) + machine_sentences(results)
    return "\n\n".join(parts) + "\n"


def of_problems(results: Results) -> list[str]:
    """Tables of the problems, of the targets lost, and of the times to an error."""
    problems = [
        (
            f"`{raced.problem}`",
            f"{raced.weights:,}",
            str(len(raced.targets)),
            times(raced.mean),
            times(raced.mean_reached),
            worst_text(raced),
            str(len(raced.lost)),
        )
        for raced in results.problems
    ]
    lost = [
        (
            f"`{problem}`",
            number(target.loss),
            time_text(target.ours),
            time_text(target.peers),
            target.winner,
            ratio_text(target),
        )
        for problem, target in lost_targets(results)
    ]
    parts = [
        table(
            (
                "problem",
                "weights",
                "targets",
                "mean ratio, with bounds",
                "where a peer arrived",
                "worst target",
                "lost",
            ),
            problems,
        )
    ]
    if lost:
        parts.append(table(("lost on", "at the loss", "thalweg", "peer", "which", "ratio"), lost))
    if errors := error_rows(results):
        parts.append(table(ERROR_HEADS, [(f"`{first}`", *rest) for first, *rest in errors]))
    return parts


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
