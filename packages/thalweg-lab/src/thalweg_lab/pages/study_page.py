"""The page of a study: its answers, then charts and tables by problem, then the list of all runs.

It is made from the records alone, finished or not, and works for any study. Each table row and each
chart names the runs behind it, as links into the list at the end.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg._util.files import whole_file
from thalweg.errors import ConfigError, ThalwegError
from thalweg.report import html
from thalweg.report.charts import legend
from thalweg.report.lines import draw_lines
from thalweg.report.looks import Looks
from thalweg.report.text import counted, listed, machine_text, short_commit
from thalweg_lab.pages.study_charts import answer_chart, problem_charts
from thalweg_lab.pages.study_tables import (
    answer_table,
    method_table,
    numbers_table,
    run_table,
    summary_table,
)
from thalweg_lab.study.run import load_problem
from thalweg_lab.study.shipped import answers_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from thalweg_lab.problems import TrainingProblem
    from thalweg_lab.study import Answer, Run, Store, Study


@dataclasses.dataclass(frozen=True)
class StudyPage:
    """What a page says.

    Attributes:
        study: What was to be run.
        runs: The runs that are finished, in the order of the study.
        total: How many runs the study has.
        answers: What they answer, by name; empty for a study that asks nothing.
        tasks: The problems by name; without those that cannot be loaded here.
    """

    study: Study
    runs: Sequence[Run]
    total: int
    answers: Mapping[str, Answer]
    tasks: Mapping[str, TrainingProblem]


def write_page(study: Study, store: Store, path: Path) -> None:
    """Write the page of the runs in a folder.

    Args:
        study: The study in the folder.
        store: The folder.
        path: The page to write; it is replaced where it is there.

    Raises:
        DataError: A record is damaged.
        ConfigError: The page cannot be written.
    """
    specs = study.specs()
    runs = store.load_all(specs)
    page = StudyPage(
        study=study,
        runs=runs,
        total=len(specs),
        answers=answers_of(study, runs),
        tasks=_tasks(runs),
    )
    text = render_study(page)
    try:
        with whole_file(path) as new:
            new.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be written ({error.strerror or error}); name another file by `--out`"
        ) from error


def _tasks(runs: Sequence[Run]) -> dict[str, TrainingProblem]:
    """The problems, for their titles and measures; those that cannot be loaded are left out."""
    tasks = {}
    for name in dict.fromkeys(run.spec.problem for run in runs):
        try:
            tasks[name] = load_problem(name)
        except (ThalwegError, ImportError):
            continue
    return tasks


def render_study(page: StudyPage) -> str:
    """The page as HTML that works offline."""
    looks = Looks(page.study.methods())
    answers = [_answer(name, answer, looks) for name, answer in page.answers.items()]
    names = dict.fromkeys(run.spec.problem for run in page.runs)
    problems = [_problem(name, page, looks) for name in names]
    return html.page(
        "study_page.html",
        package="thalweg_lab.pages",
        study=page.study,
        notes=_notes(page),
        in_short=_in_short(page),
        parts=[
            *((problem["key"], problem["title"]) for problem in problems),
            *([("runs", "All runs"), ("about", "About these numbers")] if problems else []),
        ],
        answers=answers,
        problems=problems,
        methods=method_table(page.study.methods(), looks),
        runs=run_table(page.runs, looks) if page.runs else None,
        about=_about(page),
    )


def _notes(page: StudyPage) -> list[str]:
    """What is missing or failed, in sentences."""
    missing = page.total - len(page.runs)
    failed = sum(run.is_failed for run in page.runs)
    notes = []
    if missing:
        notes.append(
            f"{missing} of {page.total} runs are not finished; this page shows the others. Run the "
            "command that started the study again to make them."
        )
    if failed:
        notes.append(f"{failed} of {len(page.runs)} runs raised; the list below says what.")
    return notes


def _in_short(page: StudyPage) -> str:
    runs = page.runs
    if not runs:
        return "No run is finished."
    problems = list(dict.fromkeys(run.spec.problem for run in runs))
    methods = {run.spec.method for run in runs}
    starts = {run.spec.start for run in runs}
    return (
        f"{counted(len(runs), 'run')}: {counted(len(methods), 'method')} on {listed(problems)}, "
        f"from {counted(len(starts), 'start')}, the same for all methods. Each number below is "
        "computed from the records of these runs and links to them."
    )


def _answer(name: str, answer: Answer, looks: Looks) -> dict[str, object]:
    """What the template shows of one answer."""
    key = f"answer-{name}"
    shown = dict.fromkeys(label for chart in answer.charts for label in chart.lines)
    return {
        "key": key,
        "question": answer.question,
        "verdict": answer.verdict,
        "tables": [answer_table(table) for table in answer.tables],
        "legend": legend(map(looks, shown)),
        "charts": [
            answer_chart(chart, key=f"{key}-chart-{place}", look=looks)
            for place, chart in enumerate(answer.charts)
        ],
        "numbers": numbers_table(answer),
    }


def _problem(name: str, page: StudyPage, looks: Looks) -> dict[str, Any]:
    """What the template shows of one problem."""
    runs = [run for run in page.runs if run.spec.problem == name]
    task = page.tasks.get(name)
    return {
        "key": name,
        "title": name if task is None else task.title,
        "about": "" if task is None else _network(task),
        "summary": summary_table(name, runs, task, looks),
        "legend": legend(map(looks, dict.fromkeys(run.spec.method for run in runs))),
        "charts": [draw_lines(chart) for chart in problem_charts(name, runs, task, looks)],
        "run_ids": [run.id for run in runs],
    }


def _network(task: TrainingProblem) -> str:
    return f"{task.story} The network is {task.network}, {task.size:,} weights.".strip()


def _about(page: StudyPage) -> list[str]:
    """Where, when and how the runs were made, in sentences."""
    runs = page.runs
    if not runs:
        return []
    machines = dict.fromkeys(f"Machine: {machine_text(run.machine)}." for run in runs)
    commits = list(dict.fromkeys(short_commit(run.commit) for run in runs if run.commit))
    held = sorted({run.threads for run in runs if run.threads is not None})
    began = [run.began for run in runs]
    sentences = [f"The first run began on {min(began)}, the last on {max(began)}.", *machines]
    if commits:
        sentences.append(f"Commit of thalweg: {listed(commits)}.")
    if held:
        sentences.append(
            f"Runs were made side by side with {listed([str(n) for n in held])} threads each, so "
            "their times are longer than those of a run alone."
        )
    sentences.append(
        "Times are wall time without compilation. Medians over the starts leave out runs that "
        "raised; in charts a run that has ended keeps its lowest loss."
    )
    return sentences
