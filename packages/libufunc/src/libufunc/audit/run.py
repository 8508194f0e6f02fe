"""The audit itself: every function, on every interval, for every library."""

import platform
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from libufunc.audit.errors import AuditError
from libufunc.audit.functions import FUNCTIONS, Subject
from libufunc.audit.libraries import Candidate, candidate
from libufunc.audit.oracle import Format, Truth, second_opinion, truth
from libufunc.audit.points import Interval
from libufunc.audit.report import Report, Row

FORMATS = ("float32", "float64", "longdouble")
SECOND = 2  # points of each interval that mpmath checks
SECOND_END = 1e60  # none beyond: mpmath takes 5 seconds for one value of Y1 at 1e278
PACKAGES = ("numpy", "scipy", "jax", "python-flint", "mpmath")


def audit(
    names: str | Sequence[str],
    *,
    against: Sequence[str | Callable[..., object]] = ("libm", "scipy"),
    seed: int = 0,
    points: int = 1000,
    dtype: str = "float64",
) -> Report:
    """Measure how far the libraries' functions are from the true values, on this machine.

    The errors are those at the sampled points: `max_ulp` is a lower bound of the largest error,
    and grows a little with `points`.

    Args:
        names: C's names of the functions, such as "erf" or ["j0", "y0"]; see `FUNCTIONS`.
        against: "libm", "scipy", "numpy", "jax", the path of a shared library, or a function that
            works on arrays element by element.
        seed: Chooses the points; the same seed gives the same points.
        points: The most points of an interval, at least 1.
        dtype: "float32", "float64" or "longdouble".

    Raises:
        AuditError: A name, a library or a format is unknown, or no library has a function.
        MissingExtraError: The extra `libufunc[audit]`, or a library in `against`, is not installed.
        OracleError: Arb and mpmath disagree, so that no error can be stated.

    Cost: 10 to 100 microseconds for each point of an interval, as good as none for each library.

    Example:
        >>> report = audit("erf", against=("libm",), points=50)
        >>> {row.library for row in report.rows}
        {'libm'}
    """
    names_of_files = [Path(library).name for library in against if isinstance(library, str)]
    subjects = _subjects([names] if isinstance(names, str) else names)
    if dtype not in FORMATS:
        raise AuditError(f"`dtype` is {dtype!r}, but one of {', '.join(FORMATS)} was expected.")
    if points < 1:
        raise AuditError(f"`points` is {points}, but at least 1 was expected.")
    kind = Format(dtype)
    rows: list[Row] = []
    missing: list[tuple[str, str]] = []
    for subject in subjects:
        found = []
        for library in against:
            asked = candidate(library, subject, kind)
            if asked is None:
                missing.append((subject.name, str(library)))
            elif names_of_files.count(asked.library) > 1:
                found.append(replace(asked, library=str(library)))
            else:
                found.append(asked)
        if not found:
            raise AuditError(
                f"None of {', '.join(map(str, against))} has `{subject.name}` in {dtype}: name a "
                "library that has it in `against`."
            )
        for interval in subject.intervals(kind):
            rows += _rows(subject, interval, found, kind=kind, seed=seed, points=points)
        rows += _special(subject, found, kind)
    return Report(tuple(rows), tuple(missing), dtype, seed, points, _machine())


def _subjects(names: Iterable[str]) -> list[Subject]:
    """Look the names up."""
    unknown = [name for name in names if name not in FUNCTIONS]
    if unknown or not names:
        raise AuditError(
            f"No function `{', '.join(unknown)}` can be audited; these can: {', '.join(FUNCTIONS)}."
        )
    return [FUNCTIONS[name] for name in names]


def _rows(
    subject: Subject,
    interval: Interval,
    found: Sequence[Candidate],
    *,
    kind: Format,
    seed: int,
    points: int,
) -> list[Row]:
    """A row for each library, all at the same points."""
    # Of its own for each interval, so that its points do not depend on what else is audited.
    label = zlib.crc32(f"{subject.name} {interval.label}".encode())
    sample = interval.sample(np.random.default_rng([seed, label]), points, kind)
    true = truth(subject.arb, sample, kind)
    moderate = np.abs(sample[0].astype(np.longdouble)) < SECOND_END
    few = [part[moderate][:SECOND] for part in sample]
    second_opinion(subject.arb, subject.mpmath, few, kind)
    return [
        Row.of(
            (subject.name, asked.library, interval.label),
            sample,
            true.errors(asked(sample, kind), kind),
        )
        for asked in found
    ]


def _special(subject: Subject, found: Sequence[Candidate], kind: Format) -> list[Row]:
    """The rows of the special values: here an infinity or a sign of zero must be exact."""
    pairs = list(subject.special)
    if subject.arguments == 1:
        pairs.append(((np.nan,), np.nan))
    sample = tuple(
        np.array(column, kind.type) for column in zip(*(p[0] for p in pairs), strict=True)
    )
    values = np.array([value for _, value in pairs], kind.type)
    finite = np.where(np.isfinite(values), values, 0)
    exponent = np.frexp(finite)[1] - kind.digits
    ulp = np.where(finite == 0, kind.bottom, exponent).astype(np.int64)
    expected = Truth(values, np.zeros(len(pairs)), ulp)
    at_zero = np.logical_and.reduce([part == 0 for part in sample])
    rows = []
    for asked in found:
        computed = asked(sample, kind)
        errors = expected.errors(computed, kind)
        infinite = np.isinf(values) | np.isinf(computed)
        signed = at_zero & (values == 0) & (np.signbit(values) != np.signbit(computed))
        errors[(infinite & (values != computed)) | signed] = np.inf
        rows.append(Row.of((subject.name, asked.library, "special values"), sample, errors))
    return rows


def _machine() -> dict[str, str]:
    """What the figures depend on."""
    facts = {
        "system": platform.platform(),
        "processor": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts
