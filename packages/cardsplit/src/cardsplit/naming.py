"""Putting a mark on a card, taking it off, and what the mark can say."""

from operator import itemgetter
from typing import NamedTuple

from cardsplit.cards import Card
from cardsplit.content import Property
from cardsplit.keys import key_of_names, stand_in
from cardsplit.lines import Span
from cardsplit.marks import (
    LONGEST_TEXT,
    Mark,
    clean,
    mark_of,
    marked,
    name_in,
    unmarked,
)
from cardsplit.plain import simple_company
from cardsplit.rules import Rule

_ASCII = bytes(range(128))
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


def level_of(card: Card) -> int:
    """The level of the mark that a card's name ends like; 0 if it ends like none."""
    if card.simple_name:
        return card.simple_name.level
    lines = bearers(card)
    mark = mark_of(name_in(lines[0][1])) if lines else None
    return mark.level if mark else 0


def mark_card(card: Card, mark: Mark, *, with_fn: bool) -> Card | None:
    """Put a mark on a card.

    Args:
        card: The card.
        mark: The mark.
        with_fn: Whether FN gets it too where there is an N.

    Returns:
        The marked card, or `None` if it has neither N nor FN, or a line that lacks the letters.
    """
    name = card.simple_name
    if name and not with_fn and (new := name.written(mark)):
        return Card(card[: name.place] + new + card[name.place :])
    return mark_by_reading(card, mark, with_fn=with_fn)


def mark_by_reading(card: Card, mark: Mark, *, with_fn: bool) -> Card | None:
    """What `mark_card` does, for any card."""
    changes = _changes(card, mark, with_fn=with_fn)
    return card.replaced(changes) if changes else None


def key_when_marked(card: Card, mark: Mark, rule: Rule, *, with_fn: bool) -> bytes:
    """The key that a card has once it bears `mark`; `b""` if it cannot bear it.

    It can bear it if its lines can be written with it, and `unmark_card` then gives the card back.
    """
    simple = card.simple_name
    if simple and not with_fn and (new := simple.written(mark)):
        return simple.key(card, rule, new)
    return key_when_marked_by_reading(card, mark, rule, with_fn=with_fn)


def key_when_marked_by_reading(card: Card, mark: Mark, rule: Rule, *, with_fn: bool) -> bytes:
    """What `key_when_marked` says, of any card."""
    changes = _changes(card, mark, with_fn=with_fn)
    if not changes:
        return b""
    raw = dict(changes)
    lines = [(line, line.like(raw[span]) if span in raw else line) for span, line in _names(card)]
    if not all(_is_sure(before, after, mark) for before, after in lines):
        marked_card = card.replaced(changes)
        back = unmark_card(marked_card)
        if back is None or back.card != card or back.mark.level != mark.level:
            return b""
    found: dict[str, Property] = {}
    for _, line in lines:
        found.setdefault(line.name, line)
    name, formatted = found.get("N"), found.get("FN")
    return key_of_names(name, formatted, Rule.FN if name is None else rule)


def _is_sure(before: Property, after: Property, mark: Mark) -> bool:
    """Whether a line of a marked card will be read as it is meant: with this mark, or with none.

    It also has to leave it as it is what the other lines seem to be written in.
    """
    if after is before:
        return (b"/" not in after.raw and b";" not in after.head) or not mark_of(name_in(after))
    is_utf8 = not before.is_21 and before.usual_codec == before.codec_to_write == "utf-8"
    leaves_codec = is_utf8 or before.charset or _beyond_ascii(before) == _beyond_ascii(after)
    return bool(leaves_codec) and mark_of(name_in(after)) == mark


def _beyond_ascii(line: Property) -> bytes:
    return line.raw.translate(None, _ASCII)


def _names(card: Card) -> list[tuple[Span, Property]]:
    """Every N and FN of a card, in order."""
    names, formatted = card.all("N"), card.all("FN")
    return (
        sorted([*names, *formatted], key=itemgetter(0))
        if names and formatted
        else names or formatted
    )


def _changes(card: Card, mark: Mark, *, with_fn: bool) -> Changes:
    """The lines of a card that bear a mark, written with it; none if one cannot be."""
    lines = bearers(card)
    if with_fn and lines and lines[0][1].name == "N":
        lines = _names(card)
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
    name = card.simple_name
    if name and name.mark:
        text = name.mark[len(b" /") :].rstrip(b"/").decode("ascii")
        start = name.place - len(name.mark)
        before = Card(card[:start] + card[name.place :])
        if before.simple_name and before.simple_name.written(mark := Mark(text, name.level)):
            return Unmarked(before, mark, with_fn=False, changes=[(Span(start, name.place), b"")])
    return unmark_by_reading(card)


def unmark_by_reading(card: Card) -> Unmarked | None:
    """What `unmark_card` does, of any card; the changes may be written otherwise."""
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


def label(card: Card, rung: int) -> str:
    """What a mark could say of a card.

    Args:
        card: The card.
        rung: 0 for its company, 1 for the company with its units, 2 for the title, 3 for the
            first e-mail address or number.

    Returns:
        Text fit for a mark, or `""`. A card without a name is told by its stand-in first.
    """
    if rung == 0 and card.simple_name and (found := simple_company(card)) is not None:
        return found
    company = card.first("ORG")
    texts = [text for text in company.texts() if text] if company else []
    if rung == 0:
        return clean(texts[0]) if company and company.texts()[0] else ""
    if rung == 1:
        return clean(" ".join(texts))
    names = ("TITLE",) if rung == 2 else ("EMAIL", "TEL")  # noqa: PLR2004 - as said above
    line = next(filter(None, map(card.first, names)), None)
    text = line.text().strip() if line else ""
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
