"""The page of a study: its answers, then charts and tables by problem, then the list of all runs.

It is made of the records alone, finished or not, and works for any study. Each table row and each
chart names the runs behind it, as links into the list at the end.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from thalweg._util.files import whole_file
from thalweg.errors import ConfigError, ThalwegError
from thalweg.report.lines import draw, legend
from thalweg.report.page import whole_page
from thalweg.report.text import escape, listed, with_code
from thalweg_lab.pages.study_charts import answer_chart, problem_charts
from thalweg_lab.pages.study_looks import Looks
from thalweg_lab.pages.study_tables import (
    answer_table,
    method_table,
    numbers_table,
    run_links,
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

BESIDE = "study_page.css"


@dataclasses.dataclass(frozen=True)
class StudyPage:
    """What a page tells.

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
    """The problems, for their titles and measures; the page goes without where one is missing."""
    tasks = {}
    for name in dict.fromkeys(run.spec.problem for run in runs):
        try:
            tasks[name] = load_problem(name)
        except (ThalwegError, ImportError):
            continue
    return tasks


def render_study(page: StudyPage) -> str:
    """The page as HTML that loads nothing from anywhere."""
    looks = Looks(page.study.methods())
    answers = "".join(_answer(name, answer, looks) for name, answer in page.answers.items())
    problems = "".join(
        _problem(name, page, looks) for name in dict.fromkeys(run.spec.problem for run in page.runs)
    )
    return whole_page(
        page.study.title,
        f'{_opening(page)}<main id="results">{answers}{problems}{_runs(page, looks)}</main>'
        f"{_closing(page)}",
        styles=(BESIDE,),
    )


def _opening(page: StudyPage) -> str:
    study, runs = page.study, page.runs
    missing = page.total - len(runs)
    failed = sum(run.is_failed for run in runs)
    notes = []
    if missing:
        notes.append(
            f"{missing} of {page.total} runs are not finished; this page shows the others. The "
            "command that started the study goes on with it."
        )
    if failed:
        notes.append(f"{failed} of {len(runs)} runs raised; the list below says what.")
    verdicts = "".join(
        f'<li><a href="#answer-{escape(name)}">{escape(answer.question)}</a> '
        f"{with_code(answer.verdict)}</li>"
        for name, answer in page.answers.items()
    )
    return (
        f"<header><h1>{escape(study.title)}</h1>"
        f"{''.join(f'<p class=note>{escape(note)}</p>' for note in notes)}"
        + (f'<p class="lead">{with_code(study.about)}</p>' if study.about else "")
        + f"<p>{escape(_in_short(page))}</p>"
        + (f'<ol class="verdicts">{verdicts}</ol>' if verdicts else "")
        + "</header>"
    )


def _in_short(page: StudyPage) -> str:
    runs = page.runs
    if not runs:
        return "No run is finished."
    problems = list(dict.fromkeys(run.spec.problem for run in runs))
    methods = {run.spec.method for run in runs}
    starts = {run.spec.start for run in runs}
    return (
        f"{_count(len(runs), 'run')}: {_count(len(methods), 'method')} on {listed(problems)}, from "
        f"{_count(len(starts), 'start')}, which are the same for all methods. Each number below "
        "is computed from the records of these runs, and leads to them."
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _answer(name: str, answer: Answer, looks: Looks) -> str:
    key = f"answer-{name}"
    charts = "".join(
        answer_chart(chart, key=f"{key}-chart-{place}", look=looks)
        for place, chart in enumerate(answer.charts)
    )
    shown = list(dict.fromkeys(label for chart in answer.charts for label in chart.lines))
    return (
        f'<section id="{escape(key)}" aria-labelledby="{escape(key)}-head">'
        f'<h2 id="{escape(key)}-head">{escape(answer.question)}</h2>'
        f'<p class="lead verdict">{with_code(answer.verdict)}</p>'
        f"{''.join(answer_table(table) for table in answer.tables)}"
        + (f'{legend(shown, look=looks)}<div class="charts">{charts}</div>' if charts else "")
        + f"{numbers_table(answer.numbers)}</section>"
    )


def _problem(name: str, page: StudyPage, looks: Looks) -> str:
    runs = [run for run in page.runs if run.spec.problem == name]
    task = page.tasks.get(name)
    labels = list(dict.fromkeys(run.spec.method for run in runs))
    title = name if task is None else task.title
    about = "" if task is None else f"<p>{escape(_network(task))}</p>"
    charts = "".join(draw(chart) for chart in problem_charts(name, runs, task, looks))
    return (
        f'<section id="{escape(name)}" aria-labelledby="{escape(name)}-head">'
        f'<h2 id="{escape(name)}-head">{escape(title)}</h2>{about}'
        f"{summary_table(name, runs, task, looks)}{legend(labels, look=looks)}"
        f'<div class="charts">{charts}</div>'
        f'<div class="behind">Behind these charts: {run_links([run.id for run in runs])}</div>'
        "</section>"
    )


def _network(task: TrainingProblem) -> str:
    return f"{task.story} The network is {task.network}, {task.size:,} weights.".strip()


def _runs(page: StudyPage, looks: Looks) -> str:
    if not page.runs:
        return ""
    return (
        '<section id="runs" aria-labelledby="runs-head"><h2 id="runs-head">All runs</h2>'
        "<p>Each run has its record in the folder of the study: <code>runs/ID.json</code> holds "
        "what was asked for and how it went, <code>runs/ID.parquet</code> every step, "
        "<code>runs/ID.safetensors</code> the parameters.</p>"
        f"{method_table(page.study.methods(), looks)}{run_table(page.runs, looks)}</section>"
    )


def _closing(page: StudyPage) -> str:
    runs = page.runs
    if not runs:
        return ""
    machines = dict.fromkeys(
        f"{m['processor']}, {m['cores']} cores, {m['system']}, Python {m['python']}; "
        + ", ".join(f"{name} {version}" for name, version in m["versions"].items() if version)
        for m in (run.machine for run in runs)
    )
    commits = dict.fromkeys(_short(run.commit) for run in runs if run.commit)
    held = sorted({run.threads for run in runs if run.threads is not None})
    began = [run.began for run in runs]
    return (
        "<footer><h2>About these numbers</h2>"
        f"<p>The first run began on {escape(min(began))}, the last on {escape(max(began))}.</p>"
        + "".join(f"<p>Machine: {escape(machine)}.</p>" for machine in machines)
        + (f"<p>Commit of thalweg: {escape(listed(list(commits)))}.</p>" if commits else "")
        + (
            f"<p>Runs were made side by side, held to {listed([str(n) for n in held])} "
            "threads each: their times are longer than alone.</p>"
            if held
            else ""
        )
        + "<p>Times are wall time without compilation. A median over the starts is that of the "
        "runs that did not raise; in charts a run that has ended keeps its lowest loss.</p>"
        "</footer>"
    )


def _short(commit: str) -> str:
    """The first digits of a commit, and whether it was changed; the records have it whole."""
    digits, plus, changed = commit.partition("+")
    return f"{digits[:12]}{plus}{changed}"
