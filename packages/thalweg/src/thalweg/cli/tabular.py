"""`thalweg train` and `thalweg predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from thalweg.cli.common import (
    INTERRUPTED,
    AsJson,
    method_names,
    note,
    print_json,
    refuse_unknown_method,
    set_up_jax,
)

LIBRARIES = {"polars": "polars", "sklearn": "scikit-learn"}  # of the extra `tables`, by module

Table = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="Table in CSV, TSV or Parquet.", show_default=False),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder to write.", show_default="DATA-model"),
]
Task = Annotated[
    Literal["regression", "classification"] | None,
    typer.Option(help="What to do with the target.", show_default="recognised"),
]
MethodName = Annotated[
    str, typer.Option(metavar="NAME", help="One of `thalweg methods`.", autocompletion=method_names)
]
Ignored = Annotated[
    list[str] | None, typer.Option(metavar="COL", help="Leave this column out. May be repeated.")
]
Separator = Annotated[
    str | None,
    typer.Option(
        metavar="CHAR",
        help="What separates the fields: a character, or `tab`, `semicolon`, `bar`, `space`.",
        show_default="recognised",
    ),
]

_Target = Annotated[str, typer.Option(metavar="COL", help="Column to predict.")]
_Hidden = Annotated[str, typer.Option(metavar="N[,N...]", help="Units of each hidden layer.")]
_Seconds = Annotated[
    float, typer.Option(min=0.01, help="Budget of all fits together, without compilation.")
]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of the split and of the initial weights.")]
_Decimal = Annotated[
    Literal["point", "comma"] | None,
    typer.Option(help="The decimal mark.", show_default="recognised"),
]
_Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="A text that means a missing value. May be repeated."),
]
_Force = Annotated[bool, typer.Option("--force", help="Replace the model in the folder.")]


def train(  # noqa: PLR0913, PLR0917 - each is an option of its own
    data: Table,
    target: _Target,
    out: ModelFolder = None,
    task: Task = None,
    hidden: _Hidden = "32",
    method: MethodName = "auto",
    seconds: _Seconds = 20.0,
    seed: _Seed = 0,
    ignore: Ignored = None,
    separator: Separator = None,
    decimal: _Decimal = None,
    missing: _Missing = None,
    force: _Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a small network to predict one column of a table from the others.

    The rows are split into three parts. The validation part chooses the weight decay and decides
    when each fit stops; the scores are those on the test part, next to the scores of a linear
    model and of a constant prediction. The folder holds the weights, the preprocessing, the record
    of the run and a report with charts. Columns from which nothing can be learned are left out,
    and stderr says so. Ctrl-C ends the training and keeps the best network so far.

    Examples:
    - `thalweg train wine.csv --target class` writes the folder `wine-model`.
    - `thalweg train houses.parquet --target price --out prices --hidden 64,32`
    - `thalweg train survey.tsv --target rating --task regression --ignore id`
    - `thalweg train offers.csv --target price --decimal comma --missing "on request"`
    - `thalweg train wine.csv --target class --method l-bfgs --seed 3 --force --json`
    """
    sizes = _hidden_sizes(hidden)
    refuse_unknown_method(method)
    _need_tables("thalweg train", "polars", "sklearn")
    set_up_jax()
    from thalweg._util.record import json_values
    from thalweg.cli.tables import print_scores
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
        separator=_separator(separator),
        decimal={"point": ".", "comma": ",", None: None}[decimal],
        missing=missing or (),
        progress=True,
        on_note=note,
    )
    save(trained, folder, force=force)
    if as_json:
        print_json({**json_values(trained.as_json()), "model": str(folder)})
    else:
        print_scores(trained)
        typer.echo(f"model: {folder}\nreport: {folder / 'report.html'}")
    if trained.found.was_interrupted:
        typer.echo(f"thalweg: interrupted; the best network so far is in {folder}", err=True)
        raise typer.Exit(INTERRUPTED)


def predict(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Made by `thalweg train`.", show_default=False),
    ],
    data: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File in CSV or Parquet.", show_default="stdout, as CSV"),
    ] = None,
    separator: Separator = None,
) -> None:
    """Predict a column of a table with a model, row by row, in bounded memory.

    Writes one line for each row, in the order of the data: the prediction, and for classes the
    probability of each. Columns that the model does not use are ignored. If a value does not fit
    the model's schema, the command exits with status 1 and names the column and the row; no file
    is written then, while on stdout the batches before that row have already been printed.

    Examples:
    - `thalweg predict wine-model new.csv` prints predictions as CSV.
    - `thalweg predict wine-model new.parquet --out predictions.parquet`
    - `thalweg predict wine-model new.csv | head`
    """
    _need_tables("thalweg predict", "polars")
    from thalweg.cli.tables import counting
    from thalweg.tabular import load_model, predict_file
    from thalweg.tabular.predict import print_predictions

    mark = _separator(separator)
    loaded = load_model(model)
    if out is None:
        print_predictions(loaded, data, sys.stdout.buffer, separator=mark, on_note=note)
        return
    with counting("rows predicted") as count:
        rows = predict_file(loaded, data, out, separator=mark, on_note=note, on_rows=count)
    typer.echo(f"{rows:,} rows: {out}", err=True)


def _need_tables(command: str, *modules: str) -> None:
    """Refuse to run without the libraries for tables.

    Raises:
        MissingExtraError: One of them is not installed.
    """
    from thalweg._util.extras import import_extra

    for module in modules:
        import_extra(module, library=LIBRARIES[module], extra="tables", needed_by=command)


def _separator(text: str | None) -> str | None:
    """The character for `tab`, `;` and the like."""
    from thalweg.tabular.delimited import BY_NAME

    mark = text if text is None else BY_NAME.get(text, text)
    if mark is not None and (len(mark) != 1 or mark in '"\r\n'):
        raise typer.BadParameter(
            f"`{text}` is not one character, nor one of {', '.join(sorted(BY_NAME))}",
            param_hint="--separator",
        )
    return mark


def _hidden_sizes(text: str) -> tuple[int, ...]:
    """The units of `32,16`."""
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise typer.BadParameter(
            f"`{text}` is not a list of layer sizes such as `32` or `32,16`", param_hint="--hidden"
        )
    return sizes
