"""Texts with placeholders: `{user}`, `{token}`, `{base64(user, ":", password)}`.

A placeholder is a name, or a function of names, quoted texts and other functions. What looks like a
placeholder and is none is refused when the recipe is loaded: sent as it stands, it would be taken
for a wrong token, or for a wrong password.

Each value is escaped for the place where it stands: in a path, a form, JSON or XML.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from bootwatch.errors import UnprovedError
from bootwatch.functions import find_function

NAME = re.compile(r"[A-Za-z_]\w*")
_TOKEN = re.compile(r"""\s*(?:([A-Za-z_]\w*)|"([^"]*)"|'([^']*)'|(.))""", re.DOTALL)
_SUSPICIOUS = re.compile(
    r"\{\s*[A-Za-z_][\w.\- ]*(?:\}|\()"  # `{name}`, `{function(`; also with mistakes
    r"|\{\{\s*[\w.\-]+\s*\}\}"  # as other programs write placeholders
    r"|\{[^\s{}\"',;=]*[A-Za-z_][^\s{}\"',;=]*\}"  # `{1name}`, `{name:x}`, `{name[0]}`, `{$name}`
)
_BEGINS_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[)")
_DEEPEST = 20  # functions inside functions


@dataclass(frozen=True)
class Quoted:
    """A text in quotation marks inside a placeholder."""

    text: str


@dataclass(frozen=True)
class Name:
    """A name inside a placeholder."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function inside a placeholder."""

    function: str
    arguments: tuple[Quoted | Name | Call, ...]


Expression = Quoted | Name | Call
Evaluate = Callable[[Expression, Mapping[str, str], str], str]


class TemplateError(ValueError):
    """A text holds what looks like a placeholder and is none."""


@lru_cache(maxsize=500)
def parse(text: str) -> tuple[str | Expression, ...]:
    """Split a text into what is sent as it stands and placeholders.

    Raises:
        TemplateError: Something in braces looks like a placeholder and is none.
    """
    parts: list[str | Expression] = []
    position = 0
    while found := _SUSPICIOUS.search(text, position):
        parts.append(text[position : found.start()])
        expression, end = _expression(text, found.start() + 1, depth=0)
        if not text.startswith("}", end) or isinstance(expression, Quoted):
            raise _not_one(text, found.start())
        parts.append(expression)
        position = end + 1
    parts.append(text[position:])
    return tuple(part for part in parts if part)


def _not_one(text: str, start: int) -> TemplateError:
    shown = text[start : start + 30].split("\n", maxsplit=1)[0]
    return TemplateError(
        f"holds `{shown}`, which is not a placeholder; a name has letters, digits and `_`, "
        "a function is written as `{md5(user, ':', password)}`"
    )


def _expression(text: str, start: int, *, depth: int) -> tuple[Expression, int]:
    found = _TOKEN.match(text, start)
    if found is None or found[4] is not None or depth > _DEEPEST:
        raise _not_one(text, max(text.rfind("{", 0, start), 0))
    if found[1] is None:
        return Quoted(found[2] if found[2] is not None else found[3]), found.end()
    end = found.end()
    if not text.startswith("(", end):
        if depth == 0 and (found.start(1) != start):  # `{ name }`
            raise _not_one(text, start - 1)
        return Name(found[1]), end
    arguments: list[Expression] = []
    mark = ","
    end += 1
    while mark == ",":
        argument, end = _expression(text, end, depth=depth + 1)
        arguments.append(argument)
        following = _TOKEN.match(text, end)
        mark = following[4] if following else None
        if mark not in {",", ")"} or following is None:
            raise _not_one(text, max(text.rfind("{", 0, start), 0))
        end = following.end()
    return Call(found[1], tuple(arguments)), end


def names_in(text: str) -> Iterator[str]:
    """List the names that a text needs.

    Raises:
        TemplateError: It is not a template.
    """
    for part in parse(text):
        if not isinstance(part, str):
            yield from _names(part)


