"""The command `libufunc`: the library with a skin.

Results go to stdout, everything else to stderr. The exit status is 0 for done, 1 for failed, 2 for
wrong usage.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from libufunc.errors import LibufuncError

FAILED = 1


class _Group(TyperGroup):
    """Turns libufunc's exceptions into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LibufuncError as error:
            typer.echo(f"libufunc: {error}", err=True)
            raise typer.Exit(FAILED) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

LibraryName = Annotated[
    str, typer.Option("-l", "--library", metavar="LIB", help="Short name or path.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[
    list[str], typer.Argument(metavar="FUNCTION", help="Such as `erf`.", show_default=False)
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"libufunc {version('libufunc')}")
        raise typer.Exit


@app.callback()
def libufunc(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Any C function of a shared library as a NumPy ufunc: look, call, measure.

    The exit status is 0 for done, 1 for failed, 2 for wrong usage.

    Examples:
    - `libufunc call erf 0.5` prints `0.5204998778130465`.
    - `libufunc list` tells which functions of C's mathematics are here.
    - `libufunc audit erf j0` tells how accurate they are, and `libufunc bench erf j0` how quick.
    - `libufunc --install-completion` lets the shell complete commands and options.
    """


@app.command("list")
def list_functions(library: LibraryName = "m", as_json: AsJson = False) -> None:
    """Tell which declared functions a library has.

    Examples:
    - `libufunc list` for the library of mathematics.
    - `libufunc list -l mvec` for glibc's vector functions.
    """
    from libufunc.library import Library

    known = Library(library).prototypes()
    if as_json:
        functions = [{"name": name, "prototype": text} for name, text in known.items()]
        _print_json({"library": library, "functions": functions})
    else:
        for name, text in known.items():
            typer.echo(f"{name}\t{text}")


@app.command(context_settings={"ignore_unknown_options": True})  # -0.5 is a number
def call(
    function: Annotated[
        str, typer.Argument(help="Name, or prototype in C for what is not declared.")
    ],
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE", help="A number or string for each input.")
    ],
    library: LibraryName = "m",
    check: Annotated[bool, typer.Option("--check", help="Try it in a child first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Call a function once, and print what it gives, outputs side by side.

    Examples:
    - `libufunc call erf 0.5` prints `0.5204998778130465`.
    - `libufunc call remquo 10.5 3` prints the remainder and the quotient.
    - `libufunc call "double atof(const char *)" 12ab -l c` passes a string.
    - `libufunc call "double f(double, int)" -0.5 3 -l ./mine.so --check` tries it first.
    """
    from libufunc.calling import ccall
    from libufunc.library import Library

    if "(" in function or check:
        text = function if "(" in function else Library(library).prototype(function)
        ufunc = ccall(text, library, check=check)
    else:
        ufunc = getattr(Library(library), function).ufunc
    strings = getattr(ufunc, "string_inputs", ())
    if len(values) != ufunc.nin:
        what = "number(s)" if not strings else "argument(s)"
        raise typer.BadParameter(
            f"`{ufunc.__name__}` takes {ufunc.nin} {what}, but {len(values)} were given."
        )
    given = [text if k in strings else _number(text) for k, text in enumerate(values)]
    found = _called(ufunc, given)
    results = [one.item() for one in (found if ufunc.nout > 1 else (found,))]
    if as_json:
        _print_json(
            {
                "function": ufunc.__name__,
                "library": library,
                "arguments": given,
                "results": results,
            }
        )
    else:
        typer.echo("\t".join(map(repr, results)))


@app.command()
def audit(
    functions: Names,
    against: Annotated[
        str, typer.Option(metavar="LIBS", help="Of `libm,scipy,numpy,jax` and paths, by commas.")
    ] = "libm,scipy",
    seed: Annotated[int, typer.Option(help="Of the random points.")] = 0,
    points: Annotated[int, typer.Option(help="Points in an interval.")] = 1000,
    dtype: Annotated[str, typer.Option(help="`float64` or `float32`.")] = "float64",
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw the error over x.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how far functions are from the truth, in units of the last place, on this machine.

    Examples:
    - `libufunc audit erf j0` compares C's library with SciPy.
    - `libufunc audit j0 --against libm,./mine.so --plot j0.png` draws a picture too.
    """
    from libufunc.audit import audit as run

    report = run(
        functions, against=tuple(against.split(",")), seed=seed, points=points, dtype=dtype
    )
    typer.echo(report.to_json() if as_json else report.table())
    if plot is not None:
        typer.echo(f"libufunc: drawn to {report.plot(plot)}", err=True)


@app.command()
def bench(
    functions: Names,
    size: Annotated[int, typer.Option(min=1, help="Elements of an array.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Timings, of which the best counts.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Time functions by every way to call them from Python: ns an element, and ns of one call.

    Examples:
    - `libufunc bench erf j0` takes some seconds.
    - `libufunc bench hypot --size 1000000 --json` prints JSON.
    """
    from libufunc.bench import bench as run

    rows = run(functions, size=size, rounds=rounds)
    if as_json:
        _print_json({"size": size, "rounds": rounds, "rows": [asdict(row) for row in rows]})
        return
    _print_table(
        ("function", "way", "ns/element", "of C loop", "one call, ns"),
        [
            (row.function, row.way, _short(row.ns), _short(row.of_c_loop), _short(row.scalar_ns))
            for row in rows
        ],
    )


def _called(ufunc: Any, given: Sequence[int | float | complex | str]) -> Any:
    """What a ufunc gives for its arguments; what it cannot take becomes a sentence."""
    for place, number in enumerate(given, 1):
        takes_integers = all(types[place - 1] in "bBhHiIlLqQ" for types in ufunc.types)
        if takes_integers and not isinstance(number, int):
            raise typer.BadParameter(
                f"`{ufunc.__name__}` takes a whole number as argument {place}, but `{number}` was "
                "given; write it without a point, as in `2`."
            )
    try:
        return ufunc(*given)
    except (TypeError, OverflowError) as error:
        typer.echo(f"libufunc: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _number(text: str) -> int | float | complex:
    """What a word on the command line means."""
    for kind in (int, float, complex):
        try:
            return kind(text)
        except ValueError:
            continue
    raise typer.BadParameter(f"`{text}` is no number; write it as `2`, `-0.5`, `inf` or `1+2j`.")


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"


def _print_table(head: Sequence[str], rows: list[tuple[str, ...]]) -> None:
    """Columns of one width, with bars as Markdown has them."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo(f"| {' | '.join(cells)} |")


def _print_json(found: Any) -> None:
    typer.echo(json.dumps(_plain(found), indent=2))


def _plain(found: Any) -> Any:
    """What JSON can say: infinities, NaN and complex numbers become text."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_plain(value) for value in found]
    odd = isinstance(found, complex) or (isinstance(found, float) and not math.isfinite(found))
    return str(found) if odd else found


def main() -> None:
    """Run the command, as installed."""
    app()
