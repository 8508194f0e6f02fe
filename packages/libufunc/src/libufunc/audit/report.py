"""What an audit found: a row for each function, library and interval.

`table` is for eyes and for documents (Markdown), `to_json` for programs, `plot` for both.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from libufunc.audit.oracle import needed

PERCENTILES = (50, 99)
SCHEMA_VERSION = 1
HEADINGS = (
    "function",
    "library",
    "interval",
    "points",
    "max ULP",
    "mean",
    "median",
    "99 %",
    "wrong",
    "max at",
)
NUMBERS = range(3, 9)  # these columns are set flush right
FLOOR, CEILING = 1e-3, 1e20  # ULP; errors outside are drawn at these
VIEW = 1e-6, 1e18  # sizes of the arguments that are drawn


@final
@dataclass(frozen=True)
class Row:
    """The errors of one library's function on one interval.

    Attributes:
        function: C's name of it.
        library: Whose.
        interval: Which points, in words.
        points: How many, at least 1.
        low: Smallest first argument, by value.
        high: Largest first argument.
        max_ulp: Largest error in ULP, in size; infinite where `wrong` is not 0.
        mean_ulp: Mean size of the errors that are finite; NaN where there are none.
        median_ulp: Half of all points have at most this error.
        percentile_99_ulp: 99 of 100 points have at most this error.
        wrong: Points of infinite error: NaN for a number, a number for NaN, infinity for a small
            number; among special values also a wrong infinity or a wrong sign of zero.
        max_at: Arguments of the largest error.
        arguments: All first arguments, shape `(points,)`. Not part of the JSON.
        errors: Signed errors in ULP, shape `(points,)`. Not part of the JSON.
    """

    function: str
    library: str
    interval: str
    points: int
    low: float
    high: float
    max_ulp: float
    mean_ulp: float
    median_ulp: float
    percentile_99_ulp: float
    wrong: int
    max_at: tuple[float, ...]
    arguments: np.ndarray = field(repr=False, compare=False)
    errors: np.ndarray = field(repr=False, compare=False)

    @staticmethod
    def of(
        names: tuple[str, str, str], points: tuple[np.ndarray, ...], errors: np.ndarray
    ) -> "Row":
        """Sum up the errors.

        Args:
            names: Function, library and interval.
            points: One array of shape `(n,)` for each argument, n at least 1.
            errors: Signed errors in ULP, shape `(n,)`, infinite where wrong.
        """
        sizes = np.abs(errors)
        worst = int(np.argmax(sizes))
        finite = sizes[np.isfinite(sizes)]
        # The order statistic itself: between a finite and an infinite error lies no number.
        median, most = np.percentile(sizes, PERCENTILES, method="inverted_cdf")
        numbers = points[0][~np.isnan(points[0])]
        return Row(
            *names,
            points=len(errors),
            low=float(numbers.min()),
            high=float(numbers.max()),
            max_ulp=float(sizes[worst]),
            mean_ulp=float(finite.mean()) if len(finite) else math.nan,
            median_ulp=float(median),
            percentile_99_ulp=float(most),
            wrong=len(sizes) - len(finite),
            max_at=tuple(float(argument[worst]) for argument in points),
            arguments=points[0],
            errors=errors,
        )

    def record(self) -> dict[str, Any]:
        """The row without its points, in types that JSON has; numbers that it lacks as text."""
        values = asdict(self)
        del values["arguments"], values["errors"]
        return {name: _plain(value) for name, value in values.items()}

    def cells(self) -> tuple[str, ...]:
        """The row as text, one entry for each of `HEADINGS`."""
        errors = (self.max_ulp, self.mean_ulp, self.median_ulp, self.percentile_99_ulp)
        return (
            self.function,
            self.library,
            self.interval,
            str(self.points),
            *(_short(error) for error in errors),
            str(self.wrong),
            ", ".join(repr(argument) for argument in self.max_at),
        )


def _plain(value: Any) -> Any:
    """A value for JSON, which has neither infinity nor NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _short(error: float) -> str:
    """Three digits of a size in ULP."""
    return f"{error:.2f}" if error < 100 else f"{error:.3g}"  # noqa: PLR2004 - as many digits


