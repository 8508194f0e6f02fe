"""Where the claim of Owens and Filkin holds: 2 to 1,000 times fewer presentations.

The claim is about a stiff solver against gradient descent at the best of its rates. It holds for a
problem and an error where the factor is at least 2 and most runs of the stiff solver arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thalweg_lab.study.answer import Summary
from thalweg_lab.study.questions.reading import in_words, known

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIM = 2.0  # the least that "2 to 1,000" promises; the verdict calls it half the presentations
STIFF, OURS = "stiff", "thalweg"  # the kinds of methods that are held against the claim


def verdict(numbers: Mapping[str, Any]) -> str:
    """The answer in a sentence, from the numbers of an `Answer`."""
    factors = numbers["over_gradient_descent"]
    if not factors:
        return "Undecided: there are no runs of the study's methods."
    stiff, ours = (_holding(factors, "presentations", kind) for kind in (STIFF, OURS))
    return (
        f"The best stiff solver needs at most half the presentations of gradient descent in "
        f"{len(stiff)} of {len(factors)} cases, thalweg's own choice in {len(ours)}."
    )


def summary(numbers: Mapping[str, Any]) -> Summary | None:
    """For each problem, at how many of the errors the claim holds, and by which factors."""
    factors = numbers["over_gradient_descent"]
    by_problem: dict[str, dict[str, Any]] = {}
    for case, found in factors.items():
        by_problem.setdefault(case.split()[0], {})[case] = found
    rows = [
        (
            problem,
            *(
                _range(_holding(cases, coin, kind), len(cases))
                for kind in (STIFF, OURS)
                for coin in ("presentations", "seconds")
            ),
        )
        for problem, cases in by_problem.items()
    ]
    columns = (
        "problem",
        "stiff solver, presentations",
        "stiff solver, time",
        "thalweg, presentations",
        "thalweg, time",
    )
    return Summary(columns, tuple(rows)) if rows else None


def _holding(cases: Mapping[str, Any], coin: str, kind: str) -> list[float]:
    """The factors over gradient descent that the claim promises; an arrival is needed for one."""
    found = [case[coin][kind] for case in cases.values()]
    return [factor for factor in found if known(factor) and factor >= CLAIM]


def _range(factors: list[float], cases: int) -> str:
    """`4 of 6 errors: 2.4 to 330 times`."""
    if not factors:
        return f"0 of {cases} errors"
    ends = [in_words(float(f"{value:.2g}")) for value in (min(factors), max(factors))]
    return f"{len(factors)} of {cases} errors: {' to '.join(dict.fromkeys(ends))} times"
