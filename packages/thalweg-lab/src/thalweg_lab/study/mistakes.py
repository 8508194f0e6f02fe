"""Mistakes in a table that a person wrote: each by its path, and all of them at once.

Pydantic finds them and knows where they are; here they become sentences.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]  # keys and indices, from the outside in
BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that TOML wants no quotes around
_MISTAKE = "mistake"
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "none_required": "",  # TOML has no null, so nobody can write what was expected
    "string_type": "a text",
}


def refuse(mistakes: Iterable[tuple[Place, str]], value: Any) -> None:
    """Refuse a value inside one of pydantic's validators.

    Args:
        mistakes: Where inside the value, and what is wrong there.
        value: The value.

    Raises:
        ValidationError: There is a mistake; it names all of them.
    """
    details = [
        InitErrorDetails(
            # The sentence goes in as a value: it may hold braces itself.
            type=PydanticCustomError(_MISTAKE, "{sentence}", {"sentence": sentence}),
            loc=place,
            input=value,
        )
        for place, sentence in mistakes
    ]
    if details:
        raise ValidationError.from_exception_data("value", details)


def mistakes_of(
    error: ValidationError, *, keys_at: Callable[[Place], Iterable[str]] = lambda _: (), what: str
) -> list[tuple[Place, str]]:
    """Where a table is wrong, and what is wrong there.

    Args:
        error: What pydantic found.
        keys_at: The keys that the table at a place may have, for a guess at what was meant.
        what: What a key is, with an article, such as `a key of a study`.
    """
    found = []
    for detail in error.errors(include_url=False):
        place = detail["loc"]
        if detail["type"] == "extra_forbidden":
            sentence = unknown(str(place[-1]), keys_at(place[:-1]), what=what)
        else:
            sentence = _sentence(detail)
        found.append((place, sentence))
    return found


def _sentence(detail: ErrorDetails) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind == _MISTAKE:
        return message
    if kind == "missing":
        return "is missing"
    if kind in _EXPECTED:
        return f"is {detail['input']!r}, but {_EXPECTED[kind]} was expected"
    return f"is {detail['input']!r}: {message[:1].lower()}{message[1:]}"


def expected(details: Iterable[ErrorDetails]) -> str:
    """What would have been right where several types are allowed: `a number or a text`."""
    words = (_EXPECTED.get(detail["type"], detail["msg"]) for detail in details)
    return " or ".join(dict.fromkeys(filter(None, words)))


def in_one_line(error: Exception) -> str:
    """An error of a reader in one line; of pydantic's the first mistake, by its path."""
    if not isinstance(error, ValidationError):
        return str(error)
    place, sentence = mistakes_of(error, what="a key")[0]
    return f"`{dotted(place)}` {sentence}"


def dotted(place: Sequence[int | str]) -> str:
    """A place as a person writes it: `grid[0].methods."Adam 0.1".rate`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{quoted(part)}"
    return text.removeprefix(".")


def quoted(key: str) -> str:
    """A key, in quotes where TOML wants them."""
    return key if BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def unknown(key: str, known: Iterable[str], *, what: str) -> str:
    """A sentence about an unknown name: `is not WHAT; did you mean ...`.

    Args:
        key: The name.
        known: The names that there are.
        what: What the name should be, with an article, such as `a problem`.
    """
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    if near:
        return f"is not {what}; did you mean `{near[0]}`?"
    if not names:
        return f"is not {what}; there are none, so leave it out"
    return f"is not {what}; choose from {', '.join(f'`{name}`' for name in names)}"
