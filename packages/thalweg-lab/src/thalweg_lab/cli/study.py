"""`thalweg study` and `thalweg report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.common import INTERRUPTED, AsJson, note, print_json, set_up_jax

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg_lab.study import Answer, Run, Study

REPORT = "report.html"


What = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE.toml",
        help="A study that comes with thalweg, `revisited` or `presentations`, or a file that "
        "defines one.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the records of the runs; created if missing.",
        show_default="thalweg-NAME, or thalweg-NAME-quick",
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Run the small version: fewer starts, less time.")
]
Jobs = Annotated[
    int,
    typer.Option(
        min=1,
        help="Runs side by side, each in a process with its share of the cores. They slow each "
        "other down: leave this at 1 if times are to be compared.",
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Make the runs on the workers of this Dask scheduler, such as `tcp://10.0.0.1:8786`.",
        show_default=False,
    ),
]


def study(
    what: What,
    out: Out = None,
    quick: Quick = False,
    jobs: Jobs = 1,
    dask: Dask = None,
    as_json: AsJson = False,
) -> None:
    """Run a grid of problems, methods and starts, and keep a record of each run.

    Each run writes its record as soon as it is finished, and no record is ever overwritten: after
    Ctrl-C or a power cut, the same command makes only the missing runs. A run that raises leaves
    a record too, with the error.

    Examples:
    - `thalweg study revisited --quick` answers five questions from a few runs.
    - `thalweg study rates.toml --out rates` runs a study of your own.
    - `thalweg study rates.toml --out rates --jobs 4` runs four at a time.
    - `thalweg study revisited --json > answers.json` prints the answers for another program.
    - `thalweg report rates` makes a page from the records in a folder.
    """
    if dask is not None and jobs != 1:
        raise typer.BadParameter(
            "with `--dask`, the cluster decides how many runs are made side by side; leave "
            "`--jobs` out",
            param_hint="--jobs",
        )
    chosen = _chosen(what, quick=quick)
    folder = out or Path(f"thalweg-{chosen.name}{'-quick' if quick else ''}")
    set_up_jax()
    runs, answers = _made(chosen, folder, jobs=jobs, dask=dask)
    _show(chosen, folder, runs, answers, as_json=as_json)
    _end(runs, folder)


def _made(
    chosen: Study, folder: Path, *, jobs: int, dask: str | None
) -> tuple[list[Run], Mapping[str, Answer]]:
    """Make the missing runs, load all runs, and compute the answers."""
    from thalweg_lab.cli.study_tables import live_table
    from thalweg_lab.study.running import run_study
    from thalweg_lab.study.shipped import answers_of
    from thalweg_lab.study.store import Store

    try:
        with live_table(chosen) as show:
            store = run_study(chosen, folder, jobs=jobs, dask=dask, show=show)
        runs = store.load_all(chosen.specs())
        return runs, answers_of(chosen, runs)
    except KeyboardInterrupt as error:
        total = len(chosen.specs())
        there = total - len(Store(folder).missing(chosen.specs()))
        note(
            f"interrupted; {there} of {total} runs are finished and stay in `{folder}`: the same "
            "command continues from there"
        )
        raise typer.Exit(INTERRUPTED) from error


def _show(
    chosen: Study,
    folder: Path,
    runs: list[Run],
    answers: Mapping[str, Answer],
    *,
    as_json: bool,
) -> None:
    """Print the answers and a summary."""
    from thalweg_lab.cli.study_tables import print_results
    from thalweg_lab.study.summary import summarise

    if as_json:
        print_json(
            {
                "study": chosen.name,
                "title": chosen.title,
                "folder": str(folder),
                "answers": {name: answer.as_json() for name, answer in answers.items()},
                "summary": [line.as_json() for line in summarise(runs)],
            }
        )
        return
    print_results(summarise(runs), answers)
    typer.echo(f"records: {folder}")
    note(f"`thalweg report {folder}` makes a page from them")


def report(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder that `thalweg study` wrote.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write.", show_default="report.html in the folder"),
    ] = None,
) -> None:
    """Make one HTML page from a study's records, finished or not.

    The page works offline, so it can be mailed and printed.

    Examples:
    - `thalweg report thalweg-revisited` writes `thalweg-revisited/report.html`.
    - `thalweg report rates --out rates.html` writes it elsewhere.
    """
    set_up_jax()
    from thalweg_lab.pages.study_page import write_page
    from thalweg_lab.study.running import definition
    from thalweg_lab.study.store import Store

    store = Store(folder)
    page = out or folder / REPORT
    write_page(definition(store), store, page)
    typer.echo(f"report: {page}")


def _chosen(what: str, *, quick: bool) -> Study:
    """The study of a file or of a name."""
    from thalweg.errors import ConfigError
    from thalweg_lab.study.definition import read_study
    from thalweg_lab.study.mistakes import unknown
    from thalweg_lab.study.shipped import SHIPPED, shipped

    path = Path(what)
    if path.suffix == ".toml" or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"`{what}` cannot be read ({error}); name a TOML file") from error
        found = read_study(text, source=what)
    elif what in SHIPPED:
        found = shipped(what)
    else:
        raise typer.BadParameter(
            f"`{what}` {unknown(what, SHIPPED, what='a study that comes with thalweg')} Or "
            "name a file that ends in `.toml`.",
            param_hint="NAME|FILE.toml",
        )
    return found.quickened() if quick else found


def _end(runs: list[Run], folder: Path) -> None:
    """Say which runs failed; the study has failed if all of them did."""
    failed = [run for run in runs if run.is_failed]
    if not failed:
        return
    first = failed[0]
    note(
        f"{len(failed)} of {len(runs)} runs raised, the first `{first.spec.method}` on "
        f"`{first.spec.problem}`: {first.error}; to repeat it, remove its files "
        f"`{folder / 'runs' / first.id}.*`"
    )
    if len(failed) == len(runs):
        raise typer.Exit(1)
