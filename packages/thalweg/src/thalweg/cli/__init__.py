"""The command `thalweg`: the library with a skin.

Results go to stdout, progress and notes to stderr. The exit status is 0 for done, 1 for failed,
2 for wrong usage, and 130 after Ctrl-C. JAX is imported only by the commands that compute, so that
`--help` is quick; they switch its x64 flag on, as a front end may.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from thalweg.errors import ThalwegError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Group(TyperGroup):
    """Turns thalweg's exceptions into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that lacks `∇` shows `?`
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except ThalwegError as error:
            typer.echo(f"thalweg: {error}", err=True)
            raise typer.Exit(1) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:  # a closed pipe is Typer's affair
                raise
            typer.echo("thalweg: stdout cannot be written to: no space is left", err=True)
            # What is buffered would be written, and refused, again at the end of Python.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo("thalweg: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error
        return result


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _method_names() -> list[str]:
    from thalweg.methods import REGISTRY

    return ["auto", *REGISTRY]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thalweg {version('thalweg')}")
        raise typer.Exit


@app.callback()
def thalweg(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Train small and medium neural networks hard, by integrating the gradient flow.

    Examples:
    - `thalweg demo --out first-look` trains three networks by five methods and writes a report.
    - `thalweg train wine.csv --target class` learns to predict a column of a table.
    - `thalweg predict wine-model new.csv` predicts it for other rows.
    - `thalweg methods --json` lists all methods for another program.
    - `thalweg doctor` says what is installed and whether it works.
    - `thalweg --install-completion` lets the shell complete commands and options.
    """


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for `report.html` and `runs.json`; made if missing.")
    ] = Path("thalweg-demo"),
    seconds: Annotated[
        float | None,
        typer.Option(min=0.01, help="Seconds for each run.", show_default="1.2 or 1.5, by problem"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run this problem only: `digits`, `poisson` or `bessel`. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train three networks by five methods, and write a report to look at.

    Handwritten digits, a differential equation and a function are learned by `auto`, L-BFGS,
    Adam, gradient descent and zvode, each from the same start with the same budget. With the
    default budgets this takes about 45 seconds on two cores, compilation included. Ctrl-C ends
    it early and keeps what is finished.

    Examples:
    - `thalweg demo` writes `thalweg-demo/report.html`.
    - `thalweg demo --out deep --seconds 10` gives each method ten seconds on each problem.
    - `thalweg demo --only poisson` runs the differential equation only.
    - `thalweg demo --json > tables.json` prints the tables for another program.
    """
    from thalweg.problems import NAMES

    for name in only or ():
        if name not in NAMES:
            raise typer.BadParameter(
                f"`{name}` is none of {', '.join(f'`{known}`' for known in NAMES)}",
                param_hint="--only",
            )
    _use_float64()
    from thalweg.cli.tables import note_start, print_section
    from thalweg.demo import REPORT_FILE, run_demo

    result = run_demo(
        out,
        seconds=seconds,
        names=[name for name in NAMES if not only or name in only],
        progress=True,
        on_start=note_start,
        on_section=(lambda _: None) if as_json else print_section,
    )
    if as_json:
        _print_json(result.as_json())
    elif result.folder is not None:
        typer.echo(f"report: {result.folder / REPORT_FILE}")
    if result.was_interrupted:
        kept = (
            "no run was finished, so nothing was written"
            if result.folder is None
            else f"the report shows the runs that were finished: {result.folder / REPORT_FILE}"
        )
        typer.echo(f"thalweg: interrupted; {kept}", err=True)
        raise typer.Exit(INTERRUPTED)


@app.command()
def train(  # noqa: PLR0913, PLR0917 - each is an option of its own
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Table in CSV, TSV or Parquet.", show_default=False),
    ],
    target: Annotated[str, typer.Option(metavar="COL", help="Column to predict.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to make.", show_default="DATA-model"),
    ] = None,
    task: Annotated[
        Literal["regression", "classification"] | None,
        typer.Option(help="What to do with the target.", show_default="recognised"),
    ] = None,
    hidden: Annotated[
        str, typer.Option(metavar="N[,N...]", help="Units of each hidden layer.")
    ] = "32",
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="One of `thalweg methods`.", autocompletion=_method_names
        ),
    ] = "auto",
    seconds: Annotated[
        float, typer.Option(min=0.01, help="For all fits together, compilation not counted.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and the starting weights.")] = 0,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="Leave this column out. May be repeated."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the model in the folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a small network to predict one column of a table from the others.

    The rows are split into three parts. The weight decay is chosen, and each fit stopped, by the
    validation part; the scores are those of the test part, beside a linear model and the plainest
    guess. The folder holds the weights, the preprocessing, the record of the run and a report
    with pictures. Columns that nothing can be learned from are left out, and stderr says so.
    Ctrl-C ends the training and keeps the best network so far.

    Examples:
    - `thalweg train wine.csv --target class` writes the folder `wine-model`.
    - `thalweg train houses.parquet --target price --out prices --hidden 64,32`
    - `thalweg train survey.tsv --target rating --task regression --ignore id`
    - `thalweg train wine.csv --target class --method l-bfgs --seed 3 --force --json`
    """
    sizes = _hidden_sizes(hidden)
    if method not in _method_names():
        raise typer.BadParameter(
            f"`{method}` is no method; `thalweg methods` lists them", param_hint="--method"
        )
    _use_float64()
    from thalweg.cli.tables import print_scores
    from thalweg.record import json_values
    from thalweg.tabular import save, train_table
    from thalweg.tabular.folder import refuse_folder

    folder = Path(f"{data.stem}-model") if out is None else out
    refuse_folder(folder, force=force)
    trained = train_table(
        data,
        target=target,
        task=task,
        hidden=sizes,
        method=method,
        seconds=seconds,
        seed=seed,
        ignore=ignore or (),
        progress=True,
        on_note=_note,
    )
    save(trained, folder, force=force)
    if as_json:
        _print_json({**json_values(trained.as_json()), "model": str(folder)})
    else:
        print_scores(trained)
        typer.echo(f"model: {folder}\nreport: {folder / 'report.html'}")
    if trained.found.was_interrupted:
        typer.echo(f"thalweg: interrupted; the best network so far is in {folder}", err=True)
        raise typer.Exit(INTERRUPTED)


@app.command()
def predict(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Made by `thalweg train`.", show_default=False),
    ],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Table in CSV, TSV or Parquet.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File in CSV or Parquet.", show_default="stdout, as CSV"),
    ] = None,
) -> None:
    """Predict a column of a table by a model, row by row, at bounded memory.

    One line a row in the order of the data: the prediction, and for classes the probability of
    each. Columns that the model does not use are left alone. A value that does not fit the
    model's schema ends the command with the status 1 and its column and row: a file is then not
    written at all, while on stdout the batches of rows before it have been printed.

    Examples:
    - `thalweg predict wine-model new.csv` prints predictions as CSV.
    - `thalweg predict wine-model new.parquet --out predictions.parquet`
    - `thalweg predict wine-model new.csv | head`
    """
    from thalweg.cli.tables import counting
    from thalweg.tabular import load_model, predict_file
    from thalweg.tabular.predict import print_predictions

    loaded = load_model(model)
    if out is None:
        print_predictions(loaded, data, sys.stdout.buffer, on_note=_note)
        return
    with counting("rows predicted") as count:
        rows = predict_file(loaded, data, out, on_note=_note, on_rows=count)
    typer.echo(f"{rows:,} rows: {out}", err=True)


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List every method by name, with what it needs.

    Baselines of other libraries are methods too: a comparison is one line.

    Examples:
    - `thalweg methods`
    - `thalweg methods --json`
    """
    from thalweg.cli.tables import print_methods
    from thalweg.methods import methods as every_method

    known = every_method()
    if as_json:
        _print_json([method._asdict() for method in known])
    else:
        print_methods(known)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed and whether it works, by trying it.

    Looks at libraries, devices, float64 and extras, and solves a small problem. The exit status
    is 1 if something that is needed does not work.

    Examples:
    - `thalweg doctor`
    - `thalweg doctor --json` for a report of a bug
    """
    from thalweg.cli.tables import print_diagnosis
    from thalweg.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        _print_json(diagnosis.as_json())
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.is_sound:
        typer.echo("thalweg: something that is needed does not work; see above", err=True)
        raise typer.Exit(1)


def _hidden_sizes(text: str) -> tuple[int, ...]:
    """The units of `32,16`."""
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise typer.BadParameter(
            f"`{text}` is no list of layer sizes such as `32` or `32,16`", param_hint="--hidden"
        )
    return sizes


def _note(sentence: str) -> None:
    typer.echo(f"thalweg: {sentence}", err=True)


def _use_float64() -> None:
    """Switch JAX's x64 flag on: the demo reaches losses that float32 cannot tell from 0."""
    import jax

    jax.config.update("jax_enable_x64", True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


__all__ = ["app"]
