"""Numbers and lists as a person reads them: the formatters of all pages, tables and messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN_FROM, PLAIN_TO = 1e-3, 1e4  # powers of ten between these are written out


def number(value: float, *, digits: int = 2) -> str:
    """A number with few digits: `0.3`, `10⁻⁸`, `3.2·10⁻⁹`.

    Examples:
        >>> number(0.3), number(9104), number(1e-8), number(3.21e-9), number(float("nan"))
        ('0.3', '9100', '10⁻⁸', '3.2·10⁻⁹', 'unknown')
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite"
    if value == 0 or PLAIN_FROM <= abs(value) < PLAIN_TO:
        return f"{float(f'{value:.{digits + 1}g}'):.15g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    return power if float(mantissa) == 1 else f"{mantissa}·{power}"


def known(value: float, *, digits: int = 2) -> str:
    """A number as `number` has it; `-` where there is none, which is NaN."""
    return "-" if math.isnan(value) else number(value, digits=digits)


def whole(value: float) -> str:
    """A count with separators; `-` where there is none, which is NaN.

    Examples:
        >>> whole(91501), whole(float("nan"))
        ('91,501', '-')
    """
    return "-" if math.isnan(value) else f"{value:,.0f}"


def counted(count: int, noun: str) -> str:
    """A count and what is counted: `1 run`, `1,200 runs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def power_of_ten(exponent: int) -> str:
    """The label of a tick: `0.01`, `100`, `10⁻⁸`."""
    return number(10.0**exponent, digits=5)


def duration(seconds: float | None) -> str:
    """A time: `0.4 ms`, `37 ms`, `0.37 s`, `2.1 s`; `-` where there is none.

    Examples:
        >>> duration(0.0004), duration(0.0372), duration(0.372), duration(21.2), duration(None)
        ('0.4 ms', '37 ms', '0.37 s', '21 s', '-')
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds == 0:
        return "0"
    if seconds < 0.1:  # noqa: PLR2004 - a tenth of a second
        return f"{1000 * seconds:.{1 if seconds < 0.001 else 0}f} ms"  # noqa: PLR2004
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"  # noqa: PLR2004


def measured(value: float, *, is_share: bool) -> str:
    """A measure of success: a share as `97.1 %`, an error as a number."""
    return f"{100 * value:.1f} %" if is_share else number(value)


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def machine_text(machine: Mapping[str, Any]) -> str:
    """A machine as records have it: `AMD EPYC, 1 core, Linux x86_64, Python 3.11.7; jax 0.10.2`."""
    return (
        f"{machine['processor']}, {counted(machine['cores'], 'core')}, {machine['system']}, "
        f"Python {machine['python']}; {versions_text(machine['versions'])}"
    )


def versions_text(versions: dict[str, str | None]) -> str:
    """`jax 0.10.0, numpy 2.1.0`, without those that are not installed."""
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def short_commit(commit: str) -> str:
    """The first digits of a commit, and whether the tree was changed."""
    digits, plus, changed = commit.partition("+")
    return f"{digits[:12]}{plus}{changed}"