def _names(expression: Expression) -> Iterator[str]:
    if isinstance(expression, Name):
        yield expression.name
    elif isinstance(expression, Call):
        for one in expression.arguments:
            yield from _names(one)


def functions_in(text: str) -> Iterator[str]:
    """List the functions that a text needs."""
    pending = [part for part in parse(text) if not isinstance(part, str)]
    while pending:
        expression = pending.pop()
        if isinstance(expression, Call):
            yield expression.function
            pending += expression.arguments


def as_it_is(value: str, _before: str) -> str:
    """Escape nothing."""
    return value


def fill(
    text: str,
    values: Mapping[str, str],
    escape: Callable[[str, str], str] = as_it_is,
    *,
    encoding: str = "utf-8",
    evaluate: Evaluate | None = None,
) -> str:
    """Replace the placeholders of a text.

    Args:
        text: The template.
        values: What the names stand for.
        escape: Makes a value fit for its place. It is also given what stands before.
        encoding: What functions turn texts into bytes by.
        evaluate: Gives a placeholder's text; by default its value.

    Raises:
        UnprovedError: A name has no value, as a reply did not hold what was to be captured, or a
            function cannot use what it was given.
    """
    done, text_of = "", evaluate or _text
    for part in parse(text):
        done += part if isinstance(part, str) else escape(text_of(part, values, encoding), done)
    return done


def shown(expression: Expression, values: Mapping[str, str], encoding: str) -> str:
    """Return what stands for a placeholder where nothing is sent: a function as `<name>`."""
    if isinstance(expression, Call):
        return f"<{expression.function}>"
    return _text(expression, values, encoding)


def _text(expression: Expression, values: Mapping[str, str], encoding: str) -> str:
    value = _value(expression, values, encoding)
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _value(expression: Expression, values: Mapping[str, str], encoding: str) -> str | bytes:
    if isinstance(expression, Quoted):
        return expression.text
    if isinstance(expression, Name):
        if expression.name not in values:
            raise UnprovedError(
                f"No reply gave a value for `{{{expression.name}}}`, so that the request which "
                "needs it was not sent; compare the recipe's captures with what the device answers"
            )
        return values[expression.name]
    function = find_function(expression.function)
    if function is None:  # a recipe is checked when it is loaded; its package may be gone since
        raise UnprovedError(f"The function `{expression.function}` is not known")
    arguments = [_value(one, values, encoding) for one in expression.arguments]
    try:
        return function(encoding, *arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        # The message of the error may hold what was given, the password among it.
        raise UnprovedError(
            f"The function `{expression.function}` cannot use what it was given "
            f"({type(error).__name__}); the request was not sent"
        ) from None


def escape_for(body: str, content_type: str, *, encoding: str) -> Callable[[str, str], str]:
    """Choose how values are escaped in JSON and XML.

    Args:
        body: A body, or a field of a form, which may hold JSON or XML, too.
        content_type: What the request calls it. Many devices take JSON as plain text, so that
            the way in which the body begins decides where this does not.
        encoding: Of the request. What it lacks is written as JSON and XML do.
    """
    kind = content_type.lower()
    if "json" in kind or ("xml" not in kind and _BEGINS_JSON.match(body)):
        plain = encoding.lower().replace("-", "") == "utf8"
        return lambda value, _before: json.dumps(value, ensure_ascii=not plain)[1:-1]
    if "xml" in kind or "html" in kind or body.lstrip().startswith("<"):
        return lambda value, before: (
            _for_xml(value, before).encode(encoding, "xmlcharrefreplace").decode(encoding)
        )
    return as_it_is


def _for_xml(value: str, before: str) -> str:
    if before.rfind("<![CDATA[") > before.rfind("]]>"):
        return value.replace("]]>", "]]]]><![CDATA[>")
    return html.escape(value)


def escape_path(encoding: str) -> Callable[[str, str], str]:
    """Return what escapes a value in a path."""
    return lambda value, _before: quote(value, safe="", encoding=encoding, errors="strict")
