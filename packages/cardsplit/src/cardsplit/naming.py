"""Putting a mark on a card, and taking it off."""

from operator import itemgetter
from typing import NamedTuple

from cardsplit.cards import Card
from cardsplit.content import Property
from cardsplit.keys import Keys, keys_of, keys_of_names
from cardsplit.lines import Span
from cardsplit.marks import Mark, mark_of, marked, name_in, unmarked
from cardsplit.missing_name import mark_of_new_name, new_name
from cardsplit.rules import Detail, Rule

_ASCII = bytes(range(128))
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
    mark = _mark_of_name(card)
    return mark.level if mark else 0


def _mark_of_name(card: Card) -> Mark | None:
    """The mark that the first N ends like, or the FN of a card without N, or an N made new."""
    lines = bearers(card)
    if not lines:
        return None
    return mark_of(name_in(lines[0][1])) or _mark_of_new_name(lines)


def _mark_of_new_name(lines: list[tuple[Span, Property]]) -> Mark | None:
    """The mark of the only N of a card, if it may have been made with it."""
    is_one = len(lines) == 1 and lines[0][1].name == "N"
    return mark_of_new_name(lines[0][1]) if is_one else None


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


def can_bear_a_mark(card: Card) -> bool:
    """Whether a card has a name to put a mark on."""
    return bool(card.simple_name or bearers(card))


def keys_when_marked(card: Card, mark: Mark, rule: Rule | Detail, *, with_fn: bool) -> Keys:
    """The keys that a card has once it bears `mark`; none if it cannot bear it.

    It can bear it if its lines can be written with it, and `unmark_card` then gives the card back.
    """
    simple = card.simple_name
    if simple and not with_fn and (new := simple.written(mark)):
        return (simple.key(card, rule, new),)
    return keys_when_marked_by_reading(card, mark, rule, with_fn=with_fn)


def keys_when_marked_by_reading(
    card: Card, mark: Mark, rule: Rule | Detail, *, with_fn: bool
) -> Keys:
    """What `keys_when_marked` says, of any card."""
    changes = _changes(card, mark, with_fn=with_fn)
    if not changes:
        return ()
    if not card.all("N"):
        after = card.replaced(changes)
        back = unmark_card(after)
        is_undone = back is not None and back.card == card and back.mark.level == mark.level
        return keys_of(after, rule) if is_undone else ()
    raw = dict(changes)
    lines = [(line, line.like(raw[span]) if span in raw else line) for span, line in _names(card)]
    if not all(_is_sure(before, after, mark) for before, after in lines):
        marked_card = card.replaced(changes)
        back = unmark_card(marked_card)
        if back is None or back.card != card or back.mark.level != mark.level:
            return ()
    names, formatted = ([line for _, line in lines if line.name == name] for name in ("N", "FN"))
    return keys_of_names(names, formatted, rule)


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
    """The lines of a card that bear a mark, written with it; none if one cannot be.

    A card without N gets one.
    """
    lines = bearers(card)
    if with_fn and lines and lines[0][1].name == "N":
        lines = _names(card)
    changes = []
    for span, line in lines:
        raw = marked(line, mark)
        if raw is None:
            return []
        changes.append((span, raw))
    if not card.all("N"):
        new = new_name(card, mark)
        return [new, *changes] if new else []
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
    if mark := _mark_of_new_name(lines):
        return _without_new_name(card, lines[0][0], mark)
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


def _without_new_name(card: Card, span: Span, mark: Mark) -> Unmarked | None:
    """Take the N off that a card got with its mark, and the mark off its FN."""
    changes: Changes = [(span, b"")]
    for where, line in card.all("FN"):
        raw = unmarked(line, mark)
        if raw is None:
            return None
        changes.append((where, raw))
    before = card.replaced(sorted(changes))
    if before.replaced(_changes(before, mark, with_fn=False)) != card:
        return None
    return Unmarked(before, mark, with_fn=False, changes=sorted(changes))
