"""What several questions read from runs: when a loss was reached, medians, numbers in words.

A run that never came to a loss counts as infinitely long in a median; a median that is infinite is
"never", shown as an empty cell. Starts from which no method at all came there (XOR has such ones,
in the valley of another minimum) say nothing of the methods and are left out.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thalweg_lab.study.questions.settings import setting_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from thalweg_lab.study.questions.settings import Setting
    from thalweg_lab.study.run import Run

# The loss at which methods are compared, by problem: exclusive or learned, irises and digits told
# apart in training, and a Bessel fit that has the shape.
TARGETS = {"xor": 1e-6, "iris": 1e-2, "bessel": 2e-2, "digits": 0.1}


class Reached(NamedTuple):
    """What a run had spent when its loss was first at or below a target; infinite for never."""

    steps: float
    gradients: float
    seconds: float


NEVER = Reached(math.inf, math.inf, math.inf)


def reached(run: Run, target: float) -> Reached:
    """What a run had spent when it came to a loss."""
    rows = np.flatnonzero(np.asarray(run.history["loss"]) <= target)
    if run.is_failed or not rows.size:
        return NEVER
    row = rows[0]
    return Reached(*(float(run.history[name][row]) for name in ("step", "gradients", "seconds")))


def good(runs: Iterable[Run]) -> list[Run]:
    """Those that did not raise."""
    return [run for run in runs if not run.is_failed and len(run.history["loss"])]


def problems_of(runs: Iterable[Run]) -> list[str]:
    """The problems, in the order of the runs."""
    return list(dict.fromkeys(run.spec.problem for run in runs))


def by_setting(runs: Iterable[Run]) -> dict[Setting, list[Run]]:
    """Runs by how their method was set, in the order of the runs."""
    groups: dict[Setting, list[Run]] = {}
    for run in runs:
        groups.setdefault(setting_of(run.spec), []).append(run)
    return groups


def reachable(runs: Sequence[Run], target: float) -> set[int]:
    """The starts from which some run came to a loss."""
    return {run.spec.start for run in runs if reached(run, target) != NEVER}


def of_problem(runs: Iterable[Run], problem: str) -> list[Run]:
    """The runs on a problem that did not raise."""
    return [run for run in good(runs) if run.spec.problem == problem]


def ids(runs: Iterable[Run]) -> tuple[str, ...]:
    """The ids of runs."""
    return tuple(run.id for run in runs)


def median(values: Iterable[float]) -> float:
    """The median of numbers, some of which may be infinite; NaN is left out; NaN of none."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.median_low(known) if known else math.nan


def ratio(large: float, small: float) -> float:
    """`large / small`; NaN where that says nothing."""
    if not (math.isfinite(large) and math.isfinite(small) and small > 0):
        return math.nan
    return large / small


def cell(value: float) -> float | None:
    """A number as a table has it: None for what is not finite, few digits for the others."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.4g}")


def whole(value: float) -> int | None:
    """A count as a table has it; None for never."""
    return round(value) if math.isfinite(value) else None


def in_words(value: float) -> str:
    """A number in a sentence, with two or three digits: `1,234`, `0.35`, `2.1e-05`, `never`."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "never"
    if value == 0 or 1e-3 <= abs(value) < 1e6:  # noqa: PLR2004 - written out between them
        digits = 3 if abs(value) < 100 else 0  # noqa: PLR2004 - as above
        return f"{value:,.{digits}g}" if digits else f"{value:,.0f}"
    return f"{value:.2g}"


def times(value: float) -> str:
    """A factor in a sentence: `3.2 times`."""
    return f"{in_words(float(f'{value:.2g}'))} times"


def percent(share: float) -> str:
    """A share in a sentence: `87 %`; only all of it is `100 %`, and only nothing `0 %`.

    Examples:
        >>> percent(0.874), percent(1.0), percent(213 / 214), percent(0.001)
        ('87 %', '100 %', '99.5 %', '0.1 %')
    """
    digits = 0 if share in (0, 1) or 0.005 <= share < 0.995 else 1  # noqa: PLR2004 - what rounds to all or nothing
    return f"{100 * share:.{digits}f} %"


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return f"{text[0].upper()}{text[1:]}."


def known(value: float | None) -> bool:
    """Whether a number is finite; a record has None in the place of one that is not."""
    return value is not None and math.isfinite(value)
