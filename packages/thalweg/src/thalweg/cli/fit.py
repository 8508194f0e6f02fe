"""`thalweg fit`: a formula fitted to columns of a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli.common import (
    AsJson,
    method_names,
    note,
    print_json,
    refuse_unknown_method,
    set_up_jax,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from thalweg.fitting.measurements import Measurements
    from thalweg.fitting.result import CurveFit

Assigned = Annotated[
    str, typer.Option(metavar="NAME=VALUE[,...]", help="Where parameters start; 1 by default.")
]

_Data = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="Table in text, such as CSV.", show_default=False),
]
_Expression = Annotated[
    str,
    typer.Argument(metavar="EXPRESSION", help="Such as `a*exp(-b*x)+c`.", show_default=False),
]
_X = Annotated[
    str | None,
    typer.Option(metavar="COL", help="What `x` stands for.", show_default="first column"),
]
_Y = Annotated[
    str | None,
    typer.Option(metavar="COL", help="What is fitted.", show_default="last column"),
]
_Sigma = Annotated[
    str | None, typer.Option(metavar="COL", help="Standard deviations of y, absolute.")
]
_Bounds = Annotated[
    str, typer.Option(metavar="NAME=LOW:HIGH[,...]", help="Bounds; either end may be empty.")
]
_Fixed = Annotated[str, typer.Option(metavar="NAME=VALUE[,...]", help="Parameters to hold.")]
_Loss = Annotated[
    str, typer.Option(metavar="LOSS", help="linear, huber, soft_l1, cauchy or tukey.")
]
_FScale = Annotated[
    float, typer.Option("--f-scale", help="Residual from which a point is an outlier.")
]
_Method = Annotated[
    str,
    typer.Option(metavar="NAME", help="One of `thalweg methods`.", autocompletion=method_names),
]
_Starts = Annotated[
    int, typer.Option(min=1, help="Starts, spread over the bounds; the best fit counts.")
]
_Level = Annotated[float, typer.Option(help="Level of the confidence intervals, within 0 and 1.")]
_Profile = Annotated[bool, typer.Option("--profile", help="Intervals by profile likelihood.")]
_Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw data and curve as an SVG file.")
]


def fit(  # noqa: PLR0913, PLR0917 - each is an option of its own
    data: _Data,
    expression: _Expression,
    p0: Assigned = "",
    x: _X = None,
    y: _Y = None,
    sigma: _Sigma = None,
    bounds: _Bounds = "",
    fixed: _Fixed = "",
    loss: _Loss = "linear",
    f_scale: _FScale = 1.0,
    method: _Method = "auto",
    starts: _Starts = 1,
    level: _Level = 0.95,
    profile: _Profile = False,
    plot: _Plot = None,
    as_json: AsJson = False,
) -> None:
    """Fit the parameters of a formula to columns of a table.

    In the expression, `x` and names of columns are data, all other names are parameters.
    Arithmetic, comparisons in `where(x < t, a, b)`, and the usual functions are understood; nothing
    else is run.
    The verdict comes first, then each parameter with its standard error and interval. Rows with a
    missing value are left out, and stderr says so. The exit status is 0 if the fit ended at a
    minimum, and 1 if it did not; the table is printed in both cases.

    Examples:
    - `thalweg fit decay.csv "a*exp(-b*x)+c" --p0 a=1,b=2,c=0`
    - `thalweg fit decay.csv "a*exp(-b*t)" --y counts --sigma error --plot decay.svg`
    - `thalweg fit enzyme.tsv "v*x/(k+x)" --bounds v=0:,k=0:50 --starts 20 --json`
    """
    lower_upper = {name: _pair(text) for name, text in _assignments(bounds, "--bounds").items()}
    start = {name: _number(text, "--p0") for name, text in _assignments(p0, "--p0").items()}
    held = {name: _number(text, "--fixed") for name, text in _assignments(fixed, "--fixed").items()}
    refuse_unknown_method(method)
    if not 0 < level < 1:
        raise typer.BadParameter(f"{level} is not between 0 and 1", param_hint="--level")
    set_up_jax()
    from thalweg.fitting.curve_fit import curve_fit
    from thalweg.fitting.expression import Expression, model_of
    from thalweg.fitting.measurements import read_measurements

    formula = Expression(expression)
    table = read_measurements(data)
    x_name, y_name = x or next(iter(table.columns)), y or list(table.columns)[-1]
    sources = _sources(table, formula.names, x_name=x_name, y_name=y_name)
    model, names = model_of(formula, sources)
    for option, given in (("--p0", start), ("--bounds", lower_upper), ("--fixed", held)):
        _refuse_unknown(option, given, names)
    columns, measured, errors = _complete(table, sources, y_name, sigma)
    found = curve_fit(
        model,
        columns or {"": measured},
        measured,
        {name: held.get(name, start.get(name, _inside(lower_upper.get(name)))) for name in names},
        errors,
        absolute_sigma=sigma is not None,
        bounds=lower_upper,
        fixed=held or None,
        loss=loss,
        f_scale=f_scale,
        method=method,
        starts=starts,
    )
    intervals = found.confidence_intervals(level, by="profile" if profile else "curvature")
    if plot is not None:
        _draw(found, plot, columns, (x_name, y_name), expression, level)
    _report(found, intervals, expression, level, as_json=as_json)


def _report(
    found: CurveFit,
    intervals: dict[str, tuple[float, float]],
    expression: str,
    level: float,
    *,
    as_json: bool,
) -> None:
    """Print the table; the exit status is 1 where the fit did not end at a minimum."""
    if as_json:
        print_json(_as_json(found, intervals, expression, level))
    else:
        _print(found, intervals, level)
    if not found.success:
        typer.echo("thalweg: the fit did not end at a minimum", err=True)
        raise typer.Exit(1)


def _refuse_unknown(option: str, given: dict[str, Any], names: Sequence[str]) -> None:
    unknown = set(given) - set(names)
    if unknown:
        from thalweg.errors import ConfigError

        raise ConfigError(
            f"`{option}` names `{min(unknown)}`, but the parameters are {', '.join(names)}"
        )


def _assignments(text: str, option: str) -> dict[str, str]:
    """The parts of `a=1,b=2`."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name.isidentifier():
            raise typer.BadParameter(
                f"`{part}` is not NAME=VALUE, such as `a=1`", param_hint=option
            )
        found[name] = value
    return found


