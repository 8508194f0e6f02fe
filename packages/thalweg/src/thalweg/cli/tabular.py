"""`thalweg train` and `thalweg predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from thalweg.cli.common import INTERRUPTED, AsJson, method_names, note, print_json, use_float64


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
        typer.Option(metavar="NAME", help="One of `thalweg methods`.", autocompletion=method_names),
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
    if method not in method_names():
        raise typer.BadParameter(
            f"`{method}` is no method; `thalweg methods` lists them", param_hint="--method"
        )
    use_float64()
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
        print_predictions(loaded, data, sys.stdout.buffer, on_note=note)
        return
    with counting("rows predicted") as count:
        rows = predict_file(loaded, data, out, on_note=note, on_rows=count)
    typer.echo(f"{rows:,} rows: {out}", err=True)


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
