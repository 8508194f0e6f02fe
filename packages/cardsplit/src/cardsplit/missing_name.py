r"""The N that a card without one gets with its mark.

Programs such as Fossify Contacts read N and no FN, so a card without N is displayed as its company,
and a mark on FN alone distinguishes no two of them. Such a card gets a line

    N:;Peter Miller /ABC-Corp/;;;

before its FN: the words of FN as the given name, with the mark. A mark otherwise stands behind a
family name, so the line shows by its empty family name that it is new, and undoing takes all of it
away. A card with neither N nor FN stays as it is, and is noted.

Decision: docs/decisions/0050-a-name-for-cards-without-one.md.
"""

import re

from cardsplit.cards import Card
from cardsplit.content import Property, one_line
from cardsplit.lines import Span
from cardsplit.marks import Mark, folded, mark_of, quoted, shown_mark

_TO_ESCAPE = re.compile(r"[\\;,]")
_OTHERS = 3  # components behind the given name


def new_name(card: Card, mark: Mark) -> tuple[Span, bytes] | None:
    """The N that a card without one gets.

    Args:
        card: A card without N.
        mark: Its mark.

    Returns:
        An empty span of `card.shown` and the line that goes there; `None` if there is no FN, or
        it is blank.
    """
    span, line = next(iter(card.all("FN")), (Span(0, 0), None))
    text = one_line(line.text()) if line else ""
    if line is None or not text:
        return None
    text = f"{text} {shown_mark(mark)}"
    new = _written(text, line.codec_to_write, line.line_break, is_21=line.is_21)
    return Span(span.start, span.start), new


def _written(text: str, codec: str, eol: bytes, *, is_21: bool) -> bytes:
    """An N whose given name is this text."""
    tail = b";" * _OTHERS
    if not is_21:
        escaped = _TO_ESCAPE.sub(r"\\\g<0>", text)
        try:
            data = escaped.encode(codec)
        except UnicodeEncodeError:
            data = escaped.encode("utf-8", "replace")
        return folded(b"N:;", data + tail, eol + b" ") + eol
    if text.isascii():
        return b"N:;" + text.replace(";", "\\;").encode("ascii") + tail + eol
    head = b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:;"
    data = quoted(text.replace(";", "\\;").encode("utf-8", "replace"))
    return folded(head, data + tail, b"=" + eol) + eol


def mark_of_new_name(line: Property) -> Mark | None:
    """The mark in an N that may have been made so, else `None`."""
    texts = line.texts()
    if len(texts) != _OTHERS + 2 or texts[0] or any(texts[2:]):
        return None
    return mark_of(texts[1])