def _number(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"`{text}` is not a finite number", param_hint=option)
    return value


def _pair(text: str) -> tuple[float, float]:
    low, colon, high = (piece.strip() for piece in text.partition(":"))
    if not colon:
        raise typer.BadParameter(f"`{text}` is not LOW:HIGH, such as `0:10`", param_hint="--bounds")
    return (
        _number(low, "--bounds") if low else -math.inf,
        _number(high, "--bounds") if high else math.inf,
    )


def _inside(pair: tuple[float, float] | None) -> float:
    """Where a parameter starts that nothing is said about: 1, or within its bounds."""
    low, high = pair or (-math.inf, math.inf)
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    if math.isfinite(low):
        return low + 1
    return high - 1 if math.isfinite(high) else 1.0


def _sources(
    table: Measurements, names: tuple[str, ...], *, x_name: str, y_name: str
) -> dict[str, str]:
    """Which names of the expression are data, and the column of each."""
    from thalweg.errors import ConfigError

    table.column(x_name)
    table.column(y_name)
    found = {name: name for name in names if name in table.columns}
    if "x" in names and "x" not in table.columns:
        found["x"] = x_name
    elif "x" in names:
        found["x"] = x_name if x_name != next(iter(table.columns)) else "x"
    if y_name in found.values():
        raise ConfigError(
            f"the expression uses the column `{y_name}`, which is the one that is fitted; choose "
            "another with `--y`, or rename the parameter"
        )
    return found


def _complete(
    table: Measurements, sources: dict[str, str], y_name: str, sigma: str | None
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
    """The columns in use, without the rows where one of them lacks a value."""
    import numpy as np

    from thalweg.errors import DataError

    columns = {name: table.column(source) for name, source in sources.items()}
    used = [*columns.values(), table.column(y_name)]
    errors = None if sigma is None else table.column(sigma)
    used += [] if errors is None else [errors]
    kept = np.all(np.isfinite(used), axis=0)
    if not kept.any():
        raise DataError("no row has a value in all columns that are used")
    if not kept.all():
        note(f"{int((~kept).sum()):,} of {kept.size:,} rows lack a value and are left out")
    return (
        {name: column[kept] for name, column in columns.items()},
        table.column(y_name)[kept],
        None if errors is None else errors[kept],
    )


def _print(found: CurveFit, intervals: dict[str, tuple[float, float]], level: float) -> None:
    """The verdict, and a table."""
    from thalweg.cli.tables import plain_console, plain_table
    from thalweg.fitting.report import facts_of, rows_of

    typer.echo(f"{found.outcome.value}: {found.message}")
    table = plain_table("")
    for name in ("parameter", "value", "std. error", f"{100 * level:g} % interval", ""):
        table.add_column(name, justify="left" if name in {"parameter", ""} else "right")
    for name, value, error, remark in rows_of(found):
        low, high = intervals.get(name, (math.nan, math.nan))
        interval = f"{low:.6g} to {high:.6g}" if name in intervals else "-"
        table.add_row(name, value, error, interval, remark)
    plain_console().print(table)
    for fact in facts_of(found):
        typer.echo(fact)


def _as_json(
    found: CurveFit, intervals: dict[str, tuple[float, float]], expression: str, level: float
) -> Any:
    from thalweg._util.record import json_values

    errors = {name: float(found.pcov[k, k] ** 0.5) for k, name in enumerate(found.names)}
    return json_values(
        {
            "expression": expression,
            "outcome": found.outcome.value,
            "message": found.message,
            "parameters": {
                name: {
                    "value": float(found.popt[k]),
                    "stderr": errors[name],
                    "interval": intervals.get(name),
                    "fixed": name not in found.free_names,
                    "at_bound": found.at_bounds.get(name),
                }
                for k, name in enumerate(found.names)
            },
            "level": level,
            "covariance": found.pcov,
            "chi_squared": found.chi_squared,
            "dof": found.dof,
            "r_squared": found.r_squared,
            "undetermined": [each.components for each in found.undetermined],
            "method": found.solution.method,
        }
    )


def _draw(
    found: CurveFit,
    path: Path,
    columns: dict[str, np.ndarray],
    axes: tuple[str, str],
    expression: str,
    level: float,
) -> None:
    """Write the chart.

    Raises:
        ConfigError: More than one variable is in use, or the file cannot be written.
    """
    import numpy as np

    from thalweg._util.files import reason_of, whole_file
    from thalweg.errors import ConfigError
    from thalweg.report.scatter import FitChart, fit_svg

    if len(columns) != 1:
        raise ConfigError("`--plot` draws expressions with one variable, but there are several")
    ((name, values),) = columns.items()
    at = np.linspace(values.min(), values.max(), 300)
    band: Any = found.predict({name: at}, interval=level)
    chart = FitChart(
        title=expression,
        x_label=axes[0] if name == "x" else name,
        y_label=axes[1],
        dots=(values, found.measured),
        curve=(at, band.y),
        band=(band.low, band.high),
    )
    try:
        with whole_file(path) as new:
            new.write_text(fit_svg(chart), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {reason_of(error)}") from error
