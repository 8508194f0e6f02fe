"""Lengths of time as people write them: `30s`, `10min`, `1h30min`, `250ms`, `2d`.

A bare number is refused: nobody remembers later whether 10 meant seconds or minutes.
"""

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*")


def parse_duration(text: str) -> float:
    """Read a duration.

    Args:
        text: One or more numbers, each followed by a unit of `SECONDS`.

    Returns:
        The length in seconds, at least 0.

    Raises:
        ValueError: The text is no duration.
    """
    position, total = 0, 0.0
    while match := _PART.match(text, position):
        total += float(match[1]) * SECONDS[match[2]]
        position = match.end()
    if position != len(text) or not text:
        raise ValueError(
            f"{text!r} is not a duration; write a number with a unit, "
            f"such as `30s`, `10min` or `6h` ({', '.join(SECONDS)})"
        )
    return total


def show_duration(seconds: float) -> str:
    """Write a duration so that `parse_duration` reads the same number back.

    Args:
        seconds: A length of time, at least 0; it is rounded to milliseconds.
    """
    left = round(seconds * 1000)
    parts = []
    for unit in ("d", "h", "min", "s", "ms"):
        count, left = divmod(left, round(SECONDS[unit] * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _from_config(value: object) -> float:
    if isinstance(value, float):  # a default of ours, already in seconds
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(
            "duration", "is {found}; write a number with a unit, such as `30s`", {"found": value}
        )
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None


Duration = Annotated[float, BeforeValidator(_from_config)]
"""Seconds in a model, a text such as `30s` in the file."""
