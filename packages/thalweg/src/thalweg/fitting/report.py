"""A fit in a few lines, the verdict first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thalweg.fitting.result import CurveFit

MOST_ROWS = 40  # parameters that are listed


def rows_of(fit: CurveFit) -> list[tuple[str, str, str, str]]:
    """Name, value, standard error and a remark, for each parameter."""
    errors = np.sqrt(np.diag(fit.pcov))
    rows = []
    for k, name in enumerate(fit.names):
        remark = ""
        if name not in fit.free_names:
            remark = "fixed"
        elif name in fit.at_bounds:
            remark = f"at its {fit.at_bounds[name]} bound"
        elif not np.isfinite(errors[k]):
            remark = "not determined" if fit.dof > 0 else ""
        error = "-" if remark == "fixed" else f"{errors[k]:.2g}"
        rows.append((name, f"{fit.popt[k]:.8g}", error, remark))
    return rows


def facts_of(fit: CurveFit) -> list[str]:
    """What the table of parameters does not show, in sentences."""
    facts = [
        f"χ² = {fit.chi_squared:.6g} with {fit.dof} degrees of freedom, R² = {fit.r_squared:.6g}."
    ]
    facts += [f"The data do not determine the direction {each}." for each in fit.undetermined]
    return facts


def lines_of(fit: CurveFit) -> list[str]:
    """Verdict, table and facts."""
    rows = rows_of(fit)[:MOST_ROWS]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    table = [
        f"  {name:<{widths[0]}} = {value:>{widths[1]}}  ± {error:<{widths[2]}}  {remark}".rstrip()
        for name, value, error, remark in rows
    ]
    more = len(fit.names) - len(rows)
    table += [f"  and {more} more parameters"] if more > 0 else []
    return [f"{fit.outcome.value}: {fit.message}", *table, *facts_of(fit)]
