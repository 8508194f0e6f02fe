"""Regular expressions that cannot take for ever.

A pattern such as `(a+)+$` takes years on a page that somebody else wrote. The package `regex`
stops a search after a time limit; the patterns are those of Python's `re`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bootwatch.errors import UnprovedError

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1.0  # seconds for one pattern on one reply


def check_pattern(text: str) -> str:
    """Return a pattern as it is.

    Raises:
        ValueError: It is not a regular expression.
    """
    import regex

    try:
        regex.compile(text)
    except regex.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


def search(pattern: str, text: str) -> Any:
    """Search as `re.search` does.

    Raises:
        UnprovedError: It took longer than `LIMIT`.
    """
    import regex

    try:
        return regex.search(pattern, text, timeout=LIMIT)
    except TimeoutError:
        raise _too_slow(pattern) from None


def fits(pattern: str, text: str) -> bool:
    """Tell whether a pattern fits a whole text.

    Raises:
        UnprovedError: It took longer than `LIMIT`.
    """
    return search(rf"\A(?:{pattern})\Z", text) is not None


def count(pattern: str, text: str) -> int:
    """Count the matches of a pattern.

    Raises:
        UnprovedError: It took longer than `LIMIT`.
    """
    import regex

    matches: Iterator[Any] = regex.finditer(pattern, text, timeout=LIMIT)
    try:
        return sum(1 for _ in matches)
    except TimeoutError:
        raise _too_slow(pattern) from None


def _too_slow(pattern: str) -> UnprovedError:
    return UnprovedError(
        f"The pattern {pattern!r} took more than {LIMIT:g} s on a reply of the device; write one "
        "without a repetition inside a repetition"
    )
