"""The page of a solved equation: the verdict first, then solution, error, residual and training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg._util.files import whole_file
from thalweg._util.machine import Machine, this_machine
from thalweg.pde.reference import Table as Known
from thalweg.pde.reference import formula_at
from thalweg.report import html
from thalweg.report.heat import HeatMap, draw_heat_map
from thalweg.report.lines import LineChart, draw_lines
from thalweg.report.looks import Looks
from thalweg.report.tables import Row, Table
from thalweg.report.text import number, versions_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from thalweg.pde.inverse import Unknown
    from thalweg.pde.problem import Problem
    from thalweg.pde.result import Result

ACROSS, UP = 161, 121  # points of a map
ALONG = 401  # points of a line
MOST_OUTPUTS = 3  # components that are shown


class Section(NamedTuple):
    """A headline and its figures."""

    title: str
    figures: Sequence[Markup]


class Words(NamedTuple):
    """What a page says beside its figures."""

    title: str
    has_converged: bool
    verdict: tuple[str, str]
    lead: Sequence[str]
    seconds: str
    compile_seconds: str
    machine: Machine


class View(NamedTuple):
    """The points that are shown: a line, or a grid of rows with the first lowest.

    Attributes:
        points: `(n, columns)`.
        shape: `(n,)` for a line, `(rows, columns)` for a grid.
        labels: Names of the axes.
        ends: Least and greatest value of each axis.
        where: What is held fixed, in words.
    """

    points: np.ndarray
    shape: tuple[int, ...]
    labels: tuple[str, ...]
    ends: tuple[tuple[float, float], ...]
    where: str


def write_page(result: Result, path: str | Path) -> Path:
    """Write the page of a result; it works offline.

    Raises:
        ConfigError: Jinja2 is not installed.
        OSError: The file cannot be written.
    """
    path = Path(path)
    text = render_page(result)
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")
    return path


def render_page(result: Result) -> str:
    """The page as HTML."""
    machine = this_machine()
    first, _, rest = result.verdict.partition(". ")
    sizes = f"{result.size:,} weights, {sum(result.points.values()):,} points"
    words = Words(
        title=result.problem.name,
        has_converged=result.has_converged,
        verdict=(f"{first}.", rest),
        lead=(f"A network of {sizes}; trained by `{result.solution.method}`.",),
        seconds=f"{result.seconds:.1f}",
        compile_seconds=f"{result.compile_seconds:.1f}",
        machine=machine,
    )
    return html.page(
        "pde_page.html",
        package="thalweg.pde",
        page=words,
        unknowns=_unknowns(result),
        sections=_sections(result),
        terms=_terms(result),
        versions=versions_text(machine.versions),
    )


def _unknowns(result: Result) -> Table | None:
    if not result.unknowns:
        return None
    rows = [
        Row([name, f"{one.value:.6g}", _error_of(one)]) for name, one in result.unknowns.items()
    ]
    return Table(
        title="Standard errors, from the curvature at the end, include what training has left.",
        name="Unknowns",
        heads=["constant", "value", "standard error"],
        rows=rows,
    )


def _error_of(one: Unknown) -> str:
    return "undetermined" if one.error is None else one.spread.removeprefix(" ± ")


def _terms(result: Result) -> Table:
    rows = [
        Row([label, f"{result.points[label]:,}", number(result.weights[label]), number(value)])
        for label, value in result.residuals.items()
    ]
    return Table(
        title="Residuals at fresh points, as a share of what they were before training.",
        name="Terms of the loss",
        heads=["term", "points", "weight", "residual"],
        rows=rows,
    )


def _sections(result: Result) -> list[Section]:
    view = view_of(result.problem)
    inside = result.problem.covers(view.points)
    values = _filled(result.at(view.points[inside]), inside)
    residuals = np.abs(_filled(result.residual_at(view.points[inside]), inside)).sum(axis=1)
    known = _known(result.problem, view.points[inside], inside)
    figures = []
    for k in range(min(values.shape[1], MOST_OUTPUTS)):
        name = "u" if values.shape[1] == 1 else f"u[{k}]"
        exact = None if known is None else known[:, k]
        figures.append(_figure(view, f"solution {name}", f"u-{k}", values[:, k], exact=exact))
        if exact is not None:
            gap = np.abs(values[:, k] - exact)
            figures.append(_figure(view, f"error of {name}", f"e-{k}", gap, log=True))
    residual = _figure(view, "size of the residual", "residual", residuals, log=True)
    return [
        Section(f"The solution{view.where}", figures),
        Section("How well the equation holds, and the training", [residual, _training(result)]),
    ]


def _filled(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Values `(n, k)` of all points, NaN outside."""
    values = values.reshape(len(values), -1)
    full = np.full((len(inside), values.shape[1]), np.nan)
    full[inside] = values
    return full


