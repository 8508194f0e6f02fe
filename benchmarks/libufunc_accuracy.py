"""The accuracy tables of docs/libufunc-accuracy.md and docs/libufunc-jax.md, and their plot.

    python benchmarks/libufunc_accuracy.py            the tables of the first page, 20 seconds
    python benchmarks/libufunc_accuracy.py --jax      the tables of the second
    python benchmarks/libufunc_accuracy.py --plot docs/images/libufunc-accuracy.png

The figures are the same each time on the same libraries, as the points are chosen by a seed.
"""

import argparse
import sys

from libufunc.audit import Report, audit

FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "cbrt",
    "erf", "erfc", "tgamma", "lgamma", "j0", "j1", "y0", "y1",
)  # fmt: skip
BESSEL = ("j0", "j1", "y0", "y1")
POINTS = 2000
SEED = 0
WIDE = 1e5  # ULP; from here on powers of ten are enough


def short(error: float) -> str:
    """A size in ULP, as short as it can be read."""
    return f"{error:.2f}" if error < 100 else f"{error:.0f}" if error < WIDE else f"{error:.0e}"  # noqa: PLR2004 - three digits


def brief(report: Report) -> str:
    """A line for each function and interval, a column for each library: max / mean ULP."""
    libraries = list(dict.fromkeys(row.library for row in report.rows))
    lines = [
        "| function | points | " + " | ".join(libraries) + " |",
        "|---|---|" + "---|" * len(libraries),
    ]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in report.rows:
        text = f"{short(row.max_ulp)} / {short(row.mean_ulp)}"
        if row.wrong:
            text = f"**{row.wrong} of {row.points} wrong**"
        cells.setdefault((row.function, row.interval), {})[row.library] = text
    for (function, interval), found in cells.items():
        values = " | ".join(found.get(library, "") for library in libraries)
        lines.append(f"| `{function}` | {interval} | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or draw the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jax", action="store_true", help="libufunc.jax beside the others")
    parser.add_argument("--plot", metavar="PNG", help="draw j0, y0, lgamma and erf instead")
    parser.add_argument("--points", type=int, default=POINTS, help="points of each interval")
    options = parser.parse_args()
    if options.plot:
        names = ("j0", "y0", "lgamma", "erf")
        report = audit(names, against=("scipy", "libm"), points=options.points, seed=SEED)
        print(report.plot(options.plot))
        return
    if options.jax:
        for dtype in ("float64", "float32"):
            libraries = ("jax", "libm", "scipy")
            report = audit(BESSEL, against=libraries, points=options.points, dtype=dtype, seed=SEED)
            print(f"\n{dtype}\n\n{brief(report)}")
    else:
        libraries = ("libm", "scipy", "numpy")
        report = audit(FUNCTIONS, against=libraries, points=options.points, seed=SEED)
        print(brief(report))
    print(f"\n{report.machine}", file=sys.stderr)


if __name__ == "__main__":
    main()