@final
@dataclass(frozen=True)
class Report:
    """The rows of an audit, and what is needed to repeat it.

    Attributes:
        rows: In the order of functions, intervals and libraries.
        missing: Pairs of function and library, where the library has no such function.
        dtype: The format of arguments and values.
        seed: As passed.
        points: As passed: the most points of a row.
        machine: System, processor and versions.
    """

    rows: tuple[Row, ...]
    missing: tuple[tuple[str, str], ...]
    dtype: str
    seed: int
    points: int
    machine: dict[str, str]

    def table(self) -> str:
        """The rows as a Markdown table with aligned columns, and a line for what is missing."""
        body = [row.cells() for row in self.rows]
        widths = [max(map(len, column)) for column in zip(HEADINGS, *body, strict=True)]
        ruler = [
            "-" * (width - 1) + (":" if column in NUMBERS else "-")
            for column, width in enumerate(widths)
        ]
        lines = [
            " | ".join(
                cell.rjust(width) if column in NUMBERS and cells is not ruler else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            for cells in (HEADINGS, ruler, *body)
        ]
        text = "\n".join(f"| {line} |" for line in lines)
        gone = [
            f"\n\n`{library}` has no `{name}` in {self.dtype}." for name, library in self.missing
        ]
        return text + "".join(gone)

    def to_json(self) -> str:
        """The report as JSON; infinity and NaN are the texts "inf" and "nan"."""
        return json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "dtype": self.dtype,
                "seed": self.seed,
                "points": self.points,
                "machine": self.machine,
                "missing": [list(pair) for pair in self.missing],
                "rows": [row.record() for row in self.rows],
            },
            indent=2,
            allow_nan=False,
        )

    def plot(self, path: str | Path) -> Path:
        """Draw the size of every error over the size of the first argument, both logarithmic.

        Args:
            path: Where the picture goes, as PNG; it is replaced whole or not at all.

        Returns:
            The path. Wrong values stand as crosses on the upper edge, errors outside of `FLOOR` and
            `CEILING` at these, and arguments outside of `VIEW` are left out.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        needed("matplotlib")
        from matplotlib.figure import Figure

        names = list(dict.fromkeys(row.function for row in self.rows))
        libraries = list(dict.fromkeys(row.library for row in self.rows))
        target = Path(path)
        beside = target.with_name(f"{target.name}.part")
        figure = Figure(figsize=(9, 1 + 3 * len(names)), layout="constrained")
        axes = figure.subplots(len(names), squeeze=False)[:, 0]
        for name, axis in zip(names, axes, strict=True):
            axis.set(xscale="log", yscale="log", title=name, ylabel="error in ULP", xlim=VIEW)
            for number, library in enumerate(libraries):
                rows = [r for r in self.rows if (r.function, r.library) == (name, library)]
                if rows:
                    _draw(axis, rows, f"C{number}")
            axis.axhline(0.5, color="0.6", linewidth=0.8)
            axis.legend(loc="upper left", markerscale=3)
        axes[-1].set_xlabel("size of the first argument")
        figure.savefig(beside, format="png", dpi=80)
        beside.replace(target)
        return target


def _draw(axis: Any, rows: list[Row], colour: str) -> None:
    """One library's errors for one function."""
    sizes = np.abs(np.concatenate([row.arguments for row in rows]).astype(np.float64))
    errors = np.abs(np.concatenate([row.errors for row in rows]))
    shown = (sizes >= VIEW[0]) & (sizes <= VIEW[1])
    sizes, errors = sizes[shown], errors[shown]
    finite = np.isfinite(errors)
    heights = np.clip(errors[finite], FLOOR, CEILING)
    axis.plot(
        sizes[finite], heights, ".", color=colour, markersize=2, alpha=0.6, label=rows[0].library
    )
    edge = np.full((~finite).sum(), 0.99)
    axis.plot(sizes[~finite], edge, "x", color=colour, transform=axis.get_xaxis_transform())