def _known(problem: Problem, points: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """The formula of the solution there; None where there is only a table, or nothing."""
    if problem.reference is None or isinstance(problem.reference, Known):
        return None
    return _filled(formula_at(problem, problem.reference, points), inside)


def _figure(
    view: View, name: str, key: str, values: np.ndarray, *, exact: Any = None, log: bool = False
) -> Markup:
    title = f"{name[:1].upper()}{name[1:]}"
    if len(view.shape) == 1:
        lines = {"network": (view.points[:, 0], values)}
        return draw_lines(
            LineChart(
                key=key,
                title=title,
                caption="The broad grey line is the reference." if exact is not None else "",
                x_label=view.labels[0],
                y_label=name,
                lines=lines,
                look=Looks(lines),
                x_log=False,
                y_log=log,
                backdrop=None if exact is None else (view.points[:, 0], exact),
            )
        )
    return draw_heat_map(
        HeatMap(
            key=key,
            title=title,
            caption="Light is large, on a logarithmic scale." if log else "Light is large.",
            x_label=view.labels[0],
            y_label=view.labels[1],
            x=view.ends[0],
            y=view.ends[1],
            values=values.reshape(view.shape),
            log=log,
        )
    )


def _training(result: Result) -> Markup:
    history = result.history
    return draw_lines(
        LineChart(
            key="training",
            title="Training",
            caption="Points are drawn and weights balanced again from time to time; the loss may "
            "jump there.",
            x_label="seconds",
            y_label="loss",
            lines={result.solution.method: (history["seconds"], history["loss"])},
            look=Looks([result.solution.method]),
            x_log=False,
        )
    )


def view_of(problem: Problem) -> View:
    """What to show: the line, the plane, or the first two coordinates through the middle."""
    domain, span = problem.domain, problem.interval
    middle = [*((domain.low + domain.high) / 2)]
    names = [*"xyz"] if domain.dimension <= 3 else [f"x{k + 1}" for k in range(domain.dimension)]  # noqa: PLR2004
    names = names[: domain.dimension]
    ends = [*zip(map(float, domain.low), map(float, domain.high), strict=True)]
    if span is not None:
        middle.append(span.end)
        names.append("t")
        ends.append((span.start, span.end))
    if len(middle) == 1:
        x = np.linspace(*ends[0], ALONG)
        return View(x[:, None], x.shape, ("x",), (ends[0],), "")
    shown = (1, 0) if domain.dimension == 1 else (0, 1)
    across, up = np.linspace(*ends[shown[0]], ACROSS), np.linspace(*ends[shown[1]], UP)
    points = np.tile(np.asarray(middle, float), (UP * ACROSS, 1))
    first, second = np.meshgrid(across, up)
    points[:, shown[0]], points[:, shown[1]] = first.ravel(), second.ravel()
    fixed = [f"{name} = {number(middle[k])}" for k, name in enumerate(names) if k not in shown]
    where = f" at {', '.join(fixed)}" if fixed else ""
    labels = names[shown[0]], names[shown[1]]
    return View(points, (UP, ACROSS), labels, (ends[shown[0]], ends[shown[1]]), where)
