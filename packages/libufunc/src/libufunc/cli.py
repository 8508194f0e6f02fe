"""The command `libufunc`: the library with a skin.

Results go to stdout, everything else to stderr. The exit status is 0 for done, 1 for failed, 2 for
wrong usage.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from libufunc.errors import LibufuncError

FAILED = 1


class _Group(click.Group):
    """Turns libufunc's exceptions into one line on stderr and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LibufuncError as error:
            click.echo(f"libufunc: {error}", err=True)
            ctx.exit(FAILED)


def _examples(*lines: str) -> str:
    """Lines for the end of a help text, which are not wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


LIBRARY = click.option(
    "-l",
    "--library",
    metavar="LIB",
    default="m",
    show_default=True,
    help="Short name or path.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FUNCTIONS = click.argument("functions", metavar="FUNCTION...", nargs=-1, required=True)


def _counting(name: str, default: int, text: str) -> Callable[[Any], Any]:
    """An option for a number of at least 1."""
    kind = click.IntRange(min=1)
    return click.option(name, type=kind, default=default, show_default=True, help=text)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples(
        "libufunc call erf 0.5        # 0.5204998778130465",
        "libufunc list                # which functions of C's mathematics are here",
        "libufunc audit erf j0        # how accurate they are",
        "libufunc bench erf j0        # how quick they are",
        'eval "$(_LIBUFUNC_COMPLETE=bash_source libufunc)"   # completion; or zsh_source',
    ),
)
@click.version_option(package_name="libufunc", message="%(prog)s %(version)s", prog_name="libufunc")
def app() -> None:
    """Any C function of a shared library as a NumPy ufunc: look, call, measure.

    The exit status is 0 for done, 1 for failed, 2 for wrong usage.
    """


@app.command(
    "list",
    epilog=_examples(
        "libufunc list                # for the library of mathematics",
        "libufunc list -l mvec        # for glibc's vector functions",
    ),
)
@LIBRARY
@AS_JSON
def list_functions(*, library: str, as_json: bool) -> None:
    """Tell which declared functions a library has."""
    from libufunc.library import Library

    known = Library(library).prototypes()
    if as_json:
        functions = [{"name": name, "prototype": text} for name, text in known.items()]
        _print_json({"library": library, "functions": functions})
    else:
        for name, text in known.items():
            click.echo(f"{name}\t{text}")


@app.command(
    context_settings={"ignore_unknown_options": True},  # -0.5 is a number
    epilog=_examples(
        "libufunc call erf 0.5                                    # 0.5204998778130465",
        "libufunc call remquo 10.5 3                              # remainder and quotient",
        'libufunc call "double atof(const char *)" 12ab -l c      # a string',
        'libufunc call "double f(double, int)" -0.5 3 -l ./mine.so --check',
    ),
)
@click.argument("function")
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@LIBRARY
@click.option("--check", is_flag=True, help="Try it in a child first.")
@AS_JSON
def call(
    *, function: str, values: tuple[str, ...], library: str, check: bool, as_json: bool
) -> None:
    """Call a function once, and print what it gives, outputs side by side.

    FUNCTION is a name, or a prototype in C for what is not declared. VALUE is a number or string
    for each input.
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
        raise click.BadParameter(
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
        click.echo("\t".join(map(repr, results)))


@app.command(
    epilog=_examples(
        "libufunc audit erf j0        # C's library and SciPy",
        "libufunc audit j0 --against libm,./mine.so --plot j0.png",
    )
)
@FUNCTIONS
@click.option(
    "--against",
    metavar="LIBS",
    default="libm,scipy",
    show_default=True,
    help="Of `libm,scipy,numpy,jax` and paths, by commas.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random points.")
@_counting("--points", 1000, "Points in an interval.")
@click.option("--dtype", default="float64", show_default=True, help="`float64` or `float32`.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="PNG", help="Draw the error.")
@AS_JSON
def audit(
    *,
    functions: tuple[str, ...],
    against: str,
    seed: int,
    points: int,
    dtype: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Tell how far functions are from the truth, in units of the last place, on this machine.

    FUNCTION is a name such as `erf`.
    """
    from libufunc.audit import audit as run

    report = run(
        list(functions), against=tuple(against.split(",")), seed=seed, points=points, dtype=dtype
    )
    click.echo(report.to_json() if as_json else report.table())
    if plot is not None:
        click.echo(f"libufunc: drawn to {report.plot(plot)}", err=True)


@app.command(
    epilog=_examples(
        "libufunc bench erf j0        # takes some seconds",
        "libufunc bench hypot --size 1000000 --json",
    )
)
@FUNCTIONS
@_counting("--size", 100_000, "Elements of an array.")
@_counting("--rounds", 15, "Timings, of which the best counts.")
@AS_JSON
def bench(*, functions: tuple[str, ...], size: int, rounds: int, as_json: bool) -> None:
    """Time functions by every way to call them from Python: ns an element, and ns of one call.

    FUNCTION is a name such as `erf`.
    """
    from libufunc.bench import bench as run

    rows = run(list(functions), size=size, rounds=rounds)
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
            raise click.BadParameter(
                f"`{ufunc.__name__}` takes a whole number as argument {place}, but `{number}` was "
                "given; write it without a point, as in `2`."
            )
    try:
        return ufunc(*given)
    except (TypeError, OverflowError) as error:
        click.echo(f"libufunc: {error}", err=True)
        raise click.exceptions.Exit(FAILED) from error


def _number(text: str) -> int | float | complex:
    """What a word on the command line means."""
    for kind in (int, float, complex):
        try:
            return kind(text)
        except ValueError:
            continue
    raise click.BadParameter(f"`{text}` is no number; write it as `2`, `-0.5`, `inf` or `1+2j`.")


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"


def _print_table(head: Sequence[str], rows: list[tuple[str, ...]]) -> None:
    """Columns of one width, with bars as Markdown has them."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(f"| {' | '.join(cells)} |")


def _print_json(found: Any) -> None:
    click.echo(json.dumps(_plain(found), indent=2))


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
