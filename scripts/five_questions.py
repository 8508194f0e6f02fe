"""Makes the record, the figures and the generated parts of `docs/five-questions.md`.

    python scripts/five_questions.py run --out DIR     both studies in full, their pages, and `draw`
    python scripts/five_questions.py draw              figures and page from the committed record

`run` continues in a folder where it was interrupted. Its answers go to `docs/studies/NAME.json`,
the committed record; `draw` reads nothing else, so figures and page can be made again anywhere.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import five_questions_figures as figures

from thalweg_lab.study.questions import (
    fewer_presentations,
    jacobian_source,
    same_minimum,
    solver_and_tolerance,
    stiff,
    work_by_accuracy,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg_lab.study import Answer, Run, Study

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs" / "studies"
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "five-questions.md"
STUDIES = ("revisited", "presentations")
QUESTIONS = {
    "same_minimum": same_minimum,
    "solver_and_tolerance": solver_and_tolerance,
    "stiffness": stiff,
    "work_by_accuracy": work_by_accuracy,
    "jacobian_source": jacobian_source,
    "presentations": fewer_presentations,
}
DIGITS = 4  # of the numbers of a chart's lines

# Which columns of which table of an answer the page shows below the summary.
SHOWN: dict[str, tuple[int, tuple[str, ...]]] = {
    "same_minimum": (
        0,
        ("problem", "method", "runs", "same place", "same valley", "apart", "undecided"),
    ),
    "solver_and_tolerance": (
        0,
        ("problem", "method", "atol, rtol", "highest order", "arrived", "gradients", "seconds"),
    ),
    "stiffness": (
        0,
        ("problem", "method", "explicit over implicit", "median h ρ", "largest h ρ", "verdict"),
    ),
    "work_by_accuracy": (
        0,
        (
            "problem",
            "method",
            "accuracy",
            "steps",
            "gradients",
            "of them for Jacobians",
            "Newton failures",
            "error-test failures",
        ),
    ),
    "jacobian_source": (
        0,
        ("problem", "solver", "Jacobian", "arrived", "gradients", "Jacobians", "seconds"),
    ),
    "presentations": (
        2,
        (
            "problem",
            "error",
            "nonstiff, published",
            "nonstiff, here",
            "gradient descent, published",
            "gradient descent, here",
        ),
    ),
}
MOST_ROWS = 24  # of a table on the page; the whole is in the record


def run(folder: Path, *, jobs: int, quick: bool) -> None:
    """Make both studies, or what is missing of them, their pages and their records."""
    import jax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    from thalweg_lab.cli.study_tables import live_table
    from thalweg_lab.pages.study_page import write_page
    from thalweg_lab.study.running import run_study
    from thalweg_lab.study.shipped import answers_of, shipped

    for name in STUDIES:
        study = shipped(name).quickened() if quick else shipped(name)
        with live_table(study) as show:
            store = run_study(study, folder / name, jobs=jobs, show=show)
        write_page(study, store, folder / name / "report.html")
        runs = store.load_all(study.specs())
        record = record_of(study, runs, answers_of(study, runs))
        RECORDS.mkdir(parents=True, exist_ok=True)
        write_record(name, record)
        print(f"{name}: {len(runs)} runs", file=sys.stderr)


def record_of(
    study: Study, runs: Sequence[Run], answers: dict[str, Answer] | Any
) -> dict[str, Any]:
    """What is committed of a study: where and how it ran, its answers, and its charts."""
    return {
        "study": study.name,
        "title": study.title,
        "runs": len(runs),
        "failed": sum(run.is_failed for run in runs),
        "starts": len({run.spec.start for run in runs}),
        "seconds": round(sum(run.seconds + run.compile_seconds for run in runs)),
        "began": min(run.began for run in runs),
        "commit": runs[0].commit,
        "threads": runs[0].threads,
        "machine": runs[0].machine,
        "answers": {
            name: {**answer.as_json(), "charts": [_chart(chart) for chart in answer.charts]}
            for name, answer in answers.items()
        },
    }


def _chart(chart: Any) -> dict[str, Any]:
    lines = {
        label: [[float(f"{value:.{DIGITS}g}") for value in values] for values in line]
        for label, line in chart.lines.items()
    }
    return {
        "title": chart.title,
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "lines": lines,
    }


# --------------------------------------------------------------------------------------- the page


def draw() -> None:
    """Figures and page from the committed records."""
    records = read_records()
    for name, record in records.items():
        restate(record)
        write_record(name, record)
    IMAGES.mkdir(exist_ok=True)
    for name, figure in figures.all_figures(records).items():
        path = IMAGES / f"five-questions-{name}.png"
        figure.savefig(path, dpi=120, metadata={"Software": None})
        print(path.relative_to(ROOT), file=sys.stderr)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    print(PAGE.relative_to(ROOT), file=sys.stderr)


def read_records() -> dict[str, dict[str, Any]]:
    """The committed records by study."""
    return {
        name: json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8")) for name in STUDIES
    }


def write_record(name: str, record: dict[str, Any]) -> None:
    """Write what is committed of a study."""
    path = RECORDS / f"{name}.json"
    path.write_text(f"{json.dumps(record, indent=1, ensure_ascii=False)}\n", encoding="utf-8")


def restate(record: dict[str, Any]) -> None:
    """Form the verdicts and summaries of a record again from its numbers."""
    for name, answer in record["answers"].items():
        summary = QUESTIONS[name].summary(answer["numbers"])
        answer["verdict"] = QUESTIONS[name].verdict(answer["numbers"])
        answer["summary"] = summary.as_json() if summary is not None else []


def filled(page: str, records: dict[str, dict[str, Any]]) -> str:
    """The page with all that stands between `<!-- NAME -->` and `<!-- end -->` replaced."""
    parts = {"record": _provenance(records)}
    for record in records.values():
        for name, answer in record["answers"].items():
            parts[name] = f"**{answer['verdict']}**\n\n{_markdown(answer['summary'])}"
            parts[f"{name}_in_full"] = _folded(name, answer)
    choices = records["revisited"]["answers"]["solver_and_tolerance"]["numbers"]
    parts["changes"] = _markdown(solver_and_tolerance.changes(choices).as_json())
    pattern = re.compile(r"(<!-- ([a-z_]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n\n{match[4]}", page)


def _provenance(records: dict[str, dict[str, Any]]) -> str:
    sentences = []
    for record in records.values():
        machine = record["machine"]
        sentences.append(
            f"`{record['study']}`: {record['runs']:,} runs from {record['starts']} starts, "
            f"{record['failed']} of which failed; {record['seconds']:,} s of runs and "
            f"compilation, begun {record['began'][:10]} on {machine['processor']}, "
            f"{machine['cores']} cores."
        )
    return "\n\n".join(sentences)


def _folded(name: str, answer: dict[str, Any]) -> str:
    """The table of an answer, some columns and not too many rows, behind a line to open."""
    place, columns = SHOWN[name]
    table = answer["tables"][place]
    rows = [{column: row[column] for column in columns} for row in table["rows"]]
    parts = ["<details>", f"<summary>{table['title']}</summary>", _markdown(rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        parts.append(f"{len(rows) - MOST_ROWS} more rows are in the record.")
    return "\n\n".join([*parts, "</details>"])


def _markdown(rows: list[dict[str, Any]]) -> str:
    """A table of rows by column."""
    lines = [
        f"| {' | '.join(rows[0])} |",
        f"|{' --- |' * len(rows[0])}",
        *(f"| {' | '.join(map(_cell, row.values()))} |" for row in rows),
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("run", help="make both studies, then draw")
    making.add_argument("--out", type=Path, required=True, help="folder for the runs")
    making.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    making.add_argument("--quick", action="store_true", help="the small version of both")
    commands.add_parser("draw", help="make figures and page from the committed record")
    given = parser.parse_args()
    if given.command == "run":
        run(given.out, jobs=given.jobs, quick=given.quick)
    draw()


if __name__ == "__main__":
    main()
