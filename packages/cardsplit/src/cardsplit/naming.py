"""Putting a mark on a card, taking it off, and what the mark can say."""

import re
from typing import NamedTuple

from cardsplit.cards import Card
from cardsplit.content import Property
from cardsplit.keys import key_of_names, key_of_texts, stand_in
from cardsplit.lines import Span
from cardsplit.marks import (
    LONGEST_TEXT,
    Mark,
    clean,
    is_easy,
    mark_of,
    marked,
    name_in,
    shown_mark,
    unmarked,
)
from cardsplit.rules import Rule

# A slash at the end of something, or of a line that is folded there, also in quoted-printable.
_MAY_BE_MARKED = re.compile(rb"/[;\r\n=]|/\Z|=2F", re.IGNORECASE)
RUNGS = 4  # of the ladder of labels, before the counter


#: Lines of a card and what stands there instead.
Changes = list[tuple[Span, bytes]]


class Unmarked(NamedTuple):
    """A card whose mark has been taken off.

    Attributes:
        card: The card as it was before.
        mark: The mark.
        with_fn: Whether FN bore it beside N.
        changes: What `Card.replaced` makes the card before of the marked one with.
    """

    card: Card
    mark: Mark
    with_fn: bool
    changes: Changes


def bearers(card: Card) -> list[tuple[Span, Property]]:
    """The lines that a mark is put on: every N, or every FN if there is no N."""
    return card.all("N") or card.all("FN")


def mark_card(card: Card, mark: Mark, *, with_fn: bool) -> Card | None:
    """Put a mark on a card.

    Args:
        card: The card.
        mark: The mark.
        with_fn: Whether FN gets it too where there is an N.

    Returns:
        The marked card, or `None` if it has neither N nor FN, or a line that lacks the letters.
    """
    changes = _changes(card, mark, with_fn=with_fn)
    return card.replaced(changes) if changes else None


def key_when_marked(card: Card, mark: Mark, rule: Rule, *, with_fn: bool) -> bytes:
    """The key that a card has once it bears `mark`; `b""` if it cannot bear it."""
    lines = bearers(card)
    if len(lines) == 1 and not with_fn and lines[0][1].name == "N" and rule is not Rule.N_LINE:
        name = lines[0][1]
        if is_easy(name, mark):  # then it is read as it is written
            texts = [*name.texts()]
            texts[0] = f"{texts[0]} {shown_mark(mark)}"
            return key_of_texts(texts, rule)
    changes = _changes(card, mark, with_fn=with_fn)
    if not changes:
        return b""
    anew = dict(changes)
    found: dict[str, Property] = {}
    for span, line in card.all("N", "FN"):
        found.setdefault(line.name, line.like(anew[span]) if span in anew else line)
    name, formatted = found.get("N"), found.get("FN")
    return key_of_names(name, formatted, Rule.FN if name is None else rule)


def _changes(card: Card, mark: Mark, *, with_fn: bool) -> Changes:
    """The lines of a card that bear a mark, written with it; none if one cannot be."""
    lines = bearers(card)
    if with_fn and lines and lines[0][1].name == "N":
        lines = card.all("N", "FN")
    changes = []
    for span, line in lines:
        raw = marked(line, mark)
        if raw is None:
            return []
        changes.append((span, raw))
    return changes


def unmark_card(card: Card) -> Unmarked | None:
    """Take the mark off a card.

    Args:
        card: Any card.

    Returns:
        The card as it was before, or `None` if it bears no mark that `mark_card` could have made.
    """
    lines = bearers(card)
    mark = mark_of(name_in(lines[0][1])) if lines else None
    if mark is None:
        return None
    changes: Changes = []
    for span, line in lines:
        raw = unmarked(line, mark)
        if raw is None:
            return None
        changes.append((span, raw))
    formatted = [(span, unmarked(line, mark)) for span, line in card.all("FN")]
    with_fn = lines[0][1].name == "N" and bool(formatted) and all(raw for _, raw in formatted)
    if with_fn:
        changes += [(span, raw) for span, raw in formatted if raw]
        changes.sort()
    return Unmarked(card.replaced(changes), mark, with_fn, changes)


def look_alike_level(card: Card) -> int:
    """The highest level of anything in the names of a card that looks like a mark; 0 if none."""
    if not _MAY_BE_MARKED.search(card.shown):
        return 0
    marks = [mark_of(name_in(line)) for _, line in card.all("N", "FN")]
    return max((mark.level for mark in marks if mark), default=0)


def label(card: Card, rung: int) -> str:
    """What a mark could say of a card.

    Args:
        card: The card.
        rung: 0 for its company, 1 for the company with its units, 2 for the title, 3 for the
            first e-mail address or number.

    Returns:
        Text fit for a mark, or `""`. A card without a name is told by its stand-in first.
    """
    company = card.first("ORG")
    texts = [text for text in company.texts() if text] if company else []
    if rung == 0:
        return clean(texts[0]) if company and company.texts()[0] else ""
    if rung == 1:
        return clean(" ".join(texts))
    names = ("TITLE",) if rung == 2 else ("EMAIL", "TEL")  # noqa: PLR2004 - as said above
    found = next(filter(None, map(card.first, names)), None)
    text = found.text().strip() if found else ""
    lines = bearers(card)
    if text and lines and not any(lines[0][1].texts()):
        text = f"{stand_in(card)} {text}"
    return clean(text)


def count_base(card: Card) -> str:
    """What stands before a number: the company, else what stands in for a name, else nothing."""
    lines = bearers(card)
    is_nameless = bool(lines) and not any(lines[0][1].texts())
    return label(card, 0) or (stand_in(card) if is_nameless else "")


def counted(base: str, number: int) -> str:
    """The last rung of the ladder."""
    room = LONGEST_TEXT - len(f" {number}")  # the number must not be cut off
    return f"{clean(base)[:room]} {number}".strip()
